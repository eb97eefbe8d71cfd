"""The one loop of all that decide and then promise: again where the picture was old, a bounded number of times."""

import sqlite3

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError

from controller.workflows.decided_again import decided_again
from inventory.domain.errors import Unavailable


class Old(Exception):
    """The picture was old."""


class Scripted:
    """Meets an old picture so many times, then answers."""

    def __init__(self, old_count: int) -> None:
        self.old_count, self.calls = old_count, 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.old_count:
            raise Old(self.calls)
        return "held"


def test_it_is_decided_again_until_it_holds_and_each_old_picture_is_told() -> None:
    once, told, pauses = Scripted(2), list[str](), list[float]()
    found = decided_again(once, tries=3, old=(Old,), heard=lambda error: told.append(str(error)), sleep=pauses.append)
    assert (found, once.calls, told, len(pauses)) == ("held", 3, ["1", "2"], 2)


def test_it_ends_with_too_busy_after_so_many_tries() -> None:
    once, told, pauses = Scripted(100), list[str](), list[float]()
    with pytest.raises(Unavailable) as busy:
        decided_again(once, tries=3, old=(Old,), heard=lambda error: told.append(str(error)), sleep=pauses.append)
    assert (busy.value.code, busy.value.params["tries"], once.calls) == ("ticket.too_busy", 3, 3)
    assert (told, len(pauses)) == (["1", "2", "3"], 2), "told of the last one too, and nobody waits for nothing after it"


def test_pauses_are_short_and_no_two_controllers_keep_step() -> None:
    pauses = list[float]()
    with pytest.raises(Unavailable):
        decided_again(Scripted(1000), tries=200, old=(Old,), sleep=pauses.append)
    assert all(0 <= pause <= 0.1 for pause in pauses)
    assert len(set(pauses)) > 100
    assert max(pauses[:3]) <= 0.02 < max(pauses)


def test_anything_else_is_not_tried_again() -> None:
    once = Scripted(1)
    with pytest.raises(Old):
        decided_again(once, tries=3, old=(KeyError,))
    assert once.calls == 1


def refused(statement: str) -> IntegrityError:
    """Return what SQLite says of a row that cannot be."""
    with create_engine("sqlite://").connect() as connection:
        connection.execute(
            text("CREATE TABLE rows (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, used INTEGER CHECK (used >= 0))")
        )
        connection.execute(text("INSERT INTO rows VALUES (1, 'portal', 0)"))
        with pytest.raises(IntegrityError) as found:
            connection.execute(text(statement))
    assert isinstance(found.value.orig, sqlite3.IntegrityError)
    return found.value


class Refused:
    """Meets a row that the database refuses, then answers."""

    def __init__(self, error: IntegrityError) -> None:
        self.error, self.calls = error, 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls == 1:
            raise self.error
        return "held"


@pytest.mark.parametrize("row", ["(1, 'mail', 0)", "(2, 'portal', 0)"])
def test_a_row_that_another_one_has_the_key_of_is_an_old_picture(row: str) -> None:
    once = Refused(refused(f"INSERT INTO rows VALUES {row}"))
    assert decided_again(once, tries=3, old=(Old,), sleep=lambda _: None) == "held"
    assert once.calls == 2


@pytest.mark.parametrize("row", ["(2, NULL, 0)", "(2, 'mail', -1)"])
def test_any_other_row_that_is_refused_is_a_bug_and_said_at_once(row: str) -> None:
    once = Refused(refused(f"INSERT INTO rows VALUES {row}"))
    with pytest.raises(IntegrityError):
        decided_again(once, tries=3, old=(Old,), sleep=lambda _: None)
    with pytest.raises(IntegrityError):
        decided_again(Refused(once.error), tries=3, old=(Old, IntegrityError), sleep=lambda _: None)
    assert once.calls == 1
