"""Writes the outcomes of many resources in ONE transaction: rows under their fences, journal, claims, quota, tickets.

Called by ``loop`` inside its unit of work. Everything that belongs to one change is here together, because an invariant
only holds at a commit: what is freed is freed with the word that it is gone.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection

from controller.reconcile.outcomes import (
    LET_GO,
    Outcome,
    cause_of,
    changes_of,
    journal_of,
    metered_amounts,
    observation_of,
    parts_to_wake,
    story_of,
    summed_up,
)
from controller.tickets import store as tickets
from controller.tickets.model import TicketState
from controller.workflows.engine import Done, Ending, Fail, Finding, Wait
from controller.workflows.moves.end import Travel, arrived, stayed
from controller.workflows.segments import AddressesTaken
from inventory.domain.claim import MOVE, Claim, quota_amounts
from inventory.domain.errors import Problem
from inventory.domain.ids import HostId, NewId, ProjectId, ResourceId, TicketId
from inventory.domain.journal import ALLOCATED, LOST, JournalRow, row_of
from inventory.domain.resource import Observed, Phase, Resource, ResourceKind
from inventory.domain.resources import counted_as
from inventory.store import claims, findings, journal, networks, resources, systems
from inventory.store.resources import HeldRow
from quotas import store as quotas

#: Tickets with more resources than this are told of in sums.
TELL_SINGLY_MAX = 20
#: Known sizes of tickets are forgotten beyond this.
_SIZES_MAX = 10_000

#: Rest before a host that did not take a lost machine is asked again.
PASSED_ON_REST_S = 60.0

#: Moves the claims, cards and specs of a machine that was cleared (and of its disks) to another host, inside the open
#: transaction; returns the machine and its disks as they shall be, or None where no host fits. Raises AddressesTaken, with
#: nothing written, where another controller took an address at the same moment.
Swap = Callable[[Connection, Resource, Sequence[Resource]], Sequence[Resource] | None]


@dataclass(slots=True)
class Recorded:
    """What the loop must know after the commit."""

    #: Holds that were lost: drop the work.
    lost: set[ResourceId] = field(default_factory=set)
    #: Resources with a newer wish: stop the old work.
    superseded: set[ResourceId] = field(default_factory=set)
    #: Hosts that machines left, came to, or did not come to: what they have is other than before.
    moved_hosts: set[HostId] = field(default_factory=set)


@dataclass(slots=True)
class _Batch:
    """Writes of one transaction."""

    now_s: float
    #: No look of this batch was earlier; one moment for all, so that equal rows are written together.
    seen_at_s: float
    #: (changes as text) -> (changes, holds).
    updates: dict[str, tuple[dict[str, Any], list[tuple[ResourceId, int]]]] = field(default_factory=dict)
    journal: list[JournalRow] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    gone: list[Resource] = field(default_factory=list)
    changed: list[Resource] = field(default_factory=list)
    cleared: list[tuple[Outcome, HeldRow]] = field(default_factory=list)
    #: Lost machines that a host does not take.
    passed_on: list[tuple[Outcome, HeldRow]] = field(default_factory=list)
    #: Machines whose move ended, one way or the other.
    travelled: list[tuple[Outcome, HeldRow, JournalRow | None]] = field(default_factory=list)
    stories: dict[TicketId, list[Any]] = field(default_factory=dict)
    wake: set[ResourceId] = field(default_factory=set)
    #: To be looked at unless somebody is at it, or has just settled it.
    nudge: set[ResourceId] = field(default_factory=set)
    settled: set[ResourceId] = field(default_factory=set)
    wake_waiting: set[ResourceId] = field(default_factory=set)
    segments_ready: set[ResourceId] = field(default_factory=set)
    tickets: set[TicketId] = field(default_factory=set)
    systems: set[Any] = field(default_factory=set)

    def update(self, resource: Resource, changes: dict[str, Any]) -> None:
        """Add a row's changes; equal ones share a statement."""
        if "observed_at_s" in changes:
            changes = {**changes, "seen_at_s": self.seen_at_s}
        key = json.dumps(changes, sort_keys=True)
        self.updates.setdefault(key, (changes, []))[1].append((resource.id, resource.fence))


class Recorder:
    """See the module."""

    def __init__(self, *, owner: str, new_id: NewId, quarantine_s: int, swap: Swap | None, placements_max: int = 3) -> None:
        self._owner = owner
        self._new_id = new_id
        self._quarantine_s = quarantine_s
        self._swap = swap
        self._placements_max = placements_max
        self._sizes: dict[TicketId, int] = {}

    def record(self, connection: Connection, outcomes: Sequence[Outcome], now_s: float) -> Recorded:
        """Write everything; resources whose hold is lost are left alone."""
        recorded = Recorded()
        held = resources.lock_held(connection, self._owner, [(o.resource.id, o.resource.fence) for o in outcomes], now_s=now_s)
        looks = [s.at_s for o in outcomes for result in o.results for s in result.seen if s.at_s is not None]
        batch = _Batch(now_s, min([now_s, *looks]))
        for outcome in outcomes:
            row = held.get((outcome.resource.id, outcome.resource.fence))
            if row is None:
                recorded.lost.add(outcome.resource.id)
                continue
            if row.generation != outcome.resource.generation:
                recorded.superseded.add(outcome.resource.id)
            self._collect(connection, batch, outcome, row)
        self._write(connection, batch)
        recorded.moved_hosts = {h for o, _, _ in batch.travelled for h in (o.resource.host_id, o.resource.target_host_id) if h}
        return recorded

    # -- one resource -------------------------------------------------------------------------------------------------

    def _collect(self, connection: Connection, batch: _Batch, outcome: Outcome, row: HeldRow) -> None:
        resource = outcome.resource
        outcome = self._checked(connection, outcome, row)
        flow = outcome.results[-1].flow
        is_current = row.generation == resource.generation
        is_gone = is_current and isinstance(flow, Done) and flow.ending is Ending.GONE
        lines = journal_of(outcome, row, batch.now_s, is_gone=is_gone)
        batch.journal += lines
        batch.findings += [f for result in outcome.results for f in result.findings]
        if isinstance(flow, Done) and flow.ending in (Ending.MOVED, Ending.STAYED):
            # Also under a newer wish: first it must be known where the machine is.
            batch.travelled.append((outcome, replace(row, revision=row.revision + len(lines)), lines[-1] if lines else None))
            return
        if isinstance(flow, Done) and flow.ending is Ending.PASSED_ON:
            batch.passed_on.append((outcome, replace(row, revision=row.revision + len(lines))))
            return
        if is_current and isinstance(flow, Done) and flow.ending is Ending.CLEARED:
            batch.cleared.append((outcome, replace(row, revision=row.revision + len(lines))))
            return
        changes = changes_of(outcome, row, batch.now_s)
        if lines:
            changes["revision"] = row.revision + len(lines)
        batch.update(resource, changes)
        self._follow(batch, outcome, is_current=is_current, is_gone=is_gone)

    def _checked(self, connection: Connection, outcome: Outcome, row: HeldRow) -> Outcome:
        """Turn an ending that is not true any more into another look: a segment that somebody uses again."""
        flow = outcome.results[-1].flow
        resource = outcome.resource
        is_end = isinstance(flow, Done) and flow.ending in (Ending.GONE, Ending.RETIRED)
        if not is_end or resource.kind is not ResourceKind.SEGMENT:
            return outcome
        if row.generation == resource.generation and not networks.in_use(connection, [resource.id])[resource.id]:
            return outcome
        last = replace(outcome.results[-1], flow=Wait(delay_s=0.0, step=""))
        return Outcome(resource, [*outcome.results[:-1], last])

    def _follow(self, batch: _Batch, outcome: Outcome, *, is_current: bool, is_gone: bool) -> None:
        """Note what else follows: whom to wake, what to free, which tickets and systems to look at."""
        resource, flow = outcome.resource, outcome.results[-1].flow
        if resource.ticket_id is not None:
            lines = story_of(outcome)
            if lines:
                batch.stories.setdefault(resource.ticket_id, []).extend(lines)
        if isinstance(flow, Wait):
            batch.nudge.update(flow.wake)
        if not is_current:
            return
        batch.wake.update(parts_to_wake(outcome))
        if is_gone:
            batch.gone.append(resource)
        if isinstance(flow, Done | Fail):
            self._ended(batch, resource, flow)

    def _ended(self, batch: _Batch, resource: Resource, flow: Done | Fail) -> None:
        was_quiet = resource.phase is Phase.SETTLED and resource.settled_generation == resource.generation
        if not was_quiet or isinstance(flow, Fail):
            if resource.ticket_id is not None:
                batch.tickets.add(resource.ticket_id)
            if resource.system_id is not None:
                batch.systems.add(resource.system_id)
        if not isinstance(flow, Done) or flow.ending is not Ending.SETTLED:
            return
        batch.settled.add(resource.id)
        if resource.kind is ResourceKind.VOLUME:
            batch.wake_waiting.add(resource.volume.instance_id)
        elif resource.kind is ResourceKind.SEGMENT:
            batch.segments_ready.add(resource.id)
        elif resource.generation > 1 and resource.settled_generation != resource.generation:
            batch.changed.append(resource)

    # -- the whole batch ----------------------------------------------------------------------------------------------

    def _write(self, connection: Connection, batch: _Batch) -> None:
        for changes, holds in batch.updates.values():
            written = resources.write_held_many(connection, self._owner, holds, changes)
            assert written == len(holds), "a locked hold was lost inside the transaction"
        for outcome, row in batch.cleared:
            self._place_again(connection, batch, outcome, row)
        for outcome, row in batch.passed_on:
            self._pass_on(connection, batch, outcome, row)
        for outcome, row, last in batch.travelled:
            self._end_move(connection, batch, outcome, row, last)
        journal.append(connection, batch.journal)
        self._free(connection, batch)
        self._shrink(connection, batch)
        resources.look_now(connection, sorted(batch.wake), batch.now_s)
        resources.nudge(connection, sorted(batch.nudge - batch.settled), batch.now_s)
        resources.wake_unsettled(connection, sorted(batch.wake_waiting), batch.now_s, of_segments=sorted(batch.segments_ready))
        save_findings(connection, batch.findings, self._new_id, batch.now_s)
        self._tell(connection, batch)
        move_tickets(connection, batch.tickets, batch.now_s)
        for system_id in sorted(batch.systems):
            systems.refresh_state(connection, system_id)

    def _free(self, connection: Connection, batch: _Batch) -> None:
        """Give back what the resources that are gone had: capacity, quota, addresses, subnets."""
        machines = [r.id for r in batch.gone if r.kind is not ResourceKind.SEGMENT]
        if machines:
            release_quota(connection, claims.release(connection, *machines))
        for resource in batch.gone:
            if resource.kind is ResourceKind.INSTANCE:
                batch.wake.update(networks.rest(connection, resource.id, batch.now_s + self._quarantine_s))
            elif resource.kind is ResourceKind.SEGMENT:
                networks.release_segment(connection, resource.id)

    def _shrink(self, connection: Connection, batch: _Batch) -> None:
        """Give back what changed machines claim beyond their new shape, now that they were seen in it."""
        held = claims.of_resources(connection, [r.id for r in batch.changed])
        by_id = {r.id: r for r in batch.changed}
        for claim in held:
            machine = by_id[claim.resource_id]
            if claim.provider_id != machine.host_id or claim.resource_kind == MOVE:
                continue
            less = claim.amount - machine.instance.host_amounts().get(claim.dimension, 0)
            if less > 0:
                claims.shrink(connection, claim.resource_id, claim.provider_id, claim.dimension, less)
                if dimension := counted_as(claim.dimension):
                    quotas.release(connection, claim.project_id, {dimension: less})

    def _place_again(self, connection: Connection, batch: _Batch, outcome: Outcome, row: HeldRow) -> None:
        """Give a machine that was cleared from its host to another one, with its disks, or fail it."""
        resource = outcome.resource
        volumes = resources.lock_parts(connection, [d.volume_id for d in resource.instance.disks])
        if _are_held(volumes, batch.now_s) or any(v.observed is not Observed.ABSENT for v in volumes):
            self._clear_later(connection, batch, outcome, row, delay_s=1.0)
            return
        moved = None
        try:
            if self._swap is not None and resource.placements < self._placements_max:
                moved = self._swap(connection, resource, volumes)
        except AddressesTaken:
            self._clear_later(connection, batch, outcome, row, delay_s=0.0)
            return
        if moved is None:
            self._fail_cleared(connection, batch, outcome, row)
            return
        self._placed_again(connection, batch, resource, row, moved)

    def _pass_on(self, connection: Connection, batch: _Batch, outcome: Outcome, row: HeldRow) -> None:
        """Give a lost machine that a host does not take to another one; where there is none, the same is asked again later."""
        resource = outcome.resource
        volumes = resources.lock_parts(connection, [d.volume_id for d in resource.instance.disks])
        moved = None
        if self._swap is not None and resource.placements < self._placements_max and not _are_held(volumes, batch.now_s):
            # Where another controller was faster with an address, there is a next time.
            with suppress(AddressesTaken):
                moved = self._swap(connection, resource, volumes)
        if resource.ticket_id is not None:
            batch.stories.setdefault(resource.ticket_id, []).extend(story_of(outcome))
        if moved is not None:
            self._placed_again(connection, batch, resource, row, moved)
            return
        problem = cause_of(outcome, row)
        waiting = {
            **LET_GO,
            "step": "",
            "attempts": resource.attempts + 1,
            "problem": problem.to_json() if problem else None,
            "next_try_s": batch.now_s + PASSED_ON_REST_S,
            "phase": Phase.PENDING.value,
            "revision": row.revision,
        }
        self._write_one(connection, resource, waiting)

    def _placed_again(
        self, connection: Connection, batch: _Batch, resource: Resource, row: HeldRow, moved: Sequence[Resource]
    ) -> None:
        """Write down where a machine and its disks are to be, and tell it."""
        # What was lost stays lost until it is there again, however often it is placed.
        state = LOST if row.last_state == LOST else ALLOCATED
        for new in moved:
            revision = row.revision if new.id == resource.id else new.revision
            now_s, amounts = int(batch.now_s), metered_amounts(new)
            batch.journal.append(row_of(new, revision + 1, state, amounts, at_s=now_s, now_s=now_s, source="reconcile"))
            resources.move(connection, new, revision=revision + 1, now_s=batch.now_s)
        if resource.ticket_id is not None:
            batch.stories.setdefault(resource.ticket_id, []).append(
                (resource.name, "step.placed_again", {"name": resource.name, "placements": resource.placements + 1})
            )

    def _clear_later(self, connection: Connection, batch: _Batch, outcome: Outcome, row: HeldRow, *, delay_s: float) -> None:
        """Have a machine that was cleared wait to be placed again."""
        waiting = {**LET_GO, "step": "clear_parts", "next_try_s": batch.now_s + delay_s, "phase": Phase.PENDING.value}
        seen = observation_of(outcome, batch.now_s)
        changes = {**waiting, **seen, "seen_at_s": batch.seen_at_s, "revision": row.revision}
        self._write_one(connection, outcome.resource, changes)

    def _end_move(self, connection: Connection, batch: _Batch, outcome: Outcome, row: HeldRow, last: JournalRow | None) -> None:
        """Make the machine and its disks the new host's, or free the room held there."""
        resource, flow = outcome.resource, outcome.results[-1].flow
        seen = [s.state for result in outcome.results for s in result.seen]
        travel = Travel(
            machine=resource,
            revision=row.revision,
            state=last.state if last is not None else row.last_state,
            amounts=last.amounts if last is not None else row.last_amounts,
            last_at_s=last.occurred_at_s if last is not None else row.last_occurred_at_s,
            observed=seen[-1] if seen else resource.observed,
            agreed_at_s=row.agreed_at_s,
            problem=cause_of(outcome, row),
        )
        has_arrived = isinstance(flow, Done) and flow.ending is Ending.MOVED
        end = arrived if has_arrived else stayed
        ended = end(connection, travel, now_s=batch.now_s, rest_until_s=batch.now_s + self._quarantine_s)
        batch.journal += ended.journal
        batch.wake.update(ended.look)
        if resource.system_id is not None:
            batch.systems.add(resource.system_id)

    def _fail_cleared(self, connection: Connection, batch: _Batch, outcome: Outcome, row: HeldRow) -> None:
        resource = outcome.resource
        problem = cause_of(outcome, row) or Problem("step.no_other_host", {"name": resource.name})
        failed = {
            **LET_GO,
            "phase": Phase.FAILED.value,
            "problem": problem.to_json(),
            "next_try_s": None,
            "step": "",
            "observed": Observed.ABSENT.value,
            "revision": row.revision,
        }
        self._write_one(connection, resource, failed)
        batch.wake.update(d.volume_id for d in resource.instance.disks)
        self._ended(batch, resource, Fail(problem=problem))

    def _write_one(self, connection: Connection, resource: Resource, changes: dict[str, Any]) -> None:
        written = resources.write_held_many(connection, self._owner, [(resource.id, resource.fence)], changes)
        assert written == 1, "a locked hold was lost inside the transaction"

    def _tell(self, connection: Connection, batch: _Batch) -> None:
        for ticket_id, lines in sorted(batch.stories.items()):
            if ticket_id not in self._sizes:
                if len(self._sizes) > _SIZES_MAX:
                    self._sizes.clear()
                self._sizes[ticket_id] = resources.count_of_ticket(connection, ticket_id)
            many = self._sizes[ticket_id] > TELL_SINGLY_MAX
            tickets.add_events(connection, ticket_id, summed_up(lines) if many else lines, batch.now_s)


def _are_held(parts: Sequence[Resource], now_s: float) -> bool:
    return any(part.hold_until_s > now_s for part in parts)


def move_tickets(connection: Connection, ticket_ids: Iterable[TicketId], now_s: float) -> None:
    """Derive the states of tickets from their resources, and tell the end of those that ended."""
    for ticket in tickets.refresh_states(connection, ticket_ids, now_s):
        if ticket.state is TicketState.DONE:
            tickets.add_events(connection, ticket.id, [("", "step.ticket_done", {})], now_s)
        elif ticket.state is TicketState.FAILED:
            params = {"problem": ticket.problem.to_json()} if ticket.problem else {}
            tickets.add_events(connection, ticket.id, [("", "step.ticket_failed", params)], now_s)


def release_quota(connection: Connection, freed: Iterable[Claim]) -> None:
    """Give the quota of claims back, one write per project."""
    by_project: dict[ProjectId, list[Claim]] = {}
    for claim in freed:
        by_project.setdefault(claim.project_id, []).append(claim)
    for project_id, own in sorted(by_project.items()):
        quotas.release(connection, project_id, quota_amounts(own))


def save_findings(connection: Connection, found: Sequence[Finding], new_id: NewId, now_s: float) -> None:
    """Write findings; of those that are left as they are, the stories of their tickets are told once."""
    _tell_left(connection, [f for f in found if f.is_left], now_s)
    rows = [
        {
            "id": new_id("finding"),
            "kind": f.kind,
            "host_id": f.host_id,
            "resource_id": f.resource_id,
            "subject": f.subject,
            "detail": dict(f.detail),
            "state": f.state,
        }
        for f in found
    ]
    findings.save(connection, rows, now_s)


def _tell_left(connection: Connection, left: Sequence[Finding], now_s: float) -> None:
    known = findings.open_among(connection, [f.subject for f in left]) if left else frozenset()
    fresh = [f for f in left if f.subject not in known]
    rows = resources.by_ids(connection, [ResourceId(f.resource_id) for f in fresh if f.resource_id]) if fresh else {}
    for finding in fresh:
        row = rows.get(ResourceId(finding.resource_id or ""))
        if row is not None and row.ticket_id is not None:
            line = (row.name, f"drift.{finding.kind}", {"name": row.name})
            tickets.add_events(connection, row.ticket_id, [line], now_s)
