"""Where machines of a replay stay, from when until when: one stay each, and one more for every move."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from controller.replay.run import REFUSED
from controller.replay.trace import STAYS, Trace
from controller.scheduling.columns import Int32, Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """Columns by move, in the order they were made."""

    machine: Int64
    at_s: Int64
    source: Int64
    target: Int64

    @classmethod
    def of(cls, rows: Sequence[tuple[int, int, int, int]]) -> "Moves":
        """Return these rows of (machine, moment, source, target)."""
        machine, at_s, source, target = np.array(rows, dtype=np.int64).reshape(-1, 4).T.copy()
        return cls(machine=machine, at_s=at_s, source=source, target=target)


NO_MOVES = Moves.of(())


@dataclass(frozen=True, slots=True, kw_only=True)
class Stays:
    """Columns by stay."""

    machine: Int64
    host: Int64
    start_s: Int64
    end_s: Int64


def interval_s(trace: Trace) -> tuple[Int64, Int64]:
    """Return from when until when each machine is there; those that stay end with the trace."""
    ends = trace.arrival_s + np.maximum(trace.lifetime_s, 0)
    return trace.arrival_s, np.where(trace.lifetime_s == STAYS, ends.max(initial=0), ends)


def stays_of(trace: Trace, placed_on: Int32, moves: Moves = NO_MOVES, until_s: int | None = None) -> Stays:
    """Return the stays of all machines that found room, those after ``until_s`` left out and cut off there."""
    start_s, end_s = interval_s(trace)
    machine = np.concatenate([np.arange(trace.count), moves.machine])
    host = np.concatenate([placed_on.astype(np.int64), moves.target])
    begin_s = np.concatenate([start_s, moves.at_s])
    # Each stay ends where the next one of its machine begins: the placement comes first, moves are in their order.
    turn = np.lexsort((np.arange(len(machine)), machine))
    is_last = np.append(machine[turn][1:] != machine[turn][:-1], True)[: len(machine)]
    until = np.empty(len(machine), dtype=np.int64)
    until[turn] = np.where(is_last, end_s[machine[turn]], np.roll(begin_s[turn], -1))
    until = until if until_s is None else np.minimum(until, until_s)
    is_there = (host != REFUSED) & (begin_s <= until)
    return Stays(machine=machine[is_there], host=host[is_there], start_s=begin_s[is_there], end_s=until[is_there])
