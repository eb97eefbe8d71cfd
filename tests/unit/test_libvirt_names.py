"""Names of the libvirt driver carry ids, and only what carries one of ours is ours."""

import pytest

from drivers.libvirt import names
from inventory.domain.ids import ResourceId

INSTANCE = ResourceId("inst_0190a8f0c1de7abc8def0123456789ab")
VOLUME = ResourceId("vol_0190a8f0c1de7abc8def0123456789ef")
SEGMENT = ResourceId("seg_0190a8f0c1de7abc8def0123456789cd")
SHA = "ab" * 32


def test_bridge_name_fits_the_kernel() -> None:
    assert names.bridge_name(SEGMENT) == "allot23456789cd"
    assert len(names.bridge_name(SEGMENT)) == 15


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        (names.volume_name(INSTANCE), INSTANCE),
        (names.volume_name(VOLUME), VOLUME),
        (names.seed_name(INSTANCE, SHA), INSTANCE),
        (names.console_name(INSTANCE) + ".0", INSTANCE),
        (names.fence_name(VOLUME, 3), VOLUME),
        (names.image_name(SHA, "qcow2"), None),
        ("debian.qcow2", None),
        (INSTANCE, None),
        (f"{INSTANCE}x.root.qcow2", None),
        (f"backup-{VOLUME}.data.qcow2", None),
    ],
)
def test_file_belongs_to_the_id_it_begins_with(name: str, owner: str | None) -> None:
    assert names.owner_of(name) == owner


def test_only_disks_count_as_disks() -> None:
    others = [
        names.seed_name(INSTANCE, SHA),
        names.console_name(INSTANCE),
        names.fence_name(INSTANCE, 1),
        f"{INSTANCE}.data.qcow2",
    ]
    assert names.disk_owner(names.volume_name(INSTANCE)) == INSTANCE
    assert [names.disk_owner(name) for name in others] == [None] * 4


def test_fence_is_read_from_its_own_name_only() -> None:
    assert names.fence_in(names.fence_name(VOLUME, 42), VOLUME) == 42
    assert names.fence_in(names.fence_name(VOLUME, 42), INSTANCE) is None
    assert names.fence_in(names.volume_name(VOLUME), VOLUME) is None
    assert names.fence_in(f"{VOLUME}.fence--1", VOLUME) is None


def test_files_of_an_image_share_its_prefix() -> None:
    files = [
        names.image_name(SHA, "raw"),
        names.kernel_name(SHA),
        names.initrd_name(SHA),
        names.verified_name(names.kernel_name(SHA)),
    ]
    assert all(name.startswith(names.image_prefix(SHA)) for name in files)
    assert len(set(files)) == 4


@pytest.mark.parametrize(
    ("name", "is_ours"),
    [
        (names.volume_name(INSTANCE), True),
        (names.seed_name(INSTANCE, SHA), True),
        (names.fence_name(VOLUME, 3), True),
        (names.image_name(SHA, "qcow2"), True),
        (names.verified_name(names.kernel_name(SHA)), True),
        ("img-2026.qcow2", False),
        (f"old-img-{SHA}.qcow2", False),
        ("debian.iso", False),
        (f"backup-{VOLUME}.data.qcow2", False),
    ],
)
def test_what_is_ours_in_a_storage_pool_bears_an_id_or_the_hash_of_an_image(name: str, is_ours: bool) -> None:
    assert names.is_ours(name) is is_ours
