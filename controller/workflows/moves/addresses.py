"""What the networks of machines have left on the hosts of the platform: read for plans of moves, once for each department."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice

from sqlalchemy import Connection

from controller.networks import address_plan
from controller.scheduling.moves.addresses import AddressesLeft, NetworkKey, NetworkLeft
from controller.workflows.segments import segment_name
from inventory.domain.host import Zone
from inventory.domain.ids import DepartmentId, HostId
from inventory.domain.resource import Resource
from inventory.store import networks


@dataclass(slots=True)
class Cards:
    """The cards of machines by network, and what those networks have left."""

    zones: Mapping[str, Zone]
    #: More cards than there are no plan can move.
    _counts: Counter[NetworkKey] = field(default_factory=Counter)

    def of(self, machine: Resource, zone_code: str) -> tuple[NetworkKey, ...]:
        """Return the network of each card of a machine; they are counted."""
        if zone_code not in self.zones:
            return ()
        found = tuple((machine.department_id, zone_code, nic.network) for nic in machine.instance.nics)
        self._counts.update(found)
        return found

    def left(self, connection: Connection, now_s: float) -> AddressesLeft:
        """Return what is left of the networks that could be filled if all these machines moved."""
        asked = Counter[str]()
        for (_, zone_code, _), count in self._counts.items():
            asked[zone_code] += count
        blocks = self._blocks(connection, asked) if asked else {}
        segments = _segments(connection, {department for department, _, _ in self._counts}, now_s)
        found = {}
        for key, count in sorted(self._counts.items()):
            department, zone_code, network = key
            size = address_plan.usable_count(self.zones[zone_code].segment_prefix)
            there = segments.get((department, segment_name(zone_code, network)), {})
            if zone_code in blocks or min([size, *there.values()]) < count:
                found[key] = NetworkLeft(zone=zone_code, segment_size=size, segments=there)
        return AddressesLeft(networks=found, blocks=blocks)

    def _blocks(self, connection: Connection, asked: Mapping[str, int]) -> dict[str, int]:
        """Return the free blocks of zones that have fewer than there are cards."""
        taken = networks.subnets_taken(connection)
        found = {}
        for zone_code, count in asked.items():
            zone = self.zones[zone_code]
            free = address_plan.free_subnets(zone.address_range, zone.segment_prefix, taken)
            left = sum(1 for _ in islice(free, count))
            if left < count:
                found[zone_code] = left
        return found


def _segments(connection: Connection, departments: set[str], now_s: float) -> dict[tuple[str, str], dict[HostId, int]]:
    found: dict[tuple[str, str], dict[HostId, int]] = {}
    for department in sorted(departments):
        for room in networks.rooms(connection, DepartmentId(department), now_s):
            left = max(0, address_plan.usable_count(room.cidr) - room.held_count)
            found.setdefault((department, room.name), {})[room.host_id] = left
    return found
