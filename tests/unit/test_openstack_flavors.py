"""Sizes of machines as a region's flavors."""

from types import SimpleNamespace
from typing import Any

from drivers.openstack.flavors import pick_flavor, sizes_of


def flavor(**changes: Any) -> SimpleNamespace:
    known = {"vcpus": 2, "ram": 4096, "disk": 0, "extra_specs": {}, "swap": 0, "ephemeral": 0, "is_disabled": False, "name": "f"}
    return SimpleNamespace(**{**known, **changes})


def test_a_flavor_is_picked_by_its_numbers_and_never_one_with_wishes_of_its_own() -> None:
    plain, with_disk = flavor(name="plain"), flavor(name="a", disk=20)
    others = [
        flavor(extra_specs={"hw:cpu_policy": "dedicated"}),
        flavor(vcpus=3),
        flavor(ram=1),
        flavor(is_disabled=True),
        flavor(swap=1),
    ]
    assert pick_flavor([*others, with_disk, plain], 2, 4096) is plain
    assert pick_flavor([*others, with_disk], 2, 4096) is with_disk
    assert pick_flavor(others, 2, 4096) is None
    # Every size that is told of has one.
    found = sizes_of([*others, with_disk, plain])
    assert found == ((2, 1, 0), (2, 4096, 0), (2, 4096, 20), (3, 4096, 0))
    assert all(pick_flavor([*others, with_disk, plain], *size) is not None for size in found)
