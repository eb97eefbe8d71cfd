"""A statement as PDF says what the page says, in both languages; where it cannot be made nobody gets boxes for characters."""

import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import pytest

from inventory.domain.errors import Invalid
from metering.reports.pdf import pdf_of
from tests.support.billing import Billing
from tests.support.database import sqlite_database
from tests.support.report_city import busy_city, made

#: A picture of one dot.
_DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Billing]:
    place = tmp_path_factory.mktemp("pdf")
    with sqlite_database(place / "state.db") as opened:
        yield busy_city(opened, place)


def kept(city: Billing) -> list[Path]:
    return sorted((city.platform.images_dir / ".reports").glob("*"))


def forget(city: Billing) -> None:
    for path in kept(city):
        path.unlink()


def said_by(path: Path) -> str:
    told = subprocess.run(["pdftotext", "-layout", str(path), "-"], check=True, capture_output=True, text=True)
    return told.stdout


@pytest.mark.parametrize(
    ("language", "words"), [("zh-CN", ("云资源使用对账单", "应付合计")), ("en", ("Statement of cloud usage", "To be paid"))]
)
def test_a_statement_as_pdf_says_what_the_page_says(city: Billing, language: str, words: tuple[str, ...]) -> None:
    report = made(city, "statement", "pdf", department="civil-it", language=language)
    told = said_by(report.path)
    page = made(city, "statement", "html", department="civil-it", language=language)
    assert report.media_type == "application/pdf"
    assert report.path.read_bytes().startswith(b"%PDF-")
    for word in (*words, report.manifest["billed_yuan"], str(report.manifest["seal"])):
        assert word in told
    same = ("rows", "list_yuan", "yuan", "billed_yuan", "seal")
    assert [report.manifest[k] for k in same] == [page.manifest[k] for k in same]


def test_the_same_statement_has_the_same_bytes(city: Billing) -> None:
    first = made(city, "statement", "pdf", department="civil-it")
    before = first.path.read_bytes()
    forget(city)
    assert made(city, "statement", "pdf", department="civil-it").path.read_bytes() == before


def test_without_the_library_it_is_refused_with_the_cure(city: Billing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    forget(city)
    with pytest.raises(Invalid) as refused:
        made(city, "statement", "pdf", department="civil-it")
    assert refused.value.code == "report.pdf_not_here"
    assert kept(city) == []


def test_without_a_chinese_font_it_is_refused(city: Billing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    none = tmp_path / "fonts.conf"
    none.write_text(f"<fontconfig><dir>{tmp_path}</dir><cachedir>{tmp_path}/cache</cachedir></fontconfig>", encoding="utf-8")
    monkeypatch.setenv("FONTCONFIG_FILE", str(none))
    forget(city)
    with pytest.raises(Invalid) as refused:
        made(city, "statement", "pdf", department="civil-it")
    assert refused.value.code == "report.pdf_not_here"


def test_a_page_fetches_nothing(tmp_path: Path) -> None:
    picture = tmp_path / "dot.png"
    picture.write_bytes(b64decode(_DOT))
    printed = tmp_path / "page.pdf"
    printed.write_bytes(pdf_of(f'<html><body><p>seen</p><img src="{picture.as_uri()}"></body></html>'))
    assert "seen" in said_by(printed)
    listed = subprocess.run(["pdfimages", "-list", str(printed)], check=True, capture_output=True, text=True).stdout
    assert len(listed.splitlines()) == 2, "a head, and no picture below it"
