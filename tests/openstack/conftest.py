"""One region for all tests of this folder: brought up before the first, and down after the last if it was not up before.

Most tests may run side by side (``make test-openstack`` does it): each has hypervisors and ids of its own. Those marked ``alone``
stop services or change what all see of the region, and run after the others.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from drivers.conformance import Harness
from inventory.domain.organisation import place_name
from tests.openstack.harness import HYPERVISOR, Behind, driver_of, region_harness, small_image
from tests.openstack.region.layout import Layout
from tests.openstack.region.region import Region
from tests.openstack.region.seeding import administrator

#: Of the department of the conformance suite.
PROJECT = place_name("conformance")


@pytest.fixture(scope="session")
def region() -> Iterator[Region]:
    """The region, up; its clouds are found by the driver as an operator's are."""
    region = Region(Layout.from_environment())
    was_up = region.processes.is_alive("nova-api")
    before = os.environ.get("OS_CLIENT_CONFIG_FILE")
    os.environ["OS_CLIENT_CONFIG_FILE"] = str(region.layout.clouds_file)
    # Tests run side by side: one of their processes brings it up, and none takes it away from the others.
    is_shared = "PYTEST_XDIST_WORKER" in os.environ
    try:
        region.up(lambda text: print(f"region: {text}", flush=True))
        yield region
    finally:
        if before is None:
            del os.environ["OS_CLIENT_CONFIG_FILE"]
        else:
            os.environ["OS_CLIENT_CONFIG_FILE"] = before
        if not (was_up or is_shared):
            region.down()


@pytest.fixture(scope="session")
def behind(region: Region) -> Iterator[Behind]:
    """The region as its administrator sees it."""
    cloud = administrator(region.layout)
    yield Behind(cloud)
    cloud.close()


@pytest.fixture(scope="session")
def harness(behind: Behind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    """One hypervisor of the region, for the conformance suite; the credential is no administrator's."""
    with _reached(f"openstack://limited/{HYPERVISOR}") as connection:
        yield region_harness(behind, connection, HYPERVISOR, small_image(tmp_path_factory.mktemp("image")))


@pytest.fixture(scope="session")
def departments_harness(behind: Behind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    """The same, where each department has a project of its own."""
    with _reached(f"openstack://departments/{HYPERVISOR}") as connection:
        yield region_harness(behind, connection, HYPERVISOR, small_image(tmp_path_factory.mktemp("image")), PROJECT)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that nobody waits for it at the end."""
    long = ("test_openstack_killed.py", "test_openstack_story.py", "test_openstack_adoption.py", "test_openstack_concurrency.py")
    items.sort(key=lambda item: long.index(item.path.name) if item.path.name in long else len(long))


@contextmanager
def _reached(connection: str) -> Iterator[str]:
    """Keep a region open: what it can do is known once it was reached."""
    driver = driver_of(connection)
    driver.inspect_host()
    yield connection
    driver.close()
