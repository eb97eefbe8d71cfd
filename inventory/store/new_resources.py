"""Rows of new machines and disks, of what they claim, and of their journal: columns in which only what is their own differs.

For the commit, which writes them together.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any

from sqlalchemy import Connection

from inventory.domain.claim import Held
from inventory.domain.ids import StoragePoolId
from inventory.domain.resource import InstanceSpec, NewResource, Observed, Phase, Resource, VolumeSpec
from inventory.store import bulk, claims, journal
from inventory.store import tables as t
from inventory.store.columns import encoded


def insert(
    connection: Connection, born: Sequence[NewResource], held: Sequence[Held], amounts: Sequence[Mapping[str, int]]
) -> None:
    """Add new resources that are metered, each with what it claims and the first row of its journal, which tells the amounts."""
    if born:
        bulk.insert_batches(connection, _batches(connection, born, held, amounts))


def _batches(
    connection: Connection, born: Sequence[NewResource], held: Sequence[Held], amounts: Sequence[Mapping[str, int]]
) -> Iterator[bulk.Batch]:
    """Make rows table by table, each when the one before it is on its way."""
    yield _rows(connection, born)
    yield claims.rows(connection, held)
    yield from journal.first_rows(connection, born, amounts)


def _rows(connection: Connection, born: Sequence[NewResource]) -> bulk.Batch:
    own: dict[str, Sequence[Any] | bulk.Fit] = dict(zip(NewResource._fields, zip(*born, strict=True), strict=True))
    own |= {"kind": [r.kind.value for r in born], "desired": [r.desired.value for r in born]}
    del own["storage_pool_id"]
    own["spec"] = bulk.Fit(_texts([r.spec for r in born], [r.storage_pool_id for r in born]))
    return bulk.batch(connection, t.resources, {**_OF_EVERY_NEW_ONE, **own, "next_try_s": own["created_at_s"]})


def _texts(specs: Sequence[InstanceSpec | VolumeSpec], pools: Sequence[StoragePoolId]) -> list[str]:
    """Return specs as they are stored: of those that are alike only the storage pools differ."""
    moulds: dict[int, tuple[str, str]] = {}
    texts: dict[tuple[int, StoragePoolId], str] = {}
    found = []
    for spec, pool in zip(specs, pools, strict=True):
        key = id(spec), pool
        text = texts.get(key)
        if text is None:
            before, after = moulds.get(key[0]) or moulds.setdefault(key[0], _mould(spec))
            text = texts[key] = f"{before}{pool}{after}"
        found.append(text)
    return found


def _mould(spec: InstanceSpec | VolumeSpec) -> tuple[str, str]:
    """Return the stored form of a spec before and behind the id of its storage pool."""
    # These words are nowhere in a text somebody wrote: its quotation marks are escaped.
    before, name, behind = encoded(spec.to_json()).partition('"storage_pool_id":"')
    return before + name, behind[behind.index('"') :]


#: What every new resource has, where that is not the default of its column.
_OF_EVERY_NEW_ONE: Mapping[str, Any] = {
    f.name: bulk.Same(f.default)
    for f in fields(Resource)
    if f.default is not MISSING and t.resources.c[f.name].server_default is None
} | {
    "observed": bulk.Same(Observed.UNKNOWN.value),
    "phase": bulk.Same(Phase.PENDING.value),
    "revision": bulk.Same(1),
    "detail": bulk.Same({}),
}
