"""Races on a real database: many contenders let go at one moment, round after round.

The threads live through all rounds and a barrier starts each round. Fewer threads than contenders share the contenders of
a round between them: what really runs at once is bounded by connections and cores anyway, and a round stays cheap.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

#: What one contender does in one round: (round, contender) -> True when it won. Anything it raises ends the race.
Attempt = Callable[[int, int], bool]
_ROUND_S = 120


@dataclass(frozen=True)
class RaceResult:
    """How many contenders won, round by round."""

    wins: tuple[int, ...]


def race(attempt: Attempt, *, contenders: int, rounds: int, between: Callable[[int], None], threads: int = 16) -> RaceResult:
    """Run ``rounds`` rounds; ``between(round)`` sets each one up while all threads wait.

    Raises:
        the first exception of any thread or of ``between``.
    """
    wins = [0] * rounds
    lock = threading.Lock()
    failures: list[BaseException] = []
    coming = iter(range(rounds))

    def set_up() -> None:
        round_ = next(coming, None)
        if round_ is not None:
            between(round_)

    barrier = threading.Barrier(threads, action=set_up, timeout=_ROUND_S)

    def contend(first: int) -> None:
        try:
            for round_ in range(rounds):
                barrier.wait()
                won = sum(attempt(round_, number) for number in range(first, contenders, threads))
                with lock:
                    wins[round_] += won
            barrier.wait()
        except threading.BrokenBarrierError as error:
            with lock:
                failures.append(error)
        except BaseException as error:  # noqa: BLE001  handed to the caller of race()
            with lock:
                failures.insert(0, error)
            barrier.abort()

    running = [threading.Thread(target=contend, args=(n,), name=f"contender-{n}") for n in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    if failures:
        raise failures[0]
    return RaceResult(tuple(wins))
