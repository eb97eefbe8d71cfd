"""What a person who looks after a region finds our things by: the system and the department, not our ids."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from drivers.openstack.driver import OpenStackDriver
from tests.openstack.harness import Behind, driver_of, new_id
from tests.openstack.wish import Wish, assert_nothing_left, wish_on

pytestmark = [pytest.mark.openstack, pytest.mark.usefixtures("region"), pytest.mark.timeout(900)]


@pytest.fixture
def wish(behind: Behind, tmp_path: Path) -> Iterator[Wish]:
    """A machine of a system and a department nobody has had before, with its disk and its network."""
    driver = driver_of("openstack://region/hv-005")
    assert isinstance(driver, OpenStackDriver)
    found, tail = wish_on(driver, tmp_path), new_id("volume")[-8:]
    system, department = f"portal-{tail}", f"civil-{tail}"
    root = replace(found.request.root, title=f"{system}-web-1", department=department)
    found.request = replace(found.request, system=system, department=department, title=root.title, root=root)
    found.data = replace(found.data, title=f"{system}-data", department=department)
    found.segment = replace(found.segment, department=department)
    try:
        found.make()
        yield found
    finally:
        found.remove()
        driver.close()
        behind.remove_images(found.image)
    assert_nothing_left(behind, found)


def test_machines_disks_and_networks_are_found_by_system_and_department(wish: Wish, behind: Behind) -> None:
    cloud, system, department = behind.cloud, wish.request.system, wish.request.department
    (server,) = behind.servers(wish.request.instance_id)
    # nova list --all-tenants --tags …
    for tags in (f"system:{system}", f"department:{department}", f"allotment,department:{department}"):
        assert [s.id for s in cloud.compute.servers(all_projects=True, tags=tags)] == [server.id]
    # openstack volume list --all-projects --long
    volumes = {v.description: v.name for v in cloud.block_storage.volumes(details=True, all_projects=True)}
    assert volumes[f"{system}-web-1"] == wish.request.instance_id
    assert volumes[f"{system}-data"] == wish.data.volume_id
    # openstack network list --long, openstack subnet list --long
    networks = [n for n in cloud.network.networks() if f"allotment_department={department}" in n.description]
    assert [n.name for n in networks] == [wish.segment.segment_id]
    assert [s.name for s in cloud.network.subnets() if s.description == department] == [wish.segment.segment_id]
