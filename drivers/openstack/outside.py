"""Ways out of a department network: a Neutron router to a network outside, and floating IPs through it.

Both carry the mark in their description. Neutron's revision guards the fence of networks only (the SDK does not show that of
routers and floating IPs), so that here the fence is read and then written, as on machines.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from drivers.faults import Permanent, Transient
from drivers.openstack import networks
from drivers.openstack.mapping import NetworkReading, PortReading, oldest_of
from drivers.openstack.marks import Mark, is_newer, mark_text, parse_mark_text, port_mark, refuse_older
from drivers.openstack.region import Region
from drivers.powers import GatewayRequest, ObservedPublicAddress, PublicAddressRequest
from inventory.domain.ids import ResourceId


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A router of ours."""

    router_id: str
    mark: Mark
    outside_id: str
    created_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicAddress:
    """A floating IP of ours."""

    ip_id: str
    mark: Mark
    address: str
    inside: str
    port_id: str
    created_at: str = ""

    def observed(self) -> ObservedPublicAddress:
        """Return it as the platform knows it."""
        return ObservedPublicAddress(
            address_id=ResourceId(self.mark.resource_id), address=self.address, inside=self.inside, fence=self.mark.fence
        )


def list_gateways(region: Region, **query: str) -> list[Gateway]:
    """Return our routers."""
    found = region.calls.read("gateway", lambda: list(region.sdk.network.routers(**query)))
    return [g for g in map(_read_gateway, found) if g is not None]


def _read_gateway(router: Any) -> Gateway | None:
    mark = parse_mark_text(router.description)
    outside = (router.external_gateway_info or {}).get("network_id", "")
    if mark is None or router.name != mark.resource_id:
        return None
    return Gateway(router_id=router.id, mark=mark, outside_id=outside, created_at=router.created_at or "")


def _find_gateway(region: Region, gateway_id: ResourceId) -> Gateway | None:
    found: Gateway | None = oldest_of(list_gateways(region, name=gateway_id))
    return found


def ensure_gateway(region: Region, request: GatewayRequest, mark: Mark) -> None:
    """Have the department network connected with the one outside.

    Raises:
        StaleFence: a newer hold has acted on it.
        Permanent: ``driver.outside_unknown``.
        Transient: ``driver.segment_missing``.
    """
    network = _require_network(region, request.segment_id)
    outside_id = _outside_id(region, request.outside)
    neutron, change = region.sdk.network, region.calls.change
    gateway = _find_gateway(region, request.gateway_id)
    info = {"network_id": outside_id}
    if gateway is None:
        body = {"name": request.gateway_id, "description": mark_text(mark), "external_gateway_info": info}
        owned = {**body, **region.projects.owner(request.department)}
        gateway = _read_gateway(change("gateway", lambda: neutron.create_router(**owned)))
        assert gateway is not None, "a router made with our mark carries it"
    else:
        _take_gateway(region, gateway, mark.fence)
        if gateway.outside_id != outside_id:
            change("gateway", partial(neutron.update_router, gateway.router_id, external_gateway_info=info))
    _connect(region, request, gateway, network)


def _connect(region: Region, request: GatewayRequest, gateway: Gateway, network: NetworkReading) -> None:
    """Have the router's port in the network, with the address that is asked for, and machines told of it."""
    neutron, change = region.sdk.network, region.calls.change
    own = port_mark(request.gateway_id, gateway.mark.host_id)
    port = next((p for p in _own_ports(region, gateway) if p.entry.address == request.address), None)
    if port is None:
        body = {
            "name": "gateway",
            "description": mark_text(own),
            "network_id": network.network_id,
            "fixed_ips": [{"subnet_id": network.subnet_id, "ip_address": request.address}],
        }
        port = networks.make_port(region, request.department, body)
    if port.device_id != gateway.router_id:
        change("gateway", partial(neutron.add_interface_to_router, gateway.router_id, port_id=port.port_id))
    subnet = region.calls.read("gateway", partial(neutron.get_subnet, network.subnet_id))
    if subnet.gateway_ip != request.address:
        change("gateway", partial(neutron.update_subnet, network.subnet_id, gateway_ip=request.address))


def _own_ports(region: Region, gateway: Gateway) -> list[PortReading]:
    own = port_mark(gateway.mark.resource_id, gateway.mark.host_id)
    return networks.ports_of(region, description=mark_text(own))


def _take_gateway(region: Region, gateway: Gateway, fence: int) -> None:
    if is_newer(fence, gateway.mark):
        text, neutron = mark_text(replace(gateway.mark, fence=fence)), region.sdk.network
        region.calls.change("gateway", partial(neutron.update_router, gateway.router_id, description=text))


def ensure_gateway_absent(region: Region, gateway_id: ResourceId, host_id: str, fence: int) -> None:
    """Have no such router, and no port of it.

    Raises:
        StaleFence: a newer hold has acted on it.
        Transient: ``driver.gateway_in_use``.
    """
    neutron, change = region.sdk.network, region.calls.change
    while (gateway := _find_gateway(region, gateway_id)) is not None:
        _take_gateway(region, gateway, fence)
        if _leading_through(region, gateway):
            raise Transient("driver.gateway_in_use", gateway_id=gateway_id)
        for port in networks.ports_of(region, device_id=gateway.router_id):
            if port.mark is not None:
                change("gateway", partial(neutron.update_subnet, port.subnet_id, gateway_ip=None))
                change("gateway", partial(neutron.remove_interface_from_router, gateway.router_id, port_id=port.port_id))
        change("gateway", partial(neutron.delete_router, gateway.router_id))
    # One that was made for it and never plugged in.
    for port in networks.ports_of(region, description=mark_text(port_mark(gateway_id, host_id))):
        networks.delete_port(region, port)


def _leading_through(region: Region, gateway: Gateway) -> list[Any]:
    return region.calls.read("gateway", lambda: list(region.sdk.network.ips(router_id=gateway.router_id)))


def list_addresses(region: Region) -> list[PublicAddress]:
    """Return our floating IPs."""
    found = region.calls.read("public address", lambda: list(region.sdk.network.ips()))
    return [a for a in map(_read_address, found) if a is not None]


def _read_address(ip: Any) -> PublicAddress | None:
    mark = parse_mark_text(ip.description)
    if mark is None:
        return None
    return PublicAddress(
        ip_id=ip.id,
        mark=mark,
        address=ip.floating_ip_address,
        inside=ip.fixed_ip_address or "",
        port_id=ip.port_id or "",
        created_at=ip.created_at or "",
    )


def _find_addresses(region: Region, address_id: ResourceId) -> list[PublicAddress]:
    return [a for a in list_addresses(region) if a.mark.resource_id == address_id]


def ensure_address(region: Region, request: PublicAddressRequest, mark: Mark) -> PublicAddress:
    """Have the address, led where it is asked to lead.

    Raises:
        StaleFence: a newer hold has acted on it.
        Permanent: ``driver.outside_unknown``.
        Transient: ``driver.segment_missing``, ``driver.card_missing``.
    """
    port_id = _port_at(region, request.segment_id, request.inside) if request.inside else None
    neutron, change = region.sdk.network, region.calls.change
    found: PublicAddress | None = oldest_of(_find_addresses(region, request.address_id))
    if found is None:
        body = {"floating_network_id": _outside_id(region, request.outside), "description": mark_text(mark), "port_id": port_id}
        owned = {**body, **region.projects.owner(request.department)}
        found = _read_address(change("public address", lambda: neutron.create_ip(**owned)))
    elif is_newer(mark.fence, found.mark) or found.port_id != (port_id or ""):
        values = {"description": mark_text(replace(found.mark, fence=mark.fence)), "port_id": port_id}
        found = _read_address(change("public address", partial(neutron.update_ip, found.ip_id, **values)))
    assert found is not None, "an address made with our mark carries it"
    return found


def ensure_address_absent(region: Region, address_id: ResourceId, fence: int) -> None:
    """Have no such address.

    Raises:
        StaleFence: a newer hold has acted on it.
    """
    for found in _find_addresses(region, address_id):
        refuse_older(fence, found.mark)
        region.calls.change("public address", partial(region.sdk.network.delete_ip, found.ip_id))


def _port_at(region: Region, segment_id: ResourceId, address: str) -> str:
    network = _require_network(region, segment_id)
    port = next((p for p in networks.ports_of(region, network_id=network.network_id) if p.entry.address == address), None)
    if port is None:
        raise Transient("driver.card_missing", segment_id=segment_id, address=address)
    return port.port_id


def _require_network(region: Region, segment_id: ResourceId) -> NetworkReading:
    network = networks.find_network(region, segment_id)
    if network is None or not network.subnet_id:
        raise Transient("driver.segment_missing", segment_id=segment_id)
    return network


def _outside_id(region: Region, name: str) -> str:
    found = region.calls.read("gateway", lambda: list(region.sdk.network.networks(name=name, is_router_external=True)))
    if not found:
        raise Permanent("driver.outside_unknown", name=name)
    return str(found[0].id)
