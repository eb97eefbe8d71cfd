"""What YAML 1.1 makes of a Chinese office's tickets, and what is made of them here, beside PyYAML's own ``safe_load``."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
import yaml

from controller.tickets.language import parse_ticket
from controller.tickets.schema import TICKET
from controller.workflows.obligation import lease_end_s
from inventory.domain.errors import Invalid
from inventory.importers.amounts import fold
from inventory.importers.document import read_document
from inventory.importers.shapes import Reading
from metering.reports.columns import neutral
from tests.support.tickets import PORTAL, TODAY, parse, portal, problems_of

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("written", "by_yaml"),
    [
        ("0571", 377),  # the area code of Hangzhou, in octal
        ("22:30", 1350),  # base 60
        ("1.10", 1.1),
        ("no", False),
        ("on", True),
        ("2027-06-30", date(2027, 6, 30)),
        ("1_000", 1000),
        ("0x1f", 31),
        (".inf", float("inf")),
    ],
)
def test_what_yaml_takes_for_something_else_is_the_text_that_was_written(written: str, by_yaml: object) -> None:
    assert yaml.safe_load(f"a: {written}") == {"a": by_yaml}
    labels = parse(portal(("{batch: 2026-first}", f"{{batch: {written}}}"))).labels
    assert labels == {"batch": written}


def test_yaml_makes_a_text_of_a_full_width_mapping_and_loses_a_key_that_stands_twice() -> None:
    assert yaml.safe_load("名称：官网") == "名称：官网"
    assert yaml.safe_load("a: 1\na: 2") == {"a": 2}
    assert problems_of(lambda: parse("名称：官网"))[0].code == "document.full_width"
    assert problems_of(lambda: parse(PORTAL + "environment: test\n"))[0].code == "document.duplicate_key"


@pytest.mark.parametrize(("path", "old"), [("zone", "network: 政务外网"), ("project", "code: GZ2026-MZJ-017")])
@pytest.mark.parametrize("written", ["no", "0571", "22:30", "1.10", "2027-06-30"])
def test_codes_that_look_like_something_else_stay_codes(path: str, old: str, written: str) -> None:
    document = parse(portal((old, f"{old.partition(':')[0]}: {written}")))
    assert getattr(document, path) == written


def test_a_number_with_zeros_before_it_is_decimal() -> None:
    assert yaml.safe_load("count: 010") == {"count": 8}
    assert parse(portal(("count: 2", "count: 010"))).servers[0].count == 10


@pytest.mark.parametrize("written", ["12个月", "１２个月", "1年", "2027-02-28", "2027年2月28日", "２０２７年２月２８日"])
def test_one_day_may_be_written_in_many_ways(written: str) -> None:
    lease = parse(portal(("12个月", written))).lease
    assert lease is not None
    assert lease.day == date(2027, 2, 28)


def test_a_lease_ends_at_midnight_of_the_platform_not_of_greenwich() -> None:
    assert lease_end_s("2027-02-28", SHANGHAI) == datetime(2027, 2, 28, 16, tzinfo=UTC).timestamp()


def test_an_error_holds_the_place_the_offending_text_and_what_to_write_instead() -> None:
    [problem] = problems_of(lambda: parse(portal(("network: 政务外网", "network: {a: b}"))))
    assert problem.where is not None
    assert (problem.where.line, problem.where.column) == (16, 12)
    [problem] = problems_of(lambda: parse(portal(("environment: test", "environment: 测式"))))
    assert (problem.params["written"], problem.params["suggestion"]) == ("测式", "测试")
    assert str(problem.params["offered"]).startswith("test/测试")


def test_keys_and_enumerations_are_folded_and_titles_are_not() -> None:
    written = PORTAL.replace("environment: test", "ｅｎｖｉｒｏｎｍｅｎｔ: ｔｅｓｔ").replace("市民政局门户网站", "ＡＢ　门户")
    ticket = parse_ticket(written.encode(), today=TODAY)
    assert (ticket.environment, ticket.title) == ("test", "ＡＢ　门户")


@pytest.mark.parametrize("written", ["1²", "①", "1①", "㉚", "½", "1₂", "²"])
def test_a_number_that_is_no_digit_is_never_taken_for_one(written: str) -> None:
    """Made plain as full-width digits are, a footnote behind a one would order twelve machines."""
    for place in (f"count: {written}", f"size: {{cpu: {written}, memory: 1GiB}}", f"size: {{cpu: 1, memory: {written}GiB}}"):
        text = PORTAL.replace("count: 2", place) if place.startswith("count") else PORTAL.replace("size: tiny", place, 1)
        assert text != PORTAL
        with pytest.raises(Invalid) as refused:
            parse_ticket(text.encode(), today=TODAY)
        codes = {problem.code for problem in refused.value.problems}
        assert codes <= {"document.not_a_number", "document.not_an_amount"}, codes
    assert fold(" ２ＧｉＢ㎇ ") == "2GiBGB"


def test_both_languages_may_be_mixed_in_one_file() -> None:
    mixed = parse(portal(("environment: test", "环境: test"), ("  servers:", "  服务器:"), ("action: create", "操作: 新建")))
    assert mixed.servers == parse(PORTAL).servers


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "＝", "＋", "－", "＠"])
def test_no_text_begins_a_formula(first: str) -> None:
    assert neutral(f"{first}HYPERLINK(1)") == f"'{first}HYPERLINK(1)"
    assert neutral(f"\n{first}1").startswith(" ")


@pytest.mark.parametrize("text", ["民政局", "a=b", "1-2", "（一）"])
def test_harmless_texts_stay_as_they_are(text: str) -> None:
    assert neutral(text) == text


def test_attachments_have_no_place_in_a_ticket() -> None:
    reading = Reading(unknown_field="ticket.unknown_field", not_offered="ticket.not_offered")
    TICKET.read(read_document((PORTAL + "attachments: [a.docx]\n").encode()).root, "", reading)
    assert [p.code for p in reading.problems] == ["ticket.unknown_field"]
