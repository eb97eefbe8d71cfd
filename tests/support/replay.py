"""Traces and hosts as files, and an independent checker of what a replay wrote: no code of the product is used."""

import csv
import gzip
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.support.trace_generator import TraceRow

HEADER = "vm,ticket,arrival_s,lifetime_s,vcpus,memory_mib\n"
REFUSED = -1


#: (vCPU, MiB), and accelerators where a host has any.
Shape = tuple[int, ...]


def write_trace(path: Path, rows: Iterable[TraceRow]) -> Path:
    """Write a trace, packed where its name ends in ``.gz``; of accelerators it speaks where a machine has one."""
    rows = list(rows)
    width = len(TraceRow._fields) if any(row.accelerators for row in rows) else len(TraceRow._fields) - 1
    header = ",".join(TraceRow._fields) + "\n" if width == len(TraceRow._fields) else HEADER
    text = header + "".join(",".join(map(str, row[:width])) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def write_hosts(path: Path, shapes: Iterable[Shape]) -> Path:
    """Write hosts of these shapes."""
    lines = (",".join(map(str, (f"h{n}", *shape, *[0] * (3 - len(shape))))) + "\n" for n, shape in enumerate(shapes))
    path.write_text("name,vcpus,memory_mib,accelerators\n" + "".join(lines), encoding="utf-8")
    return path


def read_placements(path: Path) -> dict[int, int]:
    """Return the host of each machine."""
    with path.open(newline="") as stream:
        return {int(vm): int(host) for vm, host in csv.reader(stream)}


class MoveRow(NamedTuple):
    """One line of a file of moves."""

    vm: int
    at_s: int
    source: int
    target: int


def read_moves(path: Path) -> list[MoveRow]:
    """Return the moves of a file."""
    with path.open(newline="") as stream:
        lines = csv.reader(stream)
        assert next(lines) == ["vm", "at_s", "from", "to"]
        return [MoveRow(*map(int, line)) for line in lines]


def broken_with_moves(
    rows: Sequence[TraceRow],
    shapes: Sequence[Shape],
    hosts: dict[int, int],
    moves: Sequence[MoveRow],
    distinct_up_to: int,
) -> list[str]:
    """Return what is wrong with an answer in which machines moved: every stay is looked at as if it were a machine of its own."""
    row_of, members = {row.vm: row for row in rows}, Counter(row.ticket for row in rows)
    found, stays, where, since_s = list[str](), list[TraceRow](), dict(hosts), {row.vm: row.arrival_s for row in rows}
    on = dict[int, int]()

    def stay(row: TraceRow, until_s: int | None) -> None:
        on[len(stays)] = where[row.vm]
        lifetime_s = -1 if until_s is None else until_s - since_s[row.vm]
        stays.append(row._replace(vm=len(stays), arrival_s=since_s[row.vm], lifetime_s=lifetime_s))

    for move in moves:
        row = row_of[move.vm]
        is_there = row.arrival_s < move.at_s and (row.lifetime_s == -1 or move.at_s < row.arrival_s + row.lifetime_s)
        if where[row.vm] != move.source or move.source == move.target or not is_there:
            found.append(f"{move}: the machine is not there")
        stay(row, move.at_s)
        where[row.vm], since_s[row.vm] = move.target, move.at_s
    for row in rows:
        stay(row, None if row.lifetime_s == -1 else row.arrival_s + row.lifetime_s)
    apart = [s for s in stays if 2 <= members[s.ticket] <= distinct_up_to]
    return found + _too_full(stays, shapes, on) + _not_distinct(apart, on, len(stays))


def broken(rows: Sequence[TraceRow], shapes: Sequence[Shape], hosts: dict[int, int], distinct_up_to: int) -> list[str]:
    """Return what is wrong with an answer: a missing machine, a host too full at any instant, a ticket not spread out."""
    if hosts.keys() != {row.vm for row in rows}:
        return [f"{len(hosts)} answers for {len(rows)} machines, or for others"]
    return _too_full(rows, shapes, hosts) + _not_distinct(rows, hosts, distinct_up_to)


def _too_full(rows: Sequence[TraceRow], shapes: Sequence[Shape], hosts: dict[int, int]) -> list[str]:
    # What ends at an instant goes first: (instant, 0) before (instant, 1).
    events: dict[int, list[tuple[int, int, int, int, int]]] = defaultdict(list)
    for row in rows:
        host = hosts[row.vm]
        if host == REFUSED or row.lifetime_s == 0:
            continue
        events[host].append((row.arrival_s, 1, row.vcpus, row.memory_mib, row.accelerators))
        if row.lifetime_s != -1:
            events[host].append((row.arrival_s + row.lifetime_s, 0, -row.vcpus, -row.memory_mib, -row.accelerators))
    found = []
    for host, changes in events.items():
        shape, taken = (*shapes[host], *[0] * (3 - len(shapes[host]))), [0, 0, 0]
        for instant, _, *more in sorted(changes):
            taken = [t + m for t, m in zip(taken, more, strict=True)]
            if any(t > have for t, have in zip(taken, shape, strict=True)):
                found.append(f"host {host} at {instant} s: {taken} of {shape}")
    return found


def _not_distinct(rows: Sequence[TraceRow], hosts: dict[int, int], distinct_up_to: int) -> list[str]:
    members: dict[int, list[TraceRow]] = defaultdict(list)
    for row in rows:
        members[row.ticket].append(row)
    found = []
    for ticket, those in members.items():
        if not 2 <= len(those) <= distinct_up_to:
            continue
        moments = {row.arrival_s for row in those}
        for moment in moments:
            alive = [r for r in those if r.arrival_s <= moment and (r.lifetime_s == -1 or moment < r.arrival_s + r.lifetime_s)]
            twice = [host for host, n in Counter(hosts[r.vm] for r in alive).items() if n > 1 and host != REFUSED]
            found += [f"ticket {ticket} has several machines on host {host} at {moment} s" for host in twice]
    return found
