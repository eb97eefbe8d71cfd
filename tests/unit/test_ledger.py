"""metering.ledger: what taking journal rows changes."""

import pytest

from inventory.domain.ids import ResourceId
from inventory.domain.journal import JournalRow
from metering.ledger import Advance, Position, advance
from tests.support.journal import row


def taken(*rows: JournalRow, position: Position | None = None) -> Advance:
    found = advance(position, list(rows))
    assert found is not None
    return found


def at(revision: int, since_s: int) -> Position:
    return Position(resource_id=ResourceId("inst_a"), revision=revision, since_s=since_s)


def test_the_first_row_opens_an_interval_that_goes_on() -> None:
    found = taken(row(1, occurred_at_s=100))
    assert [(i.start_s, i.end_s, i.amount, i.opened_by, i.closed_by) for i in found.opened] == [(100, None, 1, 1, None)]
    assert found.position == at(1, 100)


def test_a_following_row_closes_at_its_moment_and_opens_anew() -> None:
    found = taken(row(2, occurred_at_s=160, amounts={"vcpu": 4}), position=at(1, 100))
    assert (found.closed_s, found.closed_by) == (160, 2)
    assert [(i.start_s, i.end_s, i.amount) for i in found.opened] == [(160, None, 4)]


def test_a_release_opens_nothing() -> None:
    assert taken(row(2, state="released", amounts={}, occurred_at_s=160), position=at(1, 100)).opened == ()


def test_two_rows_of_one_moment_leave_no_empty_interval() -> None:
    found = taken(row(1, occurred_at_s=100), row(2, occurred_at_s=100, amounts={"vcpu": 2}))
    assert [(i.start_s, i.amount, i.opened_by) for i in found.opened] == [(100, 2, 2)]


def test_a_clock_set_back_never_gives_negative_time() -> None:
    found = taken(row(2, occurred_at_s=40), row(3, occurred_at_s=120), position=at(1, 100))
    assert found.closed_s == 100
    assert [(i.start_s, i.end_s) for i in found.opened] == [(100, 120), (120, None)]


def test_a_row_that_was_taken_changes_nothing() -> None:
    assert advance(at(2, 100), [row(1), row(2)]) is None


def test_a_row_whose_predecessor_is_missing_waits() -> None:
    assert advance(at(1, 100), [row(3, occurred_at_s=200)]) is None
    assert taken(row(3, occurred_at_s=200), row(2, occurred_at_s=150), position=at(1, 100)).position == at(3, 200)


@pytest.mark.parametrize("count", [0, 2])
def test_an_amount_of_nothing_is_no_interval(count: int) -> None:
    assert len(taken(row(1, amounts={"vcpu": count, "memory_mib": 0})).opened) == (1 if count else 0)
