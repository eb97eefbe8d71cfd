"""A city whose months have every kind of line: what reports are made from in tests, and what is handed to FOCUS validators."""

import json
from pathlib import Path

from controller.workflows import corrections, price_books
from controller.workflows.reports import Made, Wanted, make
from inventory.domain.scope import PLATFORM, Scope
from inventory.store.engine import Database
from metering import period_store
from metering.reports.tables import TextOptions
from tests.support.billing import BOOK, GRACE_S, JULY_S, JUNE_S, MAY_S, TRAFFIC, Billing, billing, finance

DAY = 86_400
MACHINE = {"vcpu": 4, "memory_mib": 8192, "disk_gib:standard": 40, "address": 1}
BY_HAND = """\
  - {meter: "service:guard", unit: item-month, price: "700"}
  - {meter: "backup_gib:tape", unit: GiB-hour, price: "0.000213", free: 10000}
  - {meter: load_balancer_unit, unit: unit-hour, code: "GA-0409", price: "0.117"}
"""


def busy_city(database: Database, tmp_path: Path) -> Billing:
    """Return a city with May closed, June closed with corrections of May, and July under way."""
    found = billing(database, tmp_path)
    # With a service code, which reports carry on.
    book = BOOK.replace('unit: vcpu-hour, price: "0.0764"', 'unit: vcpu-hour, code: "=GA-0101", price: "0.0764"')
    found.price(book.replace("discounts:\n", BY_HAND + TRAFFIC + "discounts:\n"))
    found.tell("inst_a", MAY_S + 3600, MACHINE, state="allocated")
    found.tell("inst_a", MAY_S + 3733, MACHINE)
    found.tell("inst_a", MAY_S + 5 * DAY + 1, {**MACHINE, "vcpu": 8})
    found.tell("inst_b", MAY_S + DAY, {"vcpu": 2}, project="P-gauges")
    # Its back end had lost it for an hour and a second.
    found.tell("inst_b", MAY_S + 6 * DAY, {"vcpu": 2}, state="lost", project="P-gauges")
    found.tell("inst_b", MAY_S + 6 * DAY + 3601, {"vcpu": 2}, project="P-gauges")
    found.tell("inst_c", MAY_S + 2 * DAY + 7, {"vcpu": 1, "memory_mib": 1000}, project="P-mail")
    found.tell("inst_c", MAY_S + 3 * DAY, {"vcpu": 1, "memory_mib": 1000}, state="stopped", project="P-mail")
    found.tell("inst_c", MAY_S + 4 * DAY + 11, None, project="P-mail")
    _enter(found, "service:move", 2, MAY_S + 9 * DAY, None, "=HYPERLINK(moved)")
    _enter(found, "service:guard", 1, MAY_S + 10 * DAY, MAY_S + 20 * DAY, 'watch, "day" and night')
    _enter(found, "backup_gib:tape", 77, MAY_S + 11 * DAY + 5, JUNE_S + 9 * DAY, "nightly copies, second site")
    _enter(found, "load_balancer_unit", 2, MAY_S + 12 * DAY, MAY_S + 13 * DAY + 1, "@front door")
    for day in (2, 3, 40, 65):
        found.passed("inst_a", MAY_S + day * DAY, 5_000_000_001, (day << 30) + 17)
        found.passed("inst_b", MAY_S + day * DAY, day << 31, 999, project="P-gauges", kind="inner")
    found.at(JUNE_S + 60)
    found.closed("2026-05")
    with found.platform.db.read() as connection:
        lines = [x for x, line in period_store.lines(connection, "2026-05") if line.meter == "vcpu"]
    wrong = corrections.adjust(found.platform, lines[0].hex(), "-12.34", "billed twice", finance("wang"))
    corrections.decide(found.platform, wrong.id, finance("li"), "approved")
    # Told in June, of May.
    found.tell("inst_d", MAY_S + 30 * DAY, {"vcpu": 3}, project="P-mail")
    found.tell("inst_d", MAY_S + 30 * DAY + 9000, None, project="P-mail")
    found.at(JULY_S + 60)
    found.closed("2026-06")
    late = corrections.adjust(found.platform, lines[1].hex(), "0.07", "not billed", finance("wang"))
    corrections.decide(found.platform, late.id, finance("li"), "approved")
    found.at(JULY_S + GRACE_S + 5 * DAY)
    return found


def _enter(city: Billing, meter: str, amount: int, start_s: int, end_s: int | None, reason: str) -> None:
    entry = price_books.enter(
        city.platform,
        project="P-portal",
        meter=meter,
        amount=amount,
        start_s=start_s,
        end_s=end_s,
        reason=reason,
        caller=finance("wang"),
    )
    price_books.decide_entry(city.platform, entry.id, finance("li"), "approved")


def made(
    city: Billing,
    dataset: str,
    format_: str = "",
    *,
    month: str = "2026-06",
    scope: Scope = PLATFORM,
    department: str = "",
    as_of_s: int | None = None,
    text: TextOptions | None = None,
    language: str = "zh-CN",
    has_words: bool = False,
) -> Made:
    """Make a report."""
    wanted = Wanted(
        period=month, dataset=dataset, format=format_, scope=scope, department=department, as_of_s=as_of_s,
        text=text or TextOptions(), language=language, has_words=has_words,
    )  # fmt: skip
    return make(city.platform, wanted)


def told(made_: Made) -> str:
    """Return a manifest as text, for messages of tests."""
    return json.dumps(dict(made_.manifest), indent=1)
