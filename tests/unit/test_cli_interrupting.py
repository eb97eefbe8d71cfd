"""The first Ctrl-C is noted, the second one ends."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from controller.cli.interrupting import interrupts_noted


@pytest.fixture(autouse=True)
def _at_a_keyboard() -> Iterator[None]:
    """Begin as a command does that a person started: in the background of a script SIGINT is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def _interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def _twice() -> None:
    with interrupts_noted() as wished:
        assert not wished.is_set()
        _interrupt()
        assert wished.wait(5)
        _interrupt()


def test_the_first_is_noted_and_the_second_ends_the_command() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        _twice()
    assert signal.getsignal(signal.SIGINT) is before


def test_what_stood_there_holds_again_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT)
    with interrupts_noted():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_a_thread_of_its_own_has_nothing_to_note() -> None:
    seen: list[bool] = []

    def work() -> None:
        with interrupts_noted() as wished:
            seen.append(wished.is_set())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]


def test_a_command_in_the_background_of_a_script_goes_on_ignoring_it() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interrupts_noted() as wished:
        _interrupt()
        _interrupt()
    assert not wished.is_set()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
