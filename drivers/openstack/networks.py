"""Department networks as Neutron networks: a subnet, a port for each address, and a security group that lets nothing else in.

The network carries the mark and the fence; its revision number guards the fence, so that of two holds only one writes.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from drivers.faults import Transient
from drivers.openstack.mapping import (
    NetworkReading,
    PortReading,
    entry_of,
    hold_body,
    network_body,
    oldest_of,
    port_body,
    read_network,
    read_port,
    subnet_body,
)
from drivers.openstack.marks import Mark, is_newer, mark_text, parse_mark_text
from drivers.openstack.region import Region
from drivers.openstack.segment_rules import GroupReading, missing_rules, read_group, strange_rules
from drivers.protocol import LeaseEntry, NicRequest, SegmentRequest
from inventory.domain.ids import ResourceId, is_id

#: Neutron's own ports on a network; they go with it.
_OWN_PORTS = "network:"
_ROUTER_PORT = "network:router_interface"


def find_network(region: Region, segment_id: ResourceId) -> NetworkReading | None:
    """Return our network of this id."""
    neutron = region.sdk.network
    found = region.calls.read("network", lambda: [read_network(n) for n in neutron.networks(name=segment_id)])
    network: NetworkReading | None = oldest_of([n for n in found if n is not None])
    if network is not None:
        region.network_ids[segment_id] = network.network_id
    return network


def ensure_segment(region: Region, request: SegmentRequest, mark: Mark) -> None:
    """Have the network, its group, and exactly these address entries.

    Raises:
        StaleFence: a newer hold has acted on it.
    """
    network = find_network(region, request.segment_id)
    if network is None:
        network = _make_network(region, request, mark)
    else:
        take_fence(region, network, mark.fence, host_id=mark.host_id)
    if not network.subnet_id:
        body = subnet_body(request, network.network_id)
        made = region.calls.change(
            "network", lambda: region.sdk.network.create_subnet(**_owned(region, request.department, body))
        )
        network = replace(network, subnet_id=made.id)
    group_id = _ensure_group(region, request, mark)
    _ensure_entries(region, request, network, group_id, mark)
    region.touch()


def take_fence(region: Region, network: NetworkReading, fence: int, *, host_id: str = "") -> None:
    """Refuse an older hold, record a newer one; Neutron refuses the record if the network changed since it was read.

    ``host_id`` is the host it belongs to from now on, if that is to be written: another hypervisor of the region took over.

    Raises:
        StaleFence: the network carries a newer fence.
    """
    wanted = replace(network.mark, fence=fence, host_id=host_id or network.mark.host_id)
    if is_newer(fence, network.mark) or wanted != network.mark:
        text = mark_text(wanted)
        region.calls.change(
            "network",
            lambda: region.sdk.network.update_network(network.network_id, if_revision=network.revision, description=text),
        )
        region.touch()


def ensure_segment_absent(region: Region, segment_id: ResourceId, fence: int) -> None:
    """Have no such network, group or port.

    Raises:
        StaleFence: a newer hold has acted on it.
        Transient: ``driver.segment_in_use``.
    """
    neutron = region.sdk.network
    network = find_network(region, segment_id)
    if network is not None:
        take_fence(region, network, fence)
        ports = ports_of(region, network_id=network.network_id)
        if any(_keeps(p, segment_id) for p in ports):
            raise Transient("driver.segment_in_use", segment_id=segment_id)
        for port in ports:
            if not port.device_owner.startswith(_OWN_PORTS):
                delete_port(region, port)
        region.calls.change("network", lambda: neutron.delete_network(network.network_id))
        region.touch()
    for group in groups_of(region, segment_id):
        region.calls.change("network", partial(neutron.delete_security_group, group.group_id))


def _keeps(port: PortReading, segment_id: ResourceId) -> bool:
    """Whether a port keeps its network: in use (by a machine, a load balancer, a router) or not ours; not the DHCP service's."""
    if port.device_owner.startswith(_OWN_PORTS):
        return port.device_owner == _ROUTER_PORT
    return bool(port.device_id) or not _is_entry(port, segment_id)


def _is_entry(port: PortReading, segment_id: ResourceId) -> bool:
    """Whether we made a port for an address of this network, for the network itself or for a machine.

    Others are prepared by somebody, or by Octavia, and plugged in a moment later: until then they show no device.
    """
    owner = "" if port.mark is None else port.mark.resource_id
    return owner == segment_id or is_id(owner, "instance")


def segment_of(region: Region, network_id: str) -> ResourceId:
    """Return our id of a network, by the region's id; empty where it is not ours. Asked once: it never changes."""
    if network_id not in region.segment_ids:
        neutron = region.sdk.network
        found = region.calls.find("network", lambda: read_network(neutron.get_network(network_id)))
        region.segment_ids[network_id] = ResourceId("" if found is None else found.mark.resource_id)
    return region.segment_ids[network_id]


def segment_of_group(region: Region, group_id: str) -> ResourceId:
    """Return the network of ours a security group belongs to; empty where it is not ours. Asked once: it never changes."""
    if group_id not in region.group_segment_ids:
        neutron = region.sdk.network
        found = region.calls.find("network", lambda: neutron.get_security_group(group_id))
        name, mark = ("", None) if found is None else (found.name, parse_mark_text(found.description))
        region.group_segment_ids[group_id] = ResourceId(name if mark is not None and name == mark.resource_id else "")
    return region.group_segment_ids[group_id]


def ports_of(region: Region, **query: str) -> list[PortReading]:
    """Return ports by network, device or description."""
    return region.calls.read("port", lambda: [read_port(p) for p in region.sdk.network.ports(**query)])


def delete_port(region: Region, port: PortReading) -> None:
    """Delete a port."""
    region.calls.change("port", lambda: region.sdk.network.delete_port(port.port_id))


def ensure_ports(region: Region, nics: Sequence[NicRequest], hostname: str, mark: Mark) -> list[str]:
    """Return the ids of the ports of a machine's cards, made where an entry has none yet.

    Raises:
        Transient: ``driver.segment_missing``, ``openstack.port_foreign``.
    """
    return [ensure_port(region, nic, hostname, mark).port_id for nic in nics]


def ensure_port(region: Region, nic: NicRequest, hostname: str, mark: Mark) -> PortReading:
    """Return the port of a card, made where its entry has none yet; one that is not ours is never used.

    Raises:
        Transient: ``driver.segment_missing``, ``openstack.port_foreign``.
    """
    # Where the network is known and the port is there, which is the rule, one call does.
    known = region.network_ids.get(nic.segment_id)
    found = _port_of(region, nic, known) if known else None
    if found is not None and found.entry.address == nic.address:
        return _require_entry(found, nic)
    network = find_network(region, nic.segment_id)
    groups = groups_of(region, nic.segment_id)
    if network is None or not network.subnet_id or not groups:
        raise Transient("driver.segment_missing", segment_id=nic.segment_id)
    found = _port_of(region, nic, network.network_id)
    if found is not None:
        _require_entry(found, nic)
        return found if found.entry.address == nic.address else readdress_port(region, found, nic.address)
    for other in ports_of(region, network_id=network.network_id, fixed_ips=f"ip_address={nic.address}"):
        if other.entry.address == nic.address:
            _require_entry(other, nic)
    return make_port(region, network.mark.department, port_body(entry_of(nic, hostname), network, groups[0].group_id, mark))


def _port_of(region: Region, nic: NicRequest, network_id: str) -> PortReading | None:
    # A network has a MAC once.
    return next(iter(ports_of(region, network_id=network_id, mac_address=nic.mac)), None)


def _require_entry(port: PortReading, nic: NicRequest) -> PortReading:
    """Return a port that we made.

    Raises:
        Transient: ``openstack.port_foreign``: somebody's port has the card's address or MAC.
    """
    if not _is_entry(port, nic.segment_id):
        entry = port.entry
        raise Transient(
            "openstack.port_foreign", port_id=port.port_id, segment_id=nic.segment_id, address=entry.address, mac=entry.mac
        )
    return port


def readdress_port(region: Region, port: PortReading, address: str) -> PortReading:
    """Have a port with this one address."""
    fixed_ips = [{"subnet_id": port.subnet_id, "ip_address": address}]
    neutron = region.sdk.network
    return read_port(region.calls.change("port", lambda: neutron.update_port(port.port_id, fixed_ips=fixed_ips)))


def hold_port(region: Region, port: PortReading, nic: NicRequest) -> None:
    """Have a port of a card hold its guest to its address and to what its network lets through.

    Raises:
        Transient: ``driver.segment_missing``.
    """
    groups = groups_of(region, nic.segment_id)
    if not groups:
        raise Transient("driver.segment_missing", segment_id=nic.segment_id)
    body = hold_body(port, nic, groups[0].group_id)
    if body:
        region.calls.change("port", lambda: region.sdk.network.update_port(port.port_id, **body))


def ensure_port_host(region: Region, port: PortReading, host_id: str) -> None:
    """Have a port that was made for a machine be the host's that the machine is."""
    if port.mark is not None and port.mark.host_id != host_id:
        text = mark_text(replace(port.mark, host_id=host_id))
        region.calls.change("port", lambda: region.sdk.network.update_port(port.port_id, description=text))


def _make_network(region: Region, request: SegmentRequest, mark: Mark) -> NetworkReading:
    body = _owned(region, request.department, network_body(request, mark))
    made = read_network(region.calls.change("network", lambda: region.sdk.network.create_network(**body)))
    assert made is not None, "a network made with our mark carries it"
    region.network_ids[request.segment_id] = made.network_id
    region.touch()
    return made


def _owned(region: Region, department: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return the body for the department's project."""
    return {**body, **region.projects.owner(department)}


def groups_of(region: Region, segment_id: ResourceId) -> list[GroupReading]:
    """Return our security groups of a network, the oldest first: one, or none where it is half made."""
    neutron = region.sdk.network
    found = region.calls.read("network", lambda: [read_group(g) for g in neutron.security_groups(name=segment_id)])
    return sorted((g for g in found if g is not None), key=lambda g: (g.created_at, g.group_id))


def _ensure_group(region: Region, request: SegmentRequest, mark: Mark) -> str:
    neutron, calls = region.sdk.network, region.calls
    found = groups_of(region, request.segment_id)
    if found:
        group = found[0]
    else:
        body = _owned(region, request.department, {"name": request.segment_id, "description": mark_text(mark)})
        made = read_group(calls.change("network", lambda: neutron.create_security_group(**body)))
        assert made is not None, "a group made with our mark carries it"
        group = made
    # Neutron gives every new group rules that let everything out; ours are exactly those we name.
    for rule in strange_rules(group.rules, request.cidr):
        calls.change("network", partial(neutron.delete_security_group_rule, rule["id"]))
    own = {"security_group_id": group.group_id}
    missing = [_owned(region, request.department, own | body) for body in missing_rules(group.rules, request.cidr)]
    if missing:
        calls.change("network", lambda: list(neutron.create_security_group_rules(missing)))
    return group.group_id


def _ensure_entries(region: Region, request: SegmentRequest, network: NetworkReading, group_id: str, mark: Mark) -> None:
    found = ports_of(region, network_id=network.network_id)
    ports = [p for p in found if not p.device_owner.startswith(_OWN_PORTS)]
    others = [p for p in found if not _is_entry(p, request.segment_id)]
    taken = {p.entry.mac for p in others} | {p.entry.address for p in others}
    wanted: set[LeaseEntry] = set(request.leases)
    for port in ports:
        # A card in use keeps its port: it goes with its machine.
        if port.entry not in wanted and not port.device_id and _is_entry(port, request.segment_id):
            delete_port(region, port)
    present, by_mac = {p.entry for p in ports}, {p.entry.mac: p for p in ports if p.device_id}
    for entry in sorted(wanted - present, key=lambda e: e.address):
        if taken & {entry.mac, entry.address}:
            # Whoever needs the card is told; the others of the network need not wait for that.
            continue
        # One in use has another address: somebody gave it that.
        if entry.mac not in by_mac:
            make_port(region, request.department, port_body(entry, network, group_id, mark))
        elif by_mac[entry.mac].entry.address != entry.address:
            readdress_port(region, by_mac[entry.mac], entry.address)


def make_port(region: Region, department: str, body: dict[str, Any]) -> PortReading:
    """Make a port for a department."""
    owned = _owned(region, department, body)
    return read_port(region.calls.change("port", lambda: region.sdk.network.create_port(**owned)))
