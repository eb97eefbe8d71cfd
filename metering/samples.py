"""What back ends count of machines, from one sample to the next. Pure.

A sample is a set of running counters at one moment. Between two samples of a machine lies a *stretch*: how long it was, how
much processor time went by, what came in and went out. A counter that fell began again at nought: then what it shows now is
what was added, so that nothing is negative and nothing is counted twice, whatever was lost in between. A sample that is
repeated or comes late changes nothing.
"""

import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple
from uuid import UUID

from inventory.domain.ids import format_id, uuid_of

_RECORD = struct.Struct(">16sQIQQ")
#: Stands for a counter the back end did not give.
_NONE_64, _NONE_32 = (1 << 64) - 1, (1 << 32) - 1


class Sample(NamedTuple):
    """Counters of one machine since it started; ``None``: not given."""

    instance_id: str
    cpu_time_ns: int | None
    memory_used_mib: int | None
    #: Over all its network cards.
    received_bytes: int | None
    sent_bytes: int | None


def packed(samples: Iterable[Sample]) -> bytes:
    """Return samples of one host as they are kept: 44 bytes each."""
    return b"".join(
        _RECORD.pack(
            uuid_of(s.instance_id).bytes,
            _or(s.cpu_time_ns, _NONE_64),
            _or(s.memory_used_mib, _NONE_32),
            _or(s.received_bytes, _NONE_64),
            _or(s.sent_bytes, _NONE_64),
        )
        for s in samples
    )


def unpacked(data: bytes) -> Iterator[Sample]:
    """Return samples as they were packed."""
    for raw, cpu, memory, received, sent in _RECORD.iter_unpack(data):
        yield Sample(
            format_id("instance", UUID(bytes=raw)),
            None if cpu == _NONE_64 else cpu,
            None if memory == _NONE_32 else memory,
            None if received == _NONE_64 else received,
            None if sent == _NONE_64 else sent,
        )


def _or(value: int | None, none: int) -> int:
    """Return a counter that fits; one that does not is none."""
    return none if value is None or not 0 <= value < none else value


class Reading(NamedTuple):
    """The last counters of a machine on one host that were taken; what a sample did not give stays as it was."""

    at_ms: int
    cpu_time_ns: int | None
    received_bytes: int | None
    sent_bytes: int | None


class Stretch(NamedTuple):
    """What lies between two samples of a machine."""

    from_ms: int
    to_ms: int
    #: Processor time of all its processors; ``None``: the counter began again or was not given, so nobody knows.
    cpu_ns: int | None
    memory_used_mib: int | None
    received_bytes: int
    sent_bytes: int
    #: A network counter that was there before fell: the machine was started again, moved, or its counter is full.
    is_reset: bool


def grown(before: int | None, now: int | None) -> int:
    """Return by how much a counter grew, never less than nothing and never more than it did.

    A counter seen for the first time shows what was before anybody looked: nothing is added for it.
    """
    if before is None or now is None:
        return 0
    return now - before if now >= before else now


def step(known: Mapping[str, Reading], host_id: str, at_ms: int, sample: Sample) -> tuple[Reading, Stretch | None] | None:
    """Return where a machine stands on a host after a sample and what lies before it; ``None``: it comes late or again.

    ``known`` are its last readings by host. Counters begin anew where a machine arrives; where they show more than on the
    host before, that may be this one under another id: then only what is more counts.
    """
    last = known.get(host_id)
    if last is None:
        reading = Reading(at_ms, sample.cpu_time_ns, sample.received_bytes, sample.sent_bytes)
        before = max((r for r in known.values() if r.at_ms < at_ms), default=None, key=lambda r: r.at_ms)
        if before is None:
            return reading, None
        return reading, Stretch(
            from_ms=at_ms,
            to_ms=at_ms,
            cpu_ns=None,
            memory_used_mib=None,
            received_bytes=grown(before.received_bytes, reading.received_bytes),
            sent_bytes=grown(before.sent_bytes, reading.sent_bytes),
            is_reset=True,
        )
    if at_ms <= last.at_ms:
        return None
    received = last.received_bytes if sample.received_bytes is None else sample.received_bytes
    sent = last.sent_bytes if sample.sent_bytes is None else sample.sent_bytes
    stretch = Stretch(
        from_ms=last.at_ms,
        to_ms=at_ms,
        cpu_ns=_cpu(last.cpu_time_ns, sample.cpu_time_ns),
        memory_used_mib=sample.memory_used_mib,
        received_bytes=grown(last.received_bytes, received),
        sent_bytes=grown(last.sent_bytes, sent),
        is_reset=_fell(last.received_bytes, received) or _fell(last.sent_bytes, sent),
    )
    return Reading(at_ms, sample.cpu_time_ns, received, sent), stretch


def _cpu(before: int | None, now: int | None) -> int | None:
    return now - before if before is not None and now is not None and now >= before else None


def _fell(before: int | None, now: int | None) -> bool:
    return before is not None and now is not None and now < before


# -- how something was spread over time --------------------------------------------------------------------------------

#: Upper bounds of the classes, in thousandths of what was allocated; finer where idle machines lie.
BOUNDS_PERMILLE: tuple[int, ...] = (5, 10, 20, 30, 50, 75, *range(100, 1001, 50))


@dataclass(slots=True)
class Spread:
    """For how long a share of something allocated was used, by class; two of them add up."""

    #: Milliseconds by class of ``BOUNDS_PERMILLE``.
    classes_ms: dict[int, int]
    peak_permille: int = 0

    @classmethod
    def empty(cls) -> "Spread":
        """Return one over no time."""
        return cls({})

    @classmethod
    def read(cls, text: str, peak_permille: int) -> "Spread":
        """Return one from its stored form."""
        pairs = (pair.split(":") for pair in text.split())
        return cls({int(name): int(ms) for name, ms in pairs}, peak_permille)

    def text(self) -> str:
        """Return the stored form: ``class:milliseconds`` of every class that has any."""
        return " ".join(f"{name}:{ms}" for name, ms in sorted(self.classes_ms.items()))

    def add(self, permille: int, ms: int) -> None:
        """Count time in which so much was used."""
        permille = min(permille, BOUNDS_PERMILLE[-1])
        name = class_of(permille)
        self.classes_ms[name] = self.classes_ms.get(name, 0) + ms
        self.peak_permille = max(self.peak_permille, permille)

    def merge(self, other: "Spread") -> None:
        """Count what another one counted."""
        for name, ms in other.classes_ms.items():
            self.classes_ms[name] = self.classes_ms.get(name, 0) + ms
        self.peak_permille = max(self.peak_permille, other.peak_permille)

    @property
    def covered_ms(self) -> int:
        """Return how long it was known."""
        return sum(self.classes_ms.values())

    def at_most(self, percent: int) -> int | None:
        """Return the share (permille) that was not exceeded in ``percent`` of the time known: never less than it was.

        ``None``: nothing is known.
        """
        covered_ms = self.covered_ms
        if not covered_ms:
            return None
        wanted, passed_ms = covered_ms * percent, 0
        for name in sorted(self.classes_ms):
            passed_ms += self.classes_ms[name]
            if passed_ms * 100 >= wanted:
                return min(BOUNDS_PERMILLE[name], self.peak_permille)
        raise AssertionError("the classes add up to the time that is covered")


def class_of(permille: int) -> int:
    """Return the first class whose bound is not exceeded."""
    return bisect_left(BOUNDS_PERMILLE, permille)


#: Figures of ``Used`` that simply add up.
SUMS = ("vcpu_ms", "cpu_ms", "memory_mib_ms", "memory_used_mib_ms", "network_ms", "received_bytes", "sent_bytes")


@dataclass(slots=True)
class Used:
    """What a machine used of what it was allocated, over some time; two of them add up."""

    cpu: Spread
    memory: Spread
    #: Allocated × time known: what averages are taken over.
    vcpu_ms: int = 0
    #: Processor time used.
    cpu_ms: int = 0
    #: Memory allocated × time known, and used × time.
    memory_mib_ms: int = 0
    memory_used_mib_ms: int = 0
    #: Time known of its network.
    network_ms: int = 0
    received_bytes: int = 0
    sent_bytes: int = 0

    @classmethod
    def empty(cls) -> "Used":
        """Return one over no time."""
        return cls(Spread.empty(), Spread.empty())

    def merge(self, other: "Used") -> None:
        """Count what another one counted."""
        self.cpu.merge(other.cpu)
        self.memory.merge(other.memory)
        for name in SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def count(self, stretch: Stretch, vcpu_count: int, memory_mib: int, most_ms: int) -> None:
        """Count a stretch with what was allocated then; one longer than ``most_ms`` hides how it was spread: not covered."""
        ms = stretch.to_ms - stretch.from_ms
        self.received_bytes += stretch.received_bytes
        self.sent_bytes += stretch.sent_bytes
        if not 0 < ms <= most_ms:
            return
        self.network_ms += ms
        if stretch.cpu_ns is not None and vcpu_count:
            cpu_ms = min(stretch.cpu_ns // 1_000_000, ms * vcpu_count)
            self.cpu.add(cpu_ms * 1000 // (ms * vcpu_count), ms)
            self.vcpu_ms += vcpu_count * ms
            self.cpu_ms += cpu_ms
        if stretch.memory_used_mib is not None and memory_mib:
            used_mib = min(stretch.memory_used_mib, memory_mib)
            self.memory.add(used_mib * 1000 // memory_mib, ms)
            self.memory_mib_ms += memory_mib * ms
            self.memory_used_mib_ms += used_mib * ms


def split(stretch: Stretch, cuts_ms: Sequence[int]) -> Iterator[Stretch]:
    """Return the parts of a stretch between cuts inside of it; what adds up stays the same, to the byte."""
    first_ms, last_ms = stretch.from_ms, stretch.to_ms
    for since_ms, until_ms in pairwise((first_ms, *(c for c in cuts_ms if first_ms < c < last_ms), last_ms)):
        received, sent, cpu = (
            total * (until_ms - first_ms) // (last_ms - first_ms) - total * (since_ms - first_ms) // (last_ms - first_ms)
            for total in (stretch.received_bytes, stretch.sent_bytes, stretch.cpu_ns or 0)
        )
        yield Stretch(
            since_ms, until_ms, None if stretch.cpu_ns is None else cpu, stretch.memory_used_mib, received, sent, stretch.is_reset
        )
