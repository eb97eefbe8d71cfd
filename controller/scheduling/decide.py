"""The decision: a request on a snapshot becomes a placement or a refusal, both explained. Pure and repeatable.

The planner calls it for a plan, the committer for an accepted ticket; the database then guards every promise again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from controller.scheduling.explain import explain_placed, explain_refused
from controller.scheduling.filters import Trail, survey
from controller.scheduling.gang import RESTARTS_MAX, Attempt, Chosen, Ranking, fits, kinds_of, reorder, search, try_once
from controller.scheduling.policy import DEFAULT_POLICY, Policy
from controller.scheduling.scratch import Scratch
from controller.scheduling.snapshot import Snapshot
from controller.scheduling.suggest import suggestions
from controller.scheduling.units import Need, Unit, check_request, units_of
from inventory.domain.placement import Explanation, MemberPlacement, Placement, PlacementRequest, Refusal

__all__ = ["decide", "fits"]

#: A refusal explains the machine it got stuck on, and up to this many others that fit nowhere by themselves.
REFUSAL_EXPLANATIONS_MAX = 10


@dataclass(slots=True, kw_only=True)
class _Book:
    """Collects one explanation per kind of unit while a gang is placed."""

    names: Mapping[Need, tuple[str, ...]]
    policy: Policy
    pages: list[Explanation] = field(default_factory=list)

    def note(self, need: Need, scratch: Scratch, trail: Trail, ranked: list[int]) -> None:
        """Explain the first placement of a kind."""
        self.pages.append(explain_placed(need, scratch, self.policy, trail, ranked=ranked, members=self.names[need]))

    def refuse(self, need: Need, scratch: Scratch, trail: Trail) -> None:
        """Explain why no host is left for a kind."""
        self.pages.append(explain_refused(need, scratch, self.policy, trail, members=self.names[need]))


def decide(request: PlacementRequest, snapshot: Snapshot, policy: Policy = DEFAULT_POLICY) -> Placement | Refusal:
    """Return a host for every machine of the request, or a refusal if they do not all fit.

    Machines that share networks go to one host; hard spread rules hold; nothing is ever over its capacity. Equal machines
    are explained once, by the first of them.

    Raises:
        Invalid: the request makes no sense (see ``check_request``).
    """
    check_request(request)
    kinds = kinds_of(units_of(request), snapshot)
    names = {kind[0].need: tuple(request.members[m].name for unit in kind for m in unit.members) for kind in kinds}
    first = last = _attempt(request, snapshot, policy, kinds, book := _Book(names=names, policy=policy))
    for _ in range(RESTARTS_MAX if _may_repair(request, snapshot, kinds, first) else 0):
        if last.stuck is None:
            break
        kinds = reorder(kinds, last.stuck)
        last = _attempt(request, snapshot, policy, kinds, book := _Book(names=names, policy=policy))
    if last.stuck is None:
        return Placement(members=_members(request, snapshot, last.chosen), explanations=tuple(book.pages))
    found = search(kinds, Scratch(snapshot, request), policy) if _may_repair(request, snapshot, kinds, first) else None
    if found is not None:
        pages = _replay(request, snapshot, found, _Book(names=names, policy=policy))
        return Placement(members=_members(request, snapshot, found), explanations=pages)
    return Refusal(explanations=_refusal(request, snapshot, first, kinds, _Book(names=names, policy=policy)))


def _attempt(request: PlacementRequest, snapshot: Snapshot, policy: Policy, kinds: Sequence[list[Unit]], book: _Book) -> Attempt:
    return try_once(kinds, Scratch(snapshot, request), policy, book.note)


def _may_repair(request: PlacementRequest, snapshot: Snapshot, kinds: Sequence[list[Unit]], attempt: Attempt) -> bool:
    """Tell whether another order could help: not for one kind of machine, nor for one that fits nowhere by itself."""
    if attempt.stuck is None or len(kinds) == 1:
        return False
    return bool(survey(attempt.stuck.need, Scratch(snapshot, request))[-1][1])


def _members(request: PlacementRequest, snapshot: Snapshot, chosen: Sequence[Chosen]) -> tuple[MemberPlacement, ...]:
    """Return the placements in the order of the request."""
    placed: dict[int, MemberPlacement] = {}
    for choice in chosen:
        pools = iter(choice.pools)
        for m in choice.unit.members:
            member = request.members[m]
            placed[m] = MemberPlacement(
                name=member.name,
                host_id=snapshot.host_ids[choice.host],
                pool_id=snapshot.pool_ids[snapshot.pool_index[choice.host]],
                storage_pool_ids=tuple(snapshot.storage_ids[next(pools)] for _ in member.disks),
            )
    return tuple(placed[m] for m in range(len(request.members)))


def _replay(request: PlacementRequest, snapshot: Snapshot, chosen: Sequence[Chosen], book: _Book) -> tuple[Explanation, ...]:
    """Explain what the search found: the host taken, then the best of the others at that point."""
    scratch = Scratch(snapshot, request)
    seen: set[Need] = set()
    for choice in chosen:
        need = choice.unit.need
        if need not in seen:
            seen.add(need)
            ranking = Ranking(need, scratch, book.policy)
            others = [host for host in ranking.top(3) if host != choice.host]
            book.note(need, scratch, ranking.trail, [choice.host, *others])
        scratch.take(need, choice.host)
    return tuple(book.pages)


def _refusal(
    request: PlacementRequest, snapshot: Snapshot, attempt: Attempt, kinds: Sequence[list[Unit]], book: _Book
) -> tuple[Explanation, ...]:
    stuck = attempt.stuck
    assert stuck is not None, "only a stuck attempt is refused"
    book.refuse(stuck.need, attempt.scratch, attempt.trail)
    first = request.members[stuck.members[0]].name
    book.pages[0] = replace(book.pages[0], member=first, suggestions=suggestions(request, snapshot, book.policy, attempt))
    empty = Scratch(snapshot, request)
    for kind in kinds:
        need = kind[0].need
        if need == stuck.need or len(book.pages) == REFUSAL_EXPLANATIONS_MAX:
            continue
        trail = survey(need, empty)
        if not trail[-1][1]:
            book.refuse(need, empty, trail)
    return tuple(book.pages)
