"""Cards of a machine as the ports that are its: where each is plugged in and what holds its guest back, and how it is put right.

A card is right when it is in its department network, with its one address, behind the network's own security group and nothing
beside it, with Neutron's guard against forged addresses on.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from drivers.faults import Transient
from drivers.openstack import networks
from drivers.openstack.mapping import PortReading, ServerReading, state_of
from drivers.openstack.marks import Mark
from drivers.openstack.region import Region
from drivers.protocol import MachineRequest, NicRequest, ObservedNic
from inventory.domain.resource import Observed


def nics_of(region: Region, ports: Iterable[PortReading]) -> tuple[ObservedNic, ...]:
    """Return cards by MAC; of two with one MAC the one that nothing holds comes last."""
    return tuple(sorted((_nic(region, p) for p in ports), key=lambda nic: (nic.mac, not nic.address, nic.network)))


def _nic(region: Region, port: PortReading) -> ObservedNic:
    segment_id = networks.segment_of(region, port.network_id)
    is_held = (
        bool(segment_id) and port.is_guarded and [networks.segment_of_group(region, g) for g in port.group_ids] == [segment_id]
    )
    return ObservedNic(mac=port.entry.mac, network=segment_id or port.network_id, address=port.entry.address if is_held else "")


def ports_of(region: Region, server: ServerReading) -> list[PortReading]:
    """Return the ports of a machine."""
    return networks.ports_of(region, device_id=server.server_id)


def ensure_cards(region: Region, server: ServerReading, request: MachineRequest, mark: Mark) -> None:
    """Have each wanted card right, whether the machine runs or not; what else is plugged into a stopped one is taken out.

    Raises:
        Transient: ``driver.segment_missing``, or the region is not done.
    """
    ports = ports_of(region, server)
    seen = list(nics_of(region, ports))
    wrong = [n for n in request.nics if [s.is_at(n.segment_id, n.address) for s in seen if s.mac == n.mac] != [True]]
    strange = _strange(region, ports, request.nics, is_stopped=state_of(server) is Observed.STOPPED)
    if not (wrong or strange):
        return
    for port in strange:
        region.calls.change("unplug card", partial(region.sdk.compute.delete_server_interface, port.port_id, server.server_id))
    if strange:
        _see(region, server, lambda now: not {p.port_id for p in strange} & {p.port_id for p in now})
    plugged = {p.entry.mac: p for p in ports if p not in strange}
    for nic in wrong:
        if nic.mac in plugged:
            networks.hold_port(region, plugged[nic.mac], nic)
        else:
            _plug(region, server, nic, request.hostname, mark)
    region.touch()


def _strange(region: Region, ports: Sequence[PortReading], nics: Sequence[NicRequest], *, is_stopped: bool) -> list[PortReading]:
    """Return the ports that must leave: wanted cards in another network, and of a stopped machine all that is not wanted."""
    wanted = {n.mac: n.segment_id for n in nics}
    elsewhere = [p for p in ports if p.entry.mac in wanted and networks.segment_of(region, p.network_id) != wanted[p.entry.mac]]
    return elsewhere + [p for p in ports if is_stopped and p.entry.mac not in wanted]


def _plug(region: Region, server: ServerReading, nic: NicRequest, hostname: str, mark: Mark) -> None:
    port = networks.ensure_port(region, nic, hostname, mark)
    networks.hold_port(region, port, nic)
    compute = region.sdk.compute
    region.calls.change("plug card", lambda: compute.create_server_interface(server.server_id, port_id=port.port_id))
    _see(region, server, lambda now: port.port_id in {p.port_id for p in now})


def _see(region: Region, server: ServerReading, is_done: Callable[[list[PortReading]], bool]) -> None:
    region.calls.until(
        lambda: is_done(ports_of(region, server)) or None,
        lambda: Transient("openstack.not_ready", resource_id=server.name, verb="card"),
    )
