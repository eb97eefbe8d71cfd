"""A private libvirt host for the stories on real machines."""

from collections.abc import Iterator

import pytest

from tests.support.libvirtd import PrivateLibvirtd, private_libvirtd


@pytest.fixture(scope="module")
def libvirtd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateLibvirtd]:
    """A private libvirtd and QEMU, without a storage pool yet."""
    with private_libvirtd(tmp_path_factory.mktemp("lv")) as host:
        yield host
