"""The quote: what a ticket would do, cost and need, and where it would go. No side effects; ``allot plan`` stops here."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date as Date  # noqa: N812  a type is meant, not the field of that name
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from controller.scheduling.decide import decide
from controller.scheduling.explain import explanation_to_json
from controller.tickets.model import Action
from controller.tickets.plan import Change, Impact, worst_impact
from controller.workflows.deltas import Deltas, deltas
from controller.workflows.place import load_snapshot, placement_request
from controller.workflows.platform import Platform
from inventory.domain.catalogue import Image
from inventory.domain.host import Zone
from inventory.domain.organisation import Department, Project
from inventory.domain.placement import Placement, Refusal
from inventory.domain.resource import Resource
from inventory.domain.resources import disk_dimension
from inventory.domain.system import System, SystemSpec
from inventory.store import resources
from metering import rating
from metering import store as price_store
from quotas import store as quota_store


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
    notices: tuple[Mapping[str, Any], ...] = ()

    @property
    def spec_digest(self) -> str:
        """Return the digest of the wanted spec, empty for a release."""
        return self.wanted.digest() if self.wanted else ""

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
    #: Stages that must approve, in order.
    approvals: tuple[str, ...]
    decision: Placement | Refusal | None
    #: A typed name is needed.
    needs_confirmation: bool

    @property
    def is_possible(self) -> bool:
        """Tell whether it would be accepted now."""
        return not isinstance(self.decision, Refusal) and not any(line.is_over for line in self.quota)

    def digest(self) -> str:
        """Return what a plan is recognised by at apply: wish, impact, price and quota; the host may differ."""
        basis = [
            self.wish.spec_digest,
            self.wish.action.value,
            self.wish.current.revision if self.wish.current else 0,
            sorted({c.impact.value for c in self.wish.changes}),
            self.month_price_after,
            [asdict(line) for line in self.quota],
        ]
        return hashlib.sha256(json.dumps(basis, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return the form that is stored with the ticket and sent to the client."""
        wish = self.wish
        members = self.decision.members if isinstance(self.decision, Placement) else ()
        explanations = [explanation_to_json(x) for x in self.decision.explanations] if self.decision else []
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
            "quota": [asdict(line) | {"is_over": line.is_over} for line in self.quota],
            "approvals": list(self.approvals),
            "needs_confirmation": self.needs_confirmation,
            "is_possible": self.is_possible,
            "placements": [{"member": m.name, "host_id": m.host_id} for m in members],
            "explanations": explanations,
            "notices": [dict(n) for n in wish.notices],
            "spec": wish.wanted.to_json() if wish.wanted else None,
            "digest": self.digest(),
        }


def lease_end_s(day: str, zone: ZoneInfo) -> int:
    """Return the moment a lease ends: midnight after its last day, in the platform's zone."""
    after = Date.fromisoformat(day) + timedelta(days=1)
    return int(datetime.combine(after, time(), tzinfo=zone).timestamp())


def spec_amounts(spec: SystemSpec | None) -> dict[str, int]:
    """Return what a system takes, by the dimension it is metered in."""
    amounts: dict[str, int] = {}

    def add(dimension: str, amount: int) -> None:
        if amount:
            amounts[dimension] = amounts.get(dimension, 0) + amount

    for server in spec.servers if spec else ():
        add("vcpu", server.count * server.vcpu_count)
        add("memory_mib", server.count * server.memory_mib)
        add(disk_dimension(server.root_disk_class), server.count * server.root_disk_gib)
        add("address", server.count * len(server.networks))
        for disk in server.disks:
            add(disk_dimension(disk.disk_class), server.count * disk.size_gib)
    return amounts


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


def quote(connection: Connection, platform: Platform, wish: Wish) -> Quote:
    """Return the consequences of a wish on the state as it is now.

    Raises:
        Invalid: ``usage.price_gap``: nobody approved a price for something the ticket asks for.
    """
    existing = resources.of_system(connection, wish.current.id) if wish.current else []
    changes = deltas(existing, wish.wanted)
    before = wish.current.spec if wish.current else None
    month, price_before, price_after = _month_prices(connection, platform, before, wish.wanted)
    impact = worst_impact(wish.changes)
    is_production = (wish.wanted or before or _never()).environment == "production"
    approvals = platform.approval_policy.stages(
        impact=impact.value,
        is_production=is_production,
        month_price_micro_yuan=max(0, price_after - price_before),
        machine_count=len(changes.new),
    )
    return Quote(
        wish=wish,
        deltas=changes,
        impact=impact,
        month=month,
        month_price_before=price_before,
        month_price_after=price_after,
        quota=_quota_lines(connection, wish, quota_growth(before, wish.wanted)),
        approvals=approvals,
        decision=_decide(connection, platform, wish, changes, existing),
        needs_confirmation=impact is Impact.DATA_LOSS,
    )


def _never() -> SystemSpec:
    raise AssertionError("a ticket wants a system or names one that exists")


def _decide(
    connection: Connection, platform: Platform, wish: Wish, changes: Deltas, existing: Sequence[Resource]
) -> Placement | Refusal | None:
    if wish.wanted is None or not (changes.new or changes.changed):
        return None
    archs = {image.name: image.arch for image in wish.images.values()}
    request = placement_request(wish.wanted, wish.zone, changes, existing, archs)
    return decide(request, load_snapshot(connection), platform.policy)


def _month_prices(
    connection: Connection, platform: Platform, before: SystemSpec | None, after: SystemSpec | None
) -> tuple[str, int, int]:
    """Return the month a plan speaks of and the system's price in it, before and after."""
    month = str(rating.month_at(platform.clock(), platform.zone).next())
    prices = price_store.prices(connection)
    old, new = (rating.month_price(spec_amounts(s), prices, month, platform.zone) for s in (before, after))
    return month, old, new


def _quota_lines(connection: Connection, wish: Wish, growth: Mapping[str, int]) -> tuple[QuotaLine, ...]:
    """Return every counter the ticket moves, the project's own first, then upwards."""
    return tuple(
        QuotaLine(
            scope=level.scope,
            scope_name=level.scope_name,
            dimension=level.dimension,
            limit=level.limit_amount,
            used=level.used,
            after=level.used + growth[level.dimension],
        )
        for level in quota_store.levels(connection, wish.project)
        if growth.get(level.dimension)
    )
