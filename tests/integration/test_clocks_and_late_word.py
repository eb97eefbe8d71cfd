"""Word that comes late, twice or out of order, a controller that was down, clocks that jump: through the stores, on both engines.

What has to hold: every second is in one interval, none is negative, a closed month stays as it is, and what it should have come
to is booked as corrections in a month that is not reviewed.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import delete, insert

from controller.metrics.money import Spend
from controller.reconcile.ledger import LedgerKeeper
from controller.workflows import budgets, ledger, periods
from controller.workflows import tickets as ticket_work
from controller.workflows.platform import Platform
from drivers.simulated.world import World, drop_world, image_is_trusted, install_world
from inventory.domain.errors import Conflict, NotFound
from inventory.domain.ids import ResourceId
from inventory.domain.journal import JournalRow
from inventory.domain.resource import Phase
from inventory.domain.scope import PLATFORM
from inventory.store import hosts as host_store
from inventory.store import journal, resources
from inventory.store import tables as t
from inventory.store.engine import Database
from metering import ledger_store, period_store
from metering.ledger import LedgerInterval
from metering.lines import Kind, Line
from tests.support.billing import GRACE_S, JULY_S, JUNE_S, MAY_S, Billing, billing, finance
from tests.support.journal import row
from tests.support.platform import furnish
from tests.support.reconciling import at_work
from tests.support.samples import Clock, release_text, ticket_text

DAY, HOUR = 86_400, 3600
Found = TypeVar("Found")
MACHINE = {"vcpu": 4}


@pytest.fixture
def city(database: Database, tmp_path: Path) -> Billing:
    found = billing(database, tmp_path)
    found.price()
    return found


def held(city: Billing, resource: str = "inst_a") -> list[tuple[int, int | None, int]]:
    """Return the intervals of a resource's vCPUs: from, until, amount."""
    with city.platform.db.read() as connection:
        found = ledger_store.page(connection, PLATFORM, limit=1000)
    return [(i.start_s, i.end_s, i.amount) for i in found if i.resource_id == resource and i.meter == "vcpu"]


def is_sound(found: list[tuple[int, int | None, int]]) -> bool:
    """Tell whether intervals are of positive length and follow each other without gap or overlap."""
    ends = [end if end is not None else 1 << 60 for _, end, _ in found]
    is_positive = all(start < end for (start, _, _), end in zip(found, ends, strict=True))
    return is_positive and all(end == start for end, (start, _, _) in zip(ends, found[1:], strict=False))


def lines(city: Billing, month: str) -> list[Line]:
    """Return the lines of machines; a commitment nobody uses has its own."""
    with city.platform.db.read() as connection:
        return [line for _, line in period_store.lines(connection, month) if line.resource_id.startswith("inst_")]


def deliver(city: Billing, rows: list[JournalRow]) -> None:
    """Have rows arrive at the journal, each in a transaction of its own, in the order given."""
    home = city.city.projects["P-portal"]
    for one in rows:
        own = replace(one, department_id=home.department_id, project_id=home.id)
        with city.platform.db.write() as connection:
            journal.append(connection, [own])
        ledger.catch_up(city.platform)


# -- late, twice, out of order -----------------------------------------------------------------------------------------


def test_rows_that_arrive_out_of_order_and_are_told_again_give_the_bill_of_those_in_order(city: Billing) -> None:
    life = [
        row(1, occurred_at_s=MAY_S + 100, amounts={"vcpu": 2}),
        row(2, occurred_at_s=MAY_S + 5 * DAY, amounts={"vcpu": 8}),
        row(3, occurred_at_s=MAY_S + 9 * DAY + 1, state="stopped", amounts={"vcpu": 8}),
        row(4, occurred_at_s=MAY_S + 20 * DAY, state="released", amounts={}),
    ]
    deliver(city, [life[3], life[1], life[0]])
    assert held(city) == [(MAY_S + 100, MAY_S + 5 * DAY, 2), (MAY_S + 5 * DAY, None, 8)], "up to the row that is missing"
    city.at(JUNE_S + GRACE_S)
    periods.begin_closing(city.platform, "2026-05", finance("wang"))
    city.at(city.clock.now_s + GRACE_S)
    with pytest.raises(Conflict, match=r"period\.rows_due"):
        periods.review(city.platform, "2026-05", finance("wang"))
    deliver(city, [life[2]])
    with city.platform.db.write() as connection:
        # Told once more: the ledger looks at rows it took long ago.
        connection.execute(delete(t.journal_due))
        connection.execute(insert(t.journal_due), [{"resource_id": "inst_a", "revision": n} for n in (1, 2, 3, 4)])
    ledger.catch_up(city.platform)
    wanted = [
        (MAY_S + 100, MAY_S + 5 * DAY, 2),
        (MAY_S + 5 * DAY, MAY_S + 9 * DAY + 1, 8),
        (MAY_S + 9 * DAY + 1, MAY_S + 20 * DAY, 8),
    ]
    assert held(city) == wanted
    periods.review(city.platform, "2026-05", finance("wang"))
    periods.close(city.platform, "2026-05", finance("li"))
    assert sorted(
        (x.start_s, x.end_s, x.amount) for x in lines(city, "2026-05") if x.kind == Kind.USAGE and x.meter == "vcpu"
    ) == [(start, end, amount) for start, end, amount in wanted]
    assert periods.verify(city.platform, "2026-05")["is_proven"]
    assert not ledger.compare(city.platform).differences


def test_word_two_months_late_is_corrected_once_with_the_month_it_is_about(city: Billing) -> None:
    city.tell("inst_a", MAY_S + DAY, MACHINE)
    city.at(JUNE_S + 60)
    city.closed("2026-05")
    city.at(JULY_S + 60)
    city.closed("2026-06")
    before = {month: lines(city, month) for month in ("2026-05", "2026-06")}
    # Only now comes the word that it was gone since the 20th of May.
    city.tell("inst_a", MAY_S + 20 * DAY, None)
    august_s = periods.window(city.platform, "2026-07")["end_s"]
    city.at(august_s + 60)
    city.closed("2026-07")
    assert {month: lines(city, month) for month in before} == before
    found = {(x.start_s, x.end_s): x for x in lines(city, "2026-07")}
    assert set(found) == {(MAY_S, JUNE_S), (JUNE_S, JULY_S)}, "the months it is about; July has no usage of it"
    assert {x.kind for x in found.values()} == {Kind.CORRECTION}
    billed = {x.start_s: x.micro_yuan for x in before["2026-06"]}
    assert found[JUNE_S, JULY_S].micro_yuan == -billed[JUNE_S], "of June nothing is left"
    assert -sum(x.micro_yuan for x in before["2026-05"]) < found[MAY_S, JUNE_S].micro_yuan < 0
    for month in ("2026-05", "2026-06", "2026-07"):
        assert periods.verify(city.platform, month)["is_proven"], month


# -- clocks ------------------------------------------------------------------------------------------------------------


def test_a_clock_set_back_by_seconds_leaves_no_negative_and_no_doubled_second(city: Billing) -> None:
    began_s = MAY_S + 10 * DAY
    for offset_s, vcpu in ((0, 2), (100, 4), (95, 8), (98, 2), (100, 6), (160, 1)):
        city.tell("inst_a", began_s + offset_s, {"vcpu": vcpu})
        city.at(began_s + offset_s)
    found = held(city)
    assert found == [(began_s, began_s + 100, 2), (began_s + 100, began_s + 160, 6), (began_s + 160, None, 1)]
    assert is_sound(found)
    city.tell("inst_a", began_s - 10 * DAY, None)
    city.at(JUNE_S + 60)
    assert held(city)[:2] == found[:2], "an end before the beginning ends nothing that was"
    assert is_sound(held(city))
    city.closed("2026-05")
    assert sum(x.end_s - x.start_s for x in lines(city, "2026-05") if x.meter == "vcpu") == 160
    assert periods.verify(city.platform, "2026-05")["is_proven"]
    assert not ledger.compare(city.platform).differences


def test_a_clock_that_is_an_hour_ahead_and_put_right_gives_each_second_once(city: Billing) -> None:
    began_s = MAY_S + 10 * DAY
    city.tell("inst_a", began_s, {"vcpu": 2})
    # The clock jumps an hour ahead: the resize of 12:01 is written down as of 13:01.
    city.tell("inst_a", began_s + 60 + HOUR, {"vcpu": 4})
    city.at(began_s + 60 + HOUR)
    # Put right: what happens from 12:02 to 13:01 counts from 13:01 on, the last of it.
    city.tell("inst_a", began_s + 120, {"vcpu": 8})
    city.tell("inst_a", began_s + 180, {"vcpu": 1})
    city.at(began_s + 180)
    city.tell("inst_a", began_s + 2 * HOUR, None)
    city.at(began_s + 2 * HOUR)
    assert held(city) == [(began_s, began_s + 60 + HOUR, 2), (began_s + 60 + HOUR, began_s + 2 * HOUR, 1)]
    city.at(JUNE_S + 60)
    city.closed("2026-05")
    assert sum(x.end_s - x.start_s for x in lines(city, "2026-05")) == 2 * HOUR
    assert periods.verify(city.platform, "2026-05")["is_proven"]


def test_a_clock_set_back_into_a_closed_month_makes_corrections_and_changes_nothing_closed(city: Billing) -> None:
    city.tell("inst_a", MAY_S + 11 * DAY, MACHINE)
    city.at(JUNE_S + 60)
    city.closed("2026-05")
    before, seal = lines(city, "2026-05"), periods.show(city.platform, "2026-05")["seal"]
    now_s = city.clock.now_s
    # Ten days back: into May. A machine that is made now was made then, as far as anyone can tell.
    city.clock.now_s = JUNE_S - 5 * DAY
    city.tell("inst_b", JUNE_S - 5 * DAY, {"vcpu": 1})
    city.at(city.clock.now_s)
    city.at(now_s + 60)
    city.tell("inst_b", int(now_s) + 60, None)
    city.at(JULY_S + 60)
    city.closed("2026-06")
    assert (lines(city, "2026-05"), periods.show(city.platform, "2026-05")["seal"]) == (before, seal)
    [correction] = [x for x in lines(city, "2026-06") if x.kind == Kind.CORRECTION]
    assert (correction.resource_id, correction.start_s, correction.end_s) == ("inst_b", MAY_S, JUNE_S)
    assert correction.micro_yuan > 0
    for month in ("2026-05", "2026-06"):
        assert periods.verify(city.platform, month)["is_proven"], month


def test_a_clock_set_back_closes_nothing_early_and_shows_nothing_negative(city: Billing) -> None:
    document = 'apiVersion: allotment/v1\nkind: Budgets\nbudgets:\n  - {project: P-portal, year: 2026, amount: "1000"}\n'
    city.tell("inst_a", MAY_S + DAY, MACHINE)
    city.at(JUNE_S + 60)
    budgets.import_(city.platform, document.encode(), finance("wang"))
    periods.begin_closing(city.platform, "2026-05", finance("wang"))
    city.at(JUNE_S - DAY)
    with pytest.raises(Conflict, match=r"period\.in_grace"):
        periods.review(city.platform, "2026-05", finance("wang"))
    with pytest.raises(Conflict, match=r"period\.state_forbids"):
        periods.begin_closing(city.platform, "2026-05", finance("wang"))
    city.clock.now_s = MAY_S - 40 * DAY
    budgets.accrue(city.platform)
    [budget] = budgets.show(city.platform, PLATFORM)
    assert budget["spent_micro_yuan"] == 0
    with pytest.raises(NotFound, match=r"statement\.not_found"):
        periods.statement(city.platform, "2026-05", city.city.departments["civil-it"].id)
    city.at(JUNE_S + 120)
    budgets.accrue(city.platform)
    [budget] = budgets.show(city.platform, PLATFORM)
    assert budget["spent_micro_yuan"] > 0


def test_after_a_clock_that_was_ahead_the_figures_of_spend_do_not_wait_for_it(city: Billing) -> None:
    spend, now_s = Spend(city.platform), MAY_S + 10 * DAY
    dated = [_dated(spend, at_s) for at_s in (now_s + DAY, now_s, now_s + 299, now_s + 300)]
    assert dated == [now_s + DAY, now_s, now_s, now_s + 300]


def _dated(spend: Spend, now_s: int) -> int:
    """Return when the spend that is shown was rated."""
    text = "".join(spend.families(now_s))
    return int(float(text.split("\nallot_spend_timestamp_seconds ")[1].split("\n")[0]))


def test_after_a_clock_that_was_ahead_the_keeper_of_the_ledger_does_not_wait_for_it(city: Billing) -> None:
    keeper = LedgerKeeper(platform=city.platform, interval_s=5, compare_interval_s=DAY)
    city.tell("inst_a", MAY_S + DAY, MACHINE)
    now_s = city.clock.now_s
    keeper.tick()
    city.clock.now_s = now_s + 400 * DAY
    keeper.tick()
    assert keeper._reconciled_at_s == keeper._accrued_at_s == now_s + 400 * DAY
    city.clock.now_s = now_s + 10
    keeper.tick()
    assert keeper._reconciled_at_s == keeper._accrued_at_s == keeper.counters.compared_at_s == now_s + 10
    city.clock.now_s = now_s + 15
    keeper.tick()
    assert keeper._reconciled_at_s == now_s + 10, "not due yet"


# -- a controller that was down ----------------------------------------------------------------------------------------


def test_what_happens_while_the_controller_is_down_for_six_hours_is_metered_to_the_second(
    database: Database, tmp_path: Path
) -> None:
    furnished = furnish(database, tmp_path, host_count=1)
    platform, clock = furnished.platform, furnished.clock
    with a_world(clock) as world:
        with at_work(platform):
            ticket_work.submit(platform, ticket_text("portal"), furnished.caller(), confirm="portal")
            begun = awaited(clock, lambda: _running(platform))
        clock.now_s = stopped_s = int(clock.now_s) + 2 * HOUR
        world.drift_stop(furnished.hosts[0].name, begun.resource_id, "shutdown")
        clock.now_s = back_s = stopped_s + 6 * HOUR
        with at_work(platform):
            awaited(clock, lambda: _states(platform, begun.resource_id)[-2:] == ["stopped", "running"])
    ledger.catch_up(platform)
    with platform.db.read() as connection:
        found = ledger_store.page(connection, PLATFORM, limit=1000)
        told = journal.of_resource(connection, begun.resource_id)
    cpu = [i for i in found if i.resource_id == begun.resource_id and i.meter == "vcpu" and i.state != "allocated"]
    again_s = told[-1].occurred_at_s
    assert _facts(cpu) == [
        ("running", begun.occurred_at_s, stopped_s), ("stopped", stopped_s, again_s), ("running", again_s, None),
    ]  # fmt: skip
    assert begun.occurred_at_s < stopped_s < back_s <= again_s
    stopped = next(r for r in told if r.state == "stopped")
    # When it was, that the back end itself said so, and when it was written down.
    assert (stopped.occurred_at_s, stopped.source) == (stopped_s, "driver")
    assert stopped.recorded_at_s >= back_s
    assert not ledger.compare(platform).differences


def test_what_no_back_end_can_date_is_written_down_with_how_uncertain_it_is(database: Database, tmp_path: Path) -> None:
    furnished = furnish(database, tmp_path, host_count=1)
    platform, clock = furnished.platform, furnished.clock
    with a_world(clock) as world:
        with at_work(platform):
            ticket_work.submit(platform, ticket_text("portal"), furnished.caller(), confirm="portal")
            begun = awaited(clock, lambda: _running(platform))
            awaited(clock, lambda: _rested(platform), tick_s=1.0)
        world.lose_since(furnished.hosts[0].name)
        clock.now_s = stopped_s = int(clock.now_s) + 2 * HOUR
        world.drift_stop(furnished.hosts[0].name, begun.resource_id, "shutdown")
        clock.now_s = back_s = stopped_s + 6 * HOUR
        with at_work(platform):
            awaited(clock, lambda: _states(platform, begun.resource_id)[-2:] == ["stopped", "running"])
            awaited(clock, lambda: _rested(platform), tick_s=1.0)
            ticket_work.submit(platform, release_text("portal"), furnished.caller(), confirm="portal")
            awaited(clock, lambda: _states(platform, begun.resource_id)[-1] == "released")
    ledger.catch_up(platform)
    with platform.db.read() as connection:
        found = ledger_store.page(connection, PLATFORM, limit=1000)
        told = {r.revision: r for r in journal.of_resource(connection, begun.resource_id)}
    stopped = next(r for r in told.values() if r.state == "stopped")
    assert (stopped.source, begun.uncertain_s) == ("reconcile", 0)
    assert begun.occurred_at_s <= stopped.occurred_at_s - stopped.uncertain_s < stopped_s < back_s <= stopped.occurred_at_s
    # What the platform itself does is uncertain by the time since its last look, however long the machine ran.
    assert all(r.uncertain_s < HOUR for r in told.values() if r.revision > stopped.revision)
    own = [i for i in found if i.resource_id == begun.resource_id]
    assert [i.start_uncertain_s for i in own] == [told[i.opened_by].uncertain_s for i in own]
    assert [i.end_uncertain_s for i in own] == [told[i.closed_by or 0].uncertain_s for i in own]
    assert not ledger.compare(platform).differences


@contextmanager
def a_world(clock: Clock) -> Iterator[World]:
    """Have the world that the hosts of a furnished platform are in."""
    try:
        yield install_world(World("test", clock=clock, verify_image=image_is_trusted))
    finally:
        drop_world("test")


def awaited(clock: Clock, look: Callable[[], Found | None], timeout_s: float = 120.0, tick_s: float = 0.02) -> Found:
    """Let the clock run until something is there."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        found = look()
        if found:
            return found
        time.sleep(0.02)
        clock.now_s += tick_s
    raise AssertionError("it did not come")


def _running(platform: Platform) -> JournalRow | None:
    with platform.db.read() as connection:
        rows = journal.until(connection, PLATFORM, 1 << 40)
    return next((r for r in rows if r.resource_kind == "instance" and r.state == "running"), None)


def _rested(platform: Platform) -> bool:
    """Tell whether nothing is left to be done, and every host was looked at since."""
    with platform.db.read() as connection:
        rows = [r for host in host_store.hosts(connection) for r in resources.of_host(connection, host.id)]
        looked_s = min(host.observed_at_s or 0 for host in host_store.hosts(connection))
    return all(r.phase is Phase.SETTLED and r.observed_at_s < looked_s for r in rows)


def _states(platform: Platform, resource_id: ResourceId) -> list[str]:
    with platform.db.read() as connection:
        return [r.state for r in journal.of_resource(connection, resource_id)]


def _facts(found: list[LedgerInterval]) -> list[tuple[str, int, int | None]]:
    return [(i.state, i.start_s, i.end_s) for i in found]
