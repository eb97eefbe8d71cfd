"""What we call FOCUS is: the 1.4 linter finds nothing, and neither do our own checks of the arithmetic it leaves out."""

import csv
import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from focus_data_toolkit.model import validator
from focus_data_toolkit.model.validator import lint_focus_1_4_structure

from controller.workflows import periods
from inventory.store.engine import Database
from tests.support.billing import BOOK, JUNE_S, TRAFFIC, Billing, billing
from tests.support.database import sqlite_database
from tests.support.golden import assert_golden
from tests.support.report_city import busy_city, made

MONTHS = ("2026-05", "2026-06", "2026-07")
DATASETS = {
    "focus-cost-and-usage": "Cost and Usage",
    "focus-billing-period": "Billing Period",
    "focus-invoice-detail": "Invoice Detail",
    "focus-contract-commitment": "Contract Commitment",
}
#: What this platform has: every rule that depends on it is asked for.
SUPPORTED = ("SupportsMultiplePricingCategories", "SupportsUnitPricing")
COLUMNS_PAGE = Path(__file__).parents[2] / "docs" / "focus-columns.md"
Row = dict[str, str]


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Billing]:
    place = tmp_path_factory.mktemp("focus")
    with sqlite_database(place / "state.db") as opened:
        yield busy_city(opened, place)


@pytest.fixture(scope="module")
def bundle(city: Billing) -> dict[tuple[str, str], list[Row]]:
    return {(m, d): read(made(city, d, "csv", month=m).path) for m in MONTHS for d in (*DATASETS, "focus-1.2")}


def read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def money(row: Row, column: str) -> Decimal:
    return Decimal(row[column] or 0)


@pytest.mark.parametrize("month", MONTHS)
@pytest.mark.parametrize("dataset", DATASETS)
def test_the_linter_of_1_4_finds_nothing(bundle: dict[tuple[str, str], list[Row]], month: str, dataset: str) -> None:
    report = lint_focus_1_4_structure(DATASETS[dataset], bundle[month, dataset], supported_conditions=SUPPORTED)
    assert report.messages() == []
    assert report.row_count > 0


def test_the_linter_would_find_something(bundle: dict[tuple[str, str], list[Row]]) -> None:
    rows = bundle["2026-05", "focus-cost-and-usage"]
    priced = next(r for r in rows if money(r, "ListCost"))
    for column, value in (("ListCost", "99"), ("ChargeCategory", "Use"), ("ChargePeriodStart", "2026-05-01T00:00:00+08:00")):
        broken = [{**priced, column: value}]
        assert not lint_focus_1_4_structure("Cost and Usage", broken, supported_conditions=SUPPORTED).ok


#: Condition of a column of 1.4 -> why it does not hold here; a column that is left out has one of them.
NOT_HERE = {
    "Supports data generator-calculated split cost allocation": "costs of the platform are shared in its own report",
    "Supports deploying resources or services within an availability zone": "zones are not terms of billing",
    "Supports deploying resources or services within a region": "one platform, no regions",
    "Supports more than one possible BillingAccountType value": "a billing account is always a department",
    "Supports capacity reservations": "reservations are not charged",
    "Supports commitment programs": "no programs beside the price book",
    "Supports pricing and billing in different currencies": "yuan only",
    "Supports prices in virtual currency and publishes unit prices exclusive of discounts": "no virtual currency",
    "Supports setting user or provider-defined tags": "no tags",
    "Supports billing and payment in different currencies": "yuan only",
    "Supports billing currency and payment currency at different aggregation levels on payable invoices": "yuan only",
    "Supports customer input of purchase order number": "no purchase orders",
}


def test_the_page_of_columns_says_what_is_found(bundle: dict[tuple[str, str], list[Row]], update_golden: bool) -> None:
    model = json.loads((Path(validator.__file__).parent / "focus_1_4_model.json").read_text("utf-8"))["datasets"]
    lines, counts = [], Counter[str]()
    for dataset, title in DATASETS.items():
        rows = [r for month in MONTHS for r in bundle[month, dataset]]
        demanded = model[title]["columns"]
        assert {n for n in rows[0] if n not in demanded and not n.startswith("x_")} == set()
        for name, column in sorted(demanded.items()):
            said = _column_found(name, column, rows)
            counts[said.partition(":")[0]] += 1
            nulls = "may be null" if column["allows_nulls"] else "never null"
            kind = column["value_format"] or column["data_type"]
            condition = f": {column['condition']}" if column["condition"] != "n/a" else ""
            lines.append(f"| {title} | `{name}` | {column['feature_level']}{condition} | {kind}, {nulls} | {said} |")
    assert counts.keys() == {"given", "given where it applies", "empty", "left out"}
    head = ", ".join(f"{number} {what}" for what, number in sorted(counts.items()))
    assert_golden(str(COLUMNS_PAGE), _COLUMNS.format(counts=head, rows="\n".join(lines)), update=update_golden)


def _column_found(name: str, column: dict[str, str], rows: list[Row]) -> str:
    if name not in rows[0]:
        assert column["feature_level"] != "Mandatory", name
        return f"left out: {NOT_HERE[column['condition']]}"
    filled = sum(bool(r[name]) for r in rows)
    assert filled == len(rows) or column["allows_nulls"], name
    return "given" if filled == len(rows) else "given where it applies" if filled else "empty: nothing of the kind"


_COLUMNS = """\
# FOCUS 1.4, column by column

Written by `test_focus.py` from the data model of FOCUS 1.4: what it demands of each column of the four datasets, and what is
found in three months with every kind of line, two closed and one open; see [FOCUS](focus.md). The linter, which checks types,
formats, nulls, allowed values and the rules between columns, finds nothing in any of them. {counts}.

| dataset | column | demanded | holds | found |
|---|---|---|---|---|
{rows}
"""


@pytest.mark.parametrize("month", MONTHS)
@pytest.mark.parametrize("dataset", ["focus-cost-and-usage", "focus-1.2"])
def test_costs_are_unit_price_times_quantity(bundle: dict[tuple[str, str], list[Row]], month: str, dataset: str) -> None:
    checked = 0
    for row in bundle[month, dataset]:
        for cost, price in (("ListCost", "ListUnitPrice"), ("ContractedCost", "ContractedUnitPrice")):
            if row[price] and row["PricingQuantity"]:
                product = Decimal(row[price]) * Decimal(row["PricingQuantity"])
                assert abs(product - Decimal(row[cost])) <= Decimal("1e-9") * max(abs(product), Decimal(1))
                checked += 1
        if row["x_Kind"] == "usage":
            # A line is the difference of two rounded running totals, and its quantity has seven places.
            assert abs(money(row, "ContractedCost") - money(row, "BilledCost")) < Decimal("0.000002")
    assert checked > 10


@pytest.mark.parametrize("month", MONTHS)
def test_rows_of_an_invoice_add_up_to_it_without_tolerance(
    city: Billing, bundle: dict[tuple[str, str], list[Row]], month: str
) -> None:
    by_detail: dict[str, Decimal] = defaultdict(Decimal)
    category: dict[str, set[str]] = defaultdict(set)
    for row in bundle[month, "focus-cost-and-usage"]:
        if row["InvoiceDetailId"]:
            by_detail[row["InvoiceDetailId"]] += money(row, "BilledCost")
            category[row["InvoiceDetailId"]].add(row["ChargeCategory"])
        else:
            assert money(row, "BilledCost") == 0
    invoices = bundle[month, "focus-invoice-detail"]
    assert {r["InvoiceDetailId"]: money(r, "BilledCost") for r in invoices} == by_detail
    assert {r["InvoiceDetailId"]: {r["ChargeCategory"]} for r in invoices} == category
    by_invoice: dict[str, Decimal] = defaultdict(Decimal)
    for row in bundle[month, "focus-1.2"]:
        by_invoice[row["InvoiceId"]] += money(row, "BilledCost")
    wanted: dict[str, Decimal] = defaultdict(Decimal)
    for row in invoices:
        wanted[row["InvoiceId"]] += money(row, "BilledCost")
    assert by_invoice == wanted
    payable = {f"{month}-{s['department_code']}": Decimal(0) for s in read(made(city, "statements", month=month).path)}
    for statement in read(made(city, "statements", month=month).path):
        payable[f"{month}-{statement['department_code']}"] += Decimal(statement["payable_yuan"])
    assert wanted == payable


def faultless(city: Billing, month: str, place: Path) -> None:
    """Have the toolkit compare the datasets of a month with each other."""
    options: list[str] = []
    for dataset in DATASETS:
        options += [f"--{dataset.removeprefix('focus-')}", str(made(city, dataset, "csv", month=month).path)]
    command = [
        str(Path(sys.executable).parent / "focus-toolkit"), "validate-bundle", *options, "--report", str(place / month),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "ERROR" not in done.stdout


def test_the_toolkit_finds_no_fault_between_the_datasets(city: Billing, tmp_path: Path) -> None:
    for month in MONTHS:
        faultless(city, month, tmp_path)


def test_a_commitment_two_versions_of_the_price_book_agree_to_in_one_month_is_one_of_each(
    database: Database, tmp_path: Path
) -> None:
    city = billing(database, tmp_path)
    first = city.price(BOOK.replace("name: city", "name: 市").replace("water-base", "水务"))
    new = BOOK.replace("valid-from: 2026-01-01", f"valid-from: 2026-06-16\nreplaces: {first}").replace("name: city", "name: 市")
    city.price(
        new.replace("water-base", "水务").replace("amount: 3", "amount: 5").replace("from: 2026-01-01", "from: 2026-06-16")
    )
    city.tell("inst_a", JUNE_S, {"vcpu": 4, "memory_mib": 1024}, project="P-gauges")
    city.at(JUNE_S + 31 * 86_400)
    faultless(city, "2026-06", tmp_path)
    rows = read(made(city, "focus-cost-and-usage", month="2026-06").path)
    agreed = read(made(city, "focus-contract-commitment", month="2026-06").path)
    assert [r["ContractCommitmentId"] for r in agreed] == ["市 v1/水务", "市 v2/水务"]
    used = {(r["CommitmentDiscountId"], r["CommitmentDiscountStatus"]) for r in rows if r["CommitmentDiscountStatus"]}
    assert used == {(f"市 v{n}/水务", status) for n, status in ((1, "Used"), (2, "Used"), (2, "Unused"))}
    in_1_2 = read(made(city, "focus-1.2", month="2026-06").path)
    assert all(value.isascii() for row in in_1_2 for name, value in row.items() if not name.startswith("x_"))
    assert len({r["CommitmentDiscountId"] for r in in_1_2 if r["CommitmentDiscountId"]}) == 2


def test_bytes_too_few_for_a_digit_of_their_unit_are_told(database: Database, tmp_path: Path) -> None:
    city = billing(database, tmp_path)
    city.price(BOOK.replace("discounts:\n", TRAFFIC + "discounts:\n"))
    city.passed("inst_a", JUNE_S + 86_400, 0, 5)
    city.at(JUNE_S + 31 * 86_400)
    faultless(city, "2026-06", tmp_path)
    rows = [read(made(city, dataset, month="2026-06").path) for dataset in ("focus-cost-and-usage", "focus-1.2")]
    [[row], [_]] = [[r for r in told if r["ChargeDescription"].startswith("network_out_bytes")] for told in rows]
    assert Decimal(row["PricingQuantity"]) == Decimal(row["BilledCost"]) == 0
    assert Decimal(row["ConsumedQuantity"]) == 5


@pytest.mark.parametrize("month", MONTHS)
def test_what_a_commitment_is_applied_to_says_how_much_of_which(bundle: dict[tuple[str, str], list[Row]], month: str) -> None:
    agreed = {
        (r["ContractId"], r["ContractCommitmentId"], r["ContractCommitmentUnit"])
        for r in bundle[month, "focus-contract-commitment"]
    }
    statuses = set()
    for row in bundle[month, "focus-cost-and-usage"]:
        assert bool(row["ContractApplied"]) == bool(row["CommitmentDiscountStatus"])
        if row["ContractApplied"]:
            [applied] = json.loads(row["ContractApplied"], parse_float=Decimal)["Elements"]
            unit = applied["ContractCommitmentAppliedUnit"]
            assert (applied["ContractId"], applied["ContractCommitmentId"], unit) in agreed
            assert applied["ContractCommitmentId"] == row["CommitmentDiscountId"]
            assert applied["ContractCommitmentAppliedQuantity"] == Decimal(row["PricingQuantity"])
            statuses.add(row["CommitmentDiscountStatus"])
    assert statuses == {"Used", "Unused"}


@pytest.mark.parametrize("month", MONTHS)
def test_used_and_unused_of_a_commitment_carry_its_fee(bundle: dict[tuple[str, str], list[Row]], month: str) -> None:
    rows = [r for r in bundle[month, "focus-cost-and-usage"] if r["CommitmentDiscountId"]]
    fee = sum(money(r, "BilledCost") for r in rows if r["ChargeCategory"] == "Purchase")
    effective = {
        s: sum(money(r, "EffectiveCost") for r in rows if r["CommitmentDiscountStatus"] == s) for s in ("Used", "Unused")
    }
    assert fee == effective["Used"] + effective["Unused"] > 0
    assert effective["Unused"] > 0
    assert all(money(r, "BilledCost") == 0 for r in rows if r["CommitmentDiscountStatus"])
    assert all(money(r, "EffectiveCost") == 0 for r in rows if r["ChargeCategory"] == "Purchase")
    bought, told = (
        sum((money(r, "PricingQuantity") for r in rows if (r["ChargeCategory"] == "Purchase") is is_fee), Decimal(0))
        for is_fee in (True, False)
    )
    assert abs(bought - told) < Decimal("0.0001")
    agreed = {r["ContractCommitmentId"] for r in bundle[month, "focus-contract-commitment"]}
    assert {r["CommitmentDiscountId"] for r in rows} == agreed


@pytest.mark.parametrize("month", MONTHS)
def test_no_row_stands_twice_and_all_lie_in_the_period(bundle: dict[tuple[str, str], list[Row]], month: str) -> None:
    [period] = bundle[month, "focus-billing-period"]
    rows = bundle[month, "focus-cost-and-usage"]
    assert max(Counter(r["x_LineId"] for r in rows if r["x_LineId"]).values()) == 1
    assert max(Counter(tuple(r.items()) for r in rows).values()) == 1
    for row in rows:
        assert (row["BillingPeriodStart"], row["BillingPeriodEnd"]) == (period["BillingPeriodStart"], period["BillingPeriodEnd"])
        assert row["ChargePeriodStart"] < row["ChargePeriodEnd"]
        if row["ChargeClass"] != "Correction":
            assert period["BillingPeriodStart"] <= row["ChargePeriodStart"]
            assert row["ChargePeriodEnd"] <= period["BillingPeriodEnd"]


def test_corrections_name_the_invoice_they_correct(bundle: dict[tuple[str, str], list[Row]]) -> None:
    corrections = [r for r in bundle["2026-06", "focus-cost-and-usage"] if r["ChargeClass"] == "Correction"]
    assert {r["x_Kind"] for r in corrections} == {"adjustment", "correction"}
    assert all(r["ChargePeriodStart"] < "2026-05-31T16:00:00Z" for r in corrections)
    details = {r["InvoiceDetailId"] for r in corrections}
    rows = [r for r in bundle["2026-06", "focus-invoice-detail"] if r["InvoiceDetailId"] in details]
    assert {r["ReferenceInvoiceId"].partition("-civil")[0].partition("-water")[0] for r in rows} == {"2026-05"}
    others = [r for r in bundle["2026-06", "focus-invoice-detail"] if r["InvoiceDetailId"] not in details]
    assert all(r["ReferenceInvoiceId"] == r["InvoiceId"] for r in others)


def test_status_follows_the_period(city: Billing, bundle: dict[tuple[str, str], list[Row]]) -> None:
    for month, period, invoice in (("2026-06", "Closed", "Issued"), ("2026-07", "Open", "Open")):
        assert [r["BillingPeriodStatus"] for r in bundle[month, "focus-billing-period"]] == [period]
        assert {r["InvoiceIssueStatus"] for r in bundle[month, "focus-invoice-detail"]} == {invoice}
    assert periods.show(city.platform, "2026-06")["state"] == "closed"
    grains = [json.loads(r["InvoiceDetailGrain"]) for r in bundle["2026-06", "focus-invoice-detail"]]
    assert {"P-portal", "P-mail", "P-gauges"} <= {g["x_Project"] for g in grains}


def test_1_2_is_ascii_where_it_asks_for_it(bundle: dict[tuple[str, str], list[Row]]) -> None:
    for month in MONTHS:
        for row in bundle[month, "focus-1.2"]:
            assert all(value.isascii() for name, value in row.items() if not name.startswith("x_"))
    assert "局" in bundle["2026-06", "focus-1.2"][0]["x_BillingAccountName"]
    assert "局" in bundle["2026-06", "focus-cost-and-usage"][0]["BillingAccountName"]
