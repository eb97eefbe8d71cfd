"""A disk that Nova takes the order to attach and its hypervisor then does not get: told, tried again, and there in the end."""

from dataclasses import replace
from pathlib import Path

import pytest

from drivers.faults import Transient
from drivers.protocol import DiskRequest
from tests.openstack.harness import STORAGE_POOL, Behind, new_id
from tests.openstack.region.region import Region
from tests.openstack.wish import FENCE, running_on

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(900)]

HYPERVISOR = "hv-004"


def test_a_disk_that_does_not_get_into_its_machine_is_told_and_tried_again(
    region: Region, behind: Behind, tmp_path: Path
) -> None:
    refused = region.layout.directory / "refused-disks"
    with running_on(HYPERVISOR, behind, tmp_path) as wish:
        driver, more = wish.driver, replace(wish.data, volume_id=new_id("volume"))
        wish.have(lambda: driver.ensure_volume(more, FENCE))
        (disk,) = behind.volumes(more.volume_id)
        disks = (*wish.request.disks, DiskRequest(volume_id=more.volume_id, storage_pool=STORAGE_POOL, slot=1))
        request = replace(wish.request, disks=disks)
        refused.write_text(disk.id)
        try:
            for _ in range(2):
                with pytest.raises(Transient) as failed:
                    driver.ensure_launched(request, FENCE)
                assert failed.value.problem.code == "openstack.attach_failed"
                assert failed.value.problem.params["volume_id"] == more.volume_id
                assert f"the storage of disk {disk.id} does not answer" in failed.value.problem.params["reason"]
                assert behind.cloud.block_storage.get_volume(disk.id).status == "available"
        finally:
            refused.unlink()
        seen = wish.have(lambda: driver.ensure_launched(request, FENCE))
        assert set(seen.volume_ids) == {wish.data.volume_id, more.volume_id}
        wish.have(lambda: driver.ensure_launched(wish.request, FENCE))
        wish.have(lambda: driver.ensure_volume_absent(more.volume_id, STORAGE_POOL, FENCE))
