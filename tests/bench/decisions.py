"""Decisions of the placement core: streams of many classes, classes it never saw, single calls, memory (thread CPU time)."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numba import njit

from controller.scheduling.decide import choose
from controller.scheduling.engine import Engine
from controller.scheduling.fleet import Fleet
from controller.scheduling.loading import load_compiled
from controller.scheduling.policy import DEFAULT_POLICY
from controller.scheduling.scoring import class_terms
from controller.scheduling.snapshot import Snapshot
from controller.scheduling.stream import StreamRule, give_back, place_stream
from controller.scheduling.tables import new_bounds, new_classes, write_class
from controller.scheduling.units import Need, units_of
from inventory.domain.placement import GroupRule, PlacementRequest
from inventory.domain.resources import MEMORY_MIB, VCPU
from inventory.domain.system import SpreadLevel
from tests.bench.report import Figure, Line, Target
from tests.support.fleet_generator import ACCELERATOR, ZONE_CODES, fleet_snapshot
from tests.support.placement import member, request
from tests.support.trace_generator import FLAVOURS, ticket_size

_ORDERS, _LIVE, _ROUNDS, _CLASSES = 20_000, 3_000, 5, 256
_SCANS, _REPEATS, _CALLS, _LOOPS = 200, 50, 2_000, 5
#: The same calls are made so often: what others on the machine do to a single one is not in their median.
_PASSES = 5
_LOOP = "Nova-like loop in plain Python, 10,000 hosts"
_LEVELS = (SpreadLevel.HOST, SpreadLevel.RACK, SpreadLevel.ROOM)


def measure(folder: Path, seed: int) -> Figure:
    """Measure fleets of 10,000 and 100,000 hosts."""
    engine = load_compiled()
    pictures = {count: fleet_snapshot(count, seed) for count in (10_000, 100_000)}
    source = random.Random(seed)
    requests = some_requests(source, _CLASSES)
    needs = [units_of(asked)[0].need for asked in requests]
    lines = [Line(what=_LOOP, unit="decisions/s", values=tuple(loop_rates(pictures[10_000], requests)))]
    for count, least in ((10_000, 200_000), (100_000, 100_000)):
        what = f"stream of {_CLASSES} classes, {count:,} hosts"
        rates = tuple(stream_rates(pictures[count], engine, needs, source))
        lines.append(Line(what=what, unit="decisions/s", values=rates, target=_at_least(least), baseline=_LOOP))
    for count, most in ((10_000, 10), (100_000, 120)):
        times = tuple(scan_times(pictures[count], engine, needs))
        lines.append(
            Line(what=f"scan for a class never seen, {count:,} hosts", unit="µs", values=times, target=Target(limit=most))
        )
    for count, picture in pictures.items():
        times = tuple(first_call_times(picture, engine, requests))
        lines.append(Line(what=f"one call from Python, class never seen, {count:,} hosts", unit="µs", values=times))
        passes = [list(call_times(picture, engine, requests)) for _ in range(_PASSES)]
        times = tuple(median(call) for call in zip(*passes, strict=True))
        promise = Target(limit=100, statistic="p99")
        lines.append(Line(what=f"one call from Python, {count:,} hosts", unit="µs", values=times, target=promise))
    lines += memory_lines(seed)
    return Figure(
        name="decisions",
        title="Decisions of the placement core",
        size=f"{_ORDERS:,} orders a round; flavours of the Azure trace, all constraints; compiled engine, one core",
        seed=seed,
        lines=tuple(lines),
        notes=_NOTES,
    )


_NOTES = tuple(
    " ".join(sentence.split())
    for sentence in (
        """All constraints: zone, MLPS level, architecture, accelerators, one or two disks on three pools, machines of a ticket
        apart by host, rack or room (hard and soft, with members that are there already). Every decision changes the state; once
        3,000 machines are placed, each new one is followed by giving one back, which is not counted.""",
        """A scan is measured inside the compiled engine. One call from Python is `choose`: a request with a hard rule in, hosts
        and storage pools out, taken from the fleet; of a class asked for before, or never. The calls asked for before are made
        five times, the same ones on the same hosts; the time of each is the median of its five.""",
        """The Nova-like loop filters hosts (state, zone, architecture, processors, memory, disk), weighs the rest by free memory
        and processors, each normalised, and takes the best: one object per host, one decision at a time.""",
    )
)


def _at_least(limit: float) -> Target:
    return Target(limit=limit, is_ceiling=False)


def some_requests(source: random.Random, count: int) -> list[PlacementRequest]:
    """Return requests of one machine each, all of different classes."""
    found: dict[Need, PlacementRequest] = {}
    while len(found) < count:
        vcpu, memory_mib, _ = source.choice(FLAVOURS)
        fast = (("fast", source.choice([50, 100, 200])),) if source.random() < 0.5 else ()
        asked = member(
            "m",
            vcpu=vcpu,
            memory_mib=memory_mib,
            disks=(("standard", source.choice([20, 40, 80])), *fast),
            arch=source.choice(["any", "x86_64", "x86_64", "aarch64"]),
            accelerators={ACCELERATOR: 1} if source.random() < 0.05 else {},
        )
        one = request(asked, zone_code=source.choice(ZONE_CODES), mlps_level=source.choice([1, 2, 3]))
        found[units_of(one)[0].need] = one
    return list(found.values())


def stream_rates(picture: Snapshot, engine: Engine, needs: Sequence[Need], source: random.Random) -> Iterator[float]:
    """Yield decisions per second of whole streams, each on a fleet of its own."""
    for _ in range(_ROUNDS):
        orders, groups, rules = some_stream(source, len(needs), picture.host_count)
        fleet = Fleet(picture, engine)
        place_stream(fleet, DEFAULT_POLICY, needs, ())
        start = time.thread_time()
        answer = place_stream(fleet, DEFAULT_POLICY, needs, orders, groups=groups, rules=rules)
        took_s = time.thread_time() - start
        asked = sum(order >= 0 for order in orders)
        assert (answer.hosts >= 0).sum() >= 0.99 * asked, "a stream of refusals would measure something else"
        yield asked / took_s


def some_stream(source: random.Random, classes: int, hosts: int) -> tuple[list[int], list[int], list[StreamRule]]:
    """Return orders of tickets of one to many machines; those of many are apart."""
    orders: list[int] = []
    groups: list[int] = []
    rules: list[StreamRule] = []
    live: list[int] = []
    while len(orders) < _ORDERS:
        count, kind, group = min(ticket_size(source), 50), source.randrange(classes), -1
        if count > 1:
            rules.append(some_rule(source, hosts))
            group = len(rules) - 1
        for _ in range(count):
            live.append(len(orders))
            orders.append(kind)
            groups.append(group)
        while len(live) > _LIVE:
            orders.append(give_back(live.pop(source.randrange(len(live)))))
            groups.append(-1)
    return orders, groups, rules


def some_rule(source: random.Random, hosts: int) -> StreamRule:
    """Return a rule that a small ticket can keep, with up to three machines that are there already."""
    existing = tuple(source.randrange(hosts) for _ in range(source.randrange(4)))
    level = source.choice(_LEVELS)
    return StreamRule(spread=level, is_hard=level is SpreadLevel.HOST, existing=existing)


def scan_times(picture: Snapshot, engine: Engine, needs: Sequence[Need]) -> Iterator[float]:
    """Yield the µs of one scan each, inside the engine, averaged over a few: the clock is coarser than a scan."""
    scan: Any = engine.scan

    def calls(hosts: Any, classes: Any, bounds: Any, buffer: Any, times: int) -> int:
        found = -1
        for _ in range(times):
            found = scan(hosts, classes, bounds, 0, buffer)
        return found

    # As the scan itself: nothing is allocated.
    options: dict[str, Any] = {"_nrt": False}
    repeat: Any = njit(**options)(calls)
    fleet = Fleet(picture, engine)
    classes, bounds = new_classes(picture.rows.count, 1), new_bounds(len(fleet.hosts.is_alike), 1)
    repeat(fleet.hosts, classes, bounds, fleet.index.buffer, 1)
    for need in needs[:_SCANS]:
        terms = class_terms(need, DEFAULT_POLICY, picture, picture.sections_of[need.zone_id][0])
        assert terms is not None
        write_class(classes, 0, terms)
        start = time.thread_time()
        repeat(fleet.hosts, classes, bounds, fleet.index.buffer, _REPEATS)
        yield (time.thread_time() - start) / _REPEATS * 1e6


def first_call_times(picture: Snapshot, engine: Engine, requests: Sequence[PlacementRequest]) -> Iterator[float]:
    """Yield the µs of calls from Python for classes that were never asked for, their terms worked out too."""
    fleet = Fleet(picture, engine)
    for asked in requests:
        start = time.thread_time_ns()
        choose(asked, fleet)
        fleet.keep()
        yield (time.thread_time_ns() - start) / 1000


def call_times(picture: Snapshot, engine: Engine, requests: Sequence[PlacementRequest]) -> Iterator[float]:
    """Yield the µs of single calls, each kept; every class was asked for before."""
    fleet, source = Fleet(picture, engine), random.Random(1)
    for number in range(2 * len(requests) + _CALLS):
        mate = source.choice(picture.host_ids)
        rule = GroupRule(group="web", spread=SpreadLevel.RACK, is_hard=True, existing_host_ids=(mate,))
        is_warm = number >= 2 * len(requests)
        asked = replace(source.choice(requests) if is_warm else requests[number % len(requests)], rules=(rule,))
        start = time.thread_time_ns()
        found = choose(asked, fleet)
        fleet.keep()
        took_us = (time.thread_time_ns() - start) / 1000
        if is_warm:
            yield took_us
        assert found is not None or asked.members[0].compute[ACCELERATOR], "only accelerators run out"


@dataclass(slots=True)
class _Host:
    """A host as a Nova-like scheduler holds it."""

    is_up: bool
    zone: str
    arch: str
    vcpu: int
    memory_mib: int
    disk_gib: int


def loop_rates(picture: Snapshot, requests: Sequence[PlacementRequest]) -> Iterator[float]:
    """Yield decisions per second of a filter-and-weigh loop."""
    hosts = [
        _Host(
            is_up=True,
            zone=picture.zone_ids[picture.zone_index[n]],
            arch=picture.archs[picture.arch_index[n]],
            vcpu=int(picture.free[VCPU][n]),
            memory_mib=int(picture.free[MEMORY_MIB][n]),
            disk_gib=int(picture.class_free_gib["standard"][n]),
        )
        for n in range(picture.host_count)
    ]
    for asked in requests[:_LOOPS]:
        start = time.thread_time()
        _filter_and_weigh(hosts, asked)
        yield 1 / (time.thread_time() - start)


def _filter_and_weigh(hosts: Sequence[_Host], asked: PlacementRequest) -> _Host:
    one = asked.members[0]
    vcpu, memory_mib, disk_gib = one.compute[VCPU], one.compute[MEMORY_MIB], sum(size for _, size in one.disks)
    left = [h for h in hosts if h.is_up]
    left = [h for h in left if h.zone == asked.zone_id]
    left = [h for h in left if one.arch in ("any", h.arch)]
    left = [h for h in left if h.vcpu >= vcpu]
    left = [h for h in left if h.memory_mib >= memory_mib]
    left = [h for h in left if h.disk_gib >= disk_gib]
    weights = [0.0] * len(left)
    for column in ([h.memory_mib for h in left], [h.vcpu for h in left]):
        low, high = min(column), max(column)
        weights = [w + (value - low) / ((high - low) or 1) for w, value in zip(weights, column, strict=True)]
    best = left[max(range(len(left)), key=weights.__getitem__)]
    best.vcpu -= vcpu
    best.memory_mib -= memory_mib
    best.disk_gib -= disk_gib
    return best


def memory_lines(seed: int) -> list[Line]:
    """Return the resident memory of a process of its own that holds 100,000 hosts and places 1,000,000 machines."""
    command = [sys.executable, "-m", "tests.bench.decisions", str(seed)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    before, after = (int(text) / 1024 for text in printed[:2])
    promise = Target(limit=300)
    what = "100,000 hosts and 1,000,000 machines in the core"
    return [
        Line(what=what, unit="MB", values=(after - before,), target=promise),
        Line(what="the process before that: Python, numpy and the compiled engine", unit="MB", values=(before,)),
    ]


def _resident_kib() -> int:
    status = Path("/proc/self/status").read_text("ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def _hold(seed: int) -> None:
    """Print resident memory before and while a million machines are placed, and how many were."""
    engine = load_compiled()
    source = random.Random(seed)
    needs = [units_of(asked)[0].need for asked in some_requests(source, _CLASSES)]
    before = _resident_kib()
    fleet = Fleet(fleet_snapshot(100_000, seed, fill=(0.0, 0.2)), engine)
    orders = np.random.default_rng(seed).integers(0, len(needs), 1_000_000).astype(np.int32)
    answer = place_stream(fleet, DEFAULT_POLICY, needs, orders)
    print(before, _resident_kib(), int((answer.hosts >= 0).sum()))


if __name__ == "__main__":
    _hold(int(sys.argv[1]))
