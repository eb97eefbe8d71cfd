"""Places where a test may kill, end or stop the real process. Without ``ALLOT_FAILPOINT`` they do nothing.

``ALLOT_FAILPOINT=<name>[:<n>][:<kill|exit|stop>]``: the n-th time the place is passed (default: the first) the process is
sent SIGKILL (default), leaves by ``os._exit``, or is stopped by SIGSTOP until somebody continues it.

``ALLOT_FAILPOINT_RECORD=<file>``: the name of every place passed is added to the file, a line each, so that a test can find
out which places a piece of work passes instead of knowing them by heart.
"""

import os
import signal
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock

from controller.workflows.steps import STEPS

#: Every place there is.
FAILPOINTS: tuple[str, ...] = (
    # The transaction that accepts tickets: before it commits, and before anybody is told.
    "accept.before",
    "accept.after",
    # A transaction of the loop: before it begins, and before anybody is told.
    "commit.before",
    "commit.after",
    # The same by what is written in it: work taken that begins with a step, the result of a step. The first strikes inside
    # the transaction, when all is written and nothing committed. However steps share transactions, these names are passed.
    *(f"{what}.{name}.{side}" for what in ("claim", "record", "step") for name in STEPS for side in ("before", "after")),
)
_EXIT_CODE = 137


@dataclass(slots=True)
class Armed:
    """The one place that is to strike."""

    name: str
    nth: int
    action: str
    passed: int = 0


def parse(text: str) -> Armed | None:
    """Read the setting.

    Raises:
        ValueError: no such place or action.
    """
    if not text:
        return None
    name, *rest = text.split(":")
    nth, action = 1, "kill"
    for part in rest:
        if part.isdecimal():
            nth = int(part)
        else:
            action = part
    if name not in FAILPOINTS or action not in ("kill", "exit", "stop"):
        raise ValueError(f"ALLOT_FAILPOINT={text}: unknown place or action")
    return Armed(name, nth, action)


_LOCK = Lock()


@cache
def _setting() -> tuple[Armed | None, str]:
    """Return the place that is to strike and the file that hears of all places: read when the first place is passed."""
    return parse(os.environ.get("ALLOT_FAILPOINT", "")), os.environ.get("ALLOT_FAILPOINT_RECORD", "")


def failpoint(name: str) -> None:
    """Strike here if this is the place and the time."""
    armed, record = _setting()
    if record:
        _note(name, record)
    if armed is None or armed.name != name:
        return
    with _LOCK:
        armed.passed += 1
        if armed.passed != armed.nth:
            return
    if armed.action == "exit":
        os._exit(_EXIT_CODE)
    os.kill(os.getpid(), signal.SIGSTOP if armed.action == "stop" else signal.SIGKILL)


def _note(name: str, record: str) -> None:
    with _LOCK, Path(record).open("a", encoding="ascii") as file:
        file.write(f"{name}\n")
