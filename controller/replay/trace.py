"""A trace of requests: who asked for how large a machine, when, and for how long."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from controller.replay.rows import Mistakes, Row, read
from controller.scheduling.columns import Int64

COLUMNS = ("vm", "ticket", "arrival_s", "lifetime_s", "vcpus", "memory_mib")
#: ``lifetime_s`` of a machine that stays to the end.
STAYS = -1
#: About thirty thousand years: sums of two moments stay far inside 64 bits.
_MOMENT_MAX = 10**12


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Columns by machine, in the order of the file."""

    vms: tuple[str, ...]
    #: Numbered by first appearance.
    ticket: Int64
    arrival_s: Int64
    #: ``STAYS`` where it never ends; else it occupies its host from arrival until just before arrival plus lifetime.
    lifetime_s: Int64
    vcpus: Int64
    memory_mib: Int64
    #: Of one kind; only hosts that have them can carry such a machine.
    accelerators: Int64

    @property
    def count(self) -> int:
        """Return how many machines it has."""
        return len(self.vms)


def read_trace(path: Path) -> Trace:
    """Read a trace from CSV with the columns ``COLUMNS`` and, where known, ``accelerators``, in any order; others are ignored.

    Raises:
        Invalid: the file cannot be read or is malformed; all mistakes with their lines.
    """
    return read(path, COLUMNS, _trace)


def _trace(rows: Iterator[Row], mistakes: Mistakes) -> Trace:
    line_of: dict[str, int] = {}
    tickets: dict[str, int] = {}
    columns: list[tuple[int, ...]] = []
    for row in rows:
        vm = row.text("vm")
        if not vm or vm in line_of:
            mistakes.note("simulate.vm_twice" if vm else "simulate.vm_empty", row.line, vm=vm, first=line_of.get(vm, 0))
        line_of[vm] = row.line
        ticket = tickets.setdefault(row.text("ticket"), len(tickets))
        arrival_s, lifetime_s = row.number("arrival_s", 0, _MOMENT_MAX), row.number("lifetime_s", STAYS, _MOMENT_MAX)
        asked = row.number("vcpus", 1), row.number("memory_mib", 1), row.optional("accelerators")
        columns.append((ticket, arrival_s, lifetime_s, *asked))
    table = np.array(columns, dtype=np.int64).reshape(-1, 6).T
    return Trace(
        vms=tuple(line_of),
        ticket=table[0],
        arrival_s=table[1],
        lifetime_s=table[2],
        vcpus=table[3],
        memory_mib=table[4],
        accelerators=table[5],
    )
