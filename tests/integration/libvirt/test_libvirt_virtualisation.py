"""KVM is believed only where a KVM guest was heard; emulated guests stand in for one that speaks and one that does not."""

import uuid

import pytest

from drivers.libvirt import virtualisation
from drivers.libvirt.virtualisation import boots, find_virtualisation, probe_text
from tests.support.libvirt_host import behind
from tests.support.libvirtd import PrivateLibvirtd

pytestmark = pytest.mark.libvirt


def emulated(text: str) -> str:
    """Return the probe as an emulated machine, which boots anywhere."""
    return text.replace('type="kvm"', 'type="qemu"').replace('<cpu mode="host-passthrough" migratable="on" />', "")


def test_guest_that_boots_is_heard(libvirt_host: PrivateLibvirtd) -> None:
    with behind(libvirt_host.uri) as connection:
        assert boots(connection, emulated(probe_text("x86_64", uuid.uuid4())))
        assert connection.listAllDomains() == []


def test_guest_that_never_speaks_is_not_believed(libvirt_host: PrivateLibvirtd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtualisation, "PROBE_TIMEOUT_S", 1.0)
    silent = emulated(probe_text("x86_64", uuid.uuid4())).replace('<bios useserial="yes" />', "")
    with behind(libvirt_host.uri) as connection:
        assert not boots(connection, silent)
        assert connection.listAllDomains() == []


def test_answer_of_this_machine_is_the_one_qemu_gives_itself(libvirt_host: PrivateLibvirtd) -> None:
    # The same firmware and processor without libvirt: what it says on its serial line decides.
    said = libvirt_host.exec_in(
        "sh", "-c",
        "timeout 10 qemu-system-x86_64 -accel kvm -machine q35,graphics=off -cpu host -m 64 -display none -nodefaults"
        " -serial stdio -net none 2>/dev/null </dev/null | head -c 400 | grep -ac SeaBIOS || true",
    )  # fmt: skip
    with behind(libvirt_host.uri) as connection:
        assert find_virtualisation(connection, "x86_64") == ("kvm" if int(said or 0) else "tcg")
