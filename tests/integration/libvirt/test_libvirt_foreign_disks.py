"""What others keep in a real storage pool is told, as large as it may grow; nothing of ours is taken for theirs."""

from typing import Any

import pytest

from drivers.protocol import ImageSource
from tests.support.libvirt_host import POOL, make_foreign_disk, remove_foreign_disk

pytestmark = [pytest.mark.libvirt, pytest.mark.timeout(300)]


def foreign_gib(lab: Any) -> int:
    return int(lab.driver.observe().storage_foreign_gib[POOL])


def test_disks_of_others_are_told_as_large_as_they_may_grow_and_ours_are_not(lab: Any, kernel_image: ImageSource) -> None:
    before = foreign_gib(lab)
    images = lab.host.base / "lib/images"
    lab.driver.ensure_defined(lab.machine(kernel_image), 2)
    assert foreign_gib(lab) == before, "a machine of ours, its seed, its disk, its fence and its image"
    try:
        make_foreign_disk(lab.host.uri, "theirs.qcow2", 3)
        assert (images / "theirs.qcow2").stat().st_size < 1 << 20, "it is thin"
        assert foreign_gib(lab) == before + 3
        make_foreign_disk(lab.host.uri, "theirs.qcow2", 7)
        assert foreign_gib(lab) == before + 7
        (images / "tools.iso").write_bytes(b"\0" * (1 << 20))
        assert foreign_gib(lab) == before + 8, "a file nobody told libvirt of; a part of a GiB counts as one"
        (images / "a-folder").mkdir()
        assert foreign_gib(lab) == before + 8
    finally:
        remove_foreign_disk(lab.host.uri, "theirs.qcow2")
        (images / "tools.iso").unlink(missing_ok=True)
        (images / "a-folder").rmdir()
    assert foreign_gib(lab) == before
