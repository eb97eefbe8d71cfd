"""Kills a piece of database work at its n-th statement with SIGKILL, in a process of its own: nothing is tidied up.

The child is forked, opens the database anew and dies in the middle of what it does. The parent counts on: the first
``n`` at which the work ends by itself says that every statement was a place of death once.
"""

import os
import signal
from collections.abc import Callable
from typing import Any

from sqlalchemy import event

from inventory.store.engine import Database, open_database

_DONE, _FAILED = 0, 70


def dies_at(url: str, work: Callable[[Database], object], nth: int) -> bool:
    """Run ``work`` in a child that is killed before its ``nth`` statement; tells whether it came that far."""
    child = os.fork()
    if child == 0:
        code = _FAILED
        try:
            _work(url, work, nth)
            code = _DONE
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == _DONE, "the work failed instead of dying or ending"
    return False


def _work(url: str, work: Callable[[Database], object], nth: int) -> None:
    database = open_database(url)
    passed = 0

    def strike(*_of_the_event: Any) -> None:
        nonlocal passed
        passed += 1
        if passed == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    for moment in ("before_cursor_execute", "commit"):
        event.listen(database.engine, moment, strike)
    work(database)
    database.dispose()
