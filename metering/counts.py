"""Bytes that machines received and sent, as meters: by machine, day and owner, each with the readings it is made of. Pure.

A *run* is a stretch of readings on one host over which the counters only grew. What a day comes to is the sum over its runs
of last minus first, so that it can be made again, and checked, from what is kept.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from inventory.domain.errors import Problem
from metering.meters import NETWORK_IN, NETWORK_OUT
from metering.samples import Reading, Stretch

#: Bytes are counted of machines that run.
STATE = "running"


class Run(NamedTuple):
    """First and last reading of a stretch."""

    host_id: str
    from_ms: int
    received_from: int
    sent_from: int
    to_ms: int
    received_to: int
    sent_to: int


def bytes_of(runs: Sequence[Run]) -> dict[str, int]:
    """Return what came in and went out in some runs, as it is stored."""
    return {
        "received_bytes": sum(r.received_to - r.received_from for r in runs),
        "sent_bytes": sum(r.sent_to - r.sent_from for r in runs),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What one machine passed in some days, in one direction."""

    resource_id: str
    department_id: str
    project_id: str
    system_id: str
    meter: str
    #: First second of the day, first second after it, bytes; in order of time.
    days: tuple[tuple[int, int, int], ...]


@dataclass(slots=True, kw_only=True)
class CountedDay:
    """One machine, day and owner."""

    resource_id: str
    start_s: int
    end_s: int
    resource_name: str
    department_id: str
    project_id: str
    system_id: str
    network_class: str
    runs: list[Run] = field(default_factory=list)

    def add(self, host_id: str, stretch: Stretch, reading: Reading) -> None:
        """Count what lies between two samples, the later of which is ``reading``."""
        received, sent = reading.received_bytes or 0, reading.sent_bytes or 0
        run = Run(
            host_id, stretch.from_ms, received - stretch.received_bytes, sent - stretch.sent_bytes, stretch.to_ms, received, sent
        )
        last = next((n for n in reversed(range(len(self.runs))) if self.runs[n].host_id == host_id), None)
        if last is not None and not stretch.is_reset and self.runs[last][5:] == (run.received_from, run.sent_from):
            self.runs[last] = self.runs[last]._replace(to_ms=run.to_ms, received_to=received, sent_to=sent)
        else:
            self.runs.append(run)


def meters(network_class: str) -> tuple[str, str]:
    """Return the meters of what comes in and goes out in a class of zones."""
    kind = network_class or "unknown"
    return f"{NETWORK_IN}{kind}", f"{NETWORK_OUT}{kind}"


def by_meter(rows: Sequence[Mapping[str, Any]]) -> Iterator[Counted]:
    """Return what rows of one machine, owner and class say, in both directions."""
    if not rows:
        return
    head = rows[0]
    for meter, name in zip(meters(head["network_class"]), ("received_bytes", "sent_bytes"), strict=True):
        days = tuple((r["start_s"], r["end_s"], r[name]) for r in rows if r[name])
        if days:
            yield Counted(
                resource_id=head["resource_id"], department_id=head["department_id"], project_id=head["project_id"],
                system_id=head["system_id"], meter=meter, days=days,
            )  # fmt: skip


def faults(rows: Iterable[Mapping[str, Any]]) -> Iterator[Problem]:
    """Return what does not fit together in the rows of one machine, in order of time: its days, and runs that overlap."""
    ends: dict[str, Run] = {}
    runs: list[Run] = []
    for row in rows:
        own = [Run(*r) for r in row["runs"]]
        runs += own
        if any(row[name] != sum_ for name, sum_ in bytes_of(own).items()):
            yield Problem("fault.day_sum", {"start_s": row["start_s"]})
        if any(r.received_to < r.received_from or r.sent_to < r.sent_from for r in own):
            yield Problem("fault.counter_backwards", {"start_s": row["start_s"]})
    for run in sorted(runs, key=lambda r: (r.host_id, r.from_ms, r.to_ms)):
        before = ends.get(run.host_id)
        if before is not None and run.from_ms < before.to_ms:
            yield Problem("fault.counted_twice", {"from_ms": run.from_ms, "host": run.host_id})
        ends[run.host_id] = run
