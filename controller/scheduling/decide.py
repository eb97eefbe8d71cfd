"""The decision: a request on a snapshot becomes a placement or a refusal, both explained. Pure and repeatable.

``choose`` decides on a fleet that is kept in memory, without a word of explanation; ``place_on`` explains what it places,
``decide`` (on a snapshot) and ``decide_on`` refusals too. The database then guards every promise again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from controller.scheduling import exact
from controller.scheduling.explain import explain_placed, explain_refused
from controller.scheduling.filters import survey
from controller.scheduling.fleet import Fleet
from controller.scheduling.gang import (
    RESTARTS_MAX,
    Chosen,
    OnPlaced,
    anchors,
    fits,
    kinds_on,
    reorder,
    search,
    try_once,
)
from controller.scheduling.groups import Groups
from controller.scheduling.policy import DEFAULT_POLICY, Policy
from controller.scheduling.snapshot import Snapshot
from controller.scheduling.suggest import Elsewhere, suggestions
from controller.scheduling.units import Need, Unit, check_request
from inventory.domain.ids import HostId
from inventory.domain.placement import Explanation, MemberPlacement, Placement, PlacementRequest, Refusal

__all__ = ["choose", "decide", "decide_on", "fits", "place_on"]

#: A refusal explains the machine it got stuck on, and up to this many others that fit nowhere by themselves.
REFUSAL_EXPLANATIONS_MAX = 10

Kinds = Sequence[list[Unit]]
#: Called with every explanation while the fleet is still as it was when its machine was placed, or was not.
OnPage = Callable[[Explanation, Need, Fleet, Groups], None]


@dataclass(slots=True, kw_only=True)
class _Book:
    """Collects one explanation per kind of unit while a gang is placed."""

    names: Mapping[Need, tuple[str, ...]]
    policy: Policy
    on_page: OnPage | None = None
    pages: list[Explanation] = field(default_factory=list)

    def note(self, need: Need, fleet: Fleet, groups: Groups, host: int) -> None:
        """Explain the first placement of a kind."""
        if any(page.members == self.names[need] for page in self.pages):
            return
        self._add(explain_placed(need, fleet, groups, self.policy, host=host, members=self.names[need]), need, fleet, groups)

    def placed(self, request: PlacementRequest, snapshot: Snapshot, chosen: Sequence[Chosen]) -> tuple[Explanation, ...]:
        """Return the explanations, each with where those machines went that are like the first and stand elsewhere."""
        if len(chosen) == 1:
            return tuple(self.pages)
        places: dict[Need, dict[str, list[str]]] = {}
        for choice in chosen:
            there = places.setdefault(choice.unit.need, {}).setdefault(snapshot.host_names[choice.host], [])
            there += [request.members[m].name for m in choice.unit.members]
        hosts = {self.names[need]: by_host for need, by_host in places.items()}
        return tuple(replace(page, elsewhere=_elsewhere(page, hosts[page.members])) for page in self.pages)

    def refuse(self, need: Need, fleet: Fleet, groups: Groups) -> None:
        """Explain why no host is left for a kind."""
        self._add(explain_refused(need, fleet, groups, self.policy, members=self.names[need]), need, fleet, groups)

    def _add(self, page: Explanation, need: Need, fleet: Fleet, groups: Groups) -> None:
        self.pages.append(page)
        if self.on_page is not None:
            self.on_page(page, need, fleet, groups)


def choose(request: PlacementRequest, fleet: Fleet, policy: Policy = DEFAULT_POLICY) -> tuple[MemberPlacement, ...] | None:
    """Return a host for every machine of the request, in its order, or nothing if they do not all fit.

    What was chosen is taken from the fleet: ``fleet.keep()`` keeps it, ``fleet.rollback`` to a mark from before undoes it.
    Where nothing is returned the fleet is as it was.

    Raises:
        Invalid: the request makes no sense (see ``check_request``).
    """
    check_request(request)
    chosen = _place(request, fleet, policy, kinds_on(request, fleet.snapshot))
    return None if chosen is None else _members(request, fleet.snapshot, chosen)


def decide(
    request: PlacementRequest, snapshot: Snapshot, policy: Policy = DEFAULT_POLICY, elsewhere: Elsewhere | None = None
) -> Placement | Refusal:
    """Return a host for every machine of the request, or a refusal if they do not all fit.

    Machines that share networks go to one host, or to hosts of one home; hard rules hold; nothing is ever over its capacity.
    Equal machines are explained once, by the first of them. ``elsewhere``: see ``suggestions``.

    Raises:
        Invalid: the request makes no sense (see ``check_request``).
    """
    return decide_on(request, Fleet(snapshot), policy, elsewhere=elsewhere)


def decide_on(
    request: PlacementRequest,
    fleet: Fleet,
    policy: Policy = DEFAULT_POLICY,
    on_page: OnPage | None = None,
    elsewhere: Elsewhere | None = None,
) -> Placement | Refusal:
    """Decide and explain on a fleet that is kept in memory.

    What was placed is taken from the fleet, as by ``choose``; where the request is refused the fleet is as it was.

    Raises:
        Invalid: the request makes no sense (see ``check_request``).
    """
    placement = place_on(request, fleet, policy, on_page)
    if placement is not None:
        return placement
    kinds = kinds_on(request, fleet.snapshot)
    return Refusal(explanations=_refusal(request, fleet, kinds, _book(request, kinds, policy, on_page), elsewhere))


def place_on(
    request: PlacementRequest, fleet: Fleet, policy: Policy = DEFAULT_POLICY, on_page: OnPage | None = None
) -> Placement | None:
    """Decide as ``decide_on``, and explain only what is placed: what others wait for has no time to explain a refusal.

    Raises:
        Invalid: the request makes no sense (see ``check_request``).
    """
    check_request(request)
    fleet.open()
    mark = fleet.mark()
    kinds = kinds_on(request, fleet.snapshot)
    book = _book(request, kinds, policy, on_page)
    # Nearly always the first attempt succeeds: it is explained as it goes.
    first = try_once(kinds, fleet, Groups(request, fleet.snapshot), policy, book.note)
    if first.stuck is None:
        return Placement(
            members=_members(request, fleet.snapshot, first.chosen),
            explanations=book.placed(request, fleet.snapshot, first.chosen),
        )
    book.pages.clear()
    fleet.rollback(mark)
    chosen = _repaired(request, fleet, policy, kinds, first.stuck)
    if chosen is None:
        return None
    fleet.rollback(mark)
    _replay(request, fleet, chosen, book.note)
    return Placement(members=_members(request, fleet.snapshot, chosen), explanations=book.placed(request, fleet.snapshot, chosen))


def _book(request: PlacementRequest, kinds: Kinds, policy: Policy, on_page: OnPage | None) -> _Book:
    names = {kind[0].need: tuple(request.members[m].name for unit in kind for m in unit.members) for kind in kinds}
    return _Book(names=names, policy=policy, on_page=on_page)


def _elsewhere(page: Explanation, places: Mapping[str, Sequence[str]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    assert page.winner is not None, "only placements have an elsewhere"
    return tuple((host, tuple(names)) for host, names in places.items() if host != page.winner.host)


def _place(request: PlacementRequest, fleet: Fleet, policy: Policy, kinds: Kinds) -> list[Chosen] | None:
    """Place a checked request: greedily, then by repair."""
    mark = fleet.mark()
    first = try_once(kinds, fleet, Groups(request, fleet.snapshot), policy)
    if first.stuck is None:
        return first.chosen
    fleet.rollback(mark)
    return _repaired(request, fleet, policy, kinds, first.stuck)


def _repaired(request: PlacementRequest, fleet: Fleet, policy: Policy, kinds: Kinds, stuck: Unit) -> list[Chosen] | None:
    """Place what got stuck in other orders, then by whatever finds a way if there is one.

    The solver answers faster than other orders do, but knows no score: where soft rules count, orders come first.
    """
    if not _may_repair(request, fleet, kinds, stuck):
        return None
    is_solvable = exact.is_solvable(kinds, fleet, Groups(request, fleet.snapshot))
    if not is_solvable or any(kind[0].need.soft for kind in kinds):
        chosen = _reordered(request, fleet, policy, kinds, stuck)
        if chosen is not None:
            return chosen
    groups = Groups(request, fleet.snapshot)
    found = exact.solve(kinds, fleet, groups) if is_solvable else search(kinds, fleet, groups, policy)
    if found is not None:
        _replay(request, fleet, found)
    return found


def _reordered(request: PlacementRequest, fleet: Fleet, policy: Policy, kinds: Kinds, stuck: Unit) -> list[Chosen] | None:
    """Try again with the kind that got stuck first, a few times, then with other failure domains for those together."""
    mark, first_kinds, last = fleet.mark(), kinds, stuck
    for _ in range(RESTARTS_MAX):
        kinds = reorder(kinds, last)
        attempt = try_once(kinds, fleet, Groups(request, fleet.snapshot), policy)
        if attempt.stuck is None:
            return attempt.chosen
        last = attempt.stuck
        fleet.rollback(mark)
    for groups in anchors(request, fleet, stuck):
        attempt = try_once(first_kinds, fleet, groups, policy)
        if attempt.stuck is None:
            return attempt.chosen
        fleet.rollback(mark)
    return None


def _may_repair(request: PlacementRequest, fleet: Fleet, kinds: Kinds, stuck: Unit) -> bool:
    """Tell whether another order could help: not for one kind of machine, nor for one that fits nowhere by itself."""
    groups = Groups(request, fleet.snapshot)
    if len(kinds) == 1 and not any(rule.is_affinity for rule in groups.rules.values()):
        return False
    return bool(survey(stuck.need, fleet, groups)[-1][1].size)


def _members(request: PlacementRequest, snapshot: Snapshot, chosen: Sequence[Chosen]) -> tuple[MemberPlacement, ...]:
    """Return the placements in the order of the request."""
    placed: dict[int, MemberPlacement] = {}
    for choice in chosen:
        pools, seats = iter(choice.pools), iter(choice.seats)
        for m in choice.unit.members:
            member = request.members[m]
            placed[m] = MemberPlacement(
                name=member.name,
                host_id=snapshot.host_ids[choice.host],
                pool_id=snapshot.pool_ids[snapshot.pool_index[choice.host]],
                storage_pool_ids=tuple(snapshot.storage_ids[next(pools)] for _ in member.disks),
                seat=next(seats) if member.layout else None,
                home_id=_home(snapshot, choice.host),
            )
    return tuple(placed[m] for m in range(len(request.members)))


def _home(snapshot: Snapshot, host: int) -> HostId | None:
    home = snapshot.home_of(host)
    return None if home == snapshot.host_ids[host] else home


def _replay(request: PlacementRequest, fleet: Fleet, chosen: Sequence[Chosen], on_placed: OnPlaced | None = None) -> None:
    """Take what was chosen once more, telling of each before it is taken."""
    groups = Groups(request, fleet.snapshot)
    for choice in chosen:
        need = choice.unit.need
        if on_placed is not None:
            on_placed(need, fleet, groups, choice.host)
        fleet.take(need, choice.host)
        groups.place(need, choice.host)


def _refusal(
    request: PlacementRequest, fleet: Fleet, kinds: Kinds, book: _Book, elsewhere: Elsewhere | None
) -> tuple[Explanation, ...]:
    """Explain the machine that the first attempt got stuck on, then others that fit nowhere by themselves."""
    untouched = Fleet(fleet.to_snapshot(fleet.revision))
    mark = fleet.mark()
    attempt = try_once(kinds, fleet, Groups(request, fleet.snapshot), book.policy)
    stuck = attempt.stuck
    assert stuck is not None, "only a stuck attempt is refused"
    book.refuse(stuck.need, fleet, attempt.groups)
    first = request.members[stuck.members[0]].name
    found = suggestions(request, book.policy, attempt, untouched, elsewhere)
    book.pages[0] = replace(book.pages[0], member=first, suggestions=found)
    fleet.rollback(mark)
    empty = Groups(request, fleet.snapshot)
    for kind in kinds:
        need = kind[0].need
        if need == stuck.need or len(book.pages) == REFUSAL_EXPLANATIONS_MAX:
            continue
        if not survey(need, fleet, empty)[-1][1].size:
            book.refuse(need, fleet, empty)
    return tuple(book.pages)
