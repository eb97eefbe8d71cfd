"""A thousand machines without their builds: rows of one real machine copied in the region's own databases.

Only for measuring how a region is read: Nova and Cinder list these as they list any other, and nothing is done to them. Each
copy has our mark with an id of its own. ``clear`` takes them away again.
"""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.openstack.region.layout import Layout
from tests.openstack.region.schemas import sql

#: Turns the number of a copy into a uuid that is nobody's, and into our id.
_UUID = "concat('c0{kind}0000-0000-4000-8000-', lpad(seq, 12, '0'))"
_SERVER, _VOLUME, _ATTACHMENT = (_UUID.format(kind=kind) for kind in ("01", "02", "03"))
_OUR_ID = "concat('inst_c0ffee00000000000000', lpad(seq, 10, '0'))"
_MARKED = f"if(`key` = 'allotment_id', {_OUR_ID}, `value`)"
#: What is copied: table -> (column that names the machine or volume, columns that differ, whether it has an own number).
_NOVA: dict[str, tuple[str, Mapping[str, str]]] = {
    # As of machines that were made one after the other, long ago.
    "nova.instances": ("uuid", {"uuid": _SERVER, "updated_at": "utc_timestamp() - interval (seq + 5) minute"}),
    "nova.instance_extra": ("instance_uuid", {"instance_uuid": _SERVER}),
    "nova.instance_info_caches": ("instance_uuid", {"instance_uuid": _SERVER}),
    "nova.instance_system_metadata": ("instance_uuid", {"instance_uuid": _SERVER}),
    "nova.instance_metadata": ("instance_uuid", {"instance_uuid": _SERVER, "value": _MARKED}),
    "nova.block_device_mapping": (
        "instance_uuid",
        {"instance_uuid": _SERVER, "uuid": _ATTACHMENT, "volume_id": _VOLUME, "attachment_id": "null"},
    ),
    "nova.tags": ("resource_id", {"resource_id": _SERVER}),
    "nova_api.instance_mappings": ("instance_uuid", {"instance_uuid": _SERVER}),
}
_CINDER: dict[str, tuple[str, Mapping[str, str]]] = {
    "cinder.volumes": ("id", {"id": _VOLUME, "display_name": _OUR_ID}),
    "cinder.volume_metadata": ("volume_id", {"volume_id": _VOLUME, "value": _MARKED}),
    "cinder.volume_attachment": ("volume_id", {"id": _ATTACHMENT, "volume_id": _VOLUME, "instance_uuid": _SERVER}),
}
_CLEAR = (
    *((table, key, "c0010000-%") for table, (key, _) in reversed(_NOVA.items())),
    *((table, key, "c0020000-%") for table, (key, _) in reversed(_CINDER.items())),
)


@contextmanager
def crowd(layout: Layout, server_id: str, volume_id: str, count: int) -> Iterator[None]:
    """Have ``count`` copies of a machine with one volume."""
    clear(layout)
    copies = ((_NOVA, server_id), (_CINDER, volume_id))
    sql(layout, "".join(_copy(layout, table, *how, like, count) for tables, like in copies for table, how in tables.items()))
    try:
        yield
    finally:
        clear(layout)


def clear(layout: Layout) -> None:
    """Take every copy away."""
    text = "".join(f"delete from {table} where {key} like '{like}';" for table, key, like in _CLEAR)
    sql(layout, f"set foreign_key_checks = 0; {text}")


def _copy(layout: Layout, table: str, key: str, differ: Mapping[str, str], like: str, count: int) -> str:
    columns = [c for c in _columns(layout, table) if c != "id" or "id" in differ]
    names = ", ".join(f"`{c}`" for c in columns)
    values = ", ".join(differ.get(c, f"`{c}`") for c in columns)
    return f"insert into {table} ({names}) select {values} from {table} join nova.seq_1_to_{count} where {key} = '{like}';\n"


def _columns(layout: Layout, table: str) -> list[str]:
    schema, _, name = table.partition(".")
    query = (
        "select column_name from information_schema.columns"
        f" where table_schema = '{schema}' and table_name = '{name}' and is_generated = 'NEVER' order by ordinal_position"
    )
    client = ["mariadb", "--no-defaults", "-N", "-B", "-S", str(layout.database_socket), "-u", "root", "-e", query]
    return subprocess.run(client, capture_output=True, text=True, check=True).stdout.split()
