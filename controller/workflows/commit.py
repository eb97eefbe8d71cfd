"""The commit: ONE transaction that turns a plan and a placement into promises (DESIGN §4).

Quota, capacity, addresses, rows and journal change together or not at all. Every promise is a guarded update, so a
decision made on an old picture is found out here and answered with ``Stale``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from controller.workflows.deltas import Deltas
from controller.workflows.draft import Drafter
from controller.workflows.segments import SegmentBook
from inventory.domain.catalogue import Image
from inventory.domain.claim import quota_amounts
from inventory.domain.host import Zone
from inventory.domain.ids import NewId, TicketId
from inventory.domain.organisation import Department, Project
from inventory.domain.placement import MemberPlacement
from inventory.domain.resource import Desired
from inventory.domain.resources import ADDRESS
from inventory.domain.system import System
from inventory.store import claims as claim_store
from inventory.store import directory, journal, resources, systems
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


@dataclass(frozen=True, slots=True)
class Stale:
    """The picture was old: decide again on a fresh one."""

    reason: str


def commit(connection: Connection, order: Order, new_id: NewId) -> Stale | None:
    """Write everything ``order`` promises. ``None``: held; ``Stale``: the caller must roll back and decide again.

    Raises:
        QuotaExceeded: with every overrun; the caller must roll back.
        Conflict: the system changed meanwhile.
    """
    if order.base_revision == 0:
        systems.insert(connection, order.system, created_at_s=order.now_s)
    else:
        systems.replace(connection, order.system, base_revision=order.base_revision)
    segments = SegmentBook(connection, order.department.id, order.zone, order.ticket_id, new_id, order.now_s)
    segments.read({place.host_id for place in order.placements.values()})
    draft = Drafter(order, segments, new_id)
    for member in order.deltas.new:
        draft.add_member(member)
    for change in order.deltas.changed:
        draft.add_change(change)
    amounts = dict(quota_amounts(draft.claims))
    for growth in draft.growth:
        amounts[growth.dimension] += growth.amount
    quota_store.hold(connection, directory.departments(connection), order.project, amounts)
    guarded = [c for c in draft.claims if c.dimension != ADDRESS]
    refused = claim_store.hold(connection, [*guarded, *draft.growth])
    if refused is not None:
        return Stale(f"{refused[0]}/{refused[1]}")
    segments.write_segments()
    resources.insert(connection, draft.resources)
    if not segments.write_addresses():
        return Stale("addresses")
    claim_store.insert(connection, draft.claims)
    claim_store.grow(connection, draft.growth)
    journal.append(connection, draft.journal_rows())
    for resource in draft.rewritten:
        resources.rewrite(connection, resource)
    lost = [*order.deltas.lost, *(v for c in order.deltas.changed for v in c.lost_volumes)]
    resources.wish(connection, [r.id for r in lost], desired=Desired.ABSENT, ticket_id=order.ticket_id, now_s=order.now_s)
    return None
