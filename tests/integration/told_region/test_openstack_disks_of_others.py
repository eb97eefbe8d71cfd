"""Disks of machines that are not ours, as Nova and Cinder tell of them."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from drivers.openstack.driver import OpenStackDriver
from inventory.domain.host import ForeignDisk
from tests.support.region_answers import Answers, answering
from tests.support.told_things import give_one_hypervisor, marked, new_id, server, told_driver, volume

SERVERS, VOLUMES = "GET /compute/v2.1/servers/detail", "GET /volume/v3/volumes/detail"
POOLS = "GET /volume/v3/scheduler-stats/get_pools"
OTHER, MATE = "other", "mate"


@pytest.fixture(params=["", "local"])
def region(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Answers, str]]:
    """A region in which the hypervisors' own disks are a storage pool, and one in which they are none."""
    settings = {"local_storage": request.param} if request.param else {}
    with answering(tmp_path, monkeypatch, whole_listing_s=0, observe_max_age_s=0, **settings) as answers:
        give_one_hypervisor(answers)
        answers.give("GET /volume/v3/types", {"volume_types": [{"id": "standard", "name": "standard"}]})
        answers.give("GET /identity/v3/projects", {"projects": []})
        answers.give(POOLS, {"pools": []})
        yield answers, request.param


@pytest.fixture
def driver(region: tuple[Answers, str]) -> Iterator[OpenStackDriver]:
    with closing(told_driver("openstack://told/hv-1")) as found:
        yield found


def theirs(server_id: str, *volume_ids: str, root_gib: int = 0) -> dict[str, Any]:
    """Return a machine of somebody else."""
    flavor = {"vcpus": 1, "ram": 128, "disk": root_gib, "ephemeral": 0, "swap": 0, "extra_specs": {}}
    more = {"OS-EXT-SRV-ATTR:hypervisor_hostname": "hv-1", "image": {"id": "i"} if root_gib else "", "flavor": flavor}
    attached = {"os-extended-volumes:volumes_attached": [{"id": v} for v in volume_ids]}
    return {**server(new_id("instance"), "ACTIVE", **more, **attached), "id": server_id, "metadata": {}}


def disk(volume_id: str, size_gib: int, *server_ids: str, **more: Any) -> dict[str, Any]:
    """Return a volume of somebody else, in these machines."""
    attachments = [{"server_id": s, "volume_id": volume_id} for s in server_ids]
    return {**volume(new_id("volume"), "in-use", size_gib), "id": volume_id, "metadata": {}, "attachments": attachments, **more}


def disks_of(driver: OpenStackDriver) -> dict[str, list[tuple[str, str, int]] | None]:
    """Return what a look says of each machine's disks."""

    def told(disks: tuple[ForeignDisk, ...] | None) -> list[tuple[str, str, int]] | None:
        return None if disks is None else [(d.uuid, d.storage_pool, d.size_gib) for d in disks]

    return {f.uuid: told(f.disks) for f in driver.observe().foreign}


def test_each_has_its_volumes_and_what_is_on_the_hypervisor(region: tuple[Answers, str], driver: OpenStackDriver) -> None:
    answers, local = region
    ours = new_id("volume")
    answers.give(SERVERS, {"servers": [theirs(OTHER, "v-1", "v-ours", root_gib=9), theirs(MATE)]})
    answers.give(
        VOLUMES,
        {"volumes": [disk("v-1", 20, OTHER), disk("v-free", 5), disk("v-ours", 7, OTHER, name=ours, metadata=marked(ours))]},
    )
    assert disks_of(driver) == {OTHER: [("", local, 9), ("v-1", "standard", 20)], MATE: []}
    answers.give(VOLUMES, {"volumes": [disk("v-1", 30, OTHER, volume_type="gold")]})
    assert disks_of(driver) == {OTHER: [("", local, 9), ("v-1", "gold", 30)], MATE: []}
    # Nova may still name what Cinder has no more, or has taken out.
    answers.give(VOLUMES, {"volumes": [disk("v-1", 30, status="available")]})
    assert disks_of(driver) == {OTHER: [("", local, 9)], MATE: []}


def test_a_volume_in_several_machines_is_in_one(region: tuple[Answers, str], driver: OpenStackDriver) -> None:
    answers, _local = region
    answers.give(SERVERS, {"servers": [theirs(OTHER, "v-1"), theirs(MATE, "v-1")]})
    answers.give(VOLUMES, {"volumes": [disk("v-1", 20, OTHER, MATE)]})
    assert disks_of(driver) == {MATE: [("v-1", "standard", 20)], OTHER: []}


def test_who_may_not_see_the_volumes_of_others_is_told_nothing_of_them(
    region: tuple[Answers, str], driver: OpenStackDriver
) -> None:
    answers, _local = region
    answers.give(POOLS, {"forbidden": {"code": 403, "message": "no"}}, status=403)
    answers.give(SERVERS, {"servers": [theirs(OTHER, "v-1", "v-2"), theirs(MATE, "v-3")]})
    answers.give(VOLUMES, {"volumes": [disk("v-1", 20, OTHER), disk("v-3", 4, MATE)]})
    assert disks_of(driver) == {OTHER: None, MATE: [("v-3", "standard", 4)]}


def test_what_is_said_of_them_may_be_as_old_as_a_whole_listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(tmp_path, monkeypatch, whole_listing_s=77) as answers:
        give_one_hypervisor(answers)
        answers.give("GET /volume/v3/types", {"volume_types": []})
        answers.give(VOLUMES, {"volumes": []})
        answers.give(POOLS, {"pools": []})
        with closing(told_driver("openstack://told/hv-1")) as driver:
            assert driver.observe().foreign_disks_age_s == 77
