"""A private libvirt host for the stories on real machines."""

from collections.abc import Iterator

import pytest

from tests.support.libvirtd import PrivateLibvirtd, private_libvirtd
from tests.support.scratch import directory_on_disk


@pytest.fixture(scope="module")
def libvirtd() -> Iterator[PrivateLibvirtd]:
    """A private libvirtd and QEMU, without a storage pool yet."""
    with directory_on_disk("lv") as base, private_libvirtd(base) as host:
        yield host
