"""Budgets on both engines: set, obliged by tickets, accrued from the ledger, told of, asked about, refused."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from controller.identity import audit
from controller.identity.caller import Role
from controller.reconcile.ledger import LedgerKeeper
from controller.tickets.model import TicketState
from controller.workflows import budgets, tickets
from controller.workflows.picture import Picture
from controller.workflows.placing import PlacingCounters
from controller.workflows.turns import Turns
from inventory.domain.errors import Invalid, QuotaExceeded
from inventory.domain.scope import PLATFORM, of_departments
from inventory.store.engine import Database
from metering.rating import Month
from quotas import budget_store
from tests.support.billing import BOOK, JUNE_S, MAY_S, Billing, billing, finance
from tests.support.database import open_for_test
from tests.support.platform import Furnished, furnish
from tests.support.race import race
from tests.support.samples import release_text, ticket_text


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Furnished:
    """A furnished platform."""
    return furnish(database, tmp_path)


def set_budget(here: Furnished, amount: str, rest: str = "", *, year: int = 2026) -> None:
    document = (
        f'apiVersion: allotment/v1\nkind: Budgets\nbudgets:\n  - {{project: P-portal, year: {year}, amount: "{amount}"{rest}}}\n'
    )
    budgets.import_(here.platform, document.encode(), here.caller(Role.FINANCE, name="wang"))


def standing(here: Furnished | Billing, year: int = 2026) -> tuple[int, int]:
    [found] = budgets.show(here.platform, PLATFORM, year)
    return found["spent_micro_yuan"], found["obligated_micro_yuan"]


def test_a_plan_shows_what_a_ticket_obliges_and_its_acceptance_writes_just_that(here: Furnished) -> None:
    set_budget(here, "1000000")
    caller = here.caller()
    [line] = tickets.plan(here.platform, ticket_text("mail"), caller).to_json()["budget"]
    assert line["year"] == 2026
    assert not line["is_over"]
    assert not line["needs_approval"]
    tickets.submit(here.platform, ticket_text("mail"), caller)
    spent, obligated = standing(here)
    assert (spent, f"{obligated // 10**6}.{obligated % 10**6:06d}") == (0, line["after_yuan"])
    assert obligated > 0
    tickets.submit(here.platform, ticket_text("web", count=2), caller)
    assert standing(here) == (0, 3 * obligated)
    tickets.submit(here.platform, release_text("web"), caller, confirm="web")
    assert standing(here) == (0, obligated)


def test_a_ticket_over_the_budget_is_refused_with_every_figure_and_kept(here: Furnished) -> None:
    set_budget(here, "0.50", ", block-over: 100")
    plan = tickets.plan(here.platform, ticket_text("mail"), here.caller())
    assert not plan.is_possible
    with pytest.raises(QuotaExceeded) as refused:
        tickets.submit(here.platform, ticket_text("mail"), here.caller())
    assert refused.value.code == "budget.exceeded"
    assert refused.value.params["project"] == "P-portal"
    assert refused.value.params["limit_yuan"] == "0.500000"
    assert refused.value.details["ticket_id"]
    assert standing(here) == (0, 0)


def test_a_ticket_near_the_budget_waits_for_a_second_person_and_obliges_when_agreed_to(here: Furnished) -> None:
    set_budget(here, "1", ", approval-over: 80")
    waiting = tickets.submit(here.platform, ticket_text("mail"), here.caller())
    assert waiting.state is TicketState.AWAITING_APPROVAL
    assert standing(here) == (0, 0)
    tickets.approve(here.platform, waiting.id, here.caller(Role.OPERATOR, name="李四"), "")
    assert standing(here)[1] > 1_000_000
    with here.platform.db.read() as connection:
        [event] = audit.page(connection, PLATFORM, limit=5, action="budget.set")
    assert event["detail"]["budgets"] == [[here.city.projects["P-portal"].id, 2026, "1.000000"]]


def test_a_lease_beyond_the_year_obliges_both_years(here: Furnished) -> None:
    set_budget(here, "1000")
    set_budget(here, "1000", year=2027)
    tickets.submit(here.platform, ticket_text("mail"), here.caller())
    assert standing(here, 2026)[1] > standing(here, 2027)[1] > 0


def test_setting_a_budget_anew_keeps_what_is_obligated_and_a_wrong_document_changes_nothing(here: Furnished) -> None:
    tickets.submit(here.platform, ticket_text("mail"), here.caller())
    set_budget(here, "1000")
    before = standing(here)
    assert before[1] > 0, "what was held before there was a budget counts"
    with pytest.raises(Invalid):
        set_budget(here, "abc")
    set_budget(here, "5")
    assert standing(here) == before
    [found] = budgets.show(here.platform, PLATFORM)
    assert found["limit_micro_yuan"] == 5_000_000
    assert budgets.show(here.platform, of_departments()) == []


def test_budgets_wait_while_there_is_no_price_and_stay_as_they_are(here: Furnished) -> None:
    set_budget(here, "1000")
    tickets.submit(here.platform, ticket_text("mail"), here.caller())
    before = standing(here)
    with here.platform.db.write() as connection:
        connection.execute(text("DELETE FROM prices"))
    assert budgets.accrue(here.platform) == 0
    assert standing(here) == before


@pytest.fixture
def city(database: Database, tmp_path: Path) -> Billing:
    """A priced city on the tenth of May with one machine since the first."""
    found = billing(database, tmp_path)
    found.price(BOOK)
    found.tell("inst_a", MAY_S, {"vcpu": 10})
    return found


def budget_of(city: Billing, amount: str) -> None:
    document = f'apiVersion: allotment/v1\nkind: Budgets\nbudgets: [{{project: P-portal, year: 2026, amount: "{amount}"}}]\n'
    budgets.import_(city.platform, document.encode(), finance("wang"))


def of_hours(hours: int) -> int:
    """What ten vCPUs of the portal's department cost: rounded half up, in micro-yuan."""
    return (2 * hours * 10 * 76_400 * 8_763 + 10_000) // 20_000


def keeper(city: Billing) -> LedgerKeeper:
    return LedgerKeeper(platform=city.platform, interval_s=5, compare_interval_s=86_400)


def test_what_was_spent_follows_the_ledger_within_one_look_and_thresholds_are_told_of_once(city: Billing) -> None:
    budget_of(city, "300")
    looks = keeper(city)
    looks.tick()
    assert standing(city)[0] == of_hours(240)
    city.tell("inst_b", int(city.clock.now_s) - 3600, {"vcpu": 10})
    looks.tick()
    assert standing(city)[0] == of_hours(240) + of_hours(1)
    looks.tick()
    found = budgets.notices(city.platform, PLATFORM, limit=10, after="")
    assert [n["kind"] for n in found] == ["50"]
    city.clock.now_s = float(MAY_S + 20 * 86_400)
    looks.tick()
    looks.tick()
    assert standing(city)[0] == of_hours(480) + of_hours(241)
    found = budgets.notices(city.platform, PLATFORM, limit=10, after="")
    assert sorted(n["kind"] for n in found) == ["100", "50", "80", "forecast"]
    assert budgets.notices(city.platform, of_departments(), limit=10, after="") == []


def test_a_year_adds_up_over_closed_and_open_months(city: Billing) -> None:
    budget_of(city, "100000")
    city.at(JUNE_S + 86_400)
    city.closed("2026-05")
    city.clock.now_s = float(JUNE_S + 5 * 86_400)
    budgets.accrue(city.platform)
    assert standing(city)[0] == of_hours(24 * 36)


@pytest.fixture
def contested(postgres_url: str, tmp_path: Path) -> Iterator[Furnished]:
    """A platform on PostgreSQL with room for everybody."""
    with open_for_test(postgres_url, pool_size=16) as database:
        yield furnish(database, tmp_path, host_count=3, cpu_count=512, segment_prefix=24)


@pytest.mark.postgres
def test_of_24_tickets_for_the_last_yuan_exactly_those_that_fit_are_accepted(contested: Furnished) -> None:
    set_budget(contested, "1000000")
    [line] = tickets.plan(contested.platform, ticket_text("probe"), contested.caller()).budget
    each = line.growth_micro_yuan
    # Time costs: a ticket a few seconds later obliges to no more than this one.
    set_budget(contested, f"{(5 * each + each // 2) // 10**6}.{(5 * each + each // 2) % 10**6:06d}", ", block-over: 100")
    platforms = [replace(contested.platform, turns=Turns(), picture=Picture(), placing=PlacingCounters()) for _ in range(4)]

    codes: set[str] = set()

    def attempt(_: int, number: int) -> bool:
        try:
            tickets.submit(platforms[number % 4], ticket_text(f"s{number}"), contested.caller())
        except QuotaExceeded as refused:
            codes.add(refused.code)
            return False
        return True

    result = race(attempt, contenders=24, rounds=1, between=lambda _: None, threads=8)
    assert (result.wins, codes) == ((5,), {"budget.exceeded"})
    with contested.platform.db.read() as connection:
        [budget] = budget_store.of_projects(connection)
    assert budget.obligated_micro_yuan == 5 * each


@pytest.mark.parametrize(
    ("first_month", "inside", "outside"), [(4, "2027-03", "2027-04"), (10, "2027-09", "2027-10"), (1, "2026-12", "2027-01")]
)
def test_a_fiscal_year_ends_with_the_last_second_of_its_last_month(
    database: Database, tmp_path: Path, first_month: int, inside: str, outside: str
) -> None:
    here = furnish(database, tmp_path)
    here = replace(here, platform=replace(here.platform, fiscal_year_start_month=first_month))
    set_budget(here, "1000")
    with database.read() as connection:
        [budget] = budget_store.of_projects(connection)
    zone = here.platform.zone
    assert (budget.start_s, budget.end_s) == (Month(2026, first_month).window(zone)[0], Month.of(inside).window(zone)[1])
    assert budget.end_s == Month.of(outside).window(zone)[0]
    assert budget.year == 2026


def test_what_was_spent_before_the_fiscal_year_began_is_no_part_of_it(city: Billing) -> None:
    """Usage goes on from May through June: a year that begins in June has June only, one that begins in January both."""
    platform = city.platform
    budget_of(city, "1000")
    city.clock.now_s = float(JUNE_S + 10 * 86_400)
    keeper(city).tick()
    whole, _ = standing(city)
    late = replace(platform, fiscal_year_start_month=6)
    text_ = "apiVersion: allotment/v1\nkind: Budgets\nbudgets: [{project: P-portal, year: 2026, amount: '1000'}]\n"
    budgets.import_(late, text_.encode(), finance("chen"))
    part, _ = standing(city)
    with platform.db.read() as connection:
        [budget] = budget_store.of_projects(connection)
    assert budget.start_s == JUNE_S
    assert (part, whole) == (of_hours(240), of_hours(24 * 41))
