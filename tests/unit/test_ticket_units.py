"""Amounts, decimals, days and lease ends, as people write them."""

from datetime import date

import pytest

from controller.tickets.units import after_months, latest_lease_end, lease_end
from inventory.importers.amounts import MONEY, calendar_date, fixed_point, mib, nearest_first, whole


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("4GiB", (4096, "")),
        ("4 gib", (4096, "")),
        ("4G", (4096, "GiB")),
        ("4GB", (4096, "GiB")),
        ("４ＧＢ", (4096, "GiB")),
        ("512MiB", (512, "")),
        ("512M", (512, "MiB")),
        ("1T", (1024 * 1024, "TiB")),
        ("1.5GiB", (1536, "")),
        ("4吉字节", (4096, "GiB")),
        ("0.0001GiB", None),
        ("4096", None),
        ("GiB", None),
        ("-4GiB", None),
        ("4Gib/s", None),
        ("4KiB", None),
        ("1,024MiB", None),
        ("٤GiB", None),
        ("9" * 40 + "GiB", None),
    ],
)
def test_amounts_have_a_unit_and_are_exact(written: str, expected: tuple[int, str] | None) -> None:
    assert mib(written) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [("4核", 4), ("4 核", 4), ("4C", 4), ("４", 4), ("四", None), ("4.0", None), ("", None), ("4 x", None), ("007", 7)],
)
def test_whole_numbers_may_carry_their_unit(written: str, expected: int | None) -> None:
    assert whole(written, ("核", "c")) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("0.0764", 76_400),
        ("1", 1_000_000),
        ("0.000001", 1),
        ("0.0000001", None),
        ("1e-3", None),
        ("-1", None),
        ("1.", None),
        (".5", None),
        ("１.５", 1_500_000),
    ],
)
def test_prices_are_integers_in_micro_yuan(written: str, expected: int | None) -> None:
    assert fixed_point(written, 6) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("12.34元", 12_340_000),
        ("５０ 万元", 500_000_000_000),
        ("1.000001万元", 10_000_010_000),
        ("0.00000001万元", None),
        ("50万", None),
        ("50亿元", None),
        ("元", None),
        ("万元", None),
    ],
)
def test_money_may_carry_its_unit(written: str, expected: int | None) -> None:
    assert fixed_point(written, 6, MONEY) == expected
    assert fixed_point(written, 6) is None, "only where money is meant"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2027-02-28", date(2027, 2, 28)),
        ("2027年2月28日", date(2027, 2, 28)),
        ("２０２７年２月２８日", date(2027, 2, 28)),
        ("2028-2-29", date(2028, 2, 29)),
        ("2027-02-29", None),
        ("2027/02/28", None),
        ("27-02-28", None),
        ("0000-01-01", None),
    ],
)
def test_days_exist(written: str, expected: date | None) -> None:
    assert calendar_date(written) == expected


@pytest.mark.parametrize(
    ("today", "written", "expected"),
    [
        (date(2026, 3, 1), "12个月", date(2027, 2, 28)),
        (date(2026, 3, 1), "１２个月", date(2027, 2, 28)),
        (date(2026, 3, 1), "1年", date(2027, 2, 28)),
        (date(2026, 3, 1), "12 months", date(2027, 2, 28)),
        (date(2027, 3, 1), "1 year", date(2028, 2, 29)),
        (date(2026, 1, 31), "1个月", date(2026, 2, 28)),
        (date(2028, 2, 29), "1年", date(2029, 2, 28)),
        (date(2026, 12, 31), "2个月", date(2027, 2, 28)),
        (date(2026, 3, 1), "1天", date(2026, 3, 1)),
        (date(2026, 3, 1), "90天", date(2026, 5, 29)),
    ],
)
def test_a_time_from_today_counts_today(today: date, written: str, expected: date) -> None:
    found = lease_end(written, today)
    assert found is not None
    assert (found.day, found.is_relative) == (expected, True)


def test_a_day_is_not_relative() -> None:
    found = lease_end("2027-02-28", date(2026, 3, 1))
    assert found is not None
    assert not found.is_relative


@pytest.mark.parametrize("written", ["6月", "0天", "12", "P1Y", "一年", "-1年", "1.5年", "12个月 1天"])
def test_other_words_are_no_lease(written: str) -> None:
    assert lease_end(written, date(2026, 3, 1)) is None


def test_months_join_without_gap_or_overlap() -> None:
    first = date(2026, 5, 1)
    for count in range(1, 200):
        last = after_months(first, count)
        assert last.toordinal() + 1 == date(2026 + (4 + count) // 12, (4 + count) % 12 + 1, 1).toordinal()


def test_leases_have_a_bound() -> None:
    assert latest_lease_end(date(2026, 3, 1)) == date(2036, 2, 29)


@pytest.mark.parametrize(
    ("word", "offered", "expected"),
    [("cuont", ["name", "count"], "count"), ("root_disk", ["root-disk"], "root-disk"), ("zzz", ["count"], ""), ("", [], "")],
)
def test_the_nearest_word_is_suggested(word: str, offered: list[str], expected: str) -> None:
    assert nearest_first(word, offered)[0] == expected


def test_all_words_are_offered_nearest_first_and_cut() -> None:
    assert nearest_first("lavels", ["name", "levels", "labels"])[1].startswith("l")
    assert nearest_first("x", [f"n{i}" for i in range(50)], max_count=3)[1] == "n0、n1、n2 …"
