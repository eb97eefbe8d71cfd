"""The least a pool needs: an application credential of a plain member of one project, and the region as one host."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.faults import Permanent
from drivers.openstack.driver import OpenStackDriver
from inventory.domain.resource import Observed
from tests.openstack.harness import STORAGE_POOL, Behind, driver_of
from tests.openstack.region.region import Region
from tests.openstack.region.seeding import MEMBER
from tests.openstack.wish import assert_made_once, assert_nothing_left, wish_on

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(600)]


@pytest.fixture
def driver(region: Region) -> Iterator[OpenStackDriver]:
    """The region as the member sees it."""
    found = driver_of("openstack://member")
    assert isinstance(found, OpenStackDriver)
    yield found
    found.close()


def test_a_member_sees_its_projects_limits_as_the_capacity(driver: OpenStackDriver, behind: Behind) -> None:
    project_id = behind.cloud.identity.find_project(MEMBER).id
    behind.cloud.compute.update_quota_set(project_id, cores=40, ram=8192)
    facts = driver.inspect_host()
    assert (facts.cpu_count, facts.memory_mib, facts.hostname) == (40, 8192, "member")
    assert STORAGE_POOL in {s.name for s in facts.storage}


def test_a_member_makes_and_removes_a_machine_with_the_flavors_there_are(
    driver: OpenStackDriver, behind: Behind, tmp_path: Path
) -> None:
    compute = behind.cloud.compute
    for flavor in compute.flavors():
        if (flavor.vcpus, flavor.ram) == (1, 96):
            compute.delete_flavor(flavor)
    wish = wish_on(driver, tmp_path, memory_mib=96)
    try:
        with pytest.raises(Permanent) as missing:
            wish.make()
        assert missing.value.problem.code == "openstack.flavor_missing"
        compute.create_flavor(name="made-by-the-administrator", vcpus=1, ram=96, disk=0)
        assert wish.make().state is Observed.RUNNING
        assert_made_once(behind, wish)
        stopped = driver.ensure_stopped(wish.request.instance_id, wish.fence, graceful_s=0)
        assert stopped.state is Observed.STOPPED
        assert wish.request.instance_id in {i.instance_id for i in driver.observe().instances}
    finally:
        wish.remove()
        behind.remove_images(wish.image)
    assert_nothing_left(behind, wish)


def test_a_member_may_not_name_a_hypervisor(behind: Behind, region: Region, tmp_path: Path) -> None:
    driver = driver_of("openstack://member/hv-001")
    assert isinstance(driver, OpenStackDriver)
    with pytest.raises(Permanent) as refused:
        driver.inspect_host()
    assert refused.value.problem.code == "openstack.forbidden"
    driver.close()
