"""What really boots a guest on a host, found by trying: throw-away machines without disks, under KVM and emulated.

``/dev/kvm`` and the capabilities only say that KVM may work. On some hosts (nested, restricted) QEMU aborts when the
processor is set up, or the guest never executes an instruction; on others (page tables without help from the hardware) the
firmware still runs, many times slower than emulated, and a Linux kernel does not come up in minutes. So the proof is that the
firmware comes to its last word on the serial line, and takes about no longer for it than under emulation.
"""

import time
import uuid
from contextlib import suppress
from typing import Any

import libvirt

from drivers.libvirt.domain_xml import MACHINES
from drivers.libvirt.marks import Mark, add_mark
from drivers.libvirt.xml_tree import Element, add, parse, to_text

PROBE_ID = "probe"
PROBE_TIMEOUT_S = 15.0
#: What the firmware says when it has tried everything.
LAST_WORD = b"No bootable device"
#: KVM is believed up to so many times the time of emulation, and this much on top for the noise of a busy host.
SLOWER_MOST = 3.0
NOISE_S = 0.5
_LOOK_EVERY_S = 0.05
_MEMORY_MIB = 64


def probe_text(arch: str, unique: uuid.UUID, domain_type: str = "kvm") -> str:
    """Return the throw-away machine: no disk, no card, firmware on the serial line, the processor guests would get."""
    root = Element("domain", type=domain_type)
    add(root, "name", f"allotment-probe-{unique}")
    add(root, "uuid", str(unique))
    add_mark(add(root, "metadata"), Mark(resource_id=PROBE_ID, fence=0))
    add(root, "memory", str(_MEMORY_MIB), unit="MiB")
    add(root, "vcpu", "1")
    os = add(root, "os")
    add(os, "type", "hvm", arch=arch, machine=MACHINES.get(arch, ""))
    if arch == "x86_64":
        add(os, "bios", useserial="yes")
    add(add(root, "features"), "acpi")
    if domain_type == "kvm":
        add(root, "cpu", mode="host-passthrough", migratable="on")
    else:
        add(root, "cpu", mode="maximum")
    devices = add(root, "devices")
    add(devices, "serial", type_="pty")
    add(devices, "controller", type_="usb", model="none")
    add(devices, "memballoon", model="none")
    return to_text(root)


def offers_kvm(capabilities: str, arch: str) -> bool:
    """Tell whether libvirt's capabilities name KVM for guests of the host's own architecture."""
    root = parse(capabilities)
    return any(
        guest.find("./arch/domain[@type='kvm']") is not None
        for guest in root.iterfind("./guest")
        if (found := guest.find("./arch")) is not None and found.get("name") == arch
    )


def find_virtualisation(connection: Any, arch: str) -> str:
    """Return ``kvm`` where a KVM guest really gets on, else ``tcg``.

    Raises:
        libvirt.libvirtError: the connection broke; nothing was found out.
    """
    if not offers_kvm(connection.getCapabilities(), arch):
        return "tcg"
    tcg_s = _tried(connection, arch, "qemu", PROBE_TIMEOUT_S)
    most_s = PROBE_TIMEOUT_S if tcg_s is None else kvm_most_s(tcg_s)
    return "tcg" if _tried(connection, arch, "kvm", most_s) is None else "kvm"


def kvm_most_s(tcg_s: float) -> float:
    """Return how long the firmware may take under KVM, from how long it takes emulated."""
    return SLOWER_MOST * tcg_s + NOISE_S


def _tried(connection: Any, arch: str, domain_type: str, timeout_s: float) -> float | None:
    try:
        return boots(connection, probe_text(arch, uuid.uuid4(), domain_type), timeout_s)
    except libvirt.libvirtError:
        if not connection.isAlive():
            raise
        # QEMU gave up: exactly what is to be found out.
        return None


def boots(connection: Any, text: str, timeout_s: float = PROBE_TIMEOUT_S) -> float | None:
    """Start a throw-away machine; return after how many seconds its firmware had its last word, None: not in time.

    Nothing of it stays.

    Raises:
        libvirt.libvirtError: it could not be started, or died.
    """
    # Auto-destroy: the machine goes with the connection, should this process die here. Started paused, so that the
    # console is open before the first byte.
    flags = libvirt.VIR_DOMAIN_START_PAUSED | libvirt.VIR_DOMAIN_START_AUTODESTROY
    domain = connection.createXML(text, flags)
    try:
        stream = connection.newStream(libvirt.VIR_STREAM_NONBLOCK)
        domain.openConsole(None, stream, 0)
        domain.resume()
        try:
            return _hears(stream, timeout_s)
        finally:
            stream.abort()
    finally:
        # It may have died by itself.
        with suppress(libvirt.libvirtError):
            domain.destroy()


def _hears(stream: Any, timeout_s: float) -> float | None:
    began = time.monotonic()
    said = b""
    while (took_s := time.monotonic() - began) < timeout_s:
        data = stream.recv(1024)
        if not isinstance(data, bytes):
            time.sleep(_LOOK_EVERY_S)
            continue
        if not data:
            return None
        said += data
        if LAST_WORD in said:
            return took_s
    return None
