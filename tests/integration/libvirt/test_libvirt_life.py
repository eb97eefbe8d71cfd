"""The life of a real guest on a real libvirtd and QEMU, from its image to nothing left."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drivers.faults import Transient
from drivers.libvirt import driver as driver_module
from drivers.protocol import DriverEvent, EventKind, ImageSource, VolumeRequest
from inventory.domain.resource import Observed
from tests.support.libvirt_host import POOL, behind, domain_names
from tests.support.libvirtd import until

pytestmark = pytest.mark.libvirt


def test_host_tells_what_really_boots_a_guest(lab: Any) -> None:
    facts = lab.driver.inspect_host()
    assert facts.arch == "x86_64"
    assert facts.cpu_count == facts.sockets * facts.cores * facts.threads
    assert "q35" in facts.machine_types
    assert [s.name for s in facts.storage] == [POOL]
    said = Path("/proc/meminfo").read_text()
    kib = int(re.findall(r"MemTotal:\s+(\d+)", said)[0])
    assert abs(facts.memory_mib - kib // 1024) <= 1
    assert facts.virtualisation in {"kvm", "tcg"}
    assert domain_names(lab.host.uri) == [], "the probe left its machine behind"


def test_guest_lives_through_everything_and_leaves_nothing(lab: Any, disk_image: ImageSource) -> None:
    told: list[DriverEvent] = []
    lab.driver.subscribe(told.append)
    segment = lab.segment(("web-1",))
    machine = lab.machine(disk_image, segment)
    instance_id = machine.instance_id
    lab.start(machine)
    assert f"hostname=web-1 instance-id={instance_id} ip={machine.nics[0].address}" in lab.get(machine)
    assert any(e.kind is EventKind.INSTANCE and e.instance_id == instance_id and e.state is Observed.RUNNING for e in told)

    disk = lab.volume()
    with_disk = replace(machine, disks=(disk,))
    lab.driver.ensure_defined(with_disk, 2)
    until(lambda: "/dev/vdc bytes=1073741824" in lab.get(machine, "/cgi-bin/disks"), 20, "the guest sees its data disk")
    assert lab.driver.observe_instance(instance_id).volume_ids == (disk.volume_id,)
    lab.driver.ensure_defined(machine, 3)
    until(lambda: "vdc" not in lab.get(machine, "/cgi-bin/disks"), 20, "the guest lost its data disk")

    (stats,) = lab.driver.stats()
    assert stats.instance_id == instance_id
    assert stats.cpu_time_ns > 10**9
    assert stats.disk_read_bytes > 10**6
    assert stats.network_sent_bytes > 0

    assert lab.driver.reboot(instance_id, 4, graceful_s=60, number=1).state is Observed.RUNNING
    lab.wait_ready(machine, times=2)
    lab.driver.ensure_defined(machine, 4)
    assert lab.driver.reboot(instance_id, 4, graceful_s=60, number=1).state is Observed.RUNNING

    stopped = lab.driver.ensure_stopped(instance_id, 5, graceful_s=60)
    assert (stopped.state, stopped.reason, stopped.fence) == (Observed.STOPPED, "shutdown", 5)
    assert stopped.since_s is not None
    # A guest obeys only once it is up: an order carried out twice would have been heard by now.
    assert lab.ready_count(machine) == 2
    lab.driver.ensure_defined(replace(with_disk, vcpu_count=2, memory_mib=160), 6)
    lab.driver.ensure_running(instance_id, 6)
    lab.wait_ready(machine, times=3)
    assert "vdc" in lab.get(machine, "/cgi-bin/disks")

    lab.driver.ensure_absent(instance_id, POOL, 7)
    assert domain_names(lab.host.uri) == []
    assert not list((lab.host.base / "lib/images").glob(f"{instance_id}*"))
    assert list((lab.host.base / "lib/images").glob(f"{disk.volume_id}.data.qcow2"))
    lab.driver.ensure_volume_absent(disk.volume_id, POOL, 7)
    lab.driver.ensure_segment_absent(segment.segment_id, 7)
    lab.driver.ensure_image_absent(disk_image.sha256, POOL)
    assert not list((lab.host.base / "lib/images").iterdir())
    rules = lab.host.exec_in("sh", "-c", "iptables-save; ebtables-save; ip -brief link")
    assert "vnet" not in rules
    assert "allot" not in rules
    with behind(lab.host.uri) as connection:
        assert connection.listAllNetworks() == []
        assert connection.listAllNWFilters() == []


def test_killed_guest_is_told_and_called_crashed(lab: Any, kernel_image: ImageSource) -> None:
    machine = lab.machine(kernel_image)
    told: list[DriverEvent] = []
    lab.driver.ensure_running(machine.instance_id, 1)
    lab.driver.subscribe(told.append)
    pid = lab.host.exec_in("cat", f"/run/libvirt/qemu/{machine.instance_id}.pid").strip()
    lab.host.exec_in("kill", "-9", pid)
    until(lambda: any(e.state is Observed.STOPPED for e in told), 10, "the end of the guest is told")
    seen = lab.driver.observe_instance(machine.instance_id)
    assert (seen.state, seen.reason) == (Observed.STOPPED, "crashed")
    assert seen.since_s == next(e.at_s for e in told if e.state is Observed.STOPPED)


def test_held_guest_is_unknown_and_released_by_a_start(lab: Any, kernel_image: ImageSource) -> None:
    machine = lab.machine(kernel_image)
    lab.driver.ensure_running(machine.instance_id, 1)
    with behind(lab.host.uri) as connection:
        connection.lookupByName(machine.instance_id).suspend()
    seen = lab.driver.observe_instance(machine.instance_id)
    assert (seen.state, seen.reason) == (Observed.UNKNOWN, "paused")
    assert lab.driver.ensure_running(machine.instance_id, 1).state is Observed.RUNNING


def test_a_disk_a_held_guest_does_not_give_back_is_asked_for_later(
    lab: Any, kernel_image: ImageSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver_module, "DETACH_TIMEOUT_S", 1.0)
    disk = lab.volume()
    machine = lab.machine(kernel_image, disks=(disk,))
    lab.driver.ensure_running(machine.instance_id, 1)
    with behind(lab.host.uri) as connection:
        connection.lookupByName(machine.instance_id).suspend()
    with pytest.raises(Transient) as pending:
        lab.driver.ensure_defined(replace(machine, disks=()), 2)
    assert pending.value.problem.code == "driver.detach_pending"
    assert lab.driver.observe_instance(machine.instance_id).volume_ids == (disk.volume_id,)


def test_deaf_guest_is_stopped_by_force_after_its_grace(lab: Any, kernel_image: ImageSource) -> None:
    machine = lab.machine(kernel_image)
    lab.driver.ensure_running(machine.instance_id, 1)
    stopped = lab.driver.ensure_stopped(machine.instance_id, 1, graceful_s=0.5)
    assert (stopped.state, stopped.reason) == (Observed.STOPPED, "destroyed")


def test_network_that_is_down_comes_up_with_its_guest(lab: Any, kernel_image: ImageSource) -> None:
    segment = lab.segment(("after-restart",))
    machine = lab.machine(kernel_image, segment)
    with behind(lab.host.uri) as connection:
        connection.networkLookupByName(segment.segment_id).destroy()
    assert lab.driver.ensure_running(machine.instance_id, 1).state is Observed.RUNNING


def test_data_disk_grows_and_keeps_what_it_holds(lab: Any) -> None:
    disk = lab.volume()
    path = lab.host.base / f"lib/images/{disk.volume_id}.data.qcow2"
    lab.host.exec_in("qemu-io", "-f", "qcow2", "-c", "write -P 42 0 64k", f"/var/lib/libvirt/images/{path.name}")
    lab.driver.ensure_volume(VolumeRequest(volume_id=disk.volume_id, role="data", storage_pool=POOL, size_gib=3), 2)
    assert "3 GiB" in lab.host.exec_in("qemu-img", "info", f"/var/lib/libvirt/images/{path.name}")
    read = lab.host.exec_in("qemu-io", "-f", "qcow2", "-c", "read -P 42 0 64k", f"/var/lib/libvirt/images/{path.name}")
    assert "Pattern verification failed" not in read
