"""Disks that Nova says it puts into a machine, or takes out, and then does not; one answer at a time, over HTTP."""

from typing import Any

import pytest

from drivers.faults import Transient
from drivers.openstack.driver import OpenStackDriver
from drivers.protocol import DiskRequest, MachineRequest, VolumeRequest
from inventory.domain.ids import ResourceId
from tests.support.region_answers import Answers
from tests.support.told_things import FENCE, SERVER, VOLUME, new_id, server, volume

ONE, DISK = f"GET /compute/v2.1/servers/{SERVER}", f"GET /volume/v3/volumes/{VOLUME}"
ATTACHMENTS = f"/compute/v2.1/servers/{SERVER}/os-volume_attachments"
ACTS = f"GET /compute/v2.1/servers/{SERVER}/os-instance-actions"
WORDS = "iSCSI portal 10.0.0.9:3260 did not answer"


def machine(instance_id: ResourceId, *volume_ids: ResourceId) -> MachineRequest:
    root = VolumeRequest(volume_id=instance_id, role="root", storage_pool="standard", size_gib=1)
    disks = tuple(DiskRequest(volume_id=v, storage_pool="standard", slot=slot) for slot, v in enumerate(volume_ids))
    return MachineRequest(
        instance_id=instance_id, title="told", hostname="told", vcpu_count=1, memory_mib=128, root=root, disks=disks
    )


def with_disk(instance_id: ResourceId) -> dict[str, Any]:
    return server(instance_id, "ACTIVE", **{"os-extended-volumes:volumes_attached": [{"id": VOLUME}]})


def attached(volume_id: ResourceId, status: str) -> dict[str, Any]:
    return {**volume(volume_id, status), "attachments": [{"server_id": SERVER, "volume_id": VOLUME}]}


def give_machine(region: Answers, instance_id: ResourceId, *seen: dict[str, Any]) -> None:
    """Answer with a machine, as it is at first and later."""
    region.give("GET /compute/v2.1/servers/detail", {"servers": [seen[0]]})
    region.give("GET /network/v2.0/ports", {"ports": []})
    region.give(ONE, *({"server": s} for s in seen[1:]))


def give_failure(region: Answers, action: str) -> None:
    """Have Nova's record say how the last act of a kind failed."""
    act = {"action": action, "request_id": "req-1", "start_time": "2026-01-01T00:00:00"}
    failed = {"event": f"compute_{action}", "result": "Error", "details": WORDS}
    region.give(ACTS, {"instanceActions": [act]})
    region.give(f"{ACTS}/req-1", {"instanceAction": {**act, "events": [failed]}})


def code_and_params(failed: pytest.ExceptionInfo[Transient]) -> tuple[str, dict[str, Any]]:
    return failed.value.problem.code, dict(failed.value.problem.params)


@pytest.mark.parametrize("has_words", [True, False])
def test_a_disk_that_does_not_get_into_its_machine_is_told_with_novas_words_and_tried_again(
    region: Answers, driver: OpenStackDriver, has_words: bool
) -> None:
    instance_id, volume_id = new_id("instance"), new_id("volume")
    without = server(instance_id, "ACTIVE")
    give_machine(region, instance_id, without, with_disk(instance_id), without)
    region.give("GET /volume/v3/volumes/detail", {"volumes": [volume(volume_id, "available")]})
    region.give(
        DISK, *({"volume": attached(volume_id, s)} for s in ("reserved", "attaching")), {"volume": volume(volume_id, "available")}
    )
    region.give(f"POST {ATTACHMENTS}", {"volumeAttachment": {"id": "a", "serverId": SERVER, "volumeId": VOLUME}})
    if has_words:
        give_failure(region, "attach_volume")
    else:
        region.give(ACTS, {"forbidden": {"code": 403, "message": "no"}}, status=403)
    for count in (1, 2):
        with pytest.raises(Transient) as failed:
            driver.ensure_launched(machine(instance_id, volume_id), FENCE)
        params = {"volume_id": volume_id, "machine": instance_id, "reason": WORDS if has_words else "available"}
        assert code_and_params(failed) == ("openstack.attach_failed", params)
        assert region.asked.count(f"POST {ATTACHMENTS}") == count, "asked for once with each try"
    # What kept it out is mended.
    region.give(ONE, {"server": with_disk(instance_id)})
    region.give(DISK, {"volume": attached(volume_id, "in-use")})
    assert driver.ensure_launched(machine(instance_id, volume_id), FENCE).volume_ids == (volume_id,)


def test_a_disk_that_is_not_let_go_is_told_with_novas_words(region: Answers, driver: OpenStackDriver) -> None:
    instance_id, volume_id = new_id("instance"), new_id("volume")
    give_machine(region, instance_id, with_disk(instance_id), with_disk(instance_id))
    region.give("GET /volume/v3/volumes/detail", {"volumes": [attached(volume_id, "in-use")]})
    region.give(DISK, *({"volume": attached(volume_id, s)} for s in ("in-use", "detaching", "in-use")))
    region.give(f"DELETE {ATTACHMENTS}/{VOLUME}", None, status=202)
    give_failure(region, "detach_volume")
    with pytest.raises(Transient) as failed:
        driver.ensure_launched(machine(instance_id), FENCE)
    params = {"volume_id": volume_id, "machine": instance_id, "reason": WORDS}
    assert code_and_params(failed) == ("openstack.detach_failed", params)
    assert region.asked.count(f"DELETE {ATTACHMENTS}/{VOLUME}") == 1


def test_a_disk_that_comes_while_it_is_looked_at_is_no_failure(region: Answers, driver: OpenStackDriver) -> None:
    instance_id, volume_id = new_id("instance"), new_id("volume")
    give_machine(region, instance_id, server(instance_id, "ACTIVE"), with_disk(instance_id))
    region.give("GET /volume/v3/volumes/detail", {"volumes": [volume(volume_id, "available")]})
    region.give(DISK, {"volume": attached(volume_id, "reserved")}, {"volume": attached(volume_id, "in-use")})
    region.give(f"POST {ATTACHMENTS}", {"volumeAttachment": {"id": "a", "serverId": SERVER, "volumeId": VOLUME}})
    seen = driver.ensure_launched(machine(instance_id, volume_id), FENCE)
    assert seen.volume_ids == (volume_id,)
