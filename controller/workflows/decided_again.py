"""A decision that met an old picture is made again, a bounded number of times: one loop for all that decide and then promise."""

from collections.abc import Callable
from typing import TypeVar

from inventory.domain.errors import Unavailable

T = TypeVar("T")


def decided_again(
    once: Callable[[], T],
    *,
    tries: int,
    old: tuple[type[Exception], ...],
    heard: Callable[[Exception], None] = lambda _: None,
) -> T:
    """Run ``once``, again where it raises one of ``old``: somebody else was faster, and nothing of it was written.

    ``heard`` is told each time, before the next try.

    Raises:
        Unavailable: ``ticket.too_busy`` after so many tries.
    """
    for _ in range(tries):
        try:
            return once()
        except old as error:
            heard(error)
    raise Unavailable("ticket.too_busy", tries=tries, retry_after_s=2)
