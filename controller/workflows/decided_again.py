"""A decision that met an old picture is made again, a bounded number of times: one loop for all that decide and then promise."""

import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import IntegrityError
from tenacity import RetryCallState, RetryError, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from inventory.domain.errors import Unavailable
from inventory.store.engine import is_taken

T = TypeVar("T")

#: Whoever is always a step behind another controller falls out of step with it; nobody who waits for the turn notices.
_PAUSE_S, _PAUSE_MOST_S = 0.005, 0.1


def decided_again(
    once: Callable[[], T],
    *,
    tries: int,
    old: tuple[type[Exception], ...],
    heard: Callable[[Exception], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Run ``once``, again after a moment where it raises one of ``old``: somebody else was faster, and nothing of it was written.

    A row that another one has the key of is an old picture too; any other row that the database refuses is a bug. ``heard`` is
    told of each old picture. The database's own conflicts (deadlock, serialisation) ``Database.run`` has tried again already.

    Raises:
        Unavailable: ``ticket.too_busy`` after so many tries.
    """

    def tell(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        assert isinstance(error, Exception), "told of what was raised"
        heard(error)

    retrying = Retrying(
        stop=stop_after_attempt(tries),
        wait=wait_random_exponential(multiplier=_PAUSE_S, max=_PAUSE_MOST_S),
        retry=retry_if_exception(lambda error: _is_old(error, old)),
        after=tell,
        sleep=sleep,
    )
    try:
        held: T = retrying(once)
    except RetryError as error:
        raise Unavailable("ticket.too_busy", tries=tries, retry_after_s=2) from error
    return held


def _is_old(error: BaseException, old: tuple[type[Exception], ...]) -> bool:
    return is_taken(error) if isinstance(error, IntegrityError) else isinstance(error, old)
