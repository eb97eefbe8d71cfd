"""``allot events --follow``: every line is told once, though readings overlap."""

from collections.abc import Mapping
from typing import Any

from controller.cli.events import News


def _line(seq: int, at_s: float) -> Mapping[str, Any]:
    return {"ticket_id": "t", "seq": seq, "at_s": at_s}


def test_a_line_that_is_read_twice_is_told_once() -> None:
    news = News(100)
    assert [e["seq"] for e in news.of([_line(1, 100), _line(2, 101)])] == [1, 2]
    assert [e["seq"] for e in news.of([_line(1, 100), _line(2, 101), _line(3, 101)])] == [3]


def test_a_line_committed_late_with_an_earlier_moment_is_still_told() -> None:
    news = News(100)
    assert list(news.of([_line(2, 120)]))
    assert news.from_s == 100
    assert [e["seq"] for e in news.of([_line(1, 119), _line(2, 120)])] == [1]


def test_what_is_too_old_to_be_read_again_is_forgotten() -> None:
    news = News(100)
    list(news.of([_line(1, 100), _line(2, 200)]))
    assert news.from_s == 170
    assert news._told.keys() == {("t", 2)}
