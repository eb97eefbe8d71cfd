"""A seeded trace of requests with the statistics of the Azure trace of 2017, for tests and the bench.

Sixteen sizes from 1 to 16 vCPU, mostly 1.75 GiB per vCPU; most tickets ask for one machine, a few for hundreds; most
machines of a ticket are alike; lifetimes from minutes to days, and some machines that stay for good.

Source: shares counted on the Azure Public Dataset V1 (Cortez et al., "Resource Central", SOSP 2017).
"""

import random
from bisect import bisect
from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import NamedTuple

#: (vCPU, memory MiB, share in 1/100 ‰).
FLAVOURS = (
    (1, 1792, 60363),
    (2, 3584, 18525),
    (4, 7168, 9917),
    (8, 14336, 8996),
    (1, 768, 1585),
    (8, 57344, 551),
    (4, 28672, 19),
    (2, 14336, 19),
    (2, 4096, 8),
    (4, 8192, 6),
    (1, 2048, 4),
    (16, 114688, 3),
    (8, 16384, 2),
    (2, 16384, 1),
    (8, 65536, 1),
    (4, 32768, 1),
)
_CUMULATED = list(accumulate(share for _, _, share in FLAVOURS))
#: (machines of a ticket up to, share of tickets in ‰); the first entry is exact, within the others the small are likelier.
_TICKET_SIZES = ((1, 579), (2, 185), (4, 101), (8, 58), (16, 42), (74, 25), (300, 9), (587, 1))
#: (lifetime s, at that quantile ‰), straight lines on a logarithmic scale between them.
_LIFETIMES = ((150, 0), (150, 10), (300, 100), (900, 250), (1500, 500), (4800, 750), (24900, 900), (45900, 950), (300000, 1000))
_STAYING = 55
_ALIKE = 810
_STEP_S = 300


class TraceRow(NamedTuple):
    """One machine of a trace; ``lifetime_s`` is -1 where it stays to the end."""

    vm: int
    ticket: int
    arrival_s: int
    lifetime_s: int
    vcpus: int
    memory_mib: int
    accelerators: int = 0


def trace(seed: int, machines: int, *, duration_s: int = 300_000) -> Iterator[TraceRow]:
    """Yield ``machines`` rows in the order of their arrival."""
    source = random.Random(seed)
    made = ticket = 0
    # 4.9 machines to a ticket, as in the source.
    tickets = max(1, round(machines / 4.9))
    while made < machines:
        arrival_s = min(duration_s, duration_s * ticket // tickets) // _STEP_S * _STEP_S
        count = min(ticket_size(source), machines - made)
        flavour, is_alike = _flavour(source), source.randrange(1000) < _ALIKE
        for _ in range(count):
            vcpus, memory_mib = flavour if is_alike else _flavour(source)
            yield TraceRow(made, ticket, arrival_s, _lifetime_s(source), vcpus, memory_mib)
            made += 1
        ticket += 1


def ticket_size(source: random.Random) -> int:
    """Return how many machines one ticket asks for."""
    at, below = source.randrange(1000), 0
    for highest, share in _TICKET_SIZES:
        if at < share:
            return highest if highest == 1 else round((below + 1) * (highest / (below + 1)) ** source.random())
        at, below = at - share, highest
    raise AssertionError("the shares add up to 1000")


def _flavour(source: random.Random) -> tuple[int, int]:
    vcpus, memory_mib, _ = FLAVOURS[bisect(_CUMULATED, source.randrange(_CUMULATED[-1]))]
    return vcpus, memory_mib


def _lifetime_s(source: random.Random) -> int:
    if source.randrange(1000) < _STAYING:
        return -1
    at = source.random() * 1000
    for (low_s, low), (high_s, high) in pairwise(_LIFETIMES):
        if low <= at < high:
            stretch: float = (high_s / low_s) ** ((at - low) / (high - low))
            return round(low_s * stretch)
    raise AssertionError("the quantiles reach 1000")
