"""What guests can and cannot reach, proven with packets between real guests of two departments."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from drivers.faults import Permanent
from drivers.libvirt.driver import LibvirtDriver
from drivers.protocol import ImageSource, LeaseEntry, MachineRequest
from tests.support.libvirt_host import driver_of
from tests.support.libvirt_lab import Lab
from tests.support.libvirtd import PrivateLibvirtd

pytestmark = pytest.mark.libvirt

#: An address of the host that belongs to no network of ours, as its own network card would have it.
OUTSIDE_ADDRESS = "203.0.113.5"
#: Another machine out there, routed by the host.
NEIGHBOUR_ADDRESS = "203.0.113.6"
SERVICE_PORT = 8080
#: In the name space of the host; a namespace of its own plays the neighbour.
NEIGHBOUR = "neighbour"


class Town:
    """Two departments: ``a1`` and ``a2`` in one network, ``b1`` in another."""

    def __init__(self, lab: Lab, image: ImageSource) -> None:
        self.lab = lab
        self.first = lab.segment(("a1", "a2"))
        self.second = lab.segment(("b1",))
        self.machines = {
            "a1": lab.machine(image, self.first, 0),
            "a2": lab.machine(image, self.first, 1),
            "b1": lab.machine(image, self.second, 0),
        }
        lab.start(*self.machines.values())

    def machine(self, name: str) -> MachineRequest:
        return self.machines[name]

    def probe(self, name: str, address: str, port: int) -> str:
        """Have a guest open a connection and tell how that went."""
        return self.lab.get(self.machine(name), f"/cgi-bin/probe?{address}:{port}")


@pytest.fixture(scope="module")
def town(libvirt_host: PrivateLibvirtd, kernel_image: ImageSource) -> Iterator[Town]:
    driver = driver_of(libvirt_host.uri)
    assert isinstance(driver, LibvirtDriver)
    lab = Lab(libvirt_host, driver)
    run = libvirt_host.exec_in
    run("ip", "netns", "add", NEIGHBOUR)
    run("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "eth0", "netns", NEIGHBOUR)
    run("ip", "address", "add", f"{OUTSIDE_ADDRESS}/24", "dev", "uplink")
    run("ip", "link", "set", "uplink", "up")
    run("ip", "-n", NEIGHBOUR, "address", "add", f"{NEIGHBOUR_ADDRESS}/24", "dev", "eth0")
    run("ip", "-n", NEIGHBOUR, "link", "set", "eth0", "up")
    run("ip", "-n", NEIGHBOUR, "route", "add", "default", "via", OUTSIDE_ADDRESS)
    service = ("busybox", "httpd", "-f", "-p", str(SERVICE_PORT), "-h", "/etc")
    services = [libvirt_host.spawn_in(*service), libvirt_host.spawn_in("ip", "netns", "exec", NEIGHBOUR, *service)]
    try:
        yield Town(lab, kernel_image)
    finally:
        lab.clean()
        for process in services:
            process.kill()
            process.wait()
        run("ip", "link", "delete", "uplink")
        run("ip", "netns", "delete", NEIGHBOUR)


def test_host_reaches_every_guest(town: Town) -> None:
    for name, machine in town.machines.items():
        assert f"hostname={name} " in town.lab.get(machine)


def test_guest_reaches_its_neighbour_in_the_same_network(town: Town) -> None:
    assert town.probe("a1", town.machine("a2").nics[0].address, 80) == "open"
    assert town.probe("a2", town.machine("a1").nics[0].address, 80) == "open"


@pytest.mark.parametrize(("guest", "other"), [("a1", "b1"), ("b1", "a2")])
def test_guest_does_not_reach_another_department(town: Town, guest: str, other: str) -> None:
    assert town.probe(guest, town.machine(other).nics[0].address, 80) == "blocked"


@pytest.mark.parametrize("guest", ["a1", "b1"])
def test_guest_reaches_no_service_of_the_host_at_any_address(town: Town, guest: str) -> None:
    addresses = (town.first.gateway, town.second.gateway, OUTSIDE_ADDRESS)
    run = town.lab.host.exec_in
    for address in addresses:
        there = run(
            "curl",
            "--silent",
            "--max-time",
            "5",
            "--output",
            "/dev/null",
            "-w",
            "%{http_code}",
            f"http://{address}:{SERVICE_PORT}/",
        )
        assert there == "404", f"the service does not even answer the host itself at {address}"
        assert town.probe(guest, address, SERVICE_PORT) == "blocked", f"{guest} reaches the host at {address}"


def test_guest_opens_no_connection_to_the_world(town: Town) -> None:
    probe = ("curl", "--silent", "--max-time", "5", "--output", "/dev/null", "-w", "%{http_code}")
    assert town.lab.host.exec_in(*probe, f"http://{NEIGHBOUR_ADDRESS}:{SERVICE_PORT}/") == "404"
    assert town.probe("a1", NEIGHBOUR_ADDRESS, SERVICE_PORT) == "blocked"


def test_outside_opens_no_connection_to_a_guest(town: Town) -> None:
    address = town.machine("a1").nics[0].address
    ask = ("ip", "netns", "exec", NEIGHBOUR, "curl", "--silent", "--max-time", "3", f"http://{address}/")
    assert town.lab.host.exec_in(*ask, check=False) == ""


def test_guest_asks_only_the_name_service_of_its_own_gateway(town: Town) -> None:
    assert town.probe("a1", town.first.gateway, 53) == "open"
    assert town.probe("a1", town.second.gateway, 53) == "blocked"


def test_name_service_knows_the_segment_and_asks_nobody_else(town: Town) -> None:
    ask = ("busybox", "nslookup", "-type=a")
    assert town.machine("a2").nics[0].address in town.lab.host.exec_in(*ask, "a2", town.first.gateway, check=False)
    assert "REFUSED" in town.lab.host.exec_in("sh", "-c", f"{' '.join(ask)} example.com {town.first.gateway} 2>&1 || true")


def test_unknown_card_gets_no_address_until_it_has_an_entry(town: Town) -> None:
    run = town.lab.host.exec_in
    bridge = run("sh", "-c", f"ip -brief address | grep -w {town.first.gateway} | cut -d' ' -f1").strip()
    stranger = LeaseEntry(mac="52:54:00:97:99:99", address=town.first.cidr.replace(".0/24", ".99"), hostname="a9")
    ask = ("sh", "-c", "busybox udhcpc -i stranger -n -q -t 3 -T 1 -s /bin/true 2>&1 || true")
    run("ip", "link", "add", "stranger", "address", stranger.mac, "type", "veth", "peer", "name", "stranger-port")
    try:
        run("ip", "link", "set", "stranger-port", "master", bridge, "up")
        run("ip", "link", "set", "stranger", "up")
        assert "no lease" in run(*ask)
        town.lab.driver.ensure_segment(replace(town.first, leases=(*town.first.leases, stranger)), 50)
        assert f"lease of {stranger.address} obtained" in run(*ask)
        assert town.probe("a1", town.machine("a2").nics[0].address, 80) == "open"
        town.lab.driver.ensure_segment(town.first, 51)
        assert "no lease" in run(*ask)
    finally:
        run("ip", "link", "delete", "stranger")


def test_no_guest_starts_where_its_packets_would_not_be_filtered(lab: Any, kernel_image: ImageSource) -> None:
    machine = lab.machine(kernel_image, lab.segment(("unguarded",)))
    lab.host.exec_in("sysctl", "-w", "net.bridge.bridge-nf-call-iptables=0")
    try:
        with pytest.raises(Permanent) as refused:
            lab.driver.ensure_running(machine.instance_id, 1)
        assert refused.value.problem.code == "driver.filters_off"
    finally:
        lab.host.exec_in("sysctl", "-w", "net.bridge.bridge-nf-call-iptables=1")
    lab.driver.ensure_running(machine.instance_id, 1)
