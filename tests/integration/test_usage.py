"""metering.usage over the journal in the database: seconds, names, scope and price. On both engines."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from inventory.domain.catalogue import Price
from inventory.domain.errors import Conflict, Invalid
from inventory.domain.journal import JournalRow
from inventory.domain.scope import PLATFORM, Scope, of_departments
from inventory.store import journal
from inventory.store.engine import Database
from metering import store
from metering.rating import yuan
from metering.usage import UsageReport, usage
from tests.support.directory import City, build_city
from tests.support.journal import row

HOUR = 3600
MACHINE = {"vcpu": 2, "memory_mib": 2048, "disk_gib:standard": 20, "address": 1}
Event = tuple[str, int, Mapping[str, int]]
PRICES = {"vcpu": 76_400, "memory_mib": 38_900, "disk_gib:standard": 700, "address": 3_000}


@pytest.fixture
def city(database: Database) -> City:
    with database.write() as connection:
        for meter, micro in PRICES.items():
            store.save_price(connection, Price(meter=meter, micro_yuan_per_unit_hour=micro, valid_from_s=0))
        return build_city(connection)


def tell(
    database: Database, city: City, project: str, *events: tuple[str, int, Mapping[str, int]], resource: str = "inst_a"
) -> None:
    home = city.projects[project]
    rows: list[JournalRow] = [
        row(
            n, resource=resource, state=state, occurred_at_s=at_s, amounts=amounts,
            department=home.department_id, project=home.id, system="sys_gone",
        )
        for n, (state, at_s, amounts) in enumerate(events, start=1)
    ]  # fmt: skip
    with database.write() as connection:
        journal.append(connection, rows)


def ask(database: Database, start_s: int, end_s: int, *, now_s: float = 10**9, scope: Scope = PLATFORM) -> UsageReport:
    with database.read() as connection:
        return usage(connection, scope, start_s, end_s, now_s)


LIFE: tuple[Event, ...] = (
    ("allocated", HOUR - 30, MACHINE),
    ("running", HOUR, MACHINE),
    ("stopped", 2 * HOUR, MACHINE),
    ("released", 3 * HOUR + 1, {}),
)


def test_a_machines_life_is_reported_to_the_second_with_its_price(database: Database, city: City) -> None:
    tell(database, city, "P-portal", *LIFE)
    report = ask(database, 0, 10 * HOUR)
    by_meter = {line.meter: line for line in report.lines}
    assert list(by_meter) == sorted(MACHINE)
    cpu = by_meter["vcpu"]
    assert (cpu.department, cpu.project, cpu.system, cpu.resource, cpu.unit) == (
        "civil-it",
        "P-portal",
        "sys_gone",
        "web-a",
        "vCPU",
    )
    assert cpu.seconds == 2 * HOUR + 31
    assert cpu.state_seconds == {"allocated": 30, "running": HOUR, "stopped": HOUR + 1}
    assert cpu.charged_seconds == 2 * HOUR + 1
    assert cpu.unit_seconds == 2 * (2 * HOUR + 31)
    # Running one hour, then stopped for one hour and a second; each interval is rounded for itself.
    assert cpu.micro_yuan == 2 * 76_400 + 152_842
    assert by_meter["memory_mib"].micro_yuan == 2 * 38_900 + 77_822
    assert {line.charged_seconds for line in by_meter.values()} == {2 * HOUR + 1}, "building is charged for nothing"


def test_money_is_sent_as_decimal_strings_that_add_up(database: Database, city: City) -> None:
    tell(database, city, "P-portal", *LIFE)
    report = ask(database, 0, 10 * HOUR)
    sent = report.to_json()
    assert sent["price_yuan"] == yuan(sum(line.micro_yuan for line in report.lines))
    assert sent["lines"][-1]["price_yuan"] == "0.305642"
    assert {t["meter"]: t["price_yuan"] for t in sent["totals"]}["vcpu"] == "0.305642"


def test_what_still_runs_is_counted_up_to_now(database: Database, city: City) -> None:
    tell(database, city, "P-portal", ("running", 1000, {"vcpu": 1}))
    report = ask(database, 0, 10 * HOUR, now_s=1005.9)
    assert [line.seconds for line in report.lines] == [5]
    assert report.end_s == 1005


def test_a_window_that_has_not_begun_is_empty(database: Database, city: City) -> None:
    tell(database, city, "P-portal", ("running", 1000, {"vcpu": 1}))
    assert ask(database, 5000, 6000, now_s=2000).lines == ()


def test_an_empty_window_is_refused(database: Database, city: City) -> None:
    with pytest.raises(Invalid, match=r"usage\.window_empty"):
        ask(database, 100, 100)


def test_a_scope_sees_its_own_departments_only(database: Database, city: City) -> None:
    tell(database, city, "P-portal", ("running", 0, {"vcpu": 1}), resource="inst_a")
    tell(database, city, "P-gauges", ("running", 0, {"vcpu": 1}), resource="inst_b")
    own = of_departments(city.departments["civil-it"].id)
    assert [line.project for line in ask(database, 0, 100, scope=own).lines] == ["P-portal"]
    assert len(ask(database, 0, 100).lines) == 2


def test_a_resource_that_changed_department_is_split_at_the_second(database: Database, city: City) -> None:
    before, after = city.projects["P-portal"], city.projects["P-gauges"]
    first = row(1, occurred_at_s=0, department=before.department_id, project=before.id)
    second = replace(first, revision=2, occurred_at_s=60, department_id=after.department_id, project_id=after.id)
    with database.write() as connection:
        journal.append(connection, [first, second])
    for project, seconds in ((before, 60), (after, 40)):
        [line] = ask(database, 0, 100, scope=of_departments(project.department_id)).lines
        assert (line.project, line.seconds) == (project.code, seconds)


def test_two_windows_add_up_to_the_whole(database: Database, city: City) -> None:
    tell(database, city, "P-portal", *LIFE)
    with database.write() as connection:
        store.save_price(connection, Price(meter="vcpu", micro_yuan_per_unit_hour=99_999, valid_from_s=5000))
    whole = ask(database, 0, 10 * HOUR)
    for cut in (HOUR - 1, HOUR + 1, 4999, 5001, 3 * HOUR):
        parts = [ask(database, 0, cut), ask(database, cut, 10 * HOUR)]
        assert sum(p.micro_yuan for p in parts) == whole.micro_yuan


def test_usage_without_a_price_is_an_error_and_not_free(database: Database, city: City) -> None:
    tell(database, city, "P-portal", ("running", 0, {"accelerator:gpu": 1}))
    with pytest.raises(Conflict, match=r"usage\.price_gap"):
        ask(database, 0, 100)


def test_a_price_is_written_once_and_may_be_written_over(database: Database, city: City) -> None:
    with database.write() as connection:
        store.save_price(connection, Price(meter="address", micro_yuan_per_unit_hour=5, valid_from_s=0))
        assert [p.micro_yuan_per_unit_hour for p in store.prices(connection) if p.meter == "address"] == [5]
    with pytest.raises(Invalid, match=r"price\.meter_unknown"), database.write() as connection:
        store.save_price(connection, Price(meter="floppy", micro_yuan_per_unit_hour=5, valid_from_s=0))
