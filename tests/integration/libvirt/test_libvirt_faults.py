"""libvirtd dies, hangs, or its storage is full: the driver says what is known and goes on afterwards."""

import hashlib
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drivers.faults import DriverFault, OutcomeUnknown, Permanent, StaleFence, Transient
from drivers.libvirt import connection as connection_module
from drivers.libvirt.names import image_name, verified_name
from drivers.protocol import DiskRequest, DriverEvent, EventKind, ImageSource, VolumeRequest
from inventory.domain.ids import ResourceId, uuid_of
from inventory.domain.resource import Observed
from tests.support.libvirt_host import POOL, behind, define_pool, driver_of, new_id
from tests.support.libvirtd import until
from tests.support.scratch import directory_on_disk

pytestmark = pytest.mark.libvirt


def fault_of(call: Any) -> DriverFault:
    with pytest.raises(DriverFault) as raised:
        call()
    return raised.value


def test_guest_survives_a_killed_libvirtd_and_the_driver_comes_back(lab: Any, kernel_image: ImageSource) -> None:
    machine = lab.machine(kernel_image)
    told: list[DriverEvent] = []
    lab.driver.subscribe(told.append)
    lab.driver.ensure_running(machine.instance_id, 1)
    lab.host.kill_libvirtd()
    try:
        until(lambda: any(e.kind is EventKind.DISCONNECTED for e in told), 10, "the broken connection is told")
        found = fault_of(lambda: lab.driver.observe_instance(machine.instance_id))
        assert isinstance(found, Transient)
        assert found.problem.code == "driver.unreachable"
        assert isinstance(fault_of(lambda: lab.driver.ensure_absent(machine.instance_id, POOL, 1)), Transient)
    finally:
        lab.host.start_libvirtd()
    assert lab.driver.observe_instance(machine.instance_id).state is Observed.RUNNING
    told.clear()
    lab.driver.ensure_stopped(machine.instance_id, 2, graceful_s=0)
    until(lambda: any(e.state is Observed.STOPPED for e in told), 10, "events come on the new connection too")


def test_frozen_libvirtd_breaks_the_call_and_leaves_the_outcome_unknown(
    lab: Any, kernel_image: ImageSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "KEEPALIVE_INTERVAL_S", 1)
    monkeypatch.setattr(connection_module, "KEEPALIVE_COUNT", 1)
    monkeypatch.setattr(connection_module, "OPEN_TIMEOUT_S", 1.0)
    machine = lab.machine(kernel_image)
    # Settings of the link are read when it is opened.
    lab.driver.close()
    lab.driver.observe_instance(machine.instance_id)
    lab.host.stop()
    try:
        started = time.monotonic()
        assert isinstance(fault_of(lambda: lab.driver.ensure_running(machine.instance_id, 2)), OutcomeUnknown)
        assert time.monotonic() - started < 10
        for _ in range(2):
            found = fault_of(lambda: lab.driver.observe_instance(machine.instance_id))
            assert isinstance(found, Transient)
            assert found.problem.code == "driver.unreachable"
    finally:
        lab.host.cont()
    until(lambda: _answers(lab), 20, "the driver reaches the host again")
    assert lab.driver.ensure_running(machine.instance_id, 3).state is Observed.RUNNING


def _answers(lab: Any) -> bool:
    try:
        lab.driver.observe()
    except Transient:
        return False
    return True


def test_full_storage_pool_is_said_to_be_full_and_nothing_is_believed(lab: Any, kernel_image: ImageSource) -> None:
    small = "/var/lib/libvirt/small"
    lab.host.exec_in("sh", "-c", f"mkdir -p {small} && mount -t tmpfs -o size=8m small {small}")
    define_pool(lab.host.uri, "small", small)
    try:
        found = fault_of(lambda: lab.driver.ensure_image(kernel_image, "small"))
        assert isinstance(found, Permanent)
        assert found.problem.code == "driver.storage_full"
        assert found.problem.params["storage_pool"] == "small"
        assert verified_name(image_name(kernel_image.sha256, "qcow2")) not in lab.host.exec_in("ls", small).split()
        lab.host.exec_in("sh", "-c", f"dd if=/dev/zero of={small}/filler bs=64k 2>/dev/null || true")
        request = VolumeRequest(volume_id=new_id("volume"), role="data", storage_pool="small", size_gib=1)
        found = fault_of(lambda: lab.driver.ensure_volume(request, 1))
        assert isinstance(found, Permanent)
        assert found.problem.code == "driver.storage_full"
    finally:
        with behind(lab.host.uri) as connection:
            pool = connection.storagePoolLookupByName("small")
            pool.destroy()
            pool.undefine()
        lab.host.exec_in("umount", small)


def test_image_that_was_cut_short_is_sent_again(lab: Any, kernel_image: ImageSource) -> None:
    lab.driver.ensure_image_absent(kernel_image.sha256, POOL)
    stored = lab.host.base / "lib/images" / image_name(kernel_image.sha256, "qcow2")
    stored.write_bytes(kernel_image.path.read_bytes()[:100_000])
    lab.driver.observe()
    lab.driver.ensure_image(kernel_image, POOL)
    assert hashlib.sha256(stored.read_bytes()).hexdigest() == kernel_image.sha256


def test_image_whose_file_is_gone_is_named_and_leaves_nothing(lab: Any, kernel_image: ImageSource, tmp_path: Path) -> None:
    lab.driver.ensure_image_absent(kernel_image.sha256, POOL)
    found = fault_of(lambda: lab.driver.ensure_image(replace(kernel_image, path=tmp_path / "gone.qcow2"), POOL))
    assert isinstance(found, Permanent)
    assert (found.problem.code, found.problem.params) == ("driver.file_unreadable", {"file": "gone.qcow2"})
    assert not list((lab.host.base / "lib/images").glob(f"*{kernel_image.sha256[:12]}*"))


def test_disk_that_was_cut_short_is_made_again(lab: Any, kernel_image: ImageSource) -> None:
    lab.driver.ensure_image(kernel_image, POOL)
    instance_id = new_id("instance")
    lab.made.append(lambda fence: lab.driver.ensure_absent(instance_id, POOL, fence))
    stored = lab.host.base / f"lib/images/{instance_id}.root.qcow2"
    stored.write_bytes(b"\0" * 512)
    lab.driver.observe()
    lab.driver.ensure_volume(
        VolumeRequest(volume_id=instance_id, role="root", storage_pool=POOL, size_gib=1, image=kernel_image), 1
    )
    assert stored.read_bytes()[:4] == b"QFI\xfb"


def test_machine_without_its_disks_is_not_defined(lab: Any, kernel_image: ImageSource) -> None:
    machine = lab.machine(kernel_image)
    nowhere = DiskRequest(volume_id=new_id("volume"), storage_pool=POOL, slot=0)
    found = fault_of(lambda: lab.driver.ensure_defined(replace(machine, disks=(nowhere,)), 2))
    assert isinstance(found, Transient)
    assert found.problem.params["volume_id"] == nowhere.volume_id


def test_disk_of_another_image_is_never_replaced(lab: Any, kernel_image: ImageSource) -> None:
    machine = lab.machine(kernel_image)
    other = replace(kernel_image, sha256="0" * 64)
    images = lab.host.base / "lib/images"
    for name in (image_name(other.sha256, "qcow2"), verified_name(image_name(other.sha256, "qcow2"))):
        (images / name).write_bytes(b"")
    lab.driver.observe()
    try:
        found = fault_of(lambda: lab.driver.ensure_volume(replace(machine.root, image=other), 2))
        assert isinstance(found, Permanent)
        assert found.problem.code == "driver.volume_differs"
    finally:
        lab.driver.ensure_image_absent(other.sha256, POOL)


def test_things_of_others_are_listed_and_never_touched(lab: Any, kernel_image: ImageSource) -> None:
    images = lab.host.base / "lib/images"
    (images / "precious.qcow2").write_bytes(b"precious")
    with behind(lab.host.uri) as connection:
        network = connection.networkDefineXML("<network><name>theirs</name><ip address='10.98.0.1' prefix='24'/></network>")
        segment_id = ResourceId("seg_" + network.UUIDString().replace("-", ""))
        instance_id = new_id("instance")
        domain = connection.defineXML(
            f"<domain type='qemu'><name>theirs</name><uuid>{uuid_of(instance_id)}</uuid><memory unit='MiB'>32</memory>"
            "<os><type arch='x86_64' machine='q35'>hvm</type></os></domain>"
        )
        before = (network.XMLDesc(), domain.XMLDesc())
        seen = lab.driver.observe()
        assert [f.name for f in seen.foreign] == ["theirs"]
        assert not seen.segment_ids
        lab.driver.ensure_absent(instance_id, POOL, 99)
        found = fault_of(lambda: lab.driver.ensure_segment_absent(segment_id, 99))
        assert found.problem.code == "driver.not_ours"
        lab.driver.ensure_image(kernel_image, POOL)
        root = VolumeRequest(volume_id=instance_id, role="root", storage_pool=POOL, size_gib=1, image=kernel_image)
        lab.driver.ensure_volume(root, 1)
        wish = replace(lab.machine(kernel_image), instance_id=instance_id, root=root)
        assert fault_of(lambda: lab.driver.ensure_defined(wish, 1)).problem.code == "driver.not_ours"
        assert before == (network.XMLDesc(), domain.XMLDesc())
        lab.driver.ensure_absent(instance_id, POOL, 99)
        domain.undefine()
        network.undefine()
    assert (images / "precious.qcow2").read_bytes() == b"precious"
    (images / "precious.qcow2").unlink()


def test_fence_survives_the_driver_and_the_daemon(lab: Any, kernel_image: ImageSource) -> None:
    machine = lab.machine(kernel_image)
    disk = lab.volume()
    lab.driver.ensure_running(machine.instance_id, 7)
    lab.driver.ensure_volume(VolumeRequest(volume_id=disk.volume_id, role="data", storage_pool=POOL, size_gib=1), 7)
    lab.host.kill_libvirtd()
    lab.host.start_libvirtd()
    other = driver_of(lab.host.uri)
    with pytest.raises(StaleFence):
        other.ensure_stopped(machine.instance_id, 6, graceful_s=0)
    with pytest.raises(StaleFence):
        other.ensure_volume_absent(disk.volume_id, POOL, 6)
    seen = other.observe_instance(machine.instance_id)
    assert seen is not None
    assert seen.state is Observed.RUNNING
    other.close()


def test_killed_test_process_leaves_no_process_behind() -> None:
    with directory_on_disk("lk") as base:
        _killed_with(base)


def _killed_with(base: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path\n"
        "from tests.support.libvirtd import private_libvirtd\n"
        f"with private_libvirtd(Path({str(base)!r})) as host:\n"
        "    print(host.init_pid, flush=True); time.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    init_pid = int(process.stdout.readline())
    namespace = str(Path(f"/proc/{init_pid}/ns/pid").readlink())
    assert len(_processes_in(namespace)) >= 3, "libvirtd and virtlogd do not run in there"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    until(lambda: not _processes_in(namespace), 10, "all processes of the host end")
    assert str(base) not in Path("/proc/mounts").read_text()


def _processes_in(namespace: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str((entry / "ns/pid").readlink()) == namespace:
                found.append(entry.name)
        except OSError:
            continue  # it ended while we looked
    return found
