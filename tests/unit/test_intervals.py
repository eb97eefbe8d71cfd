"""metering.intervals: journal rows to half-open intervals."""

from collections.abc import Mapping
from typing import Any

from metering.intervals import Interval, clip, intervals
from tests.support.journal import row


def spans(found: list[Interval]) -> list[tuple[str, str, int, int, int]]:
    return [(i.meter, i.state, i.amount, i.start_s, i.end_s) for i in found]


def story(*events: tuple[str, int, Mapping[str, int]]) -> list[Any]:
    return [row(n, state=s, occurred_at_s=t, amounts=a) for n, (s, t, a) in enumerate(events, start=1)]


def test_a_life_has_no_gap_and_no_overlap() -> None:
    rows = story(
        ("allocated", 100, {"vcpu": 2}), ("running", 110, {"vcpu": 2}), ("stopped", 200, {"vcpu": 2}), ("released", 250, {})
    )
    assert spans(list(intervals(rows, 0, 1000))) == [
        ("vcpu", "allocated", 2, 100, 110),
        ("vcpu", "running", 2, 110, 200),
        ("vcpu", "stopped", 2, 200, 250),
    ]


def test_an_open_interval_ends_with_the_window() -> None:
    rows = story(("running", 100, {"vcpu": 2}))
    [only] = intervals(rows, 0, 500)
    assert (only.start_s, only.end_s, only.closed_by) == (100, 500, None)


def test_the_window_clips_both_ends_and_the_opening_is_kept() -> None:
    rows = story(("running", 100, {"vcpu": 2}), ("released", 900, {}))
    [only] = intervals(rows, 200, 300)
    assert (only.opened_s, only.start_s, only.end_s, only.seconds) == (100, 200, 300, 100)
    assert only.closed_by is None


def test_an_interval_that_ends_where_the_window_begins_is_outside() -> None:
    rows = story(("running", 100, {"vcpu": 2}), ("released", 200, {}))
    assert list(intervals(rows, 200, 300)) == []
    assert list(intervals(rows, 0, 100)) == []


def test_one_second_is_one_second() -> None:
    rows = story(("running", 100, {"vcpu": 1}), ("released", 101, {}))
    assert [i.seconds for i in intervals(rows, 0, 1000)] == [1]


def test_changes_of_no_length_are_dropped() -> None:
    rows = story(
        ("allocated", 100, {"vcpu": 1}), ("running", 100, {"vcpu": 1}), ("running", 100, {"vcpu": 4}), ("released", 200, {})
    )
    assert spans(list(intervals(rows, 0, 1000))) == [("vcpu", "running", 4, 100, 200)]


def test_a_resize_shares_one_boundary_second() -> None:
    rows = story(("running", 100, {"vcpu": 1, "memory_mib": 512}), ("running", 150, {"vcpu": 2, "memory_mib": 512}))
    assert spans(list(intervals(rows, 0, 200))) == [
        ("memory_mib", "running", 512, 100, 150),
        ("vcpu", "running", 1, 100, 150),
        ("memory_mib", "running", 512, 150, 200),
        ("vcpu", "running", 2, 150, 200),
    ]


def test_a_clock_set_back_never_gives_negative_time() -> None:
    rows = story(("allocated", 100, {"vcpu": 1}), ("running", 90, {"vcpu": 1}), ("released", 130, {}))
    assert spans(list(intervals(rows, 0, 1000))) == [("vcpu", "running", 1, 100, 130)]


def test_two_windows_agree_when_the_clock_was_set_back() -> None:
    rows = story(
        ("allocated", 0, {"vcpu": 1}), ("running", 100, {"vcpu": 1}), ("stopped", 90, {"vcpu": 1}), ("released", 130, {})
    )
    parts = [*intervals(rows, 0, 95), *intervals(rows, 95, 200)]
    assert spans(parts) == [
        ("vcpu", "allocated", 1, 0, 95),
        ("vcpu", "allocated", 1, 95, 100),
        ("vcpu", "stopped", 1, 100, 130),
    ]


def test_resources_do_not_touch_each_other() -> None:
    rows = [row(1, resource="inst_a", occurred_at_s=10), row(1, resource="inst_b", occurred_at_s=20)]
    assert [(i.resource_id, i.start_s, i.end_s) for i in intervals(rows, 0, 30)] == [("inst_a", 10, 30), ("inst_b", 20, 30)]


def test_what_was_created_after_the_window_is_not_in_it() -> None:
    assert list(intervals(story(("running", 600, {"vcpu": 1}), ("released", 700, {})), 0, 500)) == []


def test_clip_returns_none_outside() -> None:
    [whole] = intervals(story(("running", 100, {"vcpu": 2}), ("released", 200, {})), 0, 300)
    assert clip(whole, 200, 300) is None
    part = clip(whole, 150, 300)
    assert part is not None
    assert (part.start_s, part.end_s, part.opened_s, part.closed_by) == (150, 200, 100, 2)
