"""What an import compares is called by a name of each language, not by the name of a column."""

from controller.texts.catalogue import all_texts
from controller.workflows.site_catalogue import _host_fields, _size_fields
from inventory.domain.catalogue import Size
from inventory.domain.ids import SizeId
from tests.support.placement import entry


def test_every_field_of_a_size_and_a_host_has_a_name() -> None:
    size = Size(id=SizeId("size_1"), name="tiny", vcpu_count=1, memory_mib=128, root_disk_gib=1)
    host = entry(1).host
    fields = {*_size_fields(size), *_host_fields(host, {host.pool_id: "pool"}, [])}
    assert {name for name in fields if f"cli.field.{name}" not in all_texts()} == set()
