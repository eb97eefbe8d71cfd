"""A service that does not answer for a while: said once, asked again after growing pauses, given up after long.

For commands that follow what goes on (``--wait``, ``--follow``): a controller that is started anew is no reason to end them.
"""

import time
from collections.abc import Callable
from typing import Any

from controller.cli.client import Refused
from inventory.domain.errors import AllotError, Unavailable

#: Pauses grow from the first to the longest.
_FIRST_S, _LONGEST_S = 0.5, 10.0


class Patience:
    """Waits for one service. Until it has answered once nobody waits: what is wrong then is the address."""

    def __init__(self, note: Callable[[str], Any], *, most_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._note = note
        self._most_s = most_s
        self._clock = clock
        self._has_answered = False
        self._away_since_s: float | None = None
        self._pause_s = _FIRST_S

    def answered(self) -> None:
        """Note that the service answers."""
        if self._away_since_s is not None:
            self._note("cli.say.service_back")
        self._has_answered, self._away_since_s, self._pause_s = True, None, _FIRST_S

    def pause_s(self, error: Refused | AllotError) -> float:
        """Return how long to wait before asking again.

        Raises:
            Refused, AllotError: ``error`` itself, where it is no word of a service that is away, or it was away too long.
        """
        if not (self._has_answered and is_away(error)):
            raise error
        now_s = self._clock()
        if self._away_since_s is None:
            self._away_since_s = now_s
            self._note("cli.say.service_away")
        left_s = self._away_since_s + self._most_s - now_s
        if left_s <= 0:
            raise error
        pause_s = min(self._pause_s, left_s)
        self._pause_s = min(self._pause_s * 2, _LONGEST_S)
        return pause_s


def is_away(error: Exception) -> bool:
    """Tell whether an error says that the service does not answer for the moment."""
    if isinstance(error, Refused):
        return error.may_succeed_later
    return isinstance(error, Unavailable) and error.code == "cli.server_away"
