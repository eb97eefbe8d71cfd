"""Rules between machines where the region decides about hypervisors: kept by Nova's server groups, that go with the last."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from openstack.exceptions import ConflictException

from drivers.faults import OutcomeUnknown, Permanent
from drivers.openstack.driver import OpenStackDriver
from drivers.openstack.flavors import flavor_name
from drivers.protocol import MachineRequest, Mates
from inventory.domain.resource import Observed
from tests.openstack.harness import HOST_ID, STORAGE_POOL, Behind, driver_of, small_image
from tests.openstack.proxy import Lose, Pass, Refuse, once_each, proxies_before
from tests.openstack.region.region import Region
from tests.openstack.region.seeding import MEMBER
from tests.openstack.wish import FENCE, Wish, wish_on

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(900)]

APART = Mates(name="portal-web", is_together=False, is_hard=False)
TOGETHER = Mates(name="portal-db", is_together=True, is_hard=True)


@contextmanager
def machines(connection: str, behind: Behind, directory: Path, count: int, mates: Mates) -> Iterator[list[Wish]]:
    """Wishes for machines without disks and networks that share a rule; what was made of them is taken away."""
    driver = driver_of(connection)
    assert isinstance(driver, OpenStackDriver)
    image = small_image(directory)
    found = [wish_on(driver, directory, image=image) for _ in range(count)]
    for wish in found:
        wish.request = replace(wish.request, nics=(), disks=(), mates=mates)
    have_flavor(behind, found[0].request)
    try:
        yield found
    finally:
        for wish in found:
            gone(wish)
        driver.close()
        behind.remove_images(image)
    assert groups(behind) == []


def have_flavor(behind: Behind, request: MachineRequest) -> None:
    """Have the flavor there is for machines of this size: a member of a project cannot make it."""
    name = flavor_name(request.vcpu_count, request.memory_mib)
    with suppress(ConflictException):
        behind.cloud.compute.create_flavor(name=name, vcpus=request.vcpu_count, ram=request.memory_mib, disk=0)


def made(wish: Wish) -> None:
    wish.have(lambda: wish.driver.ensure_image(wish.image, STORAGE_POOL))
    wish.have(lambda: wish.driver.ensure_volume(wish.request.root, FENCE))
    assert wish.have(lambda: wish.driver.ensure_launched(wish.request, FENCE)).state is Observed.RUNNING


def gone(wish: Wish) -> None:
    wish.have(lambda: wish.driver.ensure_absent(wish.request.instance_id, STORAGE_POOL, FENCE))


def groups(behind: Behind) -> list[Any]:
    """Return the server groups of this test's host."""
    return [g for g in behind.cloud.compute.server_groups(all_projects=True) if g.name.endswith(f" {HOST_ID}")]


def hypervisors(behind: Behind, wishes: list[Wish]) -> list[str]:
    return [behind.servers(w.request.instance_id)[0].hypervisor_hostname for w in wishes]


def test_machines_that_shall_be_apart_are_and_their_group_goes_with_the_last(
    region: Region, behind: Behind, tmp_path: Path
) -> None:
    with machines("openstack://member", behind, tmp_path, 3, APART) as wishes:
        for wish in wishes:
            made(wish)
        assert len(set(hypervisors(behind, wishes))) == 3
        (group,) = groups(behind)
        assert (group.name, group.policy) == (f"allotment portal-web {HOST_ID}", "soft-anti-affinity")
        assert set(group.member_ids) == {behind.servers(w.request.instance_id)[0].id for w in wishes}
        gone(wishes[0])
        assert [g.id for g in groups(behind)] == [group.id], "one with machines stays"


def test_machines_that_must_be_together_are(region: Region, behind: Behind, tmp_path: Path) -> None:
    with machines("openstack://member", behind, tmp_path, 2, TOGETHER) as wishes:
        for wish in wishes:
            made(wish)
        assert len(set(hypervisors(behind, wishes))) == 1


def test_a_wish_gives_way_where_a_group_may_have_no_more_machines(region: Region, behind: Behind, tmp_path: Path) -> None:
    compute, project_id = behind.cloud.compute, behind.cloud.identity.find_project(MEMBER).id
    before = compute.get_quota_set(project_id).server_group_members
    compute.update_quota_set(project_id, server_group_members=1)
    try:
        with machines("openstack://member", behind, tmp_path, 2, APART) as wishes:
            for wish in wishes:
                made(wish)
            (group,) = groups(behind)
            assert group.member_ids == [behind.servers(wishes[0].request.instance_id)[0].id]
    finally:
        compute.update_quota_set(project_id, server_group_members=before)


def test_a_wish_gives_way_where_groups_are_not_allowed_at_all(
    region: Region, behind: Behind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxies_before(region.layout, tmp_path, monkeypatch, wait_s=60) as proxies:
        proxies.treat = lambda asked: Refuse(403) if "server-groups" in asked.path else Pass()
        with machines("openstack://proxied", behind, tmp_path, 1, APART) as (wish,):
            made(wish)
            assert groups(behind) == []
            gone(wish)
            wish.request = replace(wish.request, mates=TOGETHER)
            wish.have(lambda: wish.driver.ensure_volume(wish.request.root, FENCE))
            with pytest.raises(Permanent) as refused:
                wish.driver.ensure_launched(wish.request, FENCE)
            assert refused.value.problem.code == "openstack.forbidden", "a condition does not"


def test_a_lost_answer_to_the_making_of_a_group_makes_one(
    region: Region, behind: Behind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        proxies_before(region.layout, tmp_path, monkeypatch, wait_s=60) as proxies,
        machines("openstack://proxied", behind, tmp_path, 1, APART) as (wish,),
    ):
        proxies.treat = once_each(Lose(), lambda asked: asked.method in ("POST", "DELETE") and "server-groups" in asked.path)
        made(wish)
        assert len(groups(behind)) == 1
        gone(wish)
        assert groups(behind) == []
        assert sum(isinstance(f, OutcomeUnknown) for f in wish.faults) == 2
        proxies.treat = lambda _asked: Pass()
