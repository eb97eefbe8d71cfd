"""What really boots a guest on a host, found by trying: a throw-away KVM machine without disks must speak.

``/dev/kvm`` and the capabilities only say that KVM may work. On some hosts (nested, restricted) QEMU aborts when the
processor is set up, or the guest never executes an instruction. The firmware's greeting on the serial line is the proof.
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
_LOOK_EVERY_S = 0.05
_MEMORY_MIB = 64


def probe_text(arch: str, unique: uuid.UUID) -> str:
    """Return the throw-away machine: no disk, no card, firmware on the serial line, the processor guests would get."""
    root = Element("domain", type="kvm")
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
    add(root, "cpu", mode="host-passthrough", migratable="on")
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
    """Return ``kvm`` where a KVM guest speaks in time, else ``tcg``.

    Raises:
        libvirt.libvirtError: the connection broke; nothing was found out.
    """
    if not offers_kvm(connection.getCapabilities(), arch):
        return "tcg"
    try:
        return "kvm" if boots(connection, probe_text(arch, uuid.uuid4())) else "tcg"
    except libvirt.libvirtError:
        if not connection.isAlive():
            raise
        # QEMU gave up: exactly what is to be found out.
        return "tcg"


def boots(connection: Any, text: str) -> bool:
    """Start a throw-away machine and tell whether its firmware speaks in time; nothing of it stays.

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
            return _hears(stream)
        finally:
            stream.abort()
    finally:
        # It may have died by itself.
        with suppress(libvirt.libvirtError):
            domain.destroy()


def _hears(stream: Any) -> bool:
    end = time.monotonic() + PROBE_TIMEOUT_S
    while time.monotonic() < end:
        data = stream.recv(1024)
        if isinstance(data, bytes):
            return bool(data)
        time.sleep(_LOOK_EVERY_S)
    return False
