"""The commit: ONE transaction that turns a plan and a placement into promises (DESIGN §4).

Quota, capacity, addresses, rows and journal change together or not at all. Every promise is a guarded update, so a
decision made on an old picture is found out here and answered with ``Stale``. Many orders may share the transaction; each is
still held whole or left out whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from controller.workflows.alike import Kinds, metered
from controller.workflows.deltas import Deltas
from controller.workflows.draft import Drafter
from controller.workflows.draw import Draw, take
from controller.workflows.segments import AddressesTaken, FreeBlocks, SegmentBook
from inventory.domain.catalogue import Image
from inventory.domain.claim import Weights
from inventory.domain.errors import Conflict, QuotaExceeded, Unplaceable
from inventory.domain.host import Zone
from inventory.domain.ids import DepartmentId, HostId, NewId, TicketId, ZoneId
from inventory.domain.organisation import Department, Project
from inventory.domain.placement import MemberPlacement
from inventory.domain.resource import Desired
from inventory.domain.resources import counted_as
from inventory.domain.system import System
from inventory.store import claims as claim_store
from inventory.store import directory, homes, hosts, new_resources, resources, systems
from quotas import budget_store
from quotas import store as quota_store


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Everything the transaction needs; nothing in it is looked up again but what it guards."""

    ticket_id: TicketId
    #: The system as it shall be (its id is new for a create), and the revision it replaces (0 for a create).
    system: System
    base_revision: int
    department: Department
    project: Project
    zone: Zone
    deltas: Deltas
    placements: Mapping[str, MemberPlacement]
    #: By name.
    images: Mapping[str, Image]
    now_s: float
    #: What is used up of a reservation, which made room for it; such an order is committed alone.
    draw: Draw | None = None
    #: What it adds to budgets: (project, year) -> micro-yuan.
    obliges: Mapping[tuple[str, int], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stale:
    """The picture was old: decide again on a fresh one."""

    #: (provider, dimension) that refused; empty where addresses or a name were taken by somebody else.
    refused: tuple[hosts.ProviderDimension, ...]


class StalePicture(Exception):
    """The decision was out of date: the caller must roll back and decide again."""

    def __init__(self, stale: Stale) -> None:
        super().__init__(str(stale.refused))
        self.stale = stale


#: Why an order was left out of a commit.
LeftOut = Stale | QuotaExceeded


def commit(connection: Connection, order: Order, new_id: NewId) -> Stale | None:
    """Write everything ``order`` promises. ``None``: held; ``Stale``: the caller must roll back and decide again.

    Raises:
        QuotaExceeded: with every overrun; the caller must roll back.
        Conflict: the system changed meanwhile.
        StalePicture: something of it is elsewhere than when it was read; the caller must roll back and decide again.
    """
    left_out = commit_many(connection, [order], new_id).get(order.ticket_id)
    if isinstance(left_out, QuotaExceeded):
        raise left_out
    return left_out


def commit_many(
    connection: Connection, orders: Sequence[Order], new_id: NewId, departments: Sequence[Department] | None = None
) -> dict[TicketId, LeftOut]:
    """Write everything these orders promise, each as a whole or not at all; returns those that were left out, and why.

    Orders are judged one after the other: each finds limits and capacity as those before it leave them. Who has read all
    ``departments`` in this transaction hands them in.

    Raises:
        Conflict: a system or a department changed meanwhile; the caller must roll back.
        StalePicture: as ``commit``.
        IntegrityError: somebody else took a name, a subnet or an address first; the caller must roll back.
    """
    for order in orders:
        assert order.draw is None or len(orders) == 1, "what is left out would have used its reservation up"
        if order.draw is not None and not take(connection, order.draw):
            return {order.ticket_id: Stale(())}
    left_out: dict[TicketId, LeftOut] = {}
    departments = directory.departments(connection) if departments is None else departments
    drafts: list[Drafter] = []
    for _ in range(_ROUNDS):
        books = _Books(connection, [o for o in orders if o.ticket_id not in left_out], new_id)
        left_out |= books.left_out
        drafts, dropped = _hold(connection, books, departments) if books.drafts else ([], {})
        left_out |= dropped
        if len(left_out) == len(orders) or not any(isinstance(why, Stale) for why in dropped.values()):
            break
    else:
        # The picture is hopelessly old: nobody is held up any longer, each order is decided again by itself.
        left_out |= {draft.order.ticket_id: Stale(()) for draft in drafts}
        drafts = []
    if drafts and not _write(connection, books, drafts):
        # Rows are written already: not to be kept. An address was given to somebody else since it was read.
        raise AddressesTaken
    return left_out


#: Times that orders are left out and the rest is tried once more.
_ROUNDS = 3


class _Books:
    """Drafts of orders over the segments they share."""

    def __init__(self, connection: Connection, orders: Sequence[Order], new_id: NewId) -> None:
        blocks = FreeBlocks(connection)
        self.segments: dict[tuple[DepartmentId, ZoneId], SegmentBook] = {}
        #: (home, network) where cards are to come.
        served: dict[tuple[DepartmentId, ZoneId], set[tuple[HostId, str]]] = {}
        for order in orders:
            key = (order.department.id, order.zone.id)
            if key not in self.segments:
                self.segments[key] = SegmentBook(connection, key[0], order.zone, blocks, new_id, order.now_s)
                served[key] = set()
            for member in order.deltas.new:
                home = order.placements[member.name].home
                served[key].update([(home, network) for network in member.server.networks])
        _keep_homes(connection, orders)
        # In one order everywhere: the rows are locked.
        for key in sorted(served):
            self.segments[key].read(served[key])
        self.drafts: list[Drafter] = []
        #: Orders whose host has no address left since it was chosen.
        self.left_out: dict[TicketId, LeftOut] = {}
        kinds = Kinds()
        for order in orders:
            try:
                self.drafts.append(_draft(order, self.segments[order.department.id, order.zone.id], kinds, new_id))
            except Unplaceable:
                self.left_out[order.ticket_id] = Stale(())


def _keep_homes(connection: Connection, orders: Sequence[Order]) -> None:
    """Have homes that other hosts share stay what they were when the machines were placed."""
    shared = {place.home_id for order in orders for place in order.placements.values() if place.home_id is not None}
    if shared and not homes.are_homes(connection, shared):
        raise AddressesTaken


def _draft(order: Order, segments: SegmentBook, kinds: Kinds, new_id: NewId) -> Drafter:
    draft = Drafter(order, segments, kinds, new_id)
    for member in order.deltas.new:
        draft.add_member(member)
    for change in order.deltas.changed:
        draft.add_change(change)
    return draft


def _amounts(drafts: Sequence[Drafter]) -> list[dict[str, int]]:
    """Return what each draft weighs in each quota dimension."""
    weights = Weights()
    found = []
    for draft in drafts:
        amounts = weights.of(draft.held)
        for growth in draft.growth:
            if dimension := counted_as(growth.dimension):
                amounts[dimension] += growth.amount
        found.append(amounts)
    return found


def _hold(
    connection: Connection, books: _Books, departments: Sequence[Department]
) -> tuple[list[Drafter], dict[TicketId, LeftOut]]:
    """Promise quota and capacity; returns the drafts that hold, and the orders that were left out.

    Where one is refused for want of capacity nothing is promised: the others must be drafted and held without it.
    """
    asked = [(draft.order.project, amounts) for draft, amounts in zip(books.drafts, _amounts(books.drafts), strict=True)]
    ledger = quota_store.Ledger(connection, departments, asked)
    obligations = budget_store.Obligations(connection, [draft.order.obliges for draft in books.drafts])
    kept, left_out = _judged(books.drafts, asked, ledger, obligations)
    if not kept:
        return [], left_out
    guarded = {draft.order.ticket_id: draft.guarded() for draft in kept}
    refused = set(claim_store.hold_orders(connection, guarded))
    if not refused:
        ledger.write()
        obligations.write()
        return kept, left_out
    for draft in kept:
        own = refused & guarded[draft.order.ticket_id].keys()
        if own:
            left_out[draft.order.ticket_id] = Stale(tuple(sorted(own)))
    return [d for d in kept if d.order.ticket_id not in left_out], left_out


def _judged(
    drafts: Sequence[Drafter],
    asked: Sequence[tuple[Project, Mapping[str, int]]],
    ledger: quota_store.Ledger,
    obligations: budget_store.Obligations,
) -> tuple[list[Drafter], dict[TicketId, LeftOut]]:
    """Return the drafts that limits allow, all together where they can be, and the orders that were left out."""
    if ledger.take_all(asked):
        if obligations.take_all(draft.order.obliges for draft in drafts):
            return list(drafts), {}
        ledger.forget()
    left_out: dict[TicketId, LeftOut] = {}
    kept: list[Drafter] = []
    for draft, (project, amounts) in zip(drafts, asked, strict=True):
        try:
            ledger.check(project, amounts)
            obligations.take(draft.order.obliges)
            ledger.take(project, amounts)
        except QuotaExceeded as exceeded:
            left_out[draft.order.ticket_id] = exceeded
        else:
            kept.append(draft)
    return kept, left_out


def _write(connection: Connection, books: _Books, drafts: Sequence[Drafter]) -> bool:
    """Write the rows of what is held. False: an address was taken by somebody else."""
    new = [d.order.system for d in drafts if d.order.base_revision == 0]
    systems.insert(connection, new, created_at_s=drafts[0].order.now_s)
    for draft in drafts:
        if draft.order.base_revision != 0:
            systems.replace(connection, draft.order.system, base_revision=draft.order.base_revision)
            # After the row of the system is ours: a move that began before is seen, one that begins later sees this change.
            if resources.is_any_moving(connection, draft.order.system.id):
                raise Conflict("system.moving", system=draft.order.system.name)
    # By id: every table that begins with one then grows at its end, in both engines the cheapest place to write to.
    born, held = sorted(r for draft in drafts for r in draft.born), sorted(h for draft in drafts for h in draft.held)
    machines = {r.id for r in born}
    for _, segments in sorted(books.segments.items()):
        segments.write_segments(machines)
    new_resources.insert(connection, born, held, metered(held))
    for _, segments in sorted(books.segments.items()):
        if not segments.write_addresses(machines):
            return False
    for draft in drafts:
        _change(connection, draft)
    return True


def _change(connection: Connection, draft: Drafter) -> None:
    """Write what an order does to machines and disks that exist."""
    order = draft.order
    claim_store.grow(connection, draft.growth)
    for resource in draft.rewritten:
        if not resources.rewrite(connection, resource):
            raise StalePicture(Stale(()))
    lost = [*order.deltas.lost, *(v for c in order.deltas.changed for v in c.lost_volumes)]
    resources.wish(connection, [r.id for r in lost], desired=Desired.ABSENT, ticket_id=order.ticket_id, now_s=order.now_s)
