"""The segments a ticket needs: those that live are used, the others are made, and addresses are picked. For the commit only."""

from collections.abc import Collection

from sqlalchemy import Connection

from controller.networks import address_plan
from inventory.domain.errors import Unplaceable
from inventory.domain.host import Zone
from inventory.domain.ids import DepartmentId, HostId, NewId, ResourceId, TicketId
from inventory.domain.resource import Desired, Nic, Observed, Phase, Resource, ResourceKind, SegmentSpec
from inventory.store import networks, resources


def segment_name(zone_code: str, network: str) -> str:
    """Return the name of a department network: unique per department and host."""
    return f"{zone_code}/{network}"


class SegmentBook:
    """Segments of one department in one zone, by host and network; collects what the transaction has to write."""

    def __init__(
        self, connection: Connection, department_id: DepartmentId, zone: Zone, ticket_id: TicketId, new_id: NewId, now_s: float
    ) -> None:
        self._connection = connection
        self._department_id = department_id
        self._zone = zone
        self._ticket_id = ticket_id
        self._new_id = new_id
        self._now_s = now_s
        self._known: dict[tuple[HostId, str], Resource] = {}
        self._read: set[HostId] = set()
        self._made: list[Resource] = []
        self._revived: list[Resource] = []
        self._touched: dict[ResourceId, Resource] = {}
        self._given: dict[ResourceId, list[networks.Address]] = {}
        self._free: dict[ResourceId, list[str]] = {}
        self._resting: dict[ResourceId, set[str]] = {}
        self._subnets: list[str] | None = None

    def read(self, host_ids: Collection[HostId]) -> None:
        """Read (and lock) the living segments on these hosts at once; hosts that were read are not read again."""
        new = sorted(set(host_ids) - self._read)
        if new:
            self._read.update(new)
            for living in networks.segments_of(self._connection, self._department_id, new):
                assert living.host_id is not None
                self._known[living.host_id, living.name] = living

    def nic(self, host_id: HostId, network: str, card: int, instance_id: ResourceId, hostname: str) -> Nic:
        """Return a card in the department's network on a host, its address picked.

        Raises:
            Unplaceable: ``network.range_exhausted`` or ``network.segment_full``.
        """
        segment = self._segment(host_id, network)
        free = self._free_addresses(segment)
        if not free:
            raise Unplaceable("network.segment_full", network=network, cidr=segment.segment.cidr)
        address = networks.Address(
            segment_id=segment.id,
            address=free.pop(),
            mac=address_plan.mac_of(instance_id, card),
            resource_id=instance_id,
            hostname=hostname,
            quarantine_until_s=None,
        )
        self._given.setdefault(segment.id, []).append(address)
        self._touched[segment.id] = segment
        return Nic(network=network, segment_id=segment.id, mac=address.mac, address=address.address)

    def write_segments(self) -> None:
        """Write new segments and their subnets, and have the old ones take the new address entries."""
        resources.insert(self._connection, self._made)
        for segment in self._made:
            networks.take_subnet(self._connection, cidr=segment.segment.cidr, zone_id=self._zone.id, segment_id=segment.id)
        made = {s.id for s in self._made}
        old = [s for s in self._touched.values() if s.id not in made]
        dying = [s.id for s in old if s.desired is Desired.ABSENT]
        resources.wish(self._connection, dying, desired=Desired.PRESENT, ticket_id=self._ticket_id, now_s=self._now_s)

    def write_addresses(self) -> bool:
        """Write the addresses given (after the machines' rows). False: somebody else was faster."""
        return all(
            networks.give(self._connection, given, resting=self._resting.get(segment_id, set()))
            for segment_id, given in sorted(self._given.items())
        )

    def _segment(self, host_id: HostId, network: str) -> Resource:
        name = segment_name(self._zone.code, network)
        self.read([host_id])
        if (host_id, name) not in self._known:
            self._known[host_id, name] = self._make(host_id, network, name)
        return self._known[host_id, name]

    def _make(self, host_id: HostId, network: str, name: str) -> Resource:
        if self._subnets is None:
            self._subnets = networks.subnets_taken(self._connection)
        cidr = next(address_plan.free_subnets(self._zone.address_range, self._zone.segment_prefix, self._subnets), None)
        if cidr is None:
            raise Unplaceable("network.range_exhausted", zone=self._zone.name, range=self._zone.address_range)
        self._subnets.append(cidr)
        segment = Resource(
            id=ResourceId(self._new_id("segment")),
            kind=ResourceKind.SEGMENT,
            name=name,
            department_id=self._department_id,
            project_id=None,
            system_id=None,
            host_id=host_id,
            desired=Desired.PRESENT,
            observed=Observed.UNKNOWN,
            phase=Phase.PENDING,
            spec=SegmentSpec(network=network, zone=self._zone.code, cidr=cidr, gateway=address_plan.gateway_of(cidr)),
            ticket_id=self._ticket_id,
            next_try_s=self._now_s,
            created_at_s=self._now_s,
        )
        self._made.append(segment)
        return segment

    def _free_addresses(self, segment: Resource) -> list[str]:
        """Return what may be given in a segment, highest first so that ``pop`` takes the lowest."""
        if segment.id not in self._free:
            is_new = any(s.id == segment.id for s in self._made)
            rows = [] if is_new else networks.addresses(self._connection, [segment.id])[segment.id]
            held = {r.address for r in rows if r.resource_id is not None or (r.quarantine_until_s or 0) > self._now_s}
            self._resting[segment.id] = {r.address for r in rows} - held
            self._free[segment.id] = list(address_plan.free_addresses(segment.segment.cidr, held))[::-1]
        return self._free[segment.id]
