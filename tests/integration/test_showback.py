"""A department that is only shown what it uses: the same lines and the same cost as if it were charged, and nothing to pay."""

import csv
import io
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from focus_data_toolkit.model.validator import lint_focus_1_4_structure

from controller.workflows import budgets, corrections, costs, periods
from inventory.domain.organisation import Billing, Department
from inventory.domain.scope import PLATFORM
from inventory.store import directory
from inventory.store.engine import Database
from metering import period_store
from metering.lines import CHARGED, SHOWN, Kind, Line
from tests.support.billing import JULY_S, JUNE_S, MAY_S, billing, finance
from tests.support.billing import Billing as City
from tests.support.report_city import made

DAY = 86_400
#: Names the linter knows our datasets by.
DATASETS = {
    "focus-cost-and-usage": "Cost and Usage",
    "focus-invoice-detail": "Invoice Detail",
    "focus-contract-commitment": "Contract Commitment",
}
SUPPORTED = ("SupportsMultiplePricingCategories", "SupportsUnitPricing")
MACHINE = {"vcpu": 4, "memory_mib": 8192, "disk_gib:standard": 40, "address": 1}


def flag(city: City, code: str, how: Billing | None) -> None:
    """Say how a department is billed from now on."""
    with city.platform.db.write() as connection:
        [known] = [d for d in directory.departments(connection) if d.code == code]
        directory.save_department(connection, replace(known, billing=how))


def known(city: City, code: str) -> Department:
    with city.platform.db.read() as connection:
        return directory.department_by_code(connection, code)


@pytest.fixture
def city(database: Database, tmp_path: Path) -> City:
    """Two departments with a machine each; civil-it has a discount, water-it a commitment it does not use up."""
    found = billing(database, tmp_path)
    found.price()
    found.tell("inst_a", MAY_S + 3733, MACHINE)
    found.tell("inst_a", MAY_S + 5 * DAY + 1, {**MACHINE, "vcpu": 8})
    found.tell("inst_b", MAY_S + DAY, {"vcpu": 2}, project="P-gauges")
    found.at(JUNE_S + 60)
    return found


def lines(city: City, month: str = "2026-05") -> list[Line]:
    with city.platform.db.read() as connection:
        return [line for _, line in period_store.lines(connection, month)]


def statement(city: City, code: str, month: str = "2026-05") -> dict[str, Any]:
    return periods.statement(city.platform, month, known(city, code).id)


def table(city: City, dataset: str, month: str = "2026-05") -> list[dict[str, str]]:
    data = made(city, dataset, "csv", month=month).path.read_bytes()
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def total(rows: list[dict[str, str]], column: str) -> Decimal:
    return sum((Decimal(r[column] or 0) for r in rows), Decimal(0))


def test_the_flag_changes_no_figure_of_a_line_and_only_what_is_to_be_paid(city: City) -> None:
    charged = statement(city, "civil-it")
    flag(city, "civil-it", Billing.SHOWBACK)
    shown = statement(city, "civil-it")
    assert charged["billing"] == CHARGED
    assert shown["billing"] == SHOWN
    same = ("line_count", "list_micro_yuan", "micro_yuan")
    assert [charged[n] for n in same] == [shown[n] for n in same]
    assert charged["billed_micro_yuan"] == charged["micro_yuan"] != 0
    assert (shown["billed_micro_yuan"], shown["fen"], shown["rounding_micro_yuan"]) == (0, 0, 0)
    rows = shown["rows"]
    assert isinstance(rows, list)
    assert {(r["billing"], r["fen"]) for r in rows} == {(SHOWN, 0)}
    assert sum(r["micro_yuan"] for r in rows) == shown["micro_yuan"]


def test_a_department_is_billed_as_the_nearest_one_above_that_says_so(city: City) -> None:
    flag(city, "civil", Billing.SHOWBACK)
    assert statement(city, "civil-it")["billing"] == SHOWN
    flag(city, "civil-it", Billing.CHARGEBACK)
    assert statement(city, "civil-it")["billing"] == CHARGED
    assert statement(city, "water-it")["billing"] == CHARGED
    city.platform = replace(city.platform, billing=Billing.SHOWBACK)
    assert statement(city, "water-it")["billing"] == SHOWN
    assert statement(city, "civil-it")["billing"] == CHARGED


def test_a_later_change_of_the_flag_never_changes_a_closed_month(city: City) -> None:
    flag(city, "civil-it", Billing.SHOWBACK)
    city.closed("2026-05")
    files = ("lines", "statements", "focus-cost-and-usage", "focus-invoice-detail", "focus-1.2")
    before = {f: made(city, f, "csv", month="2026-05").path.read_bytes() for f in files}
    period, own = periods.show(city.platform, "2026-05"), statement(city, "civil-it")
    assert period["fen"] == statement(city, "water-it")["fen"] != 0
    flag(city, "civil-it", Billing.CHARGEBACK)
    flag(city, "water-it", Billing.SHOWBACK)
    city.at(JUNE_S + 20 * DAY)
    for found in (city.platform.images_dir / ".reports").iterdir():
        found.unlink()
    assert {f: made(city, f, "csv", month="2026-05").path.read_bytes() for f in files} == before
    assert periods.show(city.platform, "2026-05") == period
    assert statement(city, "civil-it") == own
    proof = periods.verify(city.platform, "2026-05")
    assert proof["is_proven"], proof["faults"]
    assert statement(city, "civil-it", "2026-06")["billing"] == CHARGED
    assert statement(city, "water-it", "2026-06")["billing"] == SHOWN


def test_a_review_that_is_repeated_takes_the_flag_as_it_is_then(city: City) -> None:
    city.reviewed("2026-05")
    assert statement(city, "civil-it")["billing"] == CHARGED
    flag(city, "civil-it", Billing.SHOWBACK)
    assert statement(city, "civil-it")["billing"] == CHARGED, "as it was reviewed"
    periods.review(city.platform, "2026-05", finance("wang"))
    periods.close(city.platform, "2026-05", finance("li"))
    assert statement(city, "civil-it")["fen"] == 0
    assert periods.verify(city.platform, "2026-05")["is_proven"]


def test_what_was_only_shown_is_corrected_by_what_is_only_shown_and_what_was_charged_by_money(city: City) -> None:
    flag(city, "civil-it", Billing.SHOWBACK)
    city.closed("2026-05")
    with city.platform.db.read() as connection:
        by_department = {line.department_id: line_id for line_id, line in period_store.lines(connection, "2026-05")}
    for code in ("civil-it", "water-it"):
        wrong = by_department[known(city, code).id]
        entered = corrections.adjust(city.platform, wrong.hex(), "-1.5", "counted wrong", finance("wang"))
        corrections.decide(city.platform, entered.id, finance("li"), "approved")
    # From June on it is the other way round; word of May comes late for both.
    flag(city, "civil-it", Billing.CHARGEBACK)
    flag(city, "water-it", Billing.SHOWBACK)
    city.tell("inst_a", MAY_S + 20 * DAY, {**MACHINE, "vcpu": 2})
    city.tell("inst_b", MAY_S + 20 * DAY, {"vcpu": 9}, project="P-gauges")
    city.at(JULY_S + 60)
    city.closed("2026-06")
    found = {(x.department_id, x.kind, x.billing) for x in lines(city, "2026-06")}
    civil, water = known(city, "civil-it").id, known(city, "water-it").id
    by_hand = (Kind.ADJUSTMENT, Kind.CORRECTION)
    assert {f for f in found if f[1] in by_hand} == {
        *((civil, kind, SHOWN) for kind in by_hand), *((water, kind, CHARGED) for kind in by_hand),
    }  # fmt: skip
    assert {f[2] for f in found if f[0] == civil and f[1] == Kind.USAGE} == {CHARGED}
    for code in ("civil-it", "water-it"):
        own = statement(city, code, "2026-06")
        rows = own["rows"]
        billed = sum(r["micro_yuan"] for r in rows if r["billing"] == CHARGED)
        assert own["billed_micro_yuan"] == billed != own["micro_yuan"]
        assert sum(r["fen"] for r in rows) == own["fen"]
        assert own["fen"] * 10_000 == billed + own["rounding_micro_yuan"]
    proof = periods.verify(city.platform, "2026-06")
    assert proof["is_proven"], proof["faults"]


def test_focus_bills_nothing_and_keeps_what_use_costs(city: City) -> None:
    flag(city, "water-it", Billing.SHOWBACK)
    city.closed("2026-05")
    own = statement(city, "water-it")
    for dataset in ("focus-cost-and-usage", "focus-1.2"):
        rows = [r for r in table(city, dataset) if r["BillingAccountId"] == "water-it"]
        assert {r["x_Billing"] for r in rows} == {"Showback"}
        assert {r["CommitmentDiscountStatus"] for r in rows} >= {"Used", "Unused"}
        assert total(rows, "BilledCost") == 0
        assert total(rows, "EffectiveCost") * 1_000_000 == own["micro_yuan"]
        assert total(rows, "ListCost") > 0
        others = [r for r in table(city, dataset) if r["BillingAccountId"] != "water-it"]
        assert {r["x_Billing"] for r in others} == {"Chargeback"}
        assert total(others, "BilledCost") * 100 == periods.show(city.platform, "2026-05")["fen"]
    manifest = made(city, "focus-cost-and-usage", "csv", month="2026-05").manifest
    assert Decimal(manifest["yuan"]) == total(table(city, "focus-cost-and-usage"), "BilledCost")
    invoices = [r for r in table(city, "focus-invoice-detail") if r["BillingAccountId"] == "water-it"]
    assert invoices
    assert total(invoices, "BilledCost") == 0


@pytest.mark.parametrize(("dataset", "name"), DATASETS.items())
def test_the_linter_of_focus_finds_nothing_in_what_is_only_shown(city: City, dataset: str, name: str) -> None:
    flag(city, "water-it", Billing.SHOWBACK)
    city.closed("2026-05")
    report = lint_focus_1_4_structure(name, table(city, dataset), supported_conditions=SUPPORTED)
    assert report.messages() == []


def test_every_file_says_what_is_shown_and_what_is_billed(city: City) -> None:
    flag(city, "civil-it", Billing.SHOWBACK)
    city.closed("2026-05")
    period = periods.show(city.platform, "2026-05")
    for dataset in ("lines", "statements"):
        rows = table(city, dataset)
        assert {(r["department_code"], r["billing"]) for r in rows} == {("civil-it", SHOWN), ("water-it", CHARGED)}
        assert total(rows, "yuan") * 1_000_000 == period["micro_yuan"]
        manifest = made(city, dataset, "csv", month="2026-05").manifest
        assert Decimal(manifest["billed_yuan"]) == total(rows, "billed_yuan") < Decimal(manifest["yuan"])
        assert total([r for r in rows if r["billing"] == SHOWN], "billed_yuan") == 0
    assert total([r for r in table(city, "statements") if r["billing"] == SHOWN], "payable_yuan") == 0


@pytest.mark.parametrize(("language", "words"), [("zh-CN", "仅展示，不收费"), ("en", "Shown, not charged")])
def test_the_printed_statement_says_so_in_both_languages(city: City, language: str, words: str) -> None:
    flag(city, "civil-it", Billing.SHOWBACK)
    city.closed("2026-05")
    pages = {
        code: made(city, "statement", month="2026-05", department=code, language=language).path.read_text()
        for code in ("civil-it", "water-it")
    }
    assert words in pages["civil-it"]
    assert words not in pages["water-it"]
    cost = str(Decimal(int(str(statement(city, "civil-it")["micro_yuan"]))) / 1_000_000)
    assert cost in pages["civil-it"]
    assert '<td class="n">0.00</td>' in pages["civil-it"]


def test_what_is_only_shown_recovers_no_cost_and_counts_for_budgets(city: City) -> None:
    document = 'apiVersion: allotment/v1\nkind: Budgets\nbudgets:\n  - {project: P-portal, year: 2026, amount: "1000"}\n'
    [before], _ = budgets.import_(city.platform, document.encode(), finance("wang"))
    flag(city, "civil-it", Billing.SHOWBACK)
    budgets.accrue(city.platform)
    [after] = budgets.show(city.platform, PLATFORM)
    assert after["spent_micro_yuan"] == before["spent_micro_yuan"] > 0
    city.closed("2026-05")
    budgets.accrue(city.platform)
    [closed] = budgets.show(city.platform, PLATFORM)
    assert closed["spent_micro_yuan"] > before["spent_micro_yuan"]
    assert costs.shares(city.platform, "2026-05")["charged_micro_yuan"] == statement(city, "water-it")["micro_yuan"]
