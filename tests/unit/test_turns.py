"""The queue of tickets: groups in order of waiting, bounded, and without two tickets for one system."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from controller.workflows.turns import GROUP_MACHINES, GROUP_TICKETS, Turns


@dataclass(eq=False)
class Waiting:
    """An entry that says what it is told."""

    name: str
    weight: int = 1
    is_alone: bool = False
    is_done: bool = False


class Book:
    """Leads groups and remembers them."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.started = threading.Event()
        self.go_on = threading.Event()

    def lead(self, group: Sequence[Waiting]) -> None:
        self.groups.append([entry.name for entry in group])
        self.started.set()
        assert self.go_on.wait(30)
        for entry in group:
            entry.is_done = True


def _groups(first: Waiting, others: Sequence[Waiting]) -> list[list[str]]:
    """Return the groups when ``others`` come, in order, while the first leads."""
    turns: Turns[Waiting] = Turns()
    book = Book()
    threads = []
    for entry in (first, *others):
        thread = threading.Thread(target=turns.take, args=(entry, book.lead))
        thread.start()
        threads.append(thread)
        assert book.started.wait(30)
        while entry is not first and turns.waiting_count() < len(threads) - 1:
            threading.Event().wait(0.001)
    book.go_on.set()
    for thread in threads:
        thread.join(30)
    assert all(entry.is_done for entry in (first, *others))
    return book.groups


def test_a_lone_entry_waits_for_nobody() -> None:
    assert _groups(Waiting("a"), []) == [["a"]]


def test_those_who_come_meanwhile_make_the_next_group() -> None:
    assert _groups(Waiting("a"), [Waiting("b"), Waiting("c"), Waiting("d")]) == [["a"], ["b", "c", "d"]]


def test_two_entries_of_one_name_never_share_a_group() -> None:
    assert _groups(Waiting("a"), [Waiting("b"), Waiting("b"), Waiting("c")]) == [["a"], ["b", "c"], ["b"]]


def test_what_must_be_alone_is_alone_and_the_others_pass_it() -> None:
    groups = _groups(Waiting("a"), [Waiting("b"), Waiting("release", is_alone=True), Waiting("c")])
    assert groups == [["a"], ["b", "c"], ["release"]]


@pytest.mark.parametrize(("weight", "count", "expected"), [(GROUP_MACHINES // 2, 3, [2, 1]), (GROUP_MACHINES + 1, 2, [1, 1])])
def test_a_group_holds_a_bounded_number_of_machines(weight: int, count: int, expected: list[int]) -> None:
    groups = _groups(Waiting("a"), [Waiting(f"b{n}", weight) for n in range(count)])
    assert [len(group) for group in groups[1:]] == expected


def test_a_group_holds_a_bounded_number_of_tickets() -> None:
    groups = _groups(Waiting("a"), [Waiting(f"b{n}", 0) for n in range(GROUP_TICKETS + 1)])
    assert [len(group) for group in groups[1:]] == [GROUP_TICKETS, 1]


@pytest.mark.parametrize(("gap_s", "is_back", "expected"), [(60.0, True, [1, 4]), (0.01, False, [1, 3])])
def test_whoever_leads_after_a_crowd_waits_for_it_as_long_as_somebody_comes(
    gap_s: float, is_back: bool, expected: list[int]
) -> None:
    turns: Turns[Waiting] = Turns(gap_s)
    groups: list[int] = []
    has_begun = threading.Event()

    def lead(group: Sequence[Waiting]) -> None:
        groups.append(len(group))
        has_begun.set()
        while len(groups) == 1 and turns.waiting_count() < 3:
            threading.Event().wait(0.001)
        for entry in group:
            entry.is_done = True

    def enter(name: str) -> threading.Thread:
        thread = threading.Thread(target=turns.take, args=(Waiting(name), lead))
        thread.start()
        return thread

    first = enter("first")
    assert has_begun.wait(30)
    others = [enter(name) for name in "abc"]
    first.join(30)
    others += [enter("first again")] if is_back else []
    for thread in others:
        thread.join(30)
    assert groups == expected
