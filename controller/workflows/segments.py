"""The segments that machines need where they go: those that live are used, the others are made, and addresses are picked.

For the commit of tickets and for machines that change hosts. Two controllers may pick the same block or address at the same
moment: the database gives it to one of them, and the other one decides again.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from controller.networks import address_plan
from inventory.domain.errors import Unplaceable
from inventory.domain.host import Zone
from inventory.domain.ids import DepartmentId, HostId, NewId, ResourceId, TicketId, ZoneId
from inventory.domain.resource import Desired, Nic, Observed, Phase, Resource, ResourceKind, SegmentSpec
from inventory.store import networks, resources
from inventory.store.engine import is_taken

log = structlog.get_logger()


class AddressesTaken(Exception):
    """Somebody else got a block or an address first; the caller must roll back and decide again."""


@contextmanager
def taking(connection: Connection) -> Iterator[None]:
    """Have what the block writes stay only if nothing in it is refused; what was written before the block stays anyway.

    Raises:
        AddressesTaken: another controller was faster.
    """
    savepoint = connection.begin_nested()
    try:
        yield
    except IntegrityError as error:
        savepoint.rollback()
        if not is_taken(error):
            raise
        log.info("another controller took an address first", internal=str(error.orig))
        raise AddressesTaken from error
    except BaseException:
        savepoint.rollback()
        raise
    savepoint.commit()


def segment_name(zone_code: str, network: str) -> str:
    """Return the name of a department network: unique per department and home."""
    return f"{zone_code}/{network}"


class FreeBlocks:
    """Blocks of zones that no segment has: given out once in a transaction, whatever department they are for."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._taken: list[str] | None = None
        self._by_zone: dict[ZoneId, Iterator[str]] = {}

    def next(self, zone: Zone) -> str | None:
        """Return the lowest free block of a zone; None when there is no more."""
        if self._taken is None:
            self._taken = networks.subnets_taken(self._connection)
        if zone.id not in self._by_zone:
            self._by_zone[zone.id] = address_plan.free_subnets(zone.address_range, zone.segment_prefix, self._taken)
        return next(self._by_zone[zone.id], None)


class SegmentBook:
    """Segments of one department in one zone, by home and network; collects what the transaction has to write.

    Hosts here are homes (``Host.home``): what segments stand on.
    """

    def __init__(
        self, connection: Connection, department_id: DepartmentId, zone: Zone, blocks: FreeBlocks, new_id: NewId, now_s: float
    ) -> None:
        self._connection = connection
        self._department_id = department_id
        self._zone = zone
        self._blocks = blocks
        self._new_id = new_id
        self._now_s = now_s
        self._known: dict[tuple[HostId, str], Resource] = {}
        #: (home, name) of those that were looked for.
        self._read: set[tuple[HostId, str]] = set()
        self._made: list[Resource] = []
        self._made_ids: set[ResourceId] = set()
        self._revived: list[Resource] = []
        #: Segments that get an address, with the ticket that asked first.
        self._touched: dict[ResourceId, tuple[Resource, TicketId]] = {}
        self._given: dict[ResourceId, list[networks.Address]] = {}
        #: What is left to give in a segment, lowest first.
        self._free: dict[ResourceId, Iterator[str]] = {}
        #: What is given or rests in living segments that were read with their addresses.
        self._rows: dict[ResourceId, list[networks.Address]] = {}
        #: (segment, address) of addresses that have rested enough and have an old row.
        self._resting: set[tuple[ResourceId, str]] = set()

    def read(self, wanted: Collection[tuple[HostId, str]]) -> None:
        """Read (and lock) the living segments of these networks on these homes at once, with what is given there.

        What was read is not read again.
        """
        places = {(home, segment_name(self._zone.code, network)) for home, network in wanted}
        if not (new := sorted(places - self._read)):
            return
        self._read.update(new)
        living = networks.segments_of(self._connection, self._department_id, new)
        for segment in living:
            assert segment.host_id is not None
            self._known[segment.host_id, segment.name] = segment
        if living:
            self._rows |= networks.addresses(self._connection, [s.id for s in living])

    def moved_nics(self, ticket_id: TicketId, home_id: HostId, machine: Resource) -> tuple[Nic, ...]:
        """Return the cards of a machine that goes to a host of another home, or of the same: there its addresses stay its own.

        Raises:
            Unplaceable: as ``nic``.
        """
        self.read([(home_id, nic.network) for nic in machine.instance.nics])
        return tuple(
            nic if self._has(home_id, nic) else self.nic(ticket_id, home_id, nic.network, number, machine.id, machine.name)
            for number, nic in enumerate(machine.instance.nics)
        )

    def _has(self, home_id: HostId, nic: Nic) -> bool:
        segment = self._known.get((home_id, segment_name(self._zone.code, nic.network)))
        return segment is not None and segment.id == nic.segment_id

    def nic(self, ticket_id: TicketId, host_id: HostId, network: str, card: int, instance_id: ResourceId, hostname: str) -> Nic:
        """Return a card in the department's network on a home, its address picked.

        Raises:
            Unplaceable: ``network.range_exhausted`` or ``network.segment_full``.
        """
        segment = self._segment(ticket_id, host_id, network)
        found = next(self._free_addresses(segment), None)
        if found is None:
            raise Unplaceable("network.segment_full", network=network, cidr=segment.segment.cidr)
        address = networks.Address(
            segment_id=segment.id,
            address=found,
            mac=address_plan.mac_of(instance_id, card),
            resource_id=instance_id,
            hostname=hostname,
            quarantine_until_s=None,
        )
        self._given.setdefault(segment.id, []).append(address)
        self._touched.setdefault(segment.id, (segment, ticket_id))
        return Nic(network=network, segment_id=segment.id, mac=address.mac, address=address.address)

    def write_segments(self, machines: Collection[ResourceId]) -> None:
        """Write new segments that ``machines`` need, and have the old ones take the new address entries."""
        used = {s for s, given in self._given.items() if any(a.resource_id in machines for a in given)}
        made = [s for s in self._made if s.id in used]
        resources.insert(self._connection, made)
        networks.take_subnets(self._connection, self._zone.id, {s.id: s.segment.cidr for s in made})
        for segment, ticket_id in self._touched.values():
            if segment.id in used and segment.id not in self._made_ids and segment.desired is Desired.ABSENT:
                resources.wish(self._connection, [segment.id], desired=Desired.PRESENT, ticket_id=ticket_id, now_s=self._now_s)

    def write_addresses(self, machines: Collection[ResourceId]) -> bool:
        """Write the addresses given to ``machines`` (after their rows). False: somebody else was faster."""
        by_segment = [addresses for _, addresses in sorted(self._given.items())]
        given = [a for addresses in by_segment for a in addresses if a.resource_id in machines]
        return networks.give(self._connection, given, resting=self._resting)

    def _segment(self, ticket_id: TicketId, host_id: HostId, network: str) -> Resource:
        name = segment_name(self._zone.code, network)
        self.read([(host_id, network)])
        if (host_id, name) not in self._known:
            self._known[host_id, name] = self._make(ticket_id, host_id, network, name)
        return self._known[host_id, name]

    def _make(self, ticket_id: TicketId, host_id: HostId, network: str, name: str) -> Resource:
        cidr = self._blocks.next(self._zone)
        if cidr is None:
            raise Unplaceable("network.range_exhausted", zone=self._zone.name, range=self._zone.address_range)
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
            ticket_id=ticket_id,
            next_try_s=self._now_s,
            created_at_s=self._now_s,
        )
        self._made.append(segment)
        self._made_ids.add(segment.id)
        return segment

    def _free_addresses(self, segment: Resource) -> Iterator[str]:
        """Return what may be given in a segment, lowest first; what is taken from it is given."""
        if segment.id not in self._free:
            rows = self._rows.get(segment.id, [])
            held = {r.address for r in rows if r.resource_id is not None or (r.quarantine_until_s or 0) > self._now_s}
            self._resting |= {(segment.id, r.address) for r in rows if r.address not in held}
            self._free[segment.id] = address_plan.free_addresses(segment.segment.cidr, held)
        return self._free[segment.id]
