"""The first Ctrl-C is noted, the second one ends."""

import os
import signal
import subprocess
import sys
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
    with interrupts_noted() as wish:
        assert not wish.is_made()
        _interrupt()
        assert wish.wait(5)
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
        with interrupts_noted() as wish:
            seen.append(wish.is_made())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]


def test_a_command_in_the_background_of_a_script_goes_on_ignoring_it() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interrupts_noted() as wish:
        _interrupt()
        _interrupt()
    assert not wish.is_made()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


#: Interrupts the waiting main thread at its n-th line, for every n: wherever it stands, the wish is noted and the wait ends.
_AT_EVERY_LINE = """
import signal, sys
from controller.cli.interrupting import interrupts_noted

def interrupted_at(line):
    seen = 0
    def trace(frame, event, argument):
        nonlocal seen
        if frame.f_code.co_name in ("interrupts_noted", "__exit__", "note", "make"):
            return None
        if event == "line":
            seen += 1
            if seen == line:
                signal.raise_signal(signal.SIGINT)
        return trace
    with interrupts_noted() as wish:
        sys.settrace(trace)
        wish.wait(0.001)
        sys.settrace(None)
        return wish.is_made()

signal.signal(signal.SIGINT, signal.default_int_handler)
line = 1
while interrupted_at(line):
    line += 1
print(line)
"""


def test_a_wish_is_noted_wherever_it_finds_the_command() -> None:
    done = subprocess.run([sys.executable, "-c", _AT_EVERY_LINE], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 3, done.stdout
