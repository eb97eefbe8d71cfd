"""The quote: what a ticket would do, cost and need, and where it would go. No side effects; ``allot plan`` stops here."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from controller.scheduling.asked import Asked, drawn_between
from controller.scheduling.decide import decide, place_on
from controller.scheduling.explain import explanation_to_json
from controller.scheduling.fleet import Fleet
from controller.scheduling.suggest import ZONES_TRIED_MAX, Elsewhere
from controller.tickets.model import Action
from controller.tickets.plan import Change, Impact, worst_impact
from controller.workflows.address_rooms import AddressRooms
from controller.workflows.deltas import Deltas, deltas
from controller.workflows.draw import Draw, check_usable, holds, holds_without, plan_draw
from controller.workflows.later import read_reserved, with_reservations
from controller.workflows.obligation import lines as budget_lines
from controller.workflows.obligation import spec_amounts
from controller.workflows.place import load_snapshot, placement_request
from controller.workflows.platform import Platform
from controller.workflows.reading import Reader
from inventory.domain.catalogue import Image
from inventory.domain.host import Zone
from inventory.domain.organisation import Department, Project
from inventory.domain.placement import UNEXPLAINED, Placement, PlacementRequest, Refusal
from inventory.domain.reservation import Reservation
from inventory.domain.resource import Resource
from inventory.domain.system import System, SystemSpec
from inventory.store import directory, resources
from metering import rating
from quotas.budgets import BudgetLine

Explain = Callable[[], Placement | Refusal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A ticket read, checked and resolved against the platform: what is wanted of which system."""

    action: Action
    name: str
    department: Department
    project: Project
    zone: Zone
    current: System | None
    #: None for a release.
    wanted: SystemSpec | None
    changes: tuple[Change, ...]
    #: Images by name.
    images: Mapping[str, Image]
    sha256: str
    #: Digest of the wanted spec, empty for a release.
    spec_digest: str
    #: Capacity of the project the ticket draws on.
    reservation: Reservation | None = None
    notices: tuple[Mapping[str, Any], ...] = ()

    @property
    def is_noop(self) -> bool:
        """Tell whether the system already is what is wanted."""
        return bool(self.current and self.wanted and self.current.spec.digest() == self.spec_digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaLine:
    """One limit on the way up, before and after."""

    #: Code and name of the department or project.
    scope: str
    scope_name: str
    dimension: str
    #: None: no limit of its own here.
    limit: int | None
    used: int
    after: int

    @property
    def asked(self) -> int:
        """Return by how much the ticket moves it."""
        return self.after - self.used

    def to_json(self) -> dict[str, Any]:
        """Return the fields by name."""
        return {name: getattr(self, name) for name in self.__slots__}

    @property
    def is_over(self) -> bool:
        """Tell whether the ticket would pass the limit (only what grows is judged)."""
        return self.limit is not None and self.after > self.limit and self.after > self.used


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A wish with its consequences."""

    wish: Wish
    deltas: Deltas
    impact: Impact
    #: Price of the whole system for the next calendar month, before and after, micro-yuan.
    month_price_before: int
    month_price_after: int
    month: str
    quota: tuple[QuotaLine, ...]
    #: The project's budgets of this year and later ones, where there are any.
    budget: tuple[BudgetLine, ...]
    #: Stages that must approve, in order.
    approvals: tuple[str, ...]
    decision: Placement | Refusal | None
    #: A typed name is needed.
    needs_confirmation: bool
    #: What it uses up of the reservation it names.
    draw: Draw | None = None
    #: What was decided on.
    asked: Asked | None = None
    #: Explains the refusal; it was read what that needs, for it may take longer than a transaction may.
    explain: Explain | None = None

    def explained(self) -> "Quote":
        """Return the same with its refusal explained. Not to be called in a transaction."""
        return self if self.explain is None else replace(self, decision=self.explain(), explain=None)

    @property
    def is_possible(self) -> bool:
        """Tell whether it would be accepted now."""
        return not isinstance(self.decision, Refusal) and self._is_within

    @property
    def _is_within(self) -> bool:
        return not any(line.is_over for line in self.quota) and not any(line.is_over for line in self.budget)

    def digest(self) -> str:
        """Return what a plan is recognised by at apply: wish, impact, price and quota; the host may differ."""
        basis = [
            self.wish.spec_digest,
            self.wish.action.value,
            self.wish.current.revision if self.wish.current else 0,
            sorted({c.impact.value for c in self.wish.changes}),
            self.month_price_after,
            [line.to_json() for line in self.quota],
        ]
        return hashlib.sha256(json.dumps(basis, sort_keys=True).encode()).hexdigest()

    def is_as_told(self, stored: Mapping[str, Any]) -> bool:
        """Tell whether this is what an earlier quote, as ``to_stored_json``, has told whoever decides on it.

        Prices of a month are compared within it: another one has other seconds.
        """
        is_price_same = stored["month_price_after_yuan"] == rating.yuan(self.month_price_after)
        return bool(stored["impact"] == self.impact.value and (stored["month"] != self.month or is_price_same))

    def to_json(self) -> dict[str, Any]:
        """Return the form that is sent to the client."""
        wanted = self.wish.wanted
        members = self.decision.members if isinstance(self.decision, Placement) else ()
        explanations = [explanation_to_json(x) for x in self.decision.explanations] if self.decision else []
        return {
            **self.to_stored_json(),
            "placements": [{"member": m.name, "host_id": m.host_id} for m in members],
            "explanations": explanations,
            "spec": wanted.to_json() if wanted else None,
        }

    def to_stored_json(self) -> dict[str, Any]:
        """Return what a ticket keeps: explanations have a table of their own, placements follow the resources."""
        wish = self.wish
        return {
            "action": wish.action.value,
            "system": wish.name,
            "department": {"code": wish.department.code, "name": wish.department.name},
            "project": wish.project.code,
            "zone": {"code": wish.zone.code, "name": wish.zone.name},
            "base_revision": wish.current.revision if wish.current else 0,
            "is_noop": wish.is_noop,
            "changes": [c.to_json() for c in wish.changes],
            "impact": self.impact.value,
            "month": self.month,
            "month_price_before_yuan": rating.yuan(self.month_price_before),
            "month_price_after_yuan": rating.yuan(self.month_price_after),
            "quota": [{**line.to_json(), "is_over": line.is_over} for line in self.quota],
            "budget": [_budget_json(line) for line in self.budget],
            "approvals": list(self.approvals),
            "needs_confirmation": self.needs_confirmation,
            "is_possible": self.is_possible,
            "reservation": _draw_json(self.draw),
            "notices": [dict(n) for n in wish.notices],
            "digest": self.digest(),
        }


def _budget_json(line: BudgetLine) -> dict[str, Any]:
    budget = line.budget
    return {
        "year": budget.year,
        "limit_yuan": rating.yuan(budget.limit_micro_yuan),
        "spent_yuan": rating.yuan(budget.spent_micro_yuan),
        "obligated_yuan": rating.yuan(budget.obligated_micro_yuan),
        "after_yuan": rating.yuan(line.after_micro_yuan),
        "needs_approval": line.needs_approval,
        "is_over": line.is_over,
    }


def _draw_json(draw: Draw | None) -> dict[str, Any] | None:
    return {"id": draw.reservation.id, "name": draw.reservation.name, "machines": len(draw.slots)} if draw else None


def quota_growth(before: SystemSpec | None, after: SystemSpec | None) -> dict[str, int]:
    """Return by how much each quota dimension changes (negative where it shrinks)."""
    old, new = _quota_amounts(before), _quota_amounts(after)
    return {d: new[d] - old[d] for d in new}


def _quota_amounts(spec: SystemSpec | None) -> dict[str, int]:
    amounts = spec_amounts(spec)
    servers = spec.servers if spec else ()
    return {
        "vcpu": amounts.get("vcpu", 0),
        "memory_mib": amounts.get("memory_mib", 0),
        "disk_gib": sum(v for d, v in amounts.items() if d.startswith("disk_gib:")),
        "instances": sum(s.count for s in servers),
        "volumes": sum(s.count * len(s.disks) for s in servers),
        "addresses": amounts.get("address", 0),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """Where gangs would go."""

    #: Takes a gang there where decisions follow each other. A refusal is not explained yet.
    decide: Callable[[PlacementRequest], Placement | Refusal]
    #: What is left of addresses.
    addresses: AddressRooms
    #: Whether what explains a refusal is read too (``Quote.explained``).
    is_explaining: bool = False


def decide_afresh(connection: Connection, platform: Platform, *, is_explaining: bool = False) -> Decider:
    """Return decisions on the platform's capacity as this transaction sees it."""

    def once(request: PlacementRequest) -> Placement | Refusal:
        return place_on(request, Fleet(load_snapshot(connection)), platform.policy) or UNEXPLAINED

    return Decider(decide=once, addresses=AddressRooms(), is_explaining=is_explaining)


def quote(reader: Reader, platform: Platform, wish: Wish, decider: Decider) -> Quote:
    """Return the consequences of a wish on the state as it is now.

    Raises:
        Invalid: ``usage.price_gap``: nobody approved a price for something the ticket asks for; ``reservation.other_zone``.
        Conflict: ``reservation.not_started``, ``reservation.is_over``.
    """
    existing = resources.of_system(reader.connection, wish.current.id) if wish.current else []
    changes = deltas(existing, wish.wanted)
    before = wish.current.spec if wish.current else None
    month, price_before, price_after = _month_prices(reader, platform, before, wish.wanted)
    impact = worst_impact(wish.changes)
    is_production = (wish.wanted or before or _never()).environment == "production"
    budget = budget_lines(reader.budgets(wish.project), before, wish.wanted, reader.prices, platform.zone, platform.clock())
    approvals = platform.approval_policy.stages(
        impact=impact.value,
        is_production=is_production,
        month_price_micro_yuan=max(0, price_after - price_before),
        machine_count=len(changes.new),
        is_over_budget=any(line.needs_approval for line in budget),
    )
    decided = _decide(reader.connection, platform, wish, changes, existing, decider)
    decision, asked, draw = decided.decision, decided.asked, decided.draw
    if isinstance(decision, Placement) and asked is not None:
        decider.addresses.count(wish.department.id, wish.zone, asked.request, decision.members)
    growth = quota_growth(before, wish.wanted)
    if draw is not None:
        # What was reserved counts already.
        growth = {d: amount - draw.quota_amounts.get(d, 0) for d, amount in growth.items()}
    return Quote(
        wish=wish,
        deltas=changes,
        impact=impact,
        month=month,
        month_price_before=price_before,
        month_price_after=price_after,
        quota=_quota_lines(reader, wish, growth),
        budget=budget,
        approvals=approvals,
        decision=decision,
        needs_confirmation=impact is Impact.DATA_LOSS,
        draw=draw,
        asked=asked,
        explain=decided.explain,
    )


def _never() -> SystemSpec:
    raise AssertionError("a ticket wants a system or names one that exists")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decided:
    """Where a gang would go."""

    decision: Placement | Refusal | None = None
    asked: Asked | None = None
    draw: Draw | None = None
    explain: Explain | None = None


def _decide(
    connection: Connection, platform: Platform, wish: Wish, changes: Deltas, existing: Sequence[Resource], decider: Decider
) -> _Decided:
    if wish.wanted is None or not (changes.new or changes.changed):
        return _Decided()
    archs = {image.name: image.arch for image in wish.images.values()}
    request = placement_request(wish.wanted, wish.zone, changes, existing, archs)
    request = decider.addresses.of(connection, wish.department.id, wish.zone, request, platform.clock())
    if wish.reservation is not None:
        return _drawn(connection, platform, wish, wish.reservation, request)
    found = decider.decide(request)
    is_explained = isinstance(found, Refusal) and decider.is_explaining
    explain = _explaining(connection, platform, wish, request, decider.addresses) if is_explained else None
    return _Decided(decision=found, asked=Asked(request=request), explain=explain)


def _explaining(
    connection: Connection, platform: Platform, wish: Wish, request: PlacementRequest, rooms: AddressRooms
) -> Explain:
    """Read all that the explanation of a refusal needs."""
    elsewhere = _elsewhere(connection, platform, wish, request, rooms)
    snapshot = load_snapshot(connection)
    reserved = read_reserved(connection, platform, wish.zone.id, wish.project)

    def explain() -> Placement | Refusal:
        found = decide(request, snapshot, platform.policy, elsewhere)
        if reserved is None or isinstance(found, Placement):
            return found
        return with_reservations(reserved, request, snapshot, platform.policy, found)

    return explain


def _drawn(
    connection: Connection, platform: Platform, wish: Wish, reservation: Reservation, request: PlacementRequest
) -> _Decided:
    """Decide on a picture of its own, where nothing is held for this reservation."""
    check_usable(reservation, wish.zone.id, platform.clock())
    reserved, held = holds_without(connection, reservation), holds(connection)
    snapshot = load_snapshot(connection, reserved=reserved)
    asked = Asked(request=request, drawn=tuple(drawn_between(held, reserved)))
    decision = place_on(request, Fleet(snapshot), platform.policy)
    if decision is None:
        # Its capacity is in this zone, and nowhere else.
        return _Decided(
            decision=UNEXPLAINED, asked=asked, explain=lambda: decide(request, snapshot, platform.policy, elsewhere={})
        )
    placement, draw = plan_draw(connection, reservation, request, decision)
    return _Decided(decision=placement, asked=asked, draw=draw)


def _elsewhere(
    connection: Connection, platform: Platform, wish: Wish, request: PlacementRequest, rooms: AddressRooms
) -> Elsewhere:
    """Return the zones the ticket may name instead, with what addresses are left there: none for a system that exists."""
    if wish.current is not None:
        return {}
    others = sorted((z for z in directory.zones(connection) if z.id != wish.zone.id), key=lambda z: z.code)[:ZONES_TRIED_MAX]
    asked = {z.id: (z, replace(request, zone_id=z.id, addresses=None)) for z in others}
    now_s, own = platform.clock(), wish.department.id
    return {zone_id: rooms.of(connection, own, zone, there, now_s).addresses for zone_id, (zone, there) in asked.items()}


def _month_prices(
    reader: Reader, platform: Platform, before: SystemSpec | None, after: SystemSpec | None
) -> tuple[str, int, int]:
    """Return the month a plan speaks of and the system's price in it, before and after."""
    month = str(rating.month_at(platform.clock(), platform.zone).next())
    old, new = (rating.month_price(spec_amounts(s), reader.prices, month, platform.zone) for s in (before, after))
    return month, old, new


def _quota_lines(reader: Reader, wish: Wish, growth: Mapping[str, int]) -> tuple[QuotaLine, ...]:
    """Return every counter the ticket moves, the project's own first, then upwards."""
    moved = [(level, level.used + reader.planned(level)) for level in reader.levels(wish.project) if growth.get(level.dimension)]
    return tuple(
        QuotaLine(
            scope=level.scope,
            scope_name=level.scope_name,
            dimension=level.dimension,
            limit=level.limit_amount,
            used=used,
            after=used + growth[level.dimension],
        )
        for level, used in moved
    )
