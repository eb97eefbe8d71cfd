"""On a real host what is in use stays, what cannot be is refused, and an image that a disk damaged is not believed."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import pytest

import drivers.libvirt.driver as driver_module
from drivers.faults import DriverFault, Permanent, Transient
from drivers.libvirt.names import image_name, verified_name
from drivers.libvirt.storage import StorePool
from drivers.protocol import ImageSource, VolumeRequest
from inventory.domain.ids import ResourceId
from inventory.domain.resource import Observed
from tests.support.libvirt_host import POOL, behind
from tests.support.libvirt_lab import Lab

pytestmark = pytest.mark.libvirt


def _refused(kind: type[DriverFault], act: Callable[[], object]) -> DriverFault:
    with pytest.raises(kind) as caught:
        act()
    return caught.value


def _data(volume_id: ResourceId, size_gib: int) -> VolumeRequest:
    return VolumeRequest(volume_id=volume_id, role="data", storage_pool=POOL, size_gib=size_gib)


def _rotten(files: Path) -> type[StorePool]:
    """Return a storage pool on a disk that turns one byte over after it took a file."""

    class Rotten(StorePool):
        def write(self, name: str, source: BinaryIO, size_bytes: int) -> str:
            sent = super().write(name, source, size_bytes)
            with (files / name).open("r+b") as stored:
                first = stored.read(1)
                stored.seek(0)
                stored.write(bytes([first[0] ^ 1]))
            return sent

    return Rotten


def test_an_image_that_its_disk_damaged_is_removed_and_sent_again(lab: Lab, kernel_image: ImageSource) -> None:
    files = lab.host.base / "lib/images"
    name = image_name(kernel_image.sha256, "qcow2")
    lab.driver.ensure_image_absent(kernel_image.sha256, POOL)
    with behind(lab.host.uri) as connection:
        pool = _rotten(files).named(connection, POOL, has_streams=True)
        fault = _refused(Transient, partial(pool.ensure_image, kernel_image))
    assert fault.problem.code == "driver.image_damaged"
    params: dict[str, Any] = dict(fault.problem.params)
    assert (params["name"], params["wanted"], params["storage_pool"]) == (name, kernel_image.sha256, POOL)
    assert params["found"] != kernel_image.sha256
    assert not {name, verified_name(name)} & {f.name for f in files.iterdir()}
    lab.driver.ensure_image(kernel_image, POOL)
    assert (files / name).read_bytes() == kernel_image.path.read_bytes()


def test_what_a_machine_uses_stays_until_the_machine_is_gone(lab: Lab, kernel_image: ImageSource) -> None:
    segment, disk = lab.segment(("web-1",)), lab.volume()
    machine = lab.machine(kernel_image, segment, disks=(disk,))
    lab.driver.ensure_running(machine.instance_id, 1)
    unplug = partial(lab.driver.ensure_segment_absent, segment.segment_id, 1)
    delete = partial(lab.driver.ensure_volume_absent, disk.volume_id, POOL, 1)
    assert _refused(Transient, unplug).problem.code == "driver.segment_in_use"
    found = _refused(Transient, delete).problem
    assert (found.code, found.params["volume_id"]) == ("driver.volume_in_use", disk.volume_id)
    seen = lab.driver.observe()
    assert segment.segment_id in seen.segment_ids
    assert disk.volume_id in seen.volume_ids
    lab.driver.ensure_stopped(machine.instance_id, 1, graceful_s=0)
    # A machine that is off still has its disk, but no card in the network.
    assert _refused(Transient, delete).problem.code == "driver.volume_in_use"
    lab.driver.ensure_absent(machine.instance_id, POOL, 1)
    delete()
    unplug()
    seen = lab.driver.observe()
    assert segment.segment_id not in seen.segment_ids
    assert disk.volume_id not in seen.volume_ids


def test_a_machine_that_went_off_after_its_restart_is_no_machine_that_runs(
    lab: Lab, kernel_image: ImageSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The restart was carried out and its answer lost; asked again, the driver neither restarts nor starts, and says what is."""
    machine = lab.machine(kernel_image)
    again = partial(lab.driver.reboot, machine.instance_id, 1, graceful_s=0.0, number=1)
    lab.driver.ensure_running(machine.instance_id, 1)
    assert again().state is Observed.RUNNING
    with behind(lab.host.uri) as connection:
        (domain,) = (d for d in connection.listAllDomains() if machine.instance_id in d.XMLDesc())
        domain.destroy()
    monkeypatch.setattr(driver_module, "RESET_TIMEOUT_S", 0.5)
    found = _refused(Transient, again).problem
    assert (found.code, found.params["wanted"]) == ("driver.not_reached", "running")
    assert str(found.params["found"]).startswith("stopped")
    assert lab.driver.ensure_running(machine.instance_id, 1).state is Observed.RUNNING


def test_a_disk_never_shrinks_and_a_network_never_changes_its_range(lab: Lab) -> None:
    disk, segment = lab.volume(), lab.segment()
    lab.driver.ensure_volume(_data(disk.volume_id, 2), 1)
    shrink = partial(lab.driver.ensure_volume, _data(disk.volume_id, 1), 1)
    assert _refused(Permanent, shrink).problem.code == "driver.volume_shrink"
    other = replace(segment, cidr="10.98.7.0/24", gateway="10.98.7.1")
    fault = _refused(Permanent, partial(lab.driver.ensure_segment, other, 1)).problem
    assert (fault.code, fault.params["found"]) == ("driver.segment_differs", f"{segment.gateway}/24")
    with behind(lab.host.uri) as connection:
        [stored] = [
            v for v in connection.storagePoolLookupByName(POOL).listAllVolumes() if disk.volume_id in v.name() and v.info()[1]
        ]
        assert stored.info()[1] == 2 << 30
