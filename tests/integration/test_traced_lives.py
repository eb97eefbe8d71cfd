"""A machine that was moved, made larger, lost and released, on a living platform: every second of it is traced and proven."""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from controller.identity.caller import Role
from controller.moves import store as move_store
from controller.moves.model import PlanState
from controller.reconcile.settings import ReconcileSettings
from controller.scheduling.moves.plan import PlanKind
from controller.tickets.model import TicketState
from controller.workflows import corrections, ledger, periods, price_books
from controller.workflows.engine import StepSettings
from controller.workflows.moves import plans
from controller.workflows.moves.bounds import MoveBounds
from controller.workflows.moves.plans import PlanRequest
from controller.workflows.platform import Platform
from inventory.domain.ids import ResourceId
from inventory.domain.journal import JournalRow
from inventory.domain.scope import PLATFORM
from inventory.store import directory, journal
from inventory.store.engine import Database
from metering import period_store
from metering.lines import Kind, Line
from tests.support.billing import GRACE_S, JULY_S, finance
from tests.support.metrics import PRICE_BOOK
from tests.support.reconciling import Running, running_controller
from tests.support.samples import Clock, change_text, release_text, ticket_text

QUICK = ReconcileSettings(
    moves_s=0.0, idle_s=0.02, progress_s=0.0, observe_s=0.3, steps=StepSettings(backoff_first_s=0.1, backoff_most_s=0.3)
)
LARGER = change_text("portal", "{name: web, size: small}")
AUGUST_S = JULY_S + 31 * 86_400


def pause(running: Running) -> None:
    """Let more than a second pass, so that each stretch of the life has a length."""
    begun_s = running.platform.clock()
    assert running.wait_for(lambda: running.platform.clock() > begun_s + 1.2)


def done(running: Running, text: bytes) -> None:
    ticket = running.submit(text)
    assert running.wait_for(lambda: running.ticket_state(ticket) is TicketState.DONE)
    pause(running)


def host_of(running: Running) -> str:
    [machine] = running.rows(kind="instance")
    return next(h.name for h in running.furnished.hosts if h.id == machine["host_id"])


def move(running: Running) -> None:
    operator = running.furnished.caller(Role.OPERATOR)
    with running.platform.db.read() as connection:
        pools = {p.id for p in directory.pools(connection)}
    request = PlanRequest(kind=PlanKind.DRAIN, host=host_of(running), migrating=pools)
    plan, _ = plans.compute(running.platform, request, operator, is_dry_run=False)
    plans.run(running.platform, plan.id, operator)
    running.reconciler.wake()

    def is_over() -> bool:
        with running.platform.db.read() as connection:
            return move_store.get(connection, plan.id).state is PlanState.DONE

    assert running.wait_for(is_over)
    pause(running)


def lose(running: Running) -> None:
    [machine] = running.rows(kind="instance")
    running.world.drift_vanish(host_of(running), ResourceId(machine["id"]), with_root_disk=True)
    assert running.wait_for(lambda: running.rows(kind="instance")[0]["phase"] == "failed")
    pause(running)


@pytest.fixture
def lived(database: Database, tmp_path: Path) -> tuple[Platform, ResourceId]:
    """A machine made, moved, made larger, lost and released on the first of June; the platform a month later."""
    with running_controller(database, tmp_path, settings=QUICK) as running:
        running.platform = running.reconciler.platform = replace(running.platform, moves=MoveBounds(cool_down_s=0.0, dwell_s=0.0))
        id_ = str(price_books.submit(running.platform, PRICE_BOOK.encode(), finance("wang"))["id"])
        for who in ("li", "zhao"):
            price_books.decide(running.platform, id_, finance(who), "approved", "checked")
        done(running, ticket_text("portal"))
        [machine] = running.rows(kind="instance")
        move(running)
        done(running, LARGER)
        lose(running)
        done(running, release_text("portal"))
    return replace(running.platform, clock=Clock(JULY_S + 60)), ResourceId(machine["id"])


def close(platform: Platform, month: str, at_s: float) -> Platform:
    platform = replace(platform, clock=Clock(at_s))
    ledger.catch_up(platform)
    periods.begin_closing(platform, month, finance("wang"))
    platform = replace(platform, clock=Clock(at_s + GRACE_S))
    periods.review(platform, month, finance("wang"))
    periods.close(platform, month, finance("li"))
    return platform


def lines_of(platform: Platform, month: str, resource: ResourceId) -> dict[str, Line]:
    with platform.db.read() as connection:
        found = {id_.hex(): line for id_, line in period_store.lines(connection, month)}
    return {id_: line for id_, line in found.items() if line.resource_id == resource}


def history(platform: Platform, resource: ResourceId) -> list[JournalRow]:
    with platform.db.read() as connection:
        return journal.of_resource(connection, resource)


def assert_traced(platform: Platform, machine: ResourceId) -> None:
    """Every second of the life leads to the rows it began and ended with."""
    rows = history(platform, machine)
    cpu = {id_: line for id_, line in lines_of(platform, "2026-06", machine).items() if line.meter == "vcpu"}
    traced = sorted((corrections.trace(platform, id_, PLATFORM) for id_ in cpu), key=lambda found: found["opened_by"]["revision"])
    # Of every second since it ran first there is a line, and between two lines there is the row that parts them.
    assert traced[0]["line"]["start_s"] == next(row.occurred_at_s for row in rows if row.state == "running")
    assert traced[-1]["line"]["end_s"] == rows[-1].occurred_at_s
    for before, after in pairwise(traced):
        # More than one row may stand in a second: stopped and started again by a change.
        assert before["line"]["end_s"] == after["line"]["start_s"] == after["opened_by"]["occurred_at_s"]
        assert before["closed_by"]["occurred_at_s"] == after["opened_by"]["occurred_at_s"]
        assert before["closed_by"]["revision"] <= after["opened_by"]["revision"]
    by_revision = {row.revision: row for row in rows}
    for found in traced:
        row = by_revision[found["opened_by"]["revision"]]
        assert found["opened_by"]["amounts"] == dict(row.amounts)
        assert (found["line"]["amount"], found["line"]["state"]) == (row.amounts["vcpu"], row.state)
        assert len(set(found["price"]["approved_by"])) == 2
    charged = [found for found in traced if found["line"]["state"] == "running"]
    hosts = [found["opened_by"]["host"] for found in charged]
    assert len(set(hosts)) == 2, "where it was before the move and after it"
    assert {found["line"]["amount"] for found in charged} == {1, 2}, "as small as it was made, and as large as it became"
    lost = [found for found in traced if found["line"]["state"] == "lost"]
    assert lost
    assert {Decimal(found["line"]["yuan"]) for found in lost} == {0}, "what the platform lost costs nothing"
    assert all(Decimal(found["line"]["yuan"]) > 0 for found in charged)


def assert_corrected(platform: Platform, machine: ResourceId) -> None:
    """Late word of the life is corrected in the next month, traced, and both months are proven."""
    rows = history(platform, machine)
    # It comes out that it was held for an hour more.
    late = replace(
        rows[-1], revision=rows[-1].revision + 1, state="running", amounts={"vcpu": 2},
        occurred_at_s=rows[-1].occurred_at_s, recorded_at_s=JULY_S + 4 * 86_400, host_id=rows[0].host_id,
    )  # fmt: skip
    ended = replace(late, revision=late.revision + 1, state="released", amounts={}, occurred_at_s=late.occurred_at_s + 3600)
    with platform.db.write() as connection:
        journal.append(connection, [late, ended])
    before = periods.verify(platform, "2026-06")
    platform = close(platform, "2026-07", AUGUST_S + 60)
    [(id_, line)] = lines_of(platform, "2026-07", machine).items()
    assert line.kind == Kind.CORRECTION
    found = corrections.trace(platform, id_, PLATFORM)
    assert {row["revision"] for row in found["late_words"]} == {late.revision, ended.revision}
    assert found["prices"]
    assert line.micro_yuan == 2 * 76_400, "two vCPUs for an hour"
    after = [periods.verify(platform, month) for month in ("2026-06", "2026-07")]
    assert [proof["is_proven"] for proof in after] == [True, True]
    assert after[0] == before, "the closed month is what it was"


def test_a_machine_moved_made_larger_lost_and_corrected_is_traced_and_its_months_are_proven(
    lived: tuple[Platform, ResourceId],
) -> None:
    platform, machine = lived
    platform = close(platform, "2026-06", JULY_S + 60)
    assert_traced(platform, machine)
    proof = periods.verify(platform, "2026-06")
    assert (proof["is_proven"], proof["faults"]) == (True, ())
    assert_corrected(platform, machine)
