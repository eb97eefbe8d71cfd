"""What a replay shows: who was refused, how full the hosts became, and how many were in use for how long."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from controller.replay.hosts import ACCELERATOR
from controller.replay.run import REFUSED
from controller.replay.stays import NO_MOVES, Moves, Stays, stays_of
from controller.replay.trace import Trace
from controller.scheduling.columns import MEMORY_ROW, VCPU_ROW, Int32, Int64
from controller.scheduling.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Figures of one replay; all moments up to the last arrival or end in the trace."""

    machines: int
    refused: int
    hosts: int
    hosts_used: int
    hosts_used_at_once: int
    #: Highest share of the capacity of all hosts that was taken at one moment, in thousandths.
    peak_vcpu_permille: int
    peak_memory_permille: int
    #: 0 where no host has any.
    peak_accelerators_permille: int
    #: Seconds that hosts had a machine on them, summed over hosts.
    host_seconds: int

    #: The same if machines could be cut to fit: what is asked of the scarcer one of vCPU and memory, in average hosts.
    bound_host_seconds: int
    moves: int

    @property
    def host_hours(self) -> float:
        """Return the hours that hosts were in use."""
        return self.host_seconds / 3600

    @property
    def over_bound(self) -> float:
        """Return host-hours divided by their bound; 1 where nothing was asked for."""
        return self.host_seconds / self.bound_host_seconds if self.bound_host_seconds else 1.0


def summarise(trace: Trace, hosts: Snapshot, placed_on: Int32, moves: Moves = NO_MOVES, *, until_s: int | None = None) -> Summary:
    """Return the figures of a replay, up to a moment if one is named."""
    stays = stays_of(trace, placed_on, moves, until_s)
    spans = busy_spans(stays.host, stays.start_s, stays.end_s)
    asked = [amount[stays.machine] for amount in (trace.vcpus, trace.memory_mib)]
    accelerators, row = trace.accelerators[stays.machine], hosts.rows.row_of.get(ACCELERATOR)
    return Summary(
        machines=trace.count,
        refused=int((placed_on == REFUSED).sum()),
        hosts=hosts.host_count,
        hosts_used=len(np.unique(stays.host)),
        hosts_used_at_once=peak(spans[0], spans[1], np.ones(len(spans[0]), dtype=np.int64)),
        peak_vcpu_permille=_permille(peak(stays.start_s, stays.end_s, asked[0]), hosts, VCPU_ROW),
        peak_memory_permille=_permille(peak(stays.start_s, stays.end_s, asked[1]), hosts, MEMORY_ROW),
        peak_accelerators_permille=_permille(peak(stays.start_s, stays.end_s, accelerators), hosts, row)
        if row is not None
        else 0,
        host_seconds=int((spans[1] - spans[0]).sum()),
        bound_host_seconds=_bound(stays, hosts, asked),
        moves=len(moves.machine),
    )


def _bound(stays: Stays, hosts: Snapshot, asked: Sequence[Int64]) -> int:
    """Return the host-seconds that what is there needs at least, by volume."""
    moment = np.concatenate([stays.start_s, stays.end_s])
    turn = np.argsort(moment, kind="stable")
    needed = np.zeros(len(moment))
    for row, amount in zip((VCPU_ROW, MEMORY_ROW), asked, strict=True):
        average = max(1.0, float(hosts.capacity_rows[row].mean())) if hosts.host_count else 1.0
        needed = np.maximum(needed, np.cumsum(np.concatenate([amount, -amount])[turn]) / average)
    return round(float((needed[:-1] * np.diff(moment[turn])).sum()))


def busy_spans(host: Int64, start_s: Int64, end_s: Int64) -> tuple[Int64, Int64]:
    """Return the longest spans in which a host always had a machine: their starts and ends, over all hosts."""
    if not len(host):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    turn = np.lexsort((start_s, host))
    host, start_s, end_s = host[turn], start_s[turn], end_s[turn]
    # Hosts one after the other on one long line, so that the latest end so far never reaches into the next host.
    shift = host.astype(np.int64) * (int(end_s.max()) + 1)
    latest = np.maximum.accumulate(end_s + shift)
    begins = np.ones(len(host), dtype=np.bool_)
    begins[1:] = (host[1:] != host[:-1]) | (start_s[1:] + shift[1:] > latest[:-1])
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(host)) - 1
    return start_s[first], latest[last] - shift[first]


def peak(start_s: Int64, end_s: Int64, amount: Int64) -> int:
    """Return the highest sum at one moment; what ends at a moment no longer counts."""
    moment = np.concatenate([end_s, start_s])
    change = np.concatenate([-amount, amount])
    is_start = np.arange(len(moment)) >= len(end_s)
    return int(np.cumsum(change[np.lexsort((is_start, moment))]).max(initial=0))


def _permille(amount: int, hosts: Snapshot, row: int) -> int:
    return 1000 * amount // max(1, int(hosts.capacity_rows[row].astype(np.int64).sum()))
