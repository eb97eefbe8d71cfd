"""A private libvirt host for the integration tests."""

from collections.abc import Iterator

import pytest

from drivers.libvirt.driver import LibvirtDriver
from drivers.protocol import ImageSource
from tests.support.libvirt_host import define_pool, demo_image, driver_of
from tests.support.libvirt_lab import Lab
from tests.support.libvirtd import PrivateLibvirtd, private_libvirtd
from tests.support.scratch import directory_on_disk


@pytest.fixture(scope="session")
def libvirt_host() -> Iterator[PrivateLibvirtd]:
    """A private libvirtd and QEMU with one storage pool."""
    with directory_on_disk("lv") as base, private_libvirtd(base) as host:
        define_pool(host.uri)
        yield host


@pytest.fixture(scope="session")
def disk_image() -> ImageSource:
    """The demo image, booting from its disk."""
    return demo_image(direct_boot=False)


@pytest.fixture(scope="session")
def kernel_image() -> ImageSource:
    """The demo image, booting by its kernel: some seconds quicker."""
    return demo_image(direct_boot=True)


@pytest.fixture
def lab(libvirt_host: PrivateLibvirtd) -> Iterator[Lab]:
    """A driver on the private host; what the test makes is removed after it."""
    driver = driver_of(libvirt_host.uri)
    assert isinstance(driver, LibvirtDriver)
    opened = Lab(libvirt_host, driver)
    yield opened
    opened.clean()
