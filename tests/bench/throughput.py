"""Machines from accepted ticket to observed running, one ticket after another, as fast as they go."""

import time
from collections import Counter
from pathlib import Path

from sqlalchemy import select

from inventory.store import tables as t
from tests.bench.reconciling import ENGINES, ONE_BY_ONE, Bench, bench, ticket_text
from tests.bench.report import Figure, Line, Target

_HOSTS, _PER_TICKET, _FOR_S, _AHEAD = 200, 50, 15.0, 4
_NAIVE_COUNT = 40


def sustained(bench_: Bench) -> tuple[list[float], float, int]:
    """Keep tickets coming for a while; returns machines per full second, processor time per machine (ms), and their count."""
    cpu, started = time.process_time(), time.time()
    ids = []
    with bench_.controller() as reconciler:
        number = done = 0
        while time.time() - started < _FOR_S:
            number += 1
            ids.append(bench_.submit(ticket_text(f"system-{number}", 5, _PER_TICKET // 5)).id)
            reconciler.wake()
            # A few tickets ahead of the work: never out of it, and never a heap that only the commits made.
            while number - done > _AHEAD:
                time.sleep(0.01)
                done += sum(bench_.running_count(i) == _PER_TICKET for i in ids[done : done + 1])
        last = max(bench_.wait_done(ticket_id) for ticket_id in ids[done:])
        assert last
        counted = _recorded_by_second(bench_)
    cpu_ms = (time.process_time() - cpu) * 1000 / (number * _PER_TICKET)
    # The first second begins and the last one ends somewhere inside.
    full = [float(n) for _, n in sorted(counted.items())[1:-1]]
    return full, cpu_ms, number * _PER_TICKET


def _recorded_by_second(bench_: Bench) -> Counter[int]:
    j = t.journal.c
    with bench_.platform.db.read() as connection:
        seconds = connection.execute(select(j.recorded_at_s).where(j.state == "running", j.resource_kind == "instance")).scalars()
        found = Counter(seconds)
    return Counter({second: found.get(second, 0) for second in range(min(found), max(found) + 1)})


def one_by_one(bench_: Bench) -> float:
    """Return machines per second of the same controller when every step is a commit of its own."""
    ticket = bench_.submit(ticket_text("naive", 4, _NAIVE_COUNT // 4))
    started = time.perf_counter()
    with bench_.controller(ONE_BY_ONE):
        return _NAIVE_COUNT / (bench_.wait_done(ticket.id) - started)


def measure(folder: Path, seed: int) -> Figure:
    """Measure both engines, each with and without batches."""
    lines, cpu, counts = [], [], []
    for name in ENGINES:
        with bench(name, folder / name, seed, host_count=_HOSTS) as bench_:
            naive = one_by_one(bench_)
        with bench(name, folder / f"{name}-2", seed, host_count=_HOSTS) as bench_:
            rates, cpu_ms, count = sustained(bench_)
        base = f"{name}, one commit per step"
        target = Target(limit=200, is_ceiling=False)
        lines += [
            Line(what=f"{name}, sustained", unit="instances/s", values=tuple(rates), target=target, baseline=base),
            Line(what=base, unit="instances/s", values=(naive,)),
        ]
        cpu.append(Line(what=f"{name}, processor time per instance", unit="ms", values=(cpu_ms,)))
        counts.append(f"{count:,} on {name}")
    return Figure(
        name="throughput",
        title="From accepted ticket to observed running, sustained",
        size=f"{_HOSTS} simulated hosts without delay, tickets of {_PER_TICKET} instances for {_FOR_S:.0f} s "
        f"({', '.join(counts)}); values are full seconds",
        seed=seed,
        lines=(*lines, *cpu),
        notes=(
            (
                "The tickets are read, planned, placed and committed in the same process meanwhile: that is in the figure. "
                f"Baseline: {_NAIVE_COUNT} instances with batches switched off, one resource in hand and one commit for each "
                "step."
            ),
            "A real Nova with a fake hypervisor makes 2 instances a second (as published; not measured here).",
        ),
    )
