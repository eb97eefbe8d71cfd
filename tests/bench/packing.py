"""How few hosts a trace of requests needs without a refusal, against the volume of what is there at once.

Baselines in the same core: first fit, best fit, the emptiest first; and ``hail``, the allocator of Ganeti, on a short list.
"""

import random
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from controller.paths import data_dir
from controller.replay.hosts import read_hosts
from controller.replay.run import need_of, orders_of, stream_of
from controller.replay.stays import interval_s
from controller.replay.summary import peak
from controller.replay.trace import Trace, read_trace
from controller.scheduling.engine import Engine
from controller.scheduling.fleet import Fleet
from controller.scheduling.loading import load_compiled
from controller.scheduling.policy import DEFAULT_POLICY, Policy, read_policies
from controller.scheduling.snapshot import Snapshot
from controller.scheduling.stream import Orders, StreamRun
from tests.bench.hail import placed_by_hail
from tests.bench.report import Figure, Line, Target
from tests.support.replay import Shape, write_hosts, write_trace
from tests.support.trace_generator import FLAVOURS
from tests.support.trace_generator import trace as generated

GIB = 1024
_MACHINES, _STEP, _FILL, _APART_UP_TO = 259_159, 20_000, 0.93, 8
#: Fleets larger than so many times the bound are not tried.
_TIMES_MOST = 8
ONE = ((64, 128 * GIB),)
THREE = ((32, 64 * GIB), (64, 256 * GIB), (96, 256 * GIB))
#: Ways to choose a host, as weights of the core; without any the first host that fits is taken.
_FIRST_FIT, _BEST_FIT, _EMPTIEST = (
    Policy(name=name, version=1, weights=weights)
    for name, weights in (("first", {}), ("best", {"pack": 10}), ("emptiest", {"spread_load": 10}))
)
_HAIL_NODES, _HAIL_CASES = 12, 3

Shapes = Sequence[Shape]


def shapes_of(text: str) -> list[Shape]:
    """Read hosts as they are named on the command line: ``5*192x1024x8`` are five of 192 vCPU, 1024 GiB and 8 accelerators."""
    count, _, sizes = text.rpartition("*")
    vcpus, memory_gib, *accelerators = map(int, sizes.split("x"))
    return [(vcpus, memory_gib * GIB, *accelerators)] * int(count or 1)


def measure(folder: Path, seed: int, trace: Path | None = None, hosts: Sequence[str] = ()) -> Figure:
    """Measure a trace from a file, or a generated one; on hosts of these shapes in turn, or on those of the page."""
    requests = read_trace(trace or write_trace(folder / "trace.csv", generated(seed, _MACHINES)))
    if hosts:
        return _on_own_hosts(folder, None if trace else seed, requests, [shape for text in hosts for shape in shapes_of(text)])
    packer, bounds = Packer(folder, requests, load_compiled()), [volume_bound(requests, shapes) for shapes in (ONE, THREE)]
    lines = [
        _line("one shape, 64 × 128 GiB", packer, DEFAULT_POLICY, ONE, 0, 8),
        _line("three shapes, tickets of 2 to 8 on distinct hosts", packer, DEFAULT_POLICY, THREE, _APART_UP_TO, 4.5),
    ]
    refused = packer.refused(DEFAULT_POLICY, ONE, round(bounds[0] / _FILL), 0)
    lines.append(Line(what=f"refused at {_FILL:.0%} fill, one shape", unit="", values=(refused,), target=Target(limit=0)))
    for name, policy in (("first fit", _FIRST_FIT), ("best fit", _BEST_FIT), ("emptiest first", _EMPTIEST)):
        lines.append(_line(f"{name}, one shape", packer, policy, ONE, 0))
        lines.append(_line(f"{name}, three shapes", packer, policy, THREE, _APART_UP_TO))
    ours, theirs = hail_fills(folder, seed)
    lines.append(Line(what="filled at the first refusal, one machine after the other", unit="%", values=ours, baseline=_HAIL))
    lines.append(Line(what=_HAIL, unit="%", values=theirs))
    return Figure(
        name="packing",
        title="Packing: hosts needed without a refusal, above the volume bound",
        size=f"{requests.count:,} machines, {bounds[0]} hosts by volume ({bounds[1]} of three shapes); lifetimes unknown",
        seed=seed if trace is None else None,
        lines=tuple(lines),
        notes=(
            (
                "The bound is the fewest hosts whose vCPU and memory cover what is there at any moment. Fleets are found by"
                " halving between it and 1.5 times it. A ticket is placed whole or refused whole."
            ),
            (
                "Without `--trace PATH`, a file as `allot simulate` reads it, requests are generated with the statistics of the"
                " Azure trace of 2017. (On that trace itself: see the decision record on the default policy.)"
            ),
            (
                "Ganeti's hail answers one request at a time from a file, evenly by its design: it is given"
                f" {_HAIL_NODES} nodes of 64 × 128 GiB and machines of the trace's sizes until one is refused."
            ),
        ),
    )


def _on_own_hosts(folder: Path, seed: int | None, requests: Trace, shapes: Shapes) -> Figure:
    """Measure the platform's policies and the baselines on hosts of the trace's own kind."""
    policies = read_policies((data_dir("etc") / "placement.yaml").read_text(encoding="utf-8"))
    ours = [(f"policy {name}", policies.policy(name)) for name in policies.policies]
    baselines = [("first fit", _FIRST_FIT), ("best fit", _BEST_FIT), ("emptiest first", _EMPTIEST)]
    packer, bound = Packer(folder, requests, load_compiled()), volume_bound(requests, shapes)
    return Figure(
        name="packing",
        title="Packing: hosts needed without a refusal, above the volume bound",
        size=f"{requests.count:,} machines, {bound} hosts by volume, of {_told(shapes)} in turn; lifetimes unknown",
        seed=seed,
        lines=tuple(_line(what, packer, policy, shapes, 0) for what, policy in [*ours, *baselines]),
        notes=("The bound is the fewest hosts whose vCPU, memory and accelerators cover what is there at any moment.",),
    )


def _told(shapes: Shapes) -> str:
    return ", ".join(" × ".join(map(str, (vcpus, mib // GIB, *more))) for vcpus, mib, *more in shapes)


_HAIL = "the same by Ganeti's hail"


def _line(what: str, packer: "Packer", policy: Policy, shapes: Shapes, apart: int, limit: float | None = None) -> Line:
    found = 100 * (packer.smallest(policy, shapes, apart) / volume_bound(packer.requests, shapes) - 1)
    return Line(what=what, unit="%", values=(found,), target=None if limit is None else Target(limit=limit))


def volume_bound(requests: Trace, shapes: Shapes) -> int:
    """Return the fewest hosts of these shapes, in turn, that cover what is there at any moment."""
    start_s, end_s = interval_s(requests)
    asked = (requests.vcpus, requests.memory_mib, requests.accelerators)
    peaks = [peak(start_s, end_s, amount) for amount in asked]
    have, count = [0, 0, 0], 0
    for shape in cycle(shapes):
        if all(h >= p for h, p in zip(have, peaks, strict=True)):
            return count
        have, count = [h + s for h, s in zip(have, (*shape, 0)[:3], strict=True)], count + 1
    raise AssertionError("shapes go on for ever")


class Packer:
    """Replays one trace on fleets of any number of hosts."""

    def __init__(self, folder: Path, requests: Trace, engine: Engine) -> None:
        self._folder, self.requests, self._engine = folder, requests, engine
        self._orders = {apart: orders_of(requests, apart) for apart in (0, _APART_UP_TO)}

    def fleet(self, shapes: Shapes, count: int) -> Snapshot:
        """Return so many hosts, of the shapes in turn."""
        return read_hosts(write_hosts(self._folder / "hosts.csv", islice(cycle(shapes), count)))

    def smallest(self, policy: Policy, shapes: Shapes, apart: int) -> int:
        """Return the fewest hosts on which nothing is refused."""
        low = volume_bound(self.requests, shapes)

        def is_enough(count: int) -> bool:
            return not self.refused(policy, shapes, count, apart, is_any=True)

        high = low * 3 // 2 + 1
        while not is_enough(high) and high < _TIMES_MOST * low:
            low, high = high, 2 * high
        return fewest(is_enough, low, high)

    def refused(self, policy: Policy, shapes: Shapes, count: int, apart: int, *, is_any: bool = False) -> int:
        """Return how many machines are refused; with ``is_any`` whether there are any."""
        run, done = stream_of(self._orders[apart], self.fleet(shapes, count), policy, self._engine), 0
        while done < len(run):
            done, begin = run.through(done + _STEP), done
            if is_any and _refused(run, begin, done):
                return 1
        return _refused(run, 0, done)


def _refused(run: StreamRun, begin: int, end: int) -> int:
    return int(((run.stream.position[begin:end] == -1) & (run.stream.slot[begin:end] >= 0)).sum())


def fewest(is_enough: Callable[[int], bool], low: int, high: int) -> int:
    """Return the fewest that are enough, if more always are too; ``high`` is taken to be."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle + 1, high)
    return low


def hail_fills(folder: Path, seed: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return how full empty nodes are when the first machine of a list is refused, ours and hail's, case by case."""
    ours, theirs = [], []
    for case in range(_HAIL_CASES):
        source = random.Random(seed + case)
        sizes = [source.choice([f[:2] for f in FLAVOURS if f[2] >= 500]) for _ in range(_HAIL_NODES * 64)]
        ours.append(_fill(sizes, _by_core(folder, sizes)))
        theirs.append(_fill(sizes, placed_by_hail(folder, sizes, ONE[0], _HAIL_NODES)))
    return tuple(ours), tuple(theirs)


def _fill(sizes: Sequence[tuple[int, int]], count: int) -> float:
    """Return what the first ``count`` machines take of the nodes, of the scarcer one of vCPU and memory, in percent."""
    taken = np.array(sizes[:count]).sum(axis=0) / (_HAIL_NODES * np.array(ONE[0]))
    return 100 * float(taken.max())


def _by_core(folder: Path, sizes: Sequence[tuple[int, int]]) -> int:
    hosts = read_hosts(write_hosts(folder / "hosts.csv", ONE * _HAIL_NODES))
    kinds = sorted(set(sizes))
    run = StreamRun(
        Fleet(hosts),
        DEFAULT_POLICY,
        Orders(classes=[need_of(*kind) for kind in kinds], orders=[kinds.index(size) for size in sizes]),
    )
    run.through(len(run))
    return int(np.flatnonzero(run.stream.position == -1)[0])
