"""Hosts on which the networks of a machine have no address left: no plan of moves sends it there."""

from collections.abc import Collection, Mapping

from sqlalchemy import Connection

from controller.workflows.address_rooms import AddressRooms
from inventory.domain.host import Zone
from inventory.domain.ids import DepartmentId, HostId
from inventory.domain.placement import MemberRequest, PlacementRequest
from inventory.domain.resource import Resource
from inventory.domain.resources import Resources


class FullNetworks:
    """Looks each combination of department, zone and networks up once."""

    def __init__(self, connection: Connection, zones: Mapping[str, Zone], host_ids: Collection[HostId], now_s: float) -> None:
        self._connection, self._zones, self._host_ids, self._now_s = connection, zones, host_ids, now_s
        self._rooms = AddressRooms()
        self._known: dict[tuple[str, str, tuple[str, ...]], frozenset[HostId]] = {}

    def hosts_for(self, machine: Resource, zone_code: str) -> frozenset[HostId]:
        """Return the hosts, other than its own, where a machine would find no address for one of its cards."""
        networks = tuple(sorted({nic.network for nic in machine.instance.nics}))
        if not networks or zone_code not in self._zones:
            return frozenset()
        key = (machine.department_id, zone_code, networks)
        if key not in self._known:
            self._known[key] = self._full(DepartmentId(machine.department_id), self._zones[zone_code], networks)
        return self._known[key] - {machine.host_id}

    def _full(self, department_id: DepartmentId, zone: Zone, networks: tuple[str, ...]) -> frozenset[HostId]:
        one = MemberRequest(name="", group="", compute=Resources(), disks=(), arch="any", networks=networks)
        asked = PlacementRequest(zone_id=zone.id, mlps_level=0, members=(one,))
        room = self._rooms.of(self._connection, department_id, zone, asked, self._now_s).addresses
        return frozenset() if room is None else frozenset(h for h in self._host_ids if not room.takes_one(networks, h))
