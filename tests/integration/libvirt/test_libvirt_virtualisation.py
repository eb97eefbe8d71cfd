"""KVM is believed only where a KVM guest gets on; emulated guests stand in for one that does and one that never speaks."""

import uuid

import pytest

from drivers.libvirt import virtualisation
from drivers.libvirt.virtualisation import LAST_WORD, boots, find_virtualisation, kvm_most_s, probe_text
from tests.support.libvirt_host import behind
from tests.support.libvirtd import PrivateLibvirtd

pytestmark = pytest.mark.libvirt

#: The same firmware and processor without libvirt; prints the milliseconds to its last word, nothing if it never comes.
_RACE = """
began=$(date +%s%N)
mkfifo "$1" && (timeout 15 qemu-system-x86_64 -accel $2 -machine q35,graphics=off -cpu $3 -m 64 -display none -nodefaults \
    -serial stdio -net none >"$1" 2>/dev/null </dev/null &)
grep -qam1 "$4" <"$1" && echo $((($(date +%s%N) - began) / 1000000))
rm "$1"
"""


def test_guest_that_boots_is_heard(libvirt_host: PrivateLibvirtd) -> None:
    with behind(libvirt_host.uri) as connection:
        took_s = boots(connection, probe_text("x86_64", uuid.uuid4(), "qemu"))
        assert took_s is not None
        assert 0 < took_s < virtualisation.PROBE_TIMEOUT_S
        assert connection.listAllDomains() == []


def test_guest_that_never_speaks_is_not_believed(libvirt_host: PrivateLibvirtd) -> None:
    silent = probe_text("x86_64", uuid.uuid4(), "qemu").replace('<bios useserial="yes" />', "")
    with behind(libvirt_host.uri) as connection:
        assert boots(connection, silent, timeout_s=1.0) is None
        assert connection.listAllDomains() == []


@pytest.mark.parametrize(
    ("kvm_s", "tcg_s", "expected"), [(0.2, 0.4, True), (0.9, 0.3, True), (5.6, 0.4, False), (4.0, 1.5, True)]
)
def test_a_kvm_that_crawls_is_worse_than_none(kvm_s: float, tcg_s: float, expected: bool) -> None:
    assert (kvm_s <= kvm_most_s(tcg_s)) is expected


def test_answer_of_this_machine_is_the_one_qemu_gives_itself(libvirt_host: PrivateLibvirtd) -> None:
    def race(accelerator: str, cpu: str) -> float | None:
        said = libvirt_host.exec_in(
            "sh", "-c", _RACE, "race", f"/tmp/race-{accelerator}", accelerator, cpu, LAST_WORD.decode(), check=False
        )
        return int(said) / 1000 if said.strip() else None

    kvm_s, tcg_s = race("kvm", "host"), race("tcg", "max")
    assert tcg_s is not None
    expected = "kvm" if kvm_s is not None and kvm_s <= kvm_most_s(tcg_s) else "tcg"
    with behind(libvirt_host.uri) as connection:
        assert find_virtualisation(connection, "x86_64") == expected
