"""Long requests in hand: seen by those who sent them, bounded in number and age, and told by every phase there is."""

import threading

import pytest

from controller.texts.catalogue import all_texts
from controller.workflows.works import Work, Works, WorkState
from inventory.domain.errors import Conflict, NotFound
from inventory.domain.progress import UNSEEN, WorkPhase, counted
from tests.support.samples import Clock

ID = "0" * 32


@pytest.fixture
def clock() -> Clock:
    return Clock(1000)


def look(works: Works, clock: Clock, owner: str = "wang", id_: str = ID) -> Work:
    return works.look(owner, id_, clock())


def test_work_is_seen_from_its_begin_to_its_end(clock: Clock) -> None:
    works = Works()
    with works.noted("wang", ID, clock) as progress:
        assert look(works, clock) == Work(id=ID, began_at_s=1000, phase_began_at_s=1000)
        clock.now_s = 1005
        progress.phase(WorkPhase.RATING, lambda: 70)
        progress.reached(30)
        assert look(works, clock) == Work(
            id=ID, began_at_s=1000, phase_began_at_s=1005, phase=WorkPhase.RATING, done=30, total=70
        )
        progress.phase(WorkPhase.SEALING)
        assert (look(works, clock).done, look(works, clock).total) == (0, None)
    assert (look(works, clock).state, look(works, clock).ended_at_s) == (WorkState.DONE, 1005)


def test_work_that_was_refused_has_failed(clock: Clock) -> None:
    works = Works()
    with pytest.raises(Conflict), works.noted("wang", ID, clock):
        raise Conflict("period.state_forbids")
    assert look(works, clock).state is WorkState.FAILED


def test_work_of_another_person_is_not_there(clock: Clock) -> None:
    works = Works()
    with works.noted("wang", ID, clock):
        for owner, id_ in (("li", ID), ("wang", "1" * 32)):
            with pytest.raises(NotFound, match=r"work\.not_found"):
                look(works, clock, owner, id_)
        # Somebody who sends the same id has work of their own, and changes nothing of the other's.
        with works.noted("li", ID, clock) as progress:
            progress.phase(WorkPhase.SEALING)
            assert look(works, clock, "li").phase is WorkPhase.SEALING
            assert look(works, clock).phase is None
        assert look(works, clock).state is WorkState.RUNNING


def test_an_id_that_is_used_again_stands_for_the_newer_work(clock: Clock) -> None:
    works = Works()
    with works.noted("wang", ID, clock) as older:
        with works.noted("wang", ID, clock) as newer:
            older.phase(WorkPhase.RATING)
            newer.phase(WorkPhase.FILING)
        older.phase(WorkPhase.SEALING)
        assert (look(works, clock).phase, look(works, clock).state) == (WorkPhase.FILING, WorkState.DONE)
    assert len(works) == 1


def test_what_has_ended_is_forgotten_after_a_while(clock: Clock) -> None:
    works = Works()
    with works.noted("wang", ID, clock):
        pass
    clock.now_s += 600
    assert look(works, clock).state is WorkState.DONE
    clock.now_s += 1
    with pytest.raises(NotFound):
        look(works, clock)
    with works.noted("wang", "1" * 32, clock):
        assert len(works) == 1


def test_what_goes_on_is_kept_however_long_it_takes(clock: Clock) -> None:
    works = Works()
    with works.noted("wang", ID, clock):
        clock.now_s += 86_400
        assert look(works, clock).state is WorkState.RUNNING


def test_no_more_is_known_than_the_bound_and_what_has_ended_goes_first(clock: Clock) -> None:
    works = Works(most=3)
    with works.noted("wang", ID, clock):
        for number in range(10):
            with works.noted("li", f"{number:032x}", clock):
                assert len(works) <= 3
        assert look(works, clock).state is WorkState.RUNNING
        with works.noted("li", "a", clock), works.noted("li", "b", clock), works.noted("li", "c", clock):
            # All go on: the oldest is looked at no more, and goes on all the same.
            assert len(works) == 3
            with pytest.raises(NotFound):
                look(works, clock)


def test_many_threads_note_and_look(clock: Clock) -> None:
    works, failed = Works(most=50), []

    def work(owner: str) -> None:
        for number in range(200):
            with works.noted(owner, f"{number}", clock) as progress:
                progress.phase(WorkPhase.RATING, lambda: 2)
                progress.reached(1)
                found = works.look(owner, f"{number}", clock())
                if (found.done, found.total) != (1, 2):
                    failed.append(found)

    threads = [threading.Thread(target=work, args=(f"person-{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(works) <= 50


def test_without_an_id_nothing_is_noted_and_nothing_counted(clock: Clock) -> None:
    works = Works()
    with works.noted("wang", "", clock) as progress:
        assert progress is UNSEEN

        def never() -> int:
            raise AssertionError("counted for nobody")

        progress.phase(WorkPhase.RATING, never)
        rows = [1, 2, 3]
        assert counted(rows, progress) is rows
    assert len(works) == 0


def test_rows_are_counted_in_portions(clock: Clock) -> None:
    class Heard:
        def __init__(self) -> None:
            self.words: list[int] = []

        def phase(self, *_: object) -> None:
            raise AssertionError

        def reached(self, done: int) -> None:
            self.words.append(done)

    heard = Heard()
    assert list(counted(iter(range(4_500)), heard)) == list(range(4_500))
    assert heard.words == [2_000, 4_000, 4_500]


def test_every_phase_has_its_text() -> None:
    told = {code for code in all_texts() if code.startswith("work.phase.")}
    assert told == {phase.value for phase in WorkPhase}
