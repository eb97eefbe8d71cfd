"""Places all units of a request or none: best host for each, largest first, with limited repair.

Greedy first. Where that fails, the kind of machine that got stuck goes first (a few times), and then a bounded
depth-first search that tries other hosts for earlier machines; on small gangs it is exhaustive.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from controller.scheduling.columns import VCPU_ROW, Int32
from controller.scheduling.filters import survey
from controller.scheduling.fleet import Fleet
from controller.scheduling.groups import Groups
from controller.scheduling.policy import Policy
from controller.scheduling.reach import reach_of
from controller.scheduling.snapshot import Snapshot
from controller.scheduling.units import Need, Unit, check_request, units_of
from controller.scheduling.weighers import ranked
from inventory.domain.layout import Seat
from inventory.domain.placement import PlacementRequest

RESTARTS_MAX = 3
#: Failure domains tried for machines that want to be together.
ANCHORS_MAX = 64
SEARCH_UNITS_MAX = 64
#: Bound of the search, in hosts looked at.
SEARCH_HOSTS_MAX = 12_000

#: Called before the first unit of a kind is placed on a host: what is free is still as it was before.
OnPlaced = Callable[[Need, Fleet, Groups, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A unit, its host and the storage pool of each of its disks (indices of the snapshot)."""

    unit: Unit
    host: int
    pools: tuple[int, ...]
    #: One for each of its machines that asks for one.
    seats: tuple[Seat, ...] = ()


def take(fleet: Fleet, unit: Unit, host: int) -> Chosen:
    """Put a unit on a host that has room."""
    pools, seats = fleet.take(unit.need, host)
    return Chosen(unit=unit, host=host, pools=pools, seats=seats)


@dataclass(slots=True, kw_only=True)
class Attempt:
    """How far one try came: ``stuck`` is the first unit without a host. What was taken is still taken from the fleet."""

    fleet: Fleet
    groups: Groups
    chosen: list[Chosen] = field(default_factory=list)
    stuck: Unit | None = None


def fits(request: PlacementRequest, snapshot: Snapshot, policy: Policy) -> bool:
    """Tell whether all machines of a request find a host without repair: true means ``decide`` places it too."""
    check_request(request)
    return fits_on(request, Fleet(snapshot), policy)


def fits_on(request: PlacementRequest, fleet: Fleet, policy: Policy) -> bool:
    """Tell the same of a checked request on what is free now; the fleet is left as it was."""
    return tried_on(request, fleet, policy).stuck is None


def tried_on(request: PlacementRequest, fleet: Fleet, policy: Policy) -> Attempt:
    """Try a checked request once; what was taken is given back at once."""
    mark = fleet.mark()
    attempt = try_once(kinds_on(request, fleet.snapshot), fleet, Groups(request, fleet.snapshot), policy)
    fleet.rollback(mark)
    return attempt


def kinds_on(request: PlacementRequest, snapshot: Snapshot) -> list[list[Unit]]:
    """Return the kinds of a checked request on these hosts."""
    return kinds_of(units_of(request, reach_of(request, snapshot)), snapshot)


def kinds_of(units: Sequence[Unit], snapshot: Snapshot) -> list[list[Unit]]:
    """Return units with equal needs together: first those whose host is given, then the largest."""
    kinds: dict[Need, list[Unit]] = {}
    for unit in units:
        kinds.setdefault(unit.need, []).append(unit)
    if len(kinds) == 1:
        return list(kinds.values())
    largest, largest_disk = _largest(snapshot)

    def order(kind: list[Unit]) -> tuple[bool, int, bool, int]:
        need = kind[0].need
        shares = [amount * 1_000_000 // max(1, largest.get(d, 0)) for d, amount in need.ask]
        shares += [size * 1_000_000 // max(1, largest_disk.get(c, 0)) for c, size in need.disks]
        return not (need.pins or need.reach), -max(shares, default=0), not need.hard, kind[0].members[0]

    return sorted(kinds.values(), key=order)


def _largest(snapshot: Snapshot) -> tuple[dict[str, int], dict[str, int]]:
    """Return the largest capacity of any host by dimension and by disk class."""
    if "largest" not in snapshot.memory:
        largest = {d: int(column.max(initial=0)) for d, column in snapshot.capacity.items()}
        disks = {c: int(column.max(initial=0)) for c, column in snapshot.class_capacity_gib.items()}
        snapshot.memory["largest"] = largest, disks
    found: tuple[dict[str, int], dict[str, int]] = snapshot.memory["largest"]
    return found


def try_once(
    kinds: Sequence[list[Unit]], fleet: Fleet, groups: Groups, policy: Policy, on_placed: OnPlaced | None = None
) -> Attempt:
    """Give every unit the best host there is at its turn; stop at the first without one."""
    attempt = Attempt(fleet=fleet, groups=groups)
    for kind in kinds:
        need, done = kind[0].need, 0
        while done < len(kind):
            host = fleet.best(need, policy, groups)
            if host is None:
                attempt.stuck = kind[done]
                return attempt
            if on_placed is not None and done == 0:
                on_placed(need, fleet, groups, host)
            attempt.chosen.append(take(fleet, kind[done], host))
            groups.place(need, host)
            done += 1
            # What is like it follows in one step, as far as that goes.
            for alike, (pools, seats) in fleet.take_alike(need, policy, groups, len(kind) - done):
                attempt.chosen.append(Chosen(unit=kind[done], host=alike, pools=pools, seats=seats))
                groups.place(need, alike)
                done += 1
    return attempt


def reorder(kinds: Sequence[list[Unit]], stuck: Unit) -> list[list[Unit]]:
    """Return the kinds with that of the stuck unit first."""
    first = [kind for kind in kinds if kind[0].need == stuck.need]
    return first + [kind for kind in kinds if kind[0].need != stuck.need]


def anchors(request: PlacementRequest, fleet: Fleet, stuck: Unit) -> Iterator[Groups]:
    """Yield groups with the machines of a hard affinity bound to one failure domain after the other, the roomiest first.

    Greedily the first machine chooses the domain for all; where that one is too small, another may take them.
    """
    rules = Groups(request, fleet.snapshot).rules
    bound = [g for g, _ in stuck.need.hard if rules[g].is_affinity and not Groups(request, fleet.snapshot).totals[g]]
    for group in bound[:1]:
        column = fleet.snapshot.domain_index[rules[group].spread]
        hosts = survey(stuck.need, fleet, Groups(request, fleet.snapshot))[-1][1]
        room = np.zeros(len(fleet.snapshot.domain_names[rules[group].spread]), dtype=np.int64)
        np.add.at(room, column[hosts], fleet.column(VCPU_ROW)[hosts])
        for domain in np.argsort(-room, kind="stable")[:ANCHORS_MAX].tolist():
            groups = Groups(request, fleet.snapshot)
            groups.bind(group, domain)
            yield groups


def search(kinds: Sequence[list[Unit]], fleet: Fleet, groups: Groups, policy: Policy) -> list[Chosen] | None:
    """Look depth-first for any way to place all units, within the bounds; fleet and groups are left as they were."""
    units = [unit for kind in kinds for unit in kind]
    if len(units) > SEARCH_UNITS_MAX:
        return None
    possible = {kind[0].need: possible_hosts(kind[0].need, fleet, groups) for kind in kinds}
    start = fleet.mark()
    chosen: list[Chosen] = []
    looked_at = 0

    def place(k: int) -> bool:
        nonlocal looked_at
        if k == len(units):
            return True
        need = units[k].need
        # Equal units are interchangeable: only ascending hosts are tried for them.
        lowest = chosen[-1].host if chosen and chosen[-1].unit.need == need else 0
        looked_at += len(possible[need])
        for host in _ranked(possible[need][possible[need] >= lowest], need, fleet, groups, policy):
            if looked_at > SEARCH_HOSTS_MAX:
                return False
            mark = fleet.mark()
            chosen.append(take(fleet, units[k], host))
            groups.place(need, host)
            if place(k + 1):
                return True
            chosen.pop()
            fleet.rollback(mark)
            groups.place(need, host, -1)
        return False

    is_found = place(0)
    fleet.rollback(start)
    for done in chosen:
        groups.place(done.unit.need, done.host, -1)
    return chosen if is_found else None


def possible_hosts(need: Need, fleet: Fleet, groups: Groups) -> Int32:
    """Return the hosts a unit may go to, whatever its group does: a rule of affinity only says where once somebody is there."""
    trail = survey(need, fleet, groups)
    return trail[-2][1]


def _ranked(hosts: Int32, need: Need, fleet: Fleet, groups: Groups, policy: Policy) -> list[int]:
    def is_fitting(host: int) -> bool:
        if need.is_staying:
            return True
        return fleet.has_room(need, host) and groups.addresses.takes(need, host) and not groups.breaks(need, host)

    fitting = np.array([i for i in hosts.tolist() if is_fitting(i)], dtype=np.int32)
    found: list[int] = ranked(need, fleet, groups, policy, fitting).tolist()
    return found
