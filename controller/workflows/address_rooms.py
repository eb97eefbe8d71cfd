"""Addresses that are left, for decisions: read once for a department, then kept and brought up to date host by host. Hosts
here are homes (``Host.home``): what segments stand on.

What is kept may say too little is left, never much too much for long: before it calls addresses short it reads them anew, and
the commit refuses what is not there, whereupon all is forgotten. Where nothing is near full a decision costs no statement.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, takewhile

from sqlalchemy import Connection

from controller.networks import address_plan
from controller.workflows.segments import segment_name
from inventory.domain.host import Zone
from inventory.domain.ids import DepartmentId, HostId, ZoneId
from inventory.domain.placement import AddressRoom, MemberPlacement, PlacementRequest
from inventory.store import networks

#: Departments whose segments are kept; beyond it the one that rested longest makes room.
_KEPT_MOST = 1024
#: Free blocks of a zone counted at most: more are plenty.
_BLOCKS_COUNTED = 1024
#: Addresses are short where a segment has fewer than so many times what is asked: a suggestion may double it.
_MARGIN = 2
#: Up to so many hosts that changed are read by themselves; of more, all of the department's.
_HOSTS_READ_MOST = 200
#: Changes of hosts remembered: a department that has not been asked for since longer ago is read anew.
_CHANGES_KEPT = 5 * _HOSTS_READ_MOST

#: Name of a segment -> host -> free addresses.
Free = dict[str, dict[HostId, int]]


@dataclass(slots=True)
class _Known:
    """The segments of a department."""

    free: Free
    #: The round they were brought up to date in, and the one all of them were read in.
    seen: int
    read: int


class AddressRooms:
    """See the module. Kept with a ``Picture``, or made for one decision."""

    def __init__(self) -> None:
        self._round = 1
        self._known: OrderedDict[DepartmentId, _Known] = OrderedDict()
        #: The rounds in which somebody else, or nobody in the end, changed a host, the latest last.
        self._changed: deque[tuple[int, HostId]] = deque()
        #: The last round of which changes are not remembered any more.
        self._forgotten = 0
        #: Free blocks by zone, and the round they were counted in.
        self._blocks: dict[ZoneId, tuple[int, int]] = {}
        #: What decisions of this round took: addresses by department, segment and host, and blocks by zone.
        self._taken: dict[DepartmentId, Counter[tuple[str, HostId]]] = {}
        self._taken_blocks: Counter[ZoneId] = Counter()
        #: Machines that a segment holds which a decision has made or is about to make, by its name.
        self._sizes: dict[str, int] = {}
        self._is_doubtful = False

    def follow(self, host_ids: Iterable[HostId] | None) -> None:
        """Begin another transaction: on hosts of these homes others changed something; ``None``: nobody knows where."""
        self._round += 1
        self._taken, self._taken_blocks, self._sizes = {}, Counter(), {}
        if host_ids is None or self._is_doubtful:
            self._is_doubtful = False
            self._known.clear()
            self._blocks.clear()
            self._changed.clear()
        else:
            self._changed.extend((self._round, host_id) for host_id in host_ids)
            while len(self._changed) > _CHANGES_KEPT:
                self._forgotten, _ = self._changed.popleft()

    def doubt(self) -> None:
        """Read everything anew from the next transaction on: the database refused what was thought to be there."""
        self._is_doubtful = True

    def of(
        self, connection: Connection, department_id: DepartmentId, zone: Zone, request: PlacementRequest, now_s: float
    ) -> PlacementRequest:
        """Return the request with what is left for its new machines, where that is not plenty."""
        asked = Counter(n for m in request.members if not m.is_existing for n in m.networks)
        if not asked:
            return request
        free = self._segments(connection, department_id, now_s)
        blocks = self._blocks_of(connection, zone)
        if _is_plenty(free, blocks, zone, asked):
            return request
        free = self._segments(connection, department_id, now_s, is_exact=True)
        blocks = self._blocks_of(connection, zone, is_exact=True)
        if _is_plenty(free, blocks, zone, asked):
            return request
        return replace(request, addresses=_room(free, blocks, zone, asked))

    def count(
        self, department_id: DepartmentId, zone: Zone, request: PlacementRequest, places: Sequence[MemberPlacement]
    ) -> None:
        """Count what a decision takes, for the decisions after it."""
        known = self._known.get(department_id)
        for member, place in zip(request.members, places, strict=True):
            for network in member.networks if known is not None and not member.is_existing else ():
                self._take(department_id, zone, segment_name(zone.code, network), place.home)

    def _take(self, department_id: DepartmentId, zone: Zone, name: str, host_id: HostId) -> None:
        there = self._known[department_id].free.setdefault(name, {})
        if host_id not in there:
            there[host_id] = self._sizes[name] = address_plan.usable_count(zone.segment_prefix)
            count, counted = self._blocks.get(zone.id, (0, 0))
            self._blocks[zone.id] = count - 1, counted
            self._taken_blocks[zone.id] += 1
        there[host_id] -= 1
        self._taken.setdefault(department_id, Counter())[name, host_id] += 1

    def _segments(
        self, connection: Connection, department_id: DepartmentId, now_s: float, *, is_exact: bool = False
    ) -> Mapping[str, Mapping[HostId, int]]:
        known = self._known.get(department_id)
        if known is None or (is_exact and known.read != self._round):
            known = self._known[department_id] = self._read(connection, department_id, now_s)
        elif known.seen != self._round:
            changed = self._changed_since(known.seen)
            if changed is None or len(changed) > _HOSTS_READ_MOST:
                known = self._known[department_id] = self._read(connection, department_id, now_s)
            elif changed:
                self._read_again(connection, department_id, known, changed, now_s)
            known.seen = self._round
        self._known.move_to_end(department_id)
        if len(self._known) > _KEPT_MOST:
            self._known.popitem(last=False)
        return known.free

    def _changed_since(self, seen: int) -> set[HostId] | None:
        """Return the hosts that changed in later rounds; nothing where that is forgotten."""
        if self._forgotten > seen:
            return None
        return {host_id for _, host_id in takewhile(lambda change: change[0] > seen, reversed(self._changed))}

    def _read(self, connection: Connection, department_id: DepartmentId, now_s: float) -> _Known:
        known = _Known({}, self._round, self._round)
        self._fill(known, department_id, networks.rooms(connection, department_id, now_s))
        return known

    def _read_again(
        self, connection: Connection, department_id: DepartmentId, known: _Known, host_ids: Collection[HostId], now_s: float
    ) -> None:
        for there in known.free.values():
            for host_id in host_ids:
                there.pop(host_id, None)
        self._fill(known, department_id, networks.rooms(connection, department_id, now_s, host_ids))

    def _fill(self, known: _Known, department_id: DepartmentId, rooms: Iterable[networks.Room]) -> None:
        taken = self._taken.get(department_id, Counter())
        for room in rooms:
            left = address_plan.usable_count(room.cidr) - room.held_count - taken[room.name, room.host_id]
            known.free.setdefault(room.name, {})[room.host_id] = left
        for (name, host_id), count in taken.items():
            # Segments that decisions of this transaction are about to make.
            known.free.setdefault(name, {}).setdefault(host_id, self._sizes.get(name, 0) - count)

    def _blocks_of(self, connection: Connection, zone: Zone, *, is_exact: bool = False) -> int:
        count, counted = self._blocks.get(zone.id, (0, 0))
        if not counted or (is_exact and counted != self._round):
            free = address_plan.free_subnets(zone.address_range, zone.segment_prefix, networks.subnets_taken(connection))
            count = sum(1 for _ in islice(free, _BLOCKS_COUNTED)) - self._taken_blocks[zone.id]
            self._blocks[zone.id] = count, self._round
        return count


def _is_plenty(free: Mapping[str, Mapping[HostId, int]], blocks: int, zone: Zone, asked: Mapping[str, int]) -> bool:
    size = address_plan.usable_count(zone.segment_prefix)
    return blocks >= len(asked) and all(
        min(free.get(segment_name(zone.code, network), {}).values(), default=size) >= _MARGIN * count and size >= _MARGIN * count
        for network, count in asked.items()
    )


def _room(free: Mapping[str, Mapping[HostId, int]], blocks: int, zone: Zone, asked: Mapping[str, int]) -> AddressRoom:
    size = address_plan.usable_count(zone.segment_prefix)
    is_blocks_plenty = blocks >= len(asked)
    segments = {}
    for network, count in sorted(asked.items()):
        there = free.get(segment_name(zone.code, network), {})
        # Where a segment is as good as a new one, and a new one is to be had everywhere, it need not be named.
        is_all = not is_blocks_plenty or size < _MARGIN * count
        segments[network] = {h: max(0, n) for h, n in sorted(there.items()) if is_all or n < _MARGIN * count}
    return AddressRoom(segments=segments, segment_size=size, block_count=None if is_blocks_plenty else max(0, blocks))
