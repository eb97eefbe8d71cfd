"""What the role ``allotment`` may do that a plain member may not, and what it may not do either.

That it suffices for everything the driver promises is what the conformance suite shows: it runs with this credential.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from openstack import exceptions as sdk_errors

from drivers.faults import Permanent
from drivers.openstack.driver import OpenStackDriver
from drivers.openstack.projects import Projects
from drivers.openstack.settings import PER_DEPARTMENT
from tests.openstack.harness import Behind, driver_of
from tests.openstack.region.configuration import HOST_VCPUS
from tests.openstack.region.region import Region
from tests.openstack.wish import FENCE, wish_on

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(600)]

HYPERVISOR = "hv-004"


@pytest.fixture
def driver(region: Region) -> Iterator[OpenStackDriver]:
    """A hypervisor as the role sees it."""
    found = driver_of(f"openstack://limited/{HYPERVISOR}")
    assert isinstance(found, OpenStackDriver)
    yield found
    found.close()


def test_the_role_sees_hypervisors_and_counts_machines_of_other_projects_but_cannot_touch_them(
    driver: OpenStackDriver, behind: Behind
) -> None:
    assert driver.inspect_host().cpu_count == HOST_VCPUS
    foreign = behind.make_foreign(HYPERVISOR)
    try:
        assert foreign in {f.uuid for f in driver.observe().foreign}
        compute = driver._region.sdk.compute
        for touch in (compute.stop_server, compute.delete_server):
            with pytest.raises(sdk_errors.NotFoundException):
                touch(foreign, **({"ignore_missing": False} if touch == compute.delete_server else {}))
    finally:
        behind.remove_server(foreign)


def test_the_role_frees_a_disk_that_hangs(driver: OpenStackDriver, behind: Behind, tmp_path: Path) -> None:
    wish = wish_on(driver, tmp_path)
    wish.have(lambda: driver.ensure_volume(wish.data, FENCE))
    (volume,) = behind.volumes(wish.data.volume_id)
    block = driver._region.sdk.block_storage
    block.reset_volume_status(volume.id, status="error")
    assert block.get_volume(volume.id).status == "error"
    wish.have(lambda: driver.ensure_volume_absent(wish.data.volume_id, wish.data.storage_pool, FENCE))
    assert behind.volumes(wish.data.volume_id) == []


def test_the_role_is_no_administrator(driver: OpenStackDriver) -> None:
    sdk = driver._region.sdk
    refused: tuple[Callable[[], Any], ...] = (
        lambda: sdk.identity.create_project(name="of-our-own", domain_id="default"),
        lambda: list(sdk.identity.users()),
        lambda: list(sdk.compute.services()),
        lambda: sdk.compute.update_quota_set(sdk.current_project_id, cores=1),
        lambda: sdk.placement.create_resource_provider(name="of-our-own"),
        lambda: list(sdk.block_storage.backend_pools()),
    )
    for call in refused:
        with pytest.raises(sdk_errors.ForbiddenException):
            call()


def test_projects_of_departments_need_an_administrator(driver: OpenStackDriver) -> None:
    region = driver._region
    projects = Projects(region.sdk, region.calls, replace(region.settings, projects=PER_DEPARTMENT))
    with pytest.raises(Permanent) as refused:
        projects.connection("civil-affairs")
    assert refused.value.problem.code == "openstack.forbidden"
