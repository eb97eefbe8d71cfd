"""How much of what is free can be used."""

from dataclasses import replace

from controller.metrics.fragmentation import SIZES_MAX, by_pool
from inventory.domain.catalogue import Size
from inventory.domain.ids import SizeId
from inventory.domain.layout import Layout
from inventory.store.summary import FreeRoom


def size(name: str, vcpu: int, memory_mib: int, disk_gib: int) -> Size:
    return Size(id=SizeId(name), name=name, vcpu_count=vcpu, memory_mib=memory_mib, root_disk_gib=disk_gib)


SIZES = [size("small", 2, 4, 10), size("large", 4, 8, 10)]


def host(name: str, vcpu: int, memory_mib: int, *disks_gib: int) -> list[FreeRoom]:
    amounts = [("vcpu", vcpu), ("memory_mib", memory_mib), *(("disk_gib:standard", gib) for gib in disks_gib)]
    return [FreeRoom(pool="p", zone="z", host_id=name, dimension=d, free=free) for d, free in amounts]


def test_two_halves_of_a_large_machine_take_none() -> None:
    found = by_pool([*host("a", 2, 4, 100), *host("b", 2, 4, 100)], SIZES)["p", "z"]
    assert found.fit == {"small": 2, "large": 0}
    assert found.lost_ratio == {"small": 0.0, "large": 1.0}
    assert (found.stranded_vcpu, found.stranded_memory_mib) == (0, 0)


def test_what_no_size_fits_into_is_stranded() -> None:
    found = by_pool([*host("a", 30, 3, 100), *host("b", 1, 64, 100), *host("c", 8, 16, 9, 9)], SIZES)["p", "z"]
    assert found.fit == {"small": 0, "large": 0}
    assert (found.stranded_vcpu, found.stranded_memory_mib) == (39, 83)


def test_storage_pools_take_whole_disks() -> None:
    found = by_pool(host("a", 64, 64, 15, 25), SIZES)["p", "z"]
    assert found.fit["small"] == 3
    assert found.lost_ratio["small"] == 0.25


def test_what_depends_on_more_than_amounts_is_left_out_and_takes_no_place_of_others() -> None:
    special = [replace(size(f"tpm-{n}", 1, 1, 1), traits=("tpm",)) for n in range(SIZES_MAX)]
    alone = replace(size("alone", 1, 1, 1), layout=Layout.of(is_dedicated=True))
    found = by_pool(host("a", 1, 2, 100), [*special, alone, *SIZES])["p", "z"]
    assert found.fit == {"small": 0, "large": 0}
    assert (found.stranded_vcpu, found.stranded_memory_mib) == (1, 2)


def test_nothing_free_is_nothing_lost() -> None:
    assert by_pool([], SIZES) == {}
    found = by_pool(host("a", 0, 0, 0), SIZES)["p", "z"]
    assert found.lost_ratio == {"small": 0.0, "large": 0.0}
