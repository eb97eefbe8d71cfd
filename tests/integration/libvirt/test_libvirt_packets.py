"""What a guest really sends and how far it comes: forged frames, UDP, ICMP, ARP and IPv6, seen on every interface of the host.

Each proof has two halves: the frame was seen where the guest's card meets the host, so it was sent; and it was seen nowhere
beyond. What is allowed goes the same way and is seen to arrive, so the eyes are open.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pytest

from drivers.libvirt.driver import LibvirtDriver
from drivers.libvirt.names import bridge_name
from drivers.libvirt.xml_tree import attribute, parse
from drivers.protocol import ImageSource, MachineRequest
from tests.support.frames import ARP, ICMP, IPV4, IPV6, UDP, Frame, Seen, watching
from tests.support.libvirt_host import behind, driver_of
from tests.support.libvirt_lab import Lab
from tests.support.libvirtd import PrivateLibvirtd, until

pytestmark = pytest.mark.libvirt

#: Lets the test run commands in the guest, through its web server.
RUNNER = """#!/bin/sh
cat >/var/www/cgi-bin/run <<'EOF'
#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
sh -c "$(head -c $CONTENT_LENGTH)" 2>&1
EOF
chmod 755 /var/www/cgi-bin/run
"""
FORGED_MAC = "02:00:00:00:00:66"
PORT = 9999
RUN_S = 60
LINK_LOCAL = "fe80::a11:1/64"
#: The host's own network beyond the departments', and an address in it that is another machine's.
UPLINK, FAR_END = "uplink", "far-end"
UPLINK_ADDRESS, BEYOND = "203.0.113.5", "203.0.113.6"


@dataclass(frozen=True)
class Street:
    """``a1`` and ``a2`` of one department, ``b1`` of another, on a host with a network card of its own."""

    lab: Lab
    machines: dict[str, MachineRequest]
    gateways: dict[str, str]
    bridges: dict[str, str]

    def address(self, name: str) -> str:
        return self.machines[name].nics[0].address

    def tap(self, name: str) -> str:
        """Return where the card of a machine meets the host."""
        with behind(self.lab.host.uri) as connection:
            text = connection.lookupByName(self.machines[name].instance_id).XMLDesc()
        return attribute(parse(text), "./devices/interface/target", "dev")

    def ask(self, command: str) -> str:
        """Have ``a1`` run a command and return what it says; empty while it does not hear."""
        url = f"http://{self.address('a1')}/cgi-bin/run"
        return self.lab.host.exec_in("curl", "--silent", "--max-time", "5", "--data-binary", command, url, check=False)

    def watched(self, *commands: str) -> Seen:
        """Have ``a1`` run commands and see every frame that passes meanwhile; it need not be reachable while it does."""
        script = "\n".join((*commands, "touch /tmp/over"))
        with watching(self.lab.host) as seen:
            self.ask(f"rm -f /tmp/over /tmp/said; (sleep 0.2; {script}) >/tmp/said 2>&1 </dev/null &")
            until(lambda: self.ask("ls /tmp/over") == "/tmp/over\n", RUN_S, f"{script}: {self.ask('cat /tmp/said')}")
        return seen


@pytest.fixture(scope="module")
def street(libvirt_host: PrivateLibvirtd, kernel_image: ImageSource) -> Iterator[Street]:
    driver = driver_of(libvirt_host.uri)
    assert isinstance(driver, LibvirtDriver)
    lab, run = Lab(libvirt_host, driver), libvirt_host.exec_in
    run("ip", "link", "add", UPLINK, "type", "veth", "peer", "name", FAR_END)
    run("ip", "address", "add", f"{UPLINK_ADDRESS}/24", "dev", UPLINK)
    for end in (UPLINK, FAR_END):
        run("ip", "link", "set", end, "up")
    # A neighbour that is known: what is sent to it leaves by the card at once.
    run("ip", "neighbour", "add", BEYOND, "lladdr", "02:00:00:00:00:77", "dev", UPLINK)
    try:
        first, second = lab.segment(("a1", "a2")), lab.segment(("b1",))
        machines = {
            "a1": lab.machine(kernel_image, first, 0, user_data=RUNNER),
            "a2": lab.machine(kernel_image, first, 1),
            "b1": lab.machine(kernel_image, second, 0),
        }
        lab.start(*machines.values())
        gateways = {"a": first.gateway, "b": second.gateway}
        bridges = {"a": bridge_name(first.segment_id), "b": bridge_name(second.segment_id)}
        yield Street(lab, machines, gateways, bridges)
    finally:
        lab.clean()
        run("ip", "link", "delete", UPLINK)


def send(protocol: int, address: str, port: int = PORT) -> str:
    """Return the command that sends a datagram with the word ``hello`` (asking for a file of that name), or a ping."""
    if protocol == UDP:
        return f"timeout 1 tftp -g -r hello -l /dev/null {address} {port}"
    return f"ping -c 2 -W 1 {address}"


def is_forged(kind: int, frame: Frame) -> bool:
    return frame.source_mac == FORGED_MAC and frame.kind == kind


def expect_dropped_at_the_card(street: Street, seen: Seen, is_meant: Callable[[Frame], bool]) -> None:
    assert seen.interfaces(is_meant) == {street.tap("a1")}, "seen where it was sent, and nowhere else"


# -- the eyes are open ------------------------------------------------------------------------------------------------


def test_what_a_neighbour_may_send_is_seen_to_arrive(street: Street) -> None:
    there = street.address("a2")
    seen = street.watched(send(ICMP, there), send(UDP, there), f"arping -c 1 -I eth0 {there}")
    for is_meant in (
        lambda f: f.protocol == ICMP and f.target == there,
        lambda f: f.protocol == UDP and f.target == there and b"hello" in f.data,
        lambda f: f.kind == ARP and f.source == street.address("a1"),
    ):
        assert {street.tap("a1"), street.tap("a2")} <= seen.interfaces(is_meant)


def test_the_host_reaches_a_guest_and_hears_its_answer(street: Street) -> None:
    with watching(street.lab.host) as seen:
        said = street.lab.host.exec_in("ping", "-c", "2", "-W", "2", street.address("b1"))
    assert " 0% packet loss" in said
    assert street.bridges["b"] in seen.interfaces(lambda f: f.protocol == ICMP and f.source == street.address("b1"))


# -- to where a guest may not send ------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["b1", "gateway of b", "host", "beyond"])
@pytest.mark.parametrize("protocol", [UDP, ICMP])
def test_neither_udp_nor_icmp_leaves_the_segment(street: Street, protocol: int, where: str) -> None:
    addresses = {"b1": street.address("b1"), "gateway of b": street.gateways["b"], "host": UPLINK_ADDRESS, "beyond": BEYOND}
    there = addresses[where]
    seen = street.watched(send(protocol, there))
    passed = seen.interfaces(lambda f: f.protocol == protocol and f.target == there)
    assert street.tap("a1") in passed, "it was never sent"
    # The bridge hands it to the host, whose rules drop it.
    assert passed <= {street.tap("a1"), street.bridges["a"]}
    answers = seen.interfaces(lambda f: f.protocol in (protocol, ICMP) and f.target == street.address("a1"))
    assert not answers, "somebody answered"


@pytest.mark.parametrize(("protocol", "port"), [(UDP, 123), (UDP, PORT), (ICMP, 0)])
def test_the_own_gateway_answers_nothing_but_addresses_and_names(street: Street, protocol: int, port: int) -> None:
    there = street.gateways["a"]
    seen = street.watched(send(protocol, there, port))
    assert street.tap("a1") in seen.interfaces(lambda f: f.protocol == protocol and f.target == there), "it was never sent"
    assert not seen.interfaces(lambda f: f.protocol == ICMP and f.source == there), "not even a refusal comes back"


# -- what a guest may not pretend -------------------------------------------------------------------------------------


def test_a_frame_with_another_mac_goes_nowhere(street: Street) -> None:
    there, [own], [other] = street.address("a2"), street.machines["a1"].nics, street.machines["a2"].nics
    set_mac = "ip link set eth0 address"
    # With the address of the neighbour known, packets need no answer to their question first.
    seen = street.watched(
        f"{set_mac} {FORGED_MAC}",
        f"arping -c 2 -w 2 -I eth0 {there}",
        f"arp -s {there} {other.mac}",
        send(ICMP, there),
        f"arp -d {there}",
        f"{set_mac} {own.mac}",
    )
    for kind in (ARP, IPV4):
        expect_dropped_at_the_card(street, seen, partial(is_forged, kind))


@pytest.mark.parametrize("protocol", [UDP, ICMP])
def test_a_packet_from_another_address_goes_nowhere(street: Street, protocol: int) -> None:
    there, [other] = street.address("a2"), street.machines["a2"].nics
    forged = there.rpartition(".")[0] + ".99"
    seen = street.watched(
        f"ip address add {forged}/32 dev eth0",
        f"ip route add {there}/32 dev eth0 src {forged}",
        f"arp -s {there} {other.mac}",
        send(protocol, there),
        f"arp -d {there}",
        f"ip route del {there}/32 dev eth0",
        f"ip address del {forged}/32 dev eth0",
    )
    expect_dropped_at_the_card(street, seen, lambda f: f.protocol == protocol and f.source == forged)


@pytest.mark.parametrize("claimed", ["a2", "gateway"])
@pytest.mark.parametrize("option", ["-U", "-A"])
def test_no_guest_claims_the_address_of_another_by_arp(street: Street, option: str, claimed: str) -> None:
    forged = street.gateways["a"] if claimed == "gateway" else street.address(claimed)
    seen = street.watched(
        f"ip address add {forged}/32 dev eth0",
        f"arping {option} -c 2 -w 3 -I eth0 -s {forged} {forged}",
        f"ip address del {forged}/32 dev eth0",
    )
    own = street.machines["a1"].nics[0].mac
    expect_dropped_at_the_card(street, seen, lambda f: f.kind == ARP and f.source == forged and f.source_mac == own)


def test_ipv6_does_not_even_reach_the_neighbour(street: Street) -> None:
    seen = street.watched(
        f"ip -6 address add {LINK_LOCAL} dev eth0",
        "sleep 2",  # until the guest believes that nobody else has it
        "ping6 -c 2 -W 1 -I eth0 ff02::1",
        f"ip -6 address del {LINK_LOCAL} dev eth0",
    )
    own = street.machines["a1"].nics[0].mac
    expect_dropped_at_the_card(street, seen, lambda f: f.kind == IPV6 and f.source_mac == own)
