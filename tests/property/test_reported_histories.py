"""Whatever happened: every format says what was closed, to the micro-yuan, and every line leads to what it came from."""

import csv
import io
import json
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb
import openpyxl
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.workflows import corrections, periods, price_books
from inventory.domain.errors import AllotError
from inventory.domain.scope import PLATFORM
from metering import period_store
from metering.lines import Kind
from metering.rating import yuan
from tests.support.billing import BOOK, JULY_S, JUNE_S, MAY_S, TRAFFIC, Billing, billing, finance
from tests.support.database import memory_database
from tests.support.report_city import made

DAY_S = 86_400
MONTHS = ("2026-05", "2026-06")
FOCUS = ("focus-cost-and-usage", "focus-1.2")
#: Dataset -> the column with its money.
MONEY = {"lines": "yuan", "statements": "yuan", **dict.fromkeys(FOCUS, "BilledCost"), "focus-invoice-detail": "BilledCost"}
ORIGIN = {
    Kind.USAGE: "opened_by", Kind.COMMITMENT_USED: "opened_by", Kind.COUNTED: "counted", Kind.ENTRY: "by_hand",
    Kind.ADJUSTMENT: "by_hand", Kind.CORRECTION: "late_words",
}  # fmt: skip


@dataclass(frozen=True)
class Change:
    """What happened to a machine, or what somebody entered."""

    what: str
    number: int
    day: int
    second: int
    amount: int
    state: str
    project: str
    #: Told only after May was closed.
    is_late: bool


changes = st.builds(
    Change,
    what=st.sampled_from(("held", "held", "held", "passed", "entered")),
    number=st.integers(0, 3),
    day=st.integers(0, 60),
    second=st.integers(0, DAY_S - 1),
    amount=st.integers(0, 9),
    state=st.sampled_from(("allocated", "running", "stopped", "lost")),
    project=st.sampled_from(("P-portal", "P-gauges", "P-mail")),
    is_late=st.booleans(),
)


def tell(city: Billing, one: Change, passed: set[tuple[str, int]]) -> None:
    """Have it happen; what is about a month that is closed comes as late word, or is refused."""
    name, at_s = f"inst_{one.number}", MAY_S + one.day * DAY_S + one.second
    if one.what == "passed":
        # Bytes count on a day of a month that is open; a machine has one row for a day and owner.
        if at_s >= city.clock.now_s and (name, one.day) not in passed:
            passed.add((name, one.day))
            city.passed(name, at_s, one.amount << 30, one.second, project=one.project)
    elif one.what == "entered":
        with suppress(AllotError):
            entry = price_books.enter(
                city.platform, project=one.project, meter="service:move", amount=one.amount + 1, start_s=at_s, end_s=None,
                reason="moved", caller=finance("wang"),
            )  # fmt: skip
            price_books.decide_entry(city.platform, entry.id, finance("li"), "approved")
    elif not city.told.get(name) or city.told[name][-1].state != "released":
        amounts = {"vcpu": one.amount, "memory_mib": one.amount * 1000 + 1} if one.amount else None
        if amounts or city.told.get(name):
            city.tell(name, at_s, amounts, state=one.state, project=one.project)


def sums(city: Billing, dataset: str, month: str) -> set[Decimal]:
    """Return what a data set comes to in each of its formats: one figure, if all are right."""
    column, found = MONEY[dataset], set()
    text = made(city, dataset, "csv", month=month).path.read_text("utf-8")
    found.add(sum((Decimal(r[column]) for r in csv.DictReader(io.StringIO(text, newline=""))), Decimal(0)))
    data = json.loads(made(city, dataset, "json", month=month).path.read_bytes())
    found.add(sum((Decimal(r[column]) for r in data), Decimal(0)))
    with duckdb.connect() as connection:
        path = made(city, dataset, "parquet", month=month).path
        row = connection.execute(f"SELECT coalesce(sum(\"{column}\"), 0) FROM '{path}'").fetchone()
    assert row is not None
    return found | {Decimal(row[0])}


def in_workbook(city: Billing, month: str) -> Decimal:
    """Return the last figure of the summary."""
    sheet = openpyxl.load_workbook(made(city, "workbook", language="en", month=month).path)["Summary"]
    return Decimal(str(list(sheet.iter_rows(min_row=2))[-1][4].value))


def assert_led_back(city: Billing, month: str) -> None:
    """Every line leads to approved prices and to what it came from."""
    with city.platform.db.read() as connection:
        lines = list(period_store.lines(connection, month))
    for line_id, line in lines:
        found = corrections.trace(city.platform, line_id.hex(), PLATFORM)
        prices = found["prices"] if line.kind == Kind.CORRECTION else [found["price"]]
        assert prices
        for price in prices:
            assert len(set(price["approved_by"]) - {price["created_by"]}) == 2
        if line.kind in ORIGIN:
            assert found[ORIGIN[line.kind]], line


@settings(max_examples=8, deadline=None)
@given(st.lists(changes, min_size=3, max_size=14))
def test_every_format_says_what_was_closed_and_every_line_leads_to_what_it_came_from(told: list[Change]) -> None:
    with memory_database() as database, tempfile.TemporaryDirectory() as folder:
        city = billing(database, Path(folder))
        city.price(BOOK.replace("discounts:\n", TRAFFIC + "discounts:\n"))
        city.clock.now_s = MAY_S
        passed: set[tuple[str, int]] = set()
        city.tell("inst_first", MAY_S, {"vcpu": 1})
        for one in told:
            if not one.is_late:
                tell(city, one, passed)
        city.at(JUNE_S + 60)
        city.closed("2026-05")
        for one in told:
            if one.is_late:
                tell(city, one, passed)
        city.at(JULY_S + 60)
        city.closed("2026-06")
        for month in MONTHS:
            assert_led_back(city, month)
            closed = Decimal(yuan(periods.show(city.platform, month)["micro_yuan"]))
            for dataset in ("lines", "statements"):
                assert sums(city, dataset, month) == {closed}, (month, dataset)
            assert in_workbook(city, month) == closed
            [payable] = sums(city, "focus-invoice-detail", month)
            for dataset in FOCUS:
                assert sums(city, dataset, month) == {payable}, (month, dataset)
            assert periods.verify(city.platform, month)["is_proven"]
