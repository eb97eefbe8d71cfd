"""A department network on one host as libvirt XML: the network with its static addresses, and the filter on every card.

Pure. What the pair lets through, and nothing else: cards of one segment talk to each other; the host itself may open
connections to a guest; a guest may ask the gateway for its address and for names of its segment. A guest opens no connection
to any address of the host, to another department, or beyond, and nobody beyond the host opens one to a guest: the filter
would let it in, the rules libvirt makes for a NAT network only let answers in, and there are none. Deny by default.
"""

import uuid
from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_network
from xml.etree import ElementTree as ET

from drivers.libvirt.names import bridge_name, filter_name
from drivers.libvirt.xml_tree import Element, add, attribute, parse, to_text
from drivers.protocol import LeaseEntry, SegmentRequest
from inventory.domain.ids import ResourceId, uuid_of

#: Name of the record in the stored definition that carries our mark and the fence (libvirt 9 has no metadata of networks).
MARK_NAME = "allotment.invalid"
#: What a guest sends from before it has an address.
_NO_ADDRESS_YET = str(IPv4Address(0))
_DNSMASQ = "http://libvirt.org/schemas/network/dnsmasq/1.0"
ET.register_namespace("dnsmasq", _DNSMASQ)
_FILTER_SPACE = uuid.UUID("5b2f1d0e-6f0a-5d52-9a44-8e3f1c0f7a11")


def segment_text(request: SegmentRequest, fence: int) -> str:
    """Return the network: NAT, static addresses only, its own bridge, names answered for the segment alone."""
    root = Element("network")
    add(root, "name", request.segment_id)
    add(root, "uuid", str(uuid_of(request.segment_id)))
    add(root, "forward", mode="nat")
    add(root, "bridge", name=bridge_name(request.segment_id), stp="off", delay=0)
    dns = add(root, "dns", forwardPlainNames="no")
    add(dns, "txt", name=MARK_NAME, value=f"segment={request.segment_id} fence={fence}")
    ip = add(root, "ip", address=request.gateway, prefix=ip_network(request.cidr).prefixlen)
    dhcp = add(ip, "dhcp") if request.leases else ip
    for lease in sorted(request.leases, key=lambda lease: lease.mac):
        dhcp.append(_lease_element(lease))
    # Names of the segment are answered; nothing is asked of the host's resolvers, through which a guest could reach the world.
    options = ET.SubElement(root, f"{{{_DNSMASQ}}}options")
    add(options, f"{{{_DNSMASQ}}}option", value="no-resolv")
    return to_text(root)


def _lease_element(lease: LeaseEntry) -> Element:
    if not lease.hostname:
        return Element("host", mac=lease.mac, ip=lease.address)
    return Element("host", mac=lease.mac, name=lease.hostname, ip=lease.address)


def lease_text(lease: LeaseEntry) -> str:
    """Return one address entry, to add or to remove."""
    return to_text(_lease_element(lease))


def named_once(leases: Iterable[LeaseEntry]) -> tuple[LeaseEntry, ...]:
    """Return the entries with every host name given once: libvirt refuses a second entry of one name.

    Systems of one department share its network, and each may have a ``web-1``. The lowest address keeps the name; the
    others go without: a machine knows its own name from its seed, not from here.
    """
    taken: set[str] = set()
    named: list[LeaseEntry] = []
    for lease in sorted(leases, key=lambda entry: ip_address(entry.address)):
        named.append(replace(lease, hostname="") if lease.hostname in taken else lease)
        taken.add(lease.hostname)
    return tuple(named)


def read_leases(text: str) -> frozenset[LeaseEntry]:
    """Return the address entries of a network's XML."""
    return frozenset(
        LeaseEntry(mac=h.get("mac", ""), address=h.get("ip", ""), hostname=h.get("name", ""))
        for h in parse(text).iterfind("./ip/dhcp/host")
    )


def read_subnet(text: str) -> tuple[str, str]:
    """Return gateway and prefix length of a network's XML."""
    root = parse(text)
    return attribute(root, "./ip", "address"), attribute(root, "./ip", "prefix")


def read_segment_mark(text: str) -> tuple[ResourceId, int] | None:
    """Return the segment and the fence in a network's stored XML, None for a network we did not make."""
    record = parse(text).find(f"./dns/txt[@name='{MARK_NAME}']")
    if record is None:
        return None
    said = dict(part.partition("=")[::2] for part in record.get("value", "").split())
    fence = said.get("fence", "0")
    return ResourceId(said.get("segment", "")), int(fence) if fence.isdecimal() else 0


def filter_text(request: SegmentRequest) -> str:
    """Return the packet filter of a segment; each card gives it ``$IP``, libvirt gives it ``$MAC``."""
    root = Element("filter", name=filter_name(request.segment_id), chain="root")
    add(root, "uuid", str(uuid.uuid5(_FILTER_SPACE, request.segment_id)))
    _add_spoofing_rules(root)
    _add_connection_rules(root, request)
    return to_text(root)


def _rule(root: Element, priority: int, action: str, direction: str, protocol: str = "", /, **match: str | int) -> None:
    rule = add(root, "rule", action=action, direction=direction, priority=priority)
    if protocol:
        add(rule, protocol, **match)


def _add_spoofing_rules(root: Element) -> None:
    """Frames (ebtables): only its own MAC and address leave a guest, and nothing but ARP and IPv4 passes."""
    add(add(root, "rule", action="drop", direction="out", priority=100), "mac", match="no", srcmacaddr="$MAC")
    add(add(root, "rule", action="drop", direction="out", priority=110), "arp", match="no", arpsrcmacaddr="$MAC")
    # A sender without one asks whether an address is free (RFC 5227).
    _rule(root, 120, "accept", "out", "arp", arpsrcipaddr=_NO_ADDRESS_YET)
    add(add(root, "rule", action="drop", direction="out", priority=130), "arp", match="no", arpsrcipaddr="$IP")
    _rule(root, 140, "accept", "inout", "mac", protocolid="arp")
    dhcp: dict[str, str | int] = {"srcipaddr": _NO_ADDRESS_YET, "protocol": "udp", "srcportstart": 68, "dstportstart": 67}
    _rule(root, 150, "accept", "out", "ip", **dhcp)
    add(add(root, "rule", action="drop", direction="out", priority=160), "ip", match="no", srcipaddr="$IP")
    _rule(root, 170, "accept", "inout", "mac", protocolid="ipv4")
    _rule(root, 1000, "drop", "inout")


def _add_connection_rules(root: Element, request: SegmentRequest) -> None:
    """Connections (iptables): what a guest may open, and what may be opened to it."""
    subnet = ip_network(request.cidr)
    for server in ("255.255.255.255", request.gateway):
        _rule(root, 200, "accept", "out", "udp", dstipaddr=server, srcportstart=68, dstportstart=67)
    _rule(root, 210, "accept", "out", "udp", dstipaddr=request.gateway, dstportstart=53)
    _rule(root, 220, "accept", "out", "tcp", dstipaddr=request.gateway, dstportstart=53)
    _rule(root, 230, "accept", "in", "all")
    for host_address in (request.gateway, str(subnet.broadcast_address)):
        _rule(root, 240, "drop", "out", "all", dstipaddr=host_address)
    _rule(root, 250, "accept", "out", "all", dstipaddr=str(subnet.network_address), dstipmask=subnet.prefixlen)
    _rule(root, 900, "drop", "inout", "all")
