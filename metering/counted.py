"""The ledger beside what a back end itself counts, vCPU and memory, every difference split into reasons. Pure.

The ledger is the bill: it counts a machine from the moment its capacity was promised until that was given back. A cloud
counts from the first start to the end of each of its machines. So they differ, and this says by how much and why; the parts
add up to the difference, to the second.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from inventory.domain.counted import CountedMachine
from metering.ledger import LedgerInterval

METERS = VCPU, MEMORY = "vcpu", "memory_mib"


class Reason(StrEnum):
    """Why a moment is counted differently."""

    #: Promised, and not started at the back end yet.
    BUILDING = "building"
    #: Promised all the window, and never started.
    NEVER_STARTED = "never_started"
    #: Between the end of one machine and the start of the one made in its place.
    REBUILDING = "rebuilding"
    #: Gone at the back end, and not given back yet: being released, or deleted behind our back.
    ENDED_EARLY = "ended_early"
    #: There at the back end, and not in the ledger: before it was promised, or left behind after.
    NOT_PROMISED = "not_promised"
    #: Both count it, with another number of vCPUs or MiB: a resize, or two machines of one wish.
    OTHER_SIZE = "other_size"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One machine in both books."""

    instance_id: str
    name: str
    ledger_vcpu_s: int
    counted_vcpu_s: int
    ledger_memory_mib_s: int
    counted_memory_mib_s: int
    #: What the ledger has more (or less, negative) of vCPU-seconds, by reason.
    reasons: Mapping[Reason, int] = field(default_factory=dict)
    #: The same of MiB-seconds.
    memory_reasons: Mapping[Reason, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Both books of one window."""

    start_s: int
    end_s: int
    machines: tuple[Compared, ...]
    #: Machines of others: in no ledger.
    foreign_count: int
    foreign_vcpu_s: int
    foreign_memory_mib_s: int


@dataclass(frozen=True, slots=True)
class _Span:
    start_s: int
    end_s: int
    amount: int


@dataclass(frozen=True, slots=True)
class _Book:
    """One meter of a window in both books, by machine; and what is of others."""

    ours: Mapping[str, Sequence[_Span]]
    theirs: Mapping[str, Sequence[_Span]]
    foreign: Sequence[_Span]


def compare(ledger: Sequence[LedgerInterval], counted: Sequence[CountedMachine], start_s: int, end_s: int) -> Report:
    """Return both books of the window, its first second included and its last not."""
    rows = [row for row in ledger if row.meter in METERS]
    names = {m.instance_id: m.name for m in counted if m.instance_id} | {row.resource_id: row.resource_name for row in rows}
    vcpu = _book([r for r in rows if r.meter == VCPU], [(m, m.vcpu_count) for m in counted], start_s, end_s)
    memory = _book([r for r in rows if r.meter == MEMORY], [(m, m.memory_mib) for m in counted], start_s, end_s)
    compared = (_compared(str(i), names[i], vcpu, memory) for i in sorted(names))
    return Report(
        start_s=start_s,
        end_s=end_s,
        machines=tuple(
            c for c in compared if c.ledger_vcpu_s or c.counted_vcpu_s or c.ledger_memory_mib_s or c.counted_memory_mib_s
        ),
        foreign_count=sum(not m.instance_id for m in counted),
        foreign_vcpu_s=_sum(vcpu.foreign),
        foreign_memory_mib_s=_sum(memory.foreign),
    )


def _book(ledger: Iterable[LedgerInterval], counted: Iterable[tuple[CountedMachine, int]], start_s: int, end_s: int) -> _Book:
    ours: dict[str, list[_Span]] = {}
    theirs: dict[str, list[_Span]] = {}
    for machine, amount in counted:
        life = _Span(machine.begun_s, end_s if machine.ended_s is None else machine.ended_s, amount)
        theirs.setdefault(machine.instance_id, []).extend(_clipped(life, start_s, end_s))
    for row in ledger:
        span = _Span(row.start_s, end_s if row.end_s is None else row.end_s, row.amount)
        ours.setdefault(row.resource_id, []).extend(_clipped(span, start_s, end_s))
    return _Book(ours, theirs, theirs.pop("", []))


def _clipped(span: _Span, start_s: int, end_s: int) -> list[_Span]:
    first, last = max(span.start_s, start_s), min(span.end_s, end_s)
    return [_Span(first, last, span.amount)] if first < last else []


def _sum(spans: Iterable[_Span]) -> int:
    return sum((s.end_s - s.start_s) * s.amount for s in spans)


def _compared(instance_id: str, name: str, vcpu: _Book, memory: _Book) -> Compared:
    return Compared(
        instance_id=instance_id,
        name=name,
        ledger_vcpu_s=_sum(vcpu.ours.get(instance_id, ())),
        counted_vcpu_s=_sum(vcpu.theirs.get(instance_id, ())),
        ledger_memory_mib_s=_sum(memory.ours.get(instance_id, ())),
        counted_memory_mib_s=_sum(memory.theirs.get(instance_id, ())),
        reasons=_reasons(vcpu.ours.get(instance_id, ()), vcpu.theirs.get(instance_id, ())),
        memory_reasons=_reasons(memory.ours.get(instance_id, ()), memory.theirs.get(instance_id, ())),
    )


def _reasons(ours: Sequence[_Span], theirs: Sequence[_Span]) -> dict[Reason, int]:
    moments = sorted({moment for s in (*ours, *theirs) for moment in (s.start_s, s.end_s)})
    reasons: dict[Reason, int] = {}
    for first, last in pairwise(moments):
        have, counted = _at(ours, first), _at(theirs, first)
        if have != counted:
            reason = _reason(first, have, counted, theirs)
            reasons[reason] = reasons.get(reason, 0) + (have - counted) * (last - first)
    return reasons


def _at(spans: Iterable[_Span], moment_s: int) -> int:
    return sum(s.amount for s in spans if s.start_s <= moment_s < s.end_s)


def _reason(moment_s: int, have: int, counted: int, theirs: Sequence[_Span]) -> Reason:
    if counted:
        return Reason.OTHER_SIZE if have else Reason.NOT_PROMISED
    if not theirs:
        return Reason.NEVER_STARTED
    if moment_s < min(s.start_s for s in theirs):
        return Reason.BUILDING
    return Reason.REBUILDING if moment_s < max(s.start_s for s in theirs) else Reason.ENDED_EARLY
