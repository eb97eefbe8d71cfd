"""Reports on both engines: every format says the same to the micro-yuan, the same bytes each time, whole or not there."""

import csv
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pytest

from controller.workflows import periods
from inventory.domain.errors import AllotError, Conflict
from inventory.domain.scope import Scope, of_departments
from inventory.store import directory
from metering import period_store
from metering.line_columns import LineColumns
from metering.rating import yuan
from metering.reports.tables import TextOptions
from tests.support.billing import JULY_S, JUNE_S, Billing
from tests.support.database import open_for_test, sqlite_database
from tests.support.postgres import PostgresServer
from tests.support.report_city import DAY, busy_city, made

MONTHS = ("2026-05", "2026-06", "2026-07")
FOCUS = ("focus-cost-and-usage", "focus-1.2")
TABLES = ("lines", "statements", *FOCUS, "focus-billing-period", "focus-invoice-detail", "focus-contract-commitment")


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def city(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Billing]:
    """Return a city that is only read."""
    place = tmp_path_factory.mktemp("reports")
    if request.param == "sqlite":
        with sqlite_database(place / "state.db") as opened:
            yield busy_city(opened, place)
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.create_database()
    with open_for_test(url) as opened:
        yield busy_city(opened, place)
    server.drop_database(url)


@pytest.fixture
def living_city(tmp_path: Path) -> Iterator[Billing]:
    """Return a city things happen in."""
    with sqlite_database(tmp_path / "state.db") as opened:
        yield busy_city(opened, tmp_path)


def kept(city: Billing) -> set[str]:
    """Return the names of every file reports have left."""
    return {f.name for f in (city.platform.images_dir / ".reports").glob("*")}


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")))


def table(city: Billing, dataset: str, month: str = "2026-06") -> list[dict[str, str]]:
    return rows(made(city, dataset, "csv", month=month).path.read_bytes())


def parquet(path: Path) -> list[Mapping[str, object]]:
    with duckdb.connect() as connection:
        found = connection.execute(f"SELECT * FROM '{path}'")
        names = [d[0] for d in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def period_sum(city: Billing, month: str) -> Decimal:
    return sum((Decimal(s["yuan"]) for s in table(city, "statements", month)), Decimal(0))


MONEY = {"lines": "yuan", "statements": "yuan", "focus-invoice-detail": "BilledCost", **dict.fromkeys(FOCUS, "BilledCost")}


def test_every_format_says_the_same_to_the_micro_yuan(city: Billing) -> None:
    for month in MONTHS[1:]:
        for dataset, column in MONEY.items():
            texts = [r[column] for r in table(city, dataset, month)]
            in_json = [r[column] for r in json.loads(made(city, dataset, "json", month=month).path.read_bytes())]
            in_parquet = [r[column] for r in parquet(made(city, dataset, "parquet", month=month).path)]
            assert in_json == texts, (month, dataset)
            assert [Decimal(t) for t in texts] == in_parquet
            manifest = made(city, dataset, "csv", month=month).manifest
            assert (manifest["rows"], Decimal(manifest["yuan"])) == (len(texts), sum(map(Decimal, texts)))


def test_lines_add_up_to_statements_and_focus_to_invoices_without_tolerance(city: Billing) -> None:
    for month in MONTHS:
        statements = table(city, "statements", month)
        lines = table(city, "lines", month)
        assert sum(Decimal(r["yuan"]) for r in lines) == sum(Decimal(r["yuan"]) for r in statements)
        payable = sum(Decimal(r["payable_yuan"]) for r in statements)
        for dataset in FOCUS:
            assert sum(Decimal(r["BilledCost"]) for r in table(city, dataset, month)) == payable
    closed = periods.show(city.platform, "2026-06")
    assert Decimal(yuan(closed["micro_yuan"])) == period_sum(city, "2026-06")


def test_every_kind_of_line_is_in_the_months(city: Billing) -> None:
    kinds = {r["kind"] for month in MONTHS for r in table(city, "lines", month)}
    assert kinds == {"usage", "commitment_used", "commitment_unused", "entry", "counted", "adjustment", "correction"}


def test_lines_carry_the_service_code_of_their_price_and_none_is_made_up(city: Billing) -> None:
    for dataset, column, meter in (("lines", "service_code", "meter"), *((f, "x_ServiceCode", "SkuMeter") for f in FOCUS)):
        found = {(r[meter], r[column]) for r in table(city, dataset) if r[meter]}
        assert {code for name, code in found if name == "vcpu"} <= {"'=GA-0101", ""}, "no formula"
        assert ("vcpu", "'=GA-0101") in found
        assert {code for name, code in found if name != "vcpu"} == {""}


def test_the_same_question_gets_the_same_bytes_made_anew(city: Billing) -> None:
    first: dict[tuple[str, str], bytes] = {}
    for turn in range(2):
        for dataset in TABLES:
            for format_ in ("csv", "json", "parquet"):
                found = made(city, dataset, format_)
                data = found.path.read_bytes()
                assert first.setdefault((dataset, format_), data) == data, (turn, dataset, format_)
                assert found.manifest["sha256"] == hashlib.sha256(data).hexdigest()
                assert found.manifest["bytes"] == len(data)
                found.path.unlink()
        for dataset, department in (("workbook", ""), ("statement", "civil-it")):
            found = made(city, dataset, department=department)
            assert first.setdefault((dataset, ""), found.path.read_bytes()) == found.path.read_bytes()
            found.path.unlink()


def test_lines_stand_by_department_and_id_in_whatever_portions_they_are_read(
    city: Billing, monkeypatch: pytest.MonkeyPatch
) -> None:
    from metering.reports import source

    asked = [(dataset, format_) for dataset in ("lines", "focus-cost-and-usage") for format_ in ("csv", "json")]
    whole = {each: made(city, *each) for each in asked}
    data = {each: found.path.read_bytes() for each, found in whole.items()}
    with city.platform.db.read() as connection:
        wanted = [line_id.hex() for line_id, _ in period_store.lines(connection, "2026-06")]
    assert [r["line_id"] for r in rows(data["lines", "csv"])] == wanted
    assert len(wanted) > 10
    monkeypatch.setattr(source, "PORTION", 1)
    for each, found in whole.items():
        found.path.unlink()
        assert made(city, *each).path.read_bytes() == data[each], each


def test_a_closed_month_stays_byte_for_byte_whatever_happens_after(living_city: Billing) -> None:
    def everything() -> dict[tuple[str, str], str]:
        found = {}
        for dataset in TABLES:
            one = made(living_city, dataset, "csv", month="2026-05")
            found[dataset, "csv"] = str(one.manifest["sha256"])
            one.path.unlink()
        return found

    before = everything()
    with living_city.platform.db.write() as connection:
        for department in directory.departments(connection):
            directory.save_department(connection, replace(department, name="改名"))
        for project in directory.projects(connection):
            directory.save_project(connection, replace(project, name="=1+1", budget_code="B-new"))
    living_city.tell("inst_a", JULY_S + 9 * DAY, None)
    living_city.tell("inst_late", JUNE_S - 3 * DAY, {"vcpu": 7}, project="P-mail")
    living_city.at(living_city.clock.now_s + DAY)
    assert everything() == before


def test_csv_is_rfc_4180_and_nothing_in_it_is_a_formula(city: Billing) -> None:
    data = made(city, "lines", "csv", month="2026-05").path.read_bytes()
    assert data.endswith(b"\r\n")
    assert data.count(b"\n") == data.count(b"\r\n")
    notes = {r["note"] for r in rows(data) if r["note"]}
    assert notes == {"'=HYPERLINK(moved)", 'watch, "day" and night', "nightly copies, second site", "'@front door"}
    assert b'"watch, ""day"" and night"' in data
    in_json = {r["note"] for r in json.loads(made(city, "lines", "json", month="2026-05").path.read_bytes())}
    assert "=HYPERLINK(moved)" in in_json, "only spreadsheets need protection"


def test_csv_for_spreadsheets_begins_with_a_mark_or_is_gb18030(city: Billing) -> None:
    plain = made(city, "statements", "csv").path.read_bytes()
    marked = made(city, "statements", "csv", text=TextOptions(has_bom=True)).path.read_bytes()
    chinese = made(city, "statements", "csv", text=TextOptions(encoding="gb18030")).path.read_bytes()
    assert marked == b"\xef\xbb\xbf" + plain
    assert chinese.decode("gb18030") == plain.decode()
    assert "局" in chinese.decode("gb18030")


@pytest.mark.parametrize(
    "dataset", ["lines", "statements", "efficiency", "efficiency-classes", "efficiency-machines", "assessment"]
)
def test_a_table_is_headed_by_words_of_the_reader_where_that_is_asked_for(city: Billing, dataset: str) -> None:
    plain = made(city, dataset, "csv").path.read_bytes().decode()
    names, _, body = plain.partition("\r\n")
    for language, word in (("zh-CN", "部门"), ("en", "department")):
        headed = made(city, dataset, "csv", has_words=True, language=language).path.read_bytes().decode()
        head, _, rest = headed.partition("\r\n")
        assert rest == body, "only the headings differ"
        words = next(csv.reader([head]))
        assert len(words) == len(set(words)) == len(names.split(","))
        assert not [w for w in words if "_" in w]
        if dataset in ("lines", "statements", "efficiency"):
            assert word in words
    marked = made(city, dataset, "csv", has_words=True, text=TextOptions(encoding="gb18030")).path.read_bytes()
    assert marked.decode("gb18030").partition("\r\n")[0] != names


def test_moments_are_utc_and_money_is_text_in_json(city: Billing) -> None:
    [first, *_] = json.loads(made(city, "lines", "json", month="2026-05").path.read_bytes())
    assert first["start"].endswith("Z")
    assert "2026-04-30T16:00:00Z" <= first["start"] < first["end"] <= "2026-05-31T16:00:00Z"
    assert isinstance(first["yuan"], str)
    assert len(first["yuan"].partition(".")[2]) == 6


def test_a_department_gets_its_own_and_no_other(city: Billing) -> None:
    scope = of_departments(city.city.departments["civil-it"].id)
    for dataset, column in (
        ("lines", "department_code"),
        ("focus-cost-and-usage", "BillingAccountId"),
        ("statements", "department_code"),
    ):
        found = rows(made(city, dataset, "csv", scope=scope, month="2026-05").path.read_bytes())
        assert {r[column] for r in found} == {"civil-it"}
    nobody = made(city, "lines", "csv", scope=Scope(frozenset()))
    assert (nobody.manifest["rows"], nobody.manifest["yuan"]) == (0, "0.000000")
    assert nobody.path.read_bytes().count(b"\n") == 1
    for format_ in ("json", "parquet"):
        assert made(city, "focus-cost-and-usage", format_, scope=Scope(frozenset())).manifest["rows"] == 0


def test_an_open_month_is_told_up_to_a_moment(city: Billing) -> None:
    early, late = (made(city, "lines", "csv", month="2026-07", as_of_s=JULY_S + n * DAY) for n in (1, 2))
    first, second = (sum(Decimal(r["yuan"]) for r in rows(m.path.read_bytes())) for m in (early, late))
    assert second - first == pytest.approx(first, abs=Decimal("0.01"))
    assert late.manifest["as_of_s"] == JULY_S + 2 * DAY
    statement = periods.statement(city.platform, "2026-07", city.city.departments["civil-it"].id)
    own = made(city, "lines", "csv", month="2026-07", scope=of_departments(city.city.departments["civil-it"].id))
    assert Decimal(own.manifest["yuan"]) == Decimal(yuan(statement["micro_yuan"]))


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"month": "2026-08"}, "report.in_future"),
        ({"month": "2026-13"}, "usage.month_invalid"),
        ({"dataset": "everything"}, "report.dataset_unknown"),
        ({"format_": "xlsx"}, "report.format_unknown"),
        ({"format_": "json", "has_words": True}, "report.names_fixed"),
        ({"dataset": "focus-1.2", "has_words": True}, "report.names_fixed"),
        ({"format_": "json", "text": TextOptions(has_bom=True)}, "report.encoding_fixed"),
        ({"format_": "parquet", "text": TextOptions(encoding="gb18030")}, "report.encoding_fixed"),
        ({"dataset": "statement", "format_": ""}, "report.one_department"),
        ({"dataset": "statement", "format_": "", "department": "city"}, "statement.not_found"),
        ({"as_of_s": JUNE_S}, "report.as_of_not_here"),
        ({"month": "2026-07", "as_of_s": JUNE_S}, "report.as_of_outside"),
        ({"month": "2026-07", "as_of_s": JULY_S + 29 * DAY}, "report.as_of_outside"),
    ],
)
def test_what_cannot_be_told_is_said(city: Billing, options: dict[str, Any], code: str) -> None:
    before = kept(city)
    with pytest.raises(AllotError) as refused:
        made(city, **{"dataset": "lines", "format_": "csv", **options})
    assert refused.value.code == code
    assert kept(city) == before


def test_lines_that_are_not_what_the_statements_say_make_no_report(city: Billing, monkeypatch: pytest.MonkeyPatch) -> None:
    from metering.reports import source

    whole = source.stored
    before = kept(city)

    def one_less(*arguments: Any) -> Iterator[LineColumns]:
        for portion in whole(*arguments):
            yield portion.part(slice(1, None))

    monkeypatch.setattr(source, "stored", one_less)
    with pytest.raises(Conflict) as refused:
        made(city, "lines", "csv", scope=of_departments(city.city.departments["civil"].id))
    assert refused.value.code == "report.differs"
    assert kept(city) == before


def test_a_workbook_says_the_same_in_both_languages(city: Billing) -> None:
    for language, summary in (("zh-CN", "汇总"), ("en", "Summary")):
        path = made(city, "workbook", language=language, month="2026-05").path
        book = openpyxl.load_workbook(path)
        assert book.sheetnames[0] == summary
        assert len(book.sheetnames) == 7
        sheet = book[summary]
        cells = [[c.value for c in row] for row in sheet.iter_rows(min_row=2)]
        amounts = [Decimal(str(row[4])) for row in cells]
        assert amounts[-1] == sum(amounts[:-1]) == period_sum(city, "2026-05")
        payable = [Decimal(str(row[6])) for row in cells]
        assert payable[-1] == sum(payable[:-1])
        assert len(sheet._charts) == 1
        with zipfile.ZipFile(path) as archive:
            assert {i.date_time[:1] for i in archive.infolist()} == {(1980,)}
        projects = [[c.value for c in row] for row in book.worksheets[1].iter_rows(min_row=2)]
        own = table(city, "statements", "2026-05")
        quantities = [Decimal(r["priced_quantity"]) if r["priced_quantity"] else None for r in own]
        assert [None if r[6] is None else Decimal(str(r[6])) for r in projects] == quantities, "numbers, not texts"
        assert ("内存" if language == "zh-CN" else "memory") in {r[4] for r in projects}
        for one in book:
            assert not [c.coordinate for row in one.iter_rows() for c in row if c.data_type == "f"]


def test_a_printed_statement_adds_up_and_shows_no_markup_of_others(city: Billing) -> None:
    page = made(city, "statement", department="civil-it", month="2026-05").path.read_text("utf-8")
    own = [r for r in table(city, "statements", "2026-05") if r["department_code"] == "civil-it"]
    payable = sum(Decimal(r["payable_yuan"]) for r in own)
    assert f'<td class="n">{payable}</td>' in page
    assert all(f'<td class="n">{r["payable_yuan"]}</td>' in page for r in own)
    assert "<script" not in page
    assert "http" not in page
    assert {"内存", "地址", "GiB·小时", "用量"} <= set(re.findall(r"<td>([^<]*)</td>", page))
    assert "memory_mib" not in page
    english = made(city, "statement", department="civil-it", month="2026-05", language="en").path.read_text("utf-8")
    assert "To be paid" in english
    assert "not closed yet" in made(city, "statement", department="civil-it", month="2026-07", language="en").path.read_text(
        "utf-8"
    )
