"""Machines with a seat on a real libvirtd and QEMU: libvirt takes the definition, and the guest runs on its processors only."""

import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import libvirt
import pytest

from drivers.faults import Transient
from drivers.libvirt.domain_xml import HostProfile, MachineFiles, domain_text, mark_of, read_domain
from drivers.protocol import ImageSource
from inventory.domain.layout import NodeSeat, Seat, cores_of, read_cpus
from inventory.domain.resource import Observed
from tests.support.libvirt_host import behind

pytestmark = pytest.mark.libvirt


def pinned(cpus: list[int], *, page_kib: int = 0) -> Seat:
    node = NodeSeat(cell=0, vcpu_count=len(cpus), memory_mib=128, cpus=tuple(cpus))
    return Seat(page_kib=page_kib, nodes=(node,))


def own_cpus(lab: Any) -> list[int]:
    """Return the processors of the host's first cell that this process may use."""
    (cell, *_) = lab.driver.inspect_host().cells
    return sorted({cpu for core in cores_of(cell.cores) for cpu in core} & os.sched_getaffinity(0))


def test_cells_of_the_host_have_its_processors_and_memory(lab: Any) -> None:
    facts = lab.driver.inspect_host()
    cpus = [cpu for cell in facts.cells for core in cores_of(cell.cores) for cpu in core]
    assert len(cpus) == len(set(cpus)) == facts.cpu_count
    assert abs(sum(cell.memory_mib for cell in facts.cells) - facts.memory_mib) <= facts.memory_mib // 50


def vcpu_threads(instance_id: str) -> list[frozenset[int]]:
    """Return where each virtual processor of a guest may run, as the kernel says."""
    found = subprocess.run(["pgrep", "-f", f"guest={instance_id}"], capture_output=True, text=True, check=True)
    (pid, *_) = found.stdout.split()
    allowed = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        name = re.match(r"CPU (\d+)/", (task / "comm").read_text())
        if name:
            status = (task / "status").read_text()
            allowed[int(name[1])] = read_cpus(re.findall(r"Cpus_allowed_list:\s+(\S+)", status)[0])
    return [allowed[n] for n in sorted(allowed)]


def test_a_pinned_guest_runs_on_its_processor_and_says_so(lab: Any, kernel_image: ImageSource) -> None:
    cpu, *others = own_cpus(lab)
    machine = lab.machine(kernel_image, seat=pinned([cpu]))
    lab.start(machine)
    assert lab.driver.observe_instance(machine.instance_id).seat == machine.seat.text
    assert vcpu_threads(machine.instance_id) == [frozenset({cpu})]
    if others:
        elsewhere = replace(machine, seat=pinned([others[0]]))
        with pytest.raises(Transient, match="must_be_stopped"):
            lab.driver.ensure_defined(elsewhere, 2)
        lab.driver.ensure_stopped(machine.instance_id, 3, graceful_s=0)
        lab.driver.ensure_defined(elsewhere, 3)
        assert lab.driver.ensure_running(machine.instance_id, 3).state is Observed.RUNNING
        assert vcpu_threads(machine.instance_id) == [frozenset({others[0]})]


def test_an_ordinary_guest_keeps_to_the_shared_processors(lab: Any, kernel_image: ImageSource) -> None:
    cpu = own_cpus(lab)[-1]
    machine = lab.machine(kernel_image, shared_cpus=str(cpu))
    lab.driver.ensure_running(machine.instance_id, 1)
    assert lab.driver.observe_instance(machine.instance_id).seat == ""
    assert vcpu_threads(machine.instance_id) == [frozenset({cpu})]


@pytest.mark.parametrize(
    "virtualisation",
    ["tcg", pytest.param("kvm", marks=pytest.mark.skipif(not Path("/dev/kvm").exists(), reason="needs /dev/kvm"))],
)
def test_every_form_of_a_seat_is_valid_for_libvirt(lab: Any, kernel_image: ImageSource, virtualisation: str) -> None:
    two = (
        NodeSeat(cell=0, vcpu_count=2, memory_mib=64, cpus=(0, 4)),
        NodeSeat(cell=1, vcpu_count=2, memory_mib=64, cpus=(1, 5)),
    )
    shared = (NodeSeat(cell=0, vcpu_count=4, memory_mib=128, shared="0-1"),)
    plain = lab.machine(kernel_image)
    files = MachineFiles(root="/r", seed="/s", console="/c", data={})
    profile = HostProfile(virtualisation=virtualisation, arch="x86_64")
    for seat in (Seat(page_kib=2048, nodes=two), Seat(page_kib=0, nodes=two), Seat(page_kib=1048576, nodes=shared)):
        machine = replace(plain, seat=seat, vcpu_count=4, memory_mib=128)
        text = domain_text(machine, mark_of(machine, 1), profile, files)
        with behind(lab.host.uri) as connection:
            domain = connection.defineXMLFlags(text, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
            assert read_domain(domain.XMLDesc()).seat == seat.text
