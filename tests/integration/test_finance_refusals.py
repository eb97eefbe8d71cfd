"""What finance must never get: lines that lead nowhere, another department's bill, half a file on a full disk, absurd prices."""

import resource
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from controller.identity.caller import Role
from controller.workflows import corrections, periods, price_books
from controller.workflows.report_room import ReportRoom
from inventory.domain.errors import Conflict, Invalid, NotFound, Unavailable
from inventory.domain.scope import PLATFORM, of_departments
from inventory.store.engine import Database
from metering import period_store
from metering.lines import Kind
from tests.support.api import Service, service
from tests.support.billing import BOOK, Billing, billing, finance
from tests.support.database import sqlite_database
from tests.support.report_city import busy_city, made
from tests.support.small_disk import small_disk

MONTHS = ("2026-05", "2026-06")


def test_every_line_of_every_kind_leads_to_approved_prices_and_to_what_it_came_from(database: Database, tmp_path: Path) -> None:
    city = busy_city(database, tmp_path)
    kinds: dict[str, int] = {}
    for month in MONTHS:
        with city.platform.db.read() as connection:
            ids = {line_id: line.kind for line_id, line in period_store.lines(connection, month)}
        for line_id, kind in ids.items():
            found = corrections.trace(city.platform, line_id.hex(), PLATFORM)
            prices = found["prices"] if kind == Kind.CORRECTION else [found["price"]]
            assert prices
            for price in prices:
                assert len(set(price["approved_by"]) - {price["created_by"]}) == 2, (month, kind)
            assert _comes_from(found, kind), (month, kind, found)
            kinds[kind] = kinds.get(kind, 0) + 1
    assert set(kinds) == {
        Kind.USAGE, Kind.COMMITMENT_USED, Kind.COMMITMENT_UNUSED, Kind.ENTRY, Kind.COUNTED, Kind.ADJUSTMENT, Kind.CORRECTION,
    }  # fmt: skip


def _comes_from(found: dict[str, object], kind: str) -> bool:
    """Tell whether a line names what it was made of."""
    line = found["line"]
    assert isinstance(line, dict)
    if kind in (Kind.USAGE, Kind.COMMITMENT_USED):
        return found["opened_by"] is not None and (found["closed_by"] is not None) == bool(line["closed_by"])
    if kind == Kind.COUNTED:
        return bool(found["counted"])
    if kind == Kind.CORRECTION:
        return bool(found["late_words"])
    by_hand = found["by_hand"]
    if kind in (Kind.ENTRY, Kind.ADJUSTMENT):
        assert isinstance(by_hand, dict)
        people = {by_hand["entered_by"], by_hand["decided_by"]} - {None}
        return len(people) == 2 and by_hand["reason"] in line["reason"] and bool(line["reference"]) == (kind == Kind.ADJUSTMENT)
    # What a commitment left unused by its name.
    return bool(line["resource_id"])


def test_a_department_is_not_told_of_late_word_of_others(database: Database, tmp_path: Path) -> None:
    city = busy_city(database, tmp_path)
    with city.platform.db.read() as connection:
        late = [x for x, line in period_store.lines(connection, "2026-06") if line.kind == Kind.CORRECTION]
    home = city.city.departments
    for line_id in late:
        assert corrections.trace(city.platform, line_id.hex(), of_departments(home["civil"].id))["late_words"]
        with pytest.raises(NotFound, match=r"line\.not_found"):
            corrections.trace(city.platform, line_id.hex(), of_departments(home["water-it"].id))


# -- another department's bill -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("refusals")) as found:
        yield found


@pytest.mark.parametrize("path", ["", "/lines"])
@pytest.mark.parametrize("code", ["water-it", "civil", "city", "nobody"])
def test_a_statement_of_a_department_one_may_not_see_is_not_there(platform: Service, path: str, code: str) -> None:
    client = platform.client(Role.DEPARTMENT_READER, "civil-it")
    answer = client.get(f"/v1/periods/2020-01/statements/{code}{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "department.not_found")


def test_nobody_acknowledges_for_another_department(platform: Service) -> None:
    client = platform.client(Role.DEPARTMENT_ADMIN, "civil-it")
    answer = client.post("/v1/periods/2020-01/statements/water-it/acknowledge")
    assert (answer.status_code, answer.json()["code"]) == (404, "department.not_found")


# -- a disk that fills -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dataset", "format_", "department"),
    [("lines", "csv", ""), ("lines", "json", ""), ("lines", "parquet", ""), ("focus-cost-and-usage", "csv", ""),
     ("workbook", "", ""), ("statement", "", "civil-it")],
)  # fmt: skip
def test_a_disk_that_is_full_gets_no_half_report_and_takes_the_whole_one_later(
    tmp_path: Path, dataset: str, format_: str, department: str
) -> None:
    with small_disk(tmp_path / "disk", "8m") as disk, sqlite_database(tmp_path / "state.db") as opened:
        city = busy_city(opened, tmp_path)
        room = disk / "reports"
        room.mkdir()
        city.platform = replace(city.platform, reports=ReportRoom(directory=room))
        filler = disk / "filler"
        with filler.open("wb") as file:
            file.write(b"x" * shutil.disk_usage(disk).free)
        with pytest.raises(Unavailable) as refused:
            made(city, dataset, format_, department=department)
        assert refused.value.code == "report.disk_full"
        assert list(room.iterdir()) == []
        filler.unlink()
        whole = made(city, dataset, format_, department=department)
        assert whole.path.stat().st_size == whole.manifest["bytes"] > 0


@pytest.mark.parametrize(("dataset", "department"), [("workbook", ""), ("statement", "civil-it"), ("statements", "")])
def test_whatever_room_is_left_a_report_is_there_with_its_manifest_or_nothing_is(
    tmp_path: Path, dataset: str, department: str
) -> None:
    """Page by page: at some size the file fits and its manifest does not."""
    with small_disk(tmp_path / "disk", "8m") as disk, sqlite_database(tmp_path / "state.db") as opened:
        city = busy_city(opened, tmp_path)
        room, filler = disk / "reports", disk / "filler"
        room.mkdir()
        city.platform = replace(city.platform, reports=ReportRoom(directory=room))
        said: set[str] = set()
        for left in range(0, 64 << 10, 4 << 10):
            with filler.open("wb") as file:
                file.write(b"x" * (shutil.disk_usage(disk).free - left))
            try:
                found = made(city, dataset, department=department)
            except Unavailable as error:
                said.add(error.code)
                assert list(room.iterdir()) == [], left
            else:
                assert sorted(room.iterdir()) == [found.path, found.path.with_name(f"{found.path.name}.manifest")]
                break
            filler.unlink()
        assert said == {"report.disk_full"}
        assert found.manifest["bytes"] == found.path.stat().st_size


@pytest.mark.parametrize(("dataset", "format_"), [("lines", "csv"), ("lines", "parquet"), ("workbook", "xlsx")])
def test_a_file_that_may_not_grow_so_large_is_said_with_the_reason_and_leaves_nothing(
    database: Database, tmp_path: Path, dataset: str, format_: str
) -> None:
    city = busy_city(database, tmp_path)
    room = city.platform.images_dir / ".reports"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, before[1]))
    try:
        with pytest.raises(Unavailable) as refused:
            made(city, dataset, format_)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (refused.value.code, refused.value.params["reason"]) == ("report.not_written", "File too large")
    assert list(room.iterdir()) == []
    assert made(city, dataset, format_).path.stat().st_size > 3000


# -- periods and prices ------------------------------------------------------------------------------------------------


@pytest.fixture
def city(database: Database, tmp_path: Path) -> Billing:
    return billing(database, tmp_path)


@pytest.mark.parametrize("month", ["2026-05", "2026-06", "2199-12"])
def test_a_month_that_is_not_over_is_not_begun_to_close(city: Billing, month: str) -> None:
    with pytest.raises(Conflict, match=r"period\.not_over"):
        periods.begin_closing(city.platform, month, finance("wang"))
    assert periods.show(city.platform, month)["state"] == "open"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('running: "0.0389"', 'running: "1000000.000001"'),
        ('up-to: 5000, price: "0.0007"', 'up-to: 5000, price: "99999999"'),
        ('amount: 3, price: "0.05"', 'amount: 3, price: "1000001"'),
        ('running: "0.0389"', 'running: "-0.0389"'),
        ('percent: "12.37"', 'percent: "100.01"'),
        ('percent: "12.37"', 'percent: "-1"'),
        ('unit: item, price: "5000"', 'unit: item, price: "1e9"'),
    ],
)
def test_absurd_and_negative_prices_are_refused_wherever_they_stand_and_nothing_is_kept(
    city: Billing, old: str, new: str
) -> None:
    assert old in BOOK
    with pytest.raises(Invalid) as refused:
        price_books.submit(city.platform, BOOK.replace(old, new).encode(), finance("wang"))
    [problem] = refused.value.problems
    assert problem.code == "document.not_a_decimal"
    assert problem.where is not None
    assert price_books.listed(city.platform, limit=10, after="") == []
