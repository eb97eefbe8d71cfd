"""Reports over the API: fetched whole or from where a fetch broke off, by whom they are for, and never half."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from controller.identity.caller import Role
from controller.workflows import reports
from controller.workflows.report_room import ReportRoom
from inventory.domain.errors import Unavailable
from inventory.store.engine import Database
from metering.reports import files
from tests.support.api import Service, service
from tests.support.database import sqlite_database
from tests.support.report_city import busy_city, made


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("reports-api")) as found:
        yield found


PATH = "/v1/periods/2020-01/reports/statements"


def test_a_report_is_fetched_with_its_hash_and_from_where_it_broke_off(platform: Service) -> None:
    finance = platform.client(Role.FINANCE)
    manifest = finance.get(f"{PATH}/manifest").json()
    whole = finance.get(PATH)
    assert whole.status_code == 200
    assert whole.headers["content-type"].startswith("text/csv")
    assert whole.headers["etag"] == f'"{manifest["sha256"]}"' == f'"{hashlib.sha256(whole.content).hexdigest()}"'
    assert 'filename="2020-01-statements.csv"' in whole.headers["content-disposition"]
    asked = {"as_of": str(manifest["as_of_s"])}
    rest = finance.get(PATH, params=asked, headers={"Range": "bytes=5-", "If-Range": whole.headers["etag"]})
    assert (rest.status_code, rest.content) == (206, whole.content[5:])
    other = finance.get(PATH, params=asked, headers={"Range": "bytes=5-", "If-Range": '"something else"'})
    assert (other.status_code, other.content) == (200, whole.content)
    beyond = finance.get(PATH, params=asked, headers={"Range": f"bytes={len(whole.content) + 1}-"})
    assert beyond.status_code == 416


def test_a_department_one_may_not_see_is_not_found(platform: Service) -> None:
    client = platform.client(Role.DEPARTMENT_READER, "civil-it")
    for code in ("water", "city", "nobody"):
        for path in (PATH, f"{PATH}/manifest"):
            answer = client.get(path, params={"department": code})
            assert (answer.status_code, answer.json()["code"]) == (404, "department.not_found")
    assert client.get(PATH, params={"department": "civil-it"}).status_code == 200


def test_headings_are_words_in_the_language_of_who_asks(platform: Service) -> None:
    for language, word in (("zh-CN", "部门代码"), ("en", "department code")):
        answer = platform.client(Role.FINANCE).get(PATH, params={"headings": "words"}, headers={"Accept-Language": language})
        assert answer.status_code == 200
        assert word in answer.content.decode().split("\r\n")[0].split(",")


def test_what_cannot_be_made_is_refused_with_the_cure(platform: Service) -> None:
    finance = platform.client(Role.FINANCE)
    for path, query, code in (
        ("/v1/periods/2099-01/reports/lines", {}, "report.in_future"),
        ("/v1/periods/2020-01/reports/nothing", {}, "report.dataset_unknown"),
        (PATH, {"format": "xlsx"}, "report.format_unknown"),
        (PATH, {"format": "json", "headings": "words"}, "report.names_fixed"),
        (PATH, {"format": "json", "encoding": "gb18030"}, "report.encoding_fixed"),
        (PATH, {"format": "pdf"}, "report.format_unknown"),
        (PATH, {"format": "docx"}, "request.invalid"),
        (PATH, {"as_of": "soon"}, "usage.moment_unreadable"),
        (PATH, {"as_of": "5"}, "report.as_of_outside"),
    ):
        answer = finance.get(path, params=query)
        assert (answer.status_code, answer.json()["code"]) == (422, code)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with sqlite_database(tmp_path / "state.db") as opened:
        yield opened


def test_a_full_disk_is_said_and_leaves_nothing(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    city = busy_city(database, tmp_path)
    room = city.platform.images_dir / ".reports"
    full = OSError(28, "No space left on device")

    def no_room(self: files.Sink, data: bytes) -> None:
        self.stream.write(data[:1])
        raise full

    for dataset, format_, department in (
        ("lines", "csv", ""),
        ("lines", "parquet", ""),
        ("workbook", "", ""),
        ("statement", "", "civil-it"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(files.Sink, "put", no_room)
            with pytest.raises(Unavailable) as refused:
                made(city, dataset, format_, department=department)
        assert refused.value.code == "report.disk_full"
        assert list(room.iterdir()) == []
        made(city, dataset, format_, department=department).path.unlink()
        for left in room.iterdir():
            left.unlink()


def test_a_place_nothing_can_be_written_in_is_said(database: Database, tmp_path: Path) -> None:
    city = busy_city(database, tmp_path)
    (tmp_path / "file").write_text("")
    platform = replace(city.platform, reports=ReportRoom(directory=tmp_path / "file" / "reports"))
    city.platform = platform
    with pytest.raises(Unavailable) as refused:
        made(city, "lines", "csv")
    assert refused.value.code == "report.not_written"


def test_what_nobody_fetched_is_swept_away(database: Database, tmp_path: Path) -> None:
    city = busy_city(database, tmp_path)
    first = made(city, "lines", "csv").path
    half = first.with_name("killed.partial")
    half.write_text("")
    import os

    for old in (first, half):
        os.utime(old, (0, 0))
    assert made(city, "statements", "csv").path.exists()
    assert not first.exists()
    assert not half.exists()


def test_few_reports_are_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.workflows.report_room._PATIENCE_S", 0.0)
    room = ReportRoom()
    with room.turn(), room.turn(), pytest.raises(Unavailable, match=r"report\.busy"), room.turn():
        pass
    with room.turn():
        pass


def test_every_dataset_is_offered_by_name() -> None:
    assert set(reports.DATASETS) >= {"lines", "statements", "workbook", "statement", "focus-1.2", "focus-cost-and-usage"}
