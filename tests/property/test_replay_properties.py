"""A replay never breaks a host or a rule at any instant, and decides like a plain loop over all hosts."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.replay import consolidation
from controller.replay.consolidation import Consolidation, replay_with_moves
from controller.replay.hosts import read_hosts
from controller.replay.run import replay
from controller.replay.stays import stays_of
from controller.replay.summary import summarise
from controller.replay.trace import read_trace
from controller.scheduling.engine import Engine
from controller.scheduling.loading import load_compiled
from controller.scheduling.moves.cluster import Cluster
from controller.scheduling.moves.consolidate import consolidate
from controller.scheduling.moves.plan import Limits, Plan
from controller.scheduling.policy import DEFAULT_POLICY, LargeSize, Policy
from tests.support.replay import MoveRow, Shape, broken, broken_with_moves, write_hosts, write_trace
from tests.support.trace_generator import TraceRow, trace

GIB = 1024
LARGE = LargeSize(vcpu_count=4, memory_mib=9 * GIB)
POLICIES = [
    DEFAULT_POLICY,
    Policy(name="pack", version=1, weights={"keep_usable": 7, "keep_empty": 40, "pack": 3}),
    Policy(name="large", version=1, weights={"keep_large": 9, "balance": 2, "even_out": 5}, large=LARGE),
    Policy(name="spread", version=1, weights={"spread_load": 10, "balance": 1}),
]

#: Keeps hosts off that are not in use, and has room made for what is not small.
ROOMY = Policy(
    name="roomy", version=1, weights={"keep_usable": 7, "keep_empty": 40}, large=LargeSize(vcpu_count=2, memory_mib=3 * GIB)
)


@pytest.fixture(scope="module")
def compiled() -> Engine:
    return load_compiled()


def some_rows(source: random.Random) -> list[TraceRow]:
    """Return a small trace with everything in it: waves, machines that stay or live for no time, scattered tickets."""
    rows: list[TraceRow] = []
    accelerators = [0, 0, 0, 0, 1, 2] if source.random() < 0.4 else [0]
    for vm in range(source.randint(0, 60)):
        lifetime_s = source.choice([-1, 0, 1, 5, source.randint(1, 40)])
        vcpus = source.choice([1, 1, 2, 4, 8])
        memory_mib = vcpus * source.choice([768, 1792, 1792, 7168])
        ticket, arrival_s = source.randint(0, 20), source.choice([source.randint(0, 30), 7])
        if rows and source.random() < 0.4:
            # Of the same gang as the last one.
            ticket, arrival_s = rows[-1].ticket, rows[-1].arrival_s
        rows.append(TraceRow(vm, ticket, arrival_s, lifetime_s, vcpus, memory_mib, source.choice(accelerators)))
    return rows


def some_shapes(source: random.Random) -> list[Shape]:
    kinds = [(8, 16 * GIB), (16, 40 * GIB), (12, 24 * GIB), *([(16, 40 * GIB, 4)] * 2 if source.random() < 0.4 else [])]
    return [source.choice(kinds) for _ in range(source.randint(1, 7))]


def share(amount: int, capacity: int) -> int:
    return min(amount, capacity) * (1000 * 2**21 // capacity) >> 21


def score(policy: Policy, shape: Shape, free: Shape, row: TraceRow) -> int:
    """Return the score of a host, written down from the description of the weights."""
    capacity, free = shape[:2], free[:2]
    amounts = row.vcpus, row.memory_mib
    before = [share(c - f, c) for c, f in zip(capacity, free, strict=True)]
    after = [share(c - f + a, c) for c, f, a in zip(capacity, free, amounts, strict=True)]
    weights = policy.weights
    total = weights.get("pack", 0) * (sum(after) // 2) + weights.get("spread_load", 0) * (1000 - sum(after) // 2)
    total -= weights.get("balance", 0) * abs(after[0] - after[1])
    total -= weights.get("even_out", 0) * (abs(after[0] - after[1]) - abs(before[0] - before[1]))
    total -= weights.get("keep_usable", 0) * ((1000 - max(before)) ** 2 - (1000 - max(after)) ** 2) // 1024
    total -= 1000 * weights.get("keep_empty", 0) * (free == capacity)
    if policy.large is not None:
        large = policy.large.vcpu_count, policy.large.memory_mib
        left = free[0] - amounts[0], free[1] - amounts[1]
        lost = min(free[0] // large[0], free[1] // large[1]) - min(left[0] // large[0], left[1] // large[1])
        part = (share(large[0], capacity[0]) + share(large[1], capacity[1])) // 2
        total -= weights.get("keep_large", 0) * lost * part
    # One that has accelerators is for those who ask for one.
    return total - 1000 * weights.get("keep_accelerators", 0) * (len(shape) > 2 and not row.accelerators)


def asked(row: TraceRow) -> Shape:
    return row.vcpus, row.memory_mib, row.accelerators


class Oracle:
    """Replays gang by gang with plain loops beside an answer, and complains; how a stuck gang was placed it takes from there."""

    def __init__(self, rows: list[TraceRow], shapes: list[Shape], policy: Policy, distinct_up_to: int) -> None:
        self.rows, self.shapes, self.policy = rows, shapes, policy
        tickets = {r.ticket for r in rows}
        self.first = {t: min(n for n, r in enumerate(rows) if r.ticket == t) for t in tickets}
        self.is_apart = {t: 2 <= sum(r.ticket == t for r in rows) <= distinct_up_to for t in tickets}
        self.placed: dict[int, int] = {}
        most = [max((1, *amounts)) for amounts in zip(*map(asked, rows), strict=True)]
        self.size = {r.vm: max(a * 10**6 // m for a, m in zip(asked(r), most, strict=True)) for r in rows}

    def complaints(self, answer: list[int]) -> list[str]:
        gangs: dict[tuple[int, int], list[TraceRow]] = {}
        for row in self.rows:
            gangs.setdefault((row.arrival_s, self.first[row.ticket]), []).append(row)
        found = []
        # Of one moment the gang with the largest machine comes first.
        for _, gang in sorted(gangs.items(), key=lambda g: (g[0][0], -max(self.size[r.vm] for r in g[1]), g[0][1])):
            theirs = [answer[row.vm] for row in gang]
            mine = self.greedy(gang)
            if mine is not None and mine != theirs:
                found.append(f"{gang}: {theirs}, not {mine}")
            if len(gang) > 1 and 0 < theirs.count(-1) < len(gang):
                found.append(f"{gang}: torn apart")
            if mine is None and theirs[0] < 0 and self.fits(gang, []):
                found.append(f"{gang}: refused, and fits")
            self.placed |= dict(zip((row.vm for row in gang), theirs, strict=True))
        return found

    def greedy(self, gang: list[TraceRow]) -> list[int] | None:
        """Return the best host for each, the largest first, or nothing where one finds none."""
        chosen: list[tuple[TraceRow, int]] = []
        for row in sorted(gang, key=lambda r: (-self.size[r.vm], *(-a for a in asked(r)), r.vm)):
            hosts = self.hosts(row, chosen)
            if not hosts:
                return None if len(gang) > 1 else [-1]
            chosen.append((row, max(hosts, key=lambda h: (hosts[h], -h))))
        host_of = {row.vm: host for row, host in chosen}
        return [host_of[row.vm] for row in gang]

    def hosts(self, row: TraceRow, chosen: list[tuple[TraceRow, int]]) -> dict[int, int]:
        """Return the score of each host that fits."""
        there = [
            (r, self.placed[r.vm])
            for r in self.rows
            if self.placed.get(r.vm, -1) >= 0 and (r.lifetime_s == -1 or row.arrival_s < r.arrival_s + r.lifetime_s)
        ] + chosen
        found = {}
        for host, capacity in enumerate(self.shapes):
            mine = [r for r, where in there if where == host]
            free = tuple(c - sum(asked(r)[d] for r in mine) for d, c in enumerate((*capacity, 0)[:3]))
            is_free = not self.is_apart[row.ticket] or all(r.ticket != row.ticket for r in mine)
            if all(f >= a for f, a in zip(free, asked(row), strict=True)) and is_free:
                found[host] = score(self.policy, capacity, free, row)
        return found

    def fits(self, gang: list[TraceRow], chosen: list[tuple[TraceRow, int]]) -> bool:
        """Tell whether there is any way to place a gang."""
        if len(chosen) == len(gang):
            return True
        row = gang[len(chosen)]
        return any(self.fits(gang, [*chosen, (row, host)]) for host in self.hosts(row, chosen))


@settings(max_examples=120, deadline=None)
@given(seed=st.integers(0, 2**32), policy=st.sampled_from(POLICIES), distinct_up_to=st.sampled_from([0, 3, 8]))
def test_a_replay_decides_like_a_plain_loop_and_breaks_nothing(
    seed: int, policy: Policy, distinct_up_to: int, compiled: Engine
) -> None:
    source = random.Random(seed)
    rows, shapes = some_rows(source), some_shapes(source)
    with TemporaryDirectory() as folder:
        requests = read_trace(write_trace(Path(folder) / "trace.csv.gz", rows))
        hosts = read_hosts(write_hosts(Path(folder) / "hosts.csv", shapes))
    placed_on = replay(requests, hosts, policy, distinct_up_to=distinct_up_to).tolist()
    assert broken(rows, shapes, dict(enumerate(placed_on)), distinct_up_to) == []
    assert Oracle(rows, shapes, policy, distinct_up_to).complaints(placed_on) == []
    assert placed_on == replay(requests, hosts, policy, distinct_up_to=distinct_up_to, engine=compiled).tolist()


def test_of_tickets_of_one_moment_the_one_with_the_largest_machine_is_decided_first(tmp_path: Path) -> None:
    small, large, later = (1, 1792), (8, 14336), (16, 28672)
    rows = [
        TraceRow(0, 0, 0, 100, *small),
        TraceRow(1, 1, 0, 100, *large),
        TraceRow(2, 2, 0, 100, *small),
        # As large as machine 1, and after it in the file.
        TraceRow(3, 3, 0, 100, *large),
        # Whole: its small machine does not wait for those of others.
        TraceRow(4, 1, 0, 100, *small),
        TraceRow(5, 4, 50, 100, *later),
    ]
    requests = read_trace(write_trace(tmp_path / "trace.csv", rows))
    hosts = read_hosts(write_hosts(tmp_path / "hosts.csv", [(10, 40 * GIB)]))
    assert replay(requests, hosts, DEFAULT_POLICY).tolist() == [0, 0, -1, -1, 0, -1]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_host_seconds_are_the_seconds_in_which_a_host_is_in_use(seed: int) -> None:
    source = random.Random(seed)
    rows, shapes = some_rows(source), some_shapes(source)
    with TemporaryDirectory() as folder:
        requests = read_trace(write_trace(Path(folder) / "trace.csv", rows))
        hosts = read_hosts(write_hosts(Path(folder) / "hosts.csv", shapes))
    placed_on = replay(requests, hosts, DEFAULT_POLICY)
    end_s = max((r.arrival_s + max(0, r.lifetime_s) for r in rows), default=0)
    busy: set[tuple[int, int]] = set()
    for row, host in zip(rows, placed_on.tolist(), strict=True):
        until_s = end_s if row.lifetime_s == -1 else row.arrival_s + row.lifetime_s
        busy |= {(host, second) for second in range(row.arrival_s, until_s)} if host >= 0 else set()
    summary = summarise(requests, hosts, placed_on)
    at_once = [sum(1 for _, s in busy if s == second) for second in range(end_s)]
    assert summary.host_seconds == len(busy)
    assert summary.hosts_used_at_once == max(at_once, default=0)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), distinct_up_to=st.sampled_from([0, 3, 8]), permille=st.sampled_from([0, 50, 1000]))
def test_a_replay_with_moves_breaks_nothing_at_any_instant_and_keeps_its_bounds(
    seed: int, distinct_up_to: int, permille: int, compiled: Engine
) -> None:
    source = random.Random(seed)
    rows, shapes = some_rows(source), some_shapes(source)
    with TemporaryDirectory() as folder:
        requests = read_trace(write_trace(Path(folder) / "trace.csv", rows))
        hosts = read_hosts(write_hosts(Path(folder) / "hosts.csv", shapes))
    limits = Limits(
        saving_least_wh_per_gib=0,
        moves_each_most=source.choice([None, 4]),
        fill_most_permille=source.choice([800, 1000]),
        aside_permille=source.choice([0, 500, 1000]),
        young_counts=source.choice([0, 2]),
    )
    how = Consolidation(
        every_s=source.randint(1, 9),
        moves_permille=permille,
        dwell_s=source.randint(0, 3),
        room_each_most=source.choice([0, 1, 2]),
        room_permille=source.choice([0, 500]),
        small_below=source.choice([0, 2, 4]),
        limits=limits,
    )
    placed_on, moves = replay_with_moves(requests, hosts, ROOMY, how, distinct_up_to=distinct_up_to)
    columns = (moves.machine.tolist(), moves.at_s.tolist(), moves.source.tolist(), moves.target.tolist())
    made = [MoveRow(*row) for row in zip(*columns, strict=True)]
    assert broken_with_moves(rows, shapes, dict(enumerate(placed_on.tolist())), made, distinct_up_to) == []
    assert len(made) <= permille * len(rows) // 1000
    age_least_s = 1 if limits.young_counts else how.dwell_s
    assert all(rows[move.vm].arrival_s <= move.at_s - age_least_s for move in made), "a young machine moved"
    again = replay_with_moves(requests, hosts, ROOMY, how, distinct_up_to=distinct_up_to, engine=compiled)
    assert again[0].tolist() == placed_on.tolist()
    assert again[1].target.tolist() == moves.target.tolist()
    # Emptying hosts early never adds time: as many seconds at most as each stay for itself.
    stays = stays_of(requests, placed_on, moves)
    assert int((stays.end_s - stays.start_s).sum()) == int(
        (stays_of(requests, placed_on).end_s - stays_of(requests, placed_on).start_s).sum()
    )


class Counting:
    """The planner of the platform, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, cluster: Cluster, limits: Limits) -> Plan:
        self.asked += 1
        return consolidate(cluster, limits)


def replayed(rows: list[TraceRow], shapes: list[Shape], how: Consolidation) -> tuple[list[int], list[list[int]], int]:
    """Return hosts, moves (machine, moment, source, target), and how often the planner was asked."""
    with TemporaryDirectory() as folder:
        requests = read_trace(write_trace(Path(folder) / "trace.csv.gz", rows))
        hosts = read_hosts(write_hosts(Path(folder) / "hosts.csv", shapes))
    planner = Counting()
    placed_on, moves = replay_with_moves(requests, hosts, ROOMY, replace(how, planner=planner))
    made = [moves.machine.tolist(), moves.at_s.tolist(), moves.source.tolist(), moves.target.tolist()]
    return placed_on.tolist(), made, planner.asked


def every_time(desk: Any) -> Iterator[Any]:
    """Yield every moment from the first one on, whatever happened in between."""
    every_s, last_s = desk._consolidation.every_s, int(desk._trace.arrival_s.max(initial=0))
    for now_s in range(every_s, last_s + every_s, every_s):
        yield consolidation._Stop(int(np.searchsorted(desk._orders.moment, 2 * now_s + 1)), False, now_s)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), stretch=st.sampled_from([1, 20]))
def test_neither_the_beginning_of_time_nor_a_moment_left_out_changes_a_replay_with_moves(seed: int, stretch: int) -> None:
    source = random.Random(seed)
    rows, shapes = some_rows(source), some_shapes(source)
    rows = [row._replace(arrival_s=row.arrival_s * stretch) for row in rows]
    limits = Limits(
        saving_least_wh_per_gib=0,
        moves_each_most=source.choice([1, 16]),
        fill_most_permille=1000,
        aside_permille=source.choice([0, 1000]),
        young_counts=source.choice([0, 4]),
    )
    how = Consolidation(
        every_s=source.randint(1, 9),
        moves_permille=source.choice([50, 300, 1000]),
        dwell_s=source.choice([0, 3, 30]),
        room_each_most=source.choice([0, 1, 2]),
        limits=limits,
    )
    placed_on, made, asked = replayed(rows, shapes, how)
    shift_s = how.every_s * source.choice([1, 1000, 10**10])
    later = [row._replace(arrival_s=row.arrival_s + shift_s) for row in rows]
    again = replayed(later, shapes, how)
    assert again == (placed_on, [made[0], [at_s + shift_s for at_s in made[1]], *made[2:]], asked)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(consolidation._Desk, "_regular", every_time)
        always = replayed(rows, shapes, how)
    assert always[:2] == (placed_on, made)
    assert always[2] >= asked


def test_times_in_which_nothing_happens_cost_nothing() -> None:
    rows = [TraceRow(0, 0, 0, 50, 6, 4 * GIB), TraceRow(1, 1, 0, -1, 2, 4 * GIB), TraceRow(2, 2, 10**12, -1, 2, 4 * GIB)]
    _, made, asked = replayed(rows, [(8, 16 * GIB), (8, 16 * GIB)], Consolidation(every_s=60, moves_permille=1000))
    # Once the first has ended, once the second is no longer young, and before the last one comes.
    assert asked <= 3
    assert made[0] == []


def test_moves_empty_hosts_and_the_summary_counts_their_hours(tmp_path: Path) -> None:
    # Two machines on two hosts, because a third stood between them until it ended.
    rows = [TraceRow(0, 0, 0, 50, 6, 4 * GIB), TraceRow(1, 1, 0, 1000, 2, 4 * GIB), TraceRow(2, 2, 0, 1000, 2, 4 * GIB)]
    requests = read_trace(write_trace(tmp_path / "trace.csv", [*rows, TraceRow(3, 3, 900, 100, 1, GIB)]))
    hosts = read_hosts(write_hosts(tmp_path / "hosts.csv", [(8, 16 * GIB), (8, 16 * GIB)]))
    how = Consolidation(every_s=100, moves_permille=500, dwell_s=0)
    placed_on, moves = replay_with_moves(requests, hosts, DEFAULT_POLICY, how)
    assert placed_on[:3].tolist().count(1) == 1
    assert moves.at_s.tolist() == [100]
    assert summarise(requests, hosts, placed_on, moves).host_seconds == 1000 + 100
    assert summarise(requests, hosts, placed_on).host_seconds == 2000
    assert summarise(requests, hosts, placed_on, moves, until_s=500).host_seconds == 500 + 100
    # 10 of 16 vCPU for 50 s, 4 until 900 s, 5 after that; hosts of 8.
    assert summarise(requests, hosts, placed_on, moves).bound_host_seconds == round((10 * 50 + 4 * 850 + 5 * 100) / 8)


def test_room_is_made_for_a_large_machine_instead_of_another_host(tmp_path: Path) -> None:
    # Three vCPUs are taken of either host, as five more were on the first until they ended: six fit on none, until one goes.
    small = [TraceRow(0, 0, 0, 50, 5, 2 * GIB), TraceRow(1, 1, 1, 1000, 3, GIB), TraceRow(2, 2, 2, 1000, 3, GIB)]
    requests = read_trace(write_trace(tmp_path / "trace.csv", [*small, TraceRow(3, 3, 100, 500, 6, 6 * GIB)]))
    hosts = read_hosts(write_hosts(tmp_path / "hosts.csv", [(8, 16 * GIB)] * 3))
    how = Consolidation(every_s=10_000, moves_permille=250, dwell_s=0)
    placed_on, moves = replay_with_moves(requests, hosts, ROOMY, how)
    assert len(set(placed_on.tolist())) == 2
    assert moves.at_s.tolist() == [100]
    assert len(set(replay_with_moves(requests, hosts, ROOMY, replace(how, room_each_most=0))[0].tolist())) == 3


def test_a_host_that_is_set_aside_takes_a_machine_only_where_another_would_be_begun(tmp_path: Path) -> None:
    # Eight vCPUs on two hosts of eight: the second, with less memory to be copied, is set aside.
    there = [TraceRow(0, 0, 0, -1, 6, 4 * GIB), TraceRow(1, 1, 0, 50, 4, GIB), TraceRow(2, 2, 0, -1, 2, GIB)]
    # Two vCPUs fit on both, then four on the second alone, then eight on neither.
    come = [TraceRow(3 + n, 3 + n, 110 + n, -1, vcpus, 3 * GIB) for n, vcpus in enumerate([2, 4, 8])]
    requests = read_trace(write_trace(tmp_path / "trace.csv", [*there, *come]))
    hosts = read_hosts(write_hosts(tmp_path / "hosts.csv", [(8, 16 * GIB)] * 3))
    emptiest = Policy(name="emptiest", version=1, weights={"spread_load": 10, "keep_empty": 400})
    limits = Limits(saving_least_wh_per_gib=0, aside_permille=1000)
    how = Consolidation(every_s=100, moves_permille=0, dwell_s=0, small_below=0, limits=limits)
    assert replay_with_moves(requests, hosts, emptiest, how)[0].tolist() == [0, 1, 1, 0, 1, 2]
    none_aside = replace(how, limits=replace(limits, aside_permille=0))
    assert replay_with_moves(requests, hosts, emptiest, none_aside)[0].tolist() == [0, 1, 1, 1, 1, 2]


def test_small_machines_keep_off_hosts_with_few_large_ones(tmp_path: Path) -> None:
    # One of six vCPUs on the first host, one of a single vCPU on the second, because of its memory.
    there = [TraceRow(0, 0, 0, -1, 6, 5 * GIB), TraceRow(1, 1, 0, -1, 1, 12 * GIB)]
    # The small one keeps off the fullest host; then two have room on that one alone, one of them as small.
    come = [TraceRow(2, 2, 110, -1, 1, GIB), TraceRow(3, 3, 111, -1, 2, 4 * GIB), TraceRow(4, 4, 112, -1, 1, 4 * GIB)]
    requests = read_trace(write_trace(tmp_path / "trace.csv", [*there, *come]))
    hosts = read_hosts(write_hosts(tmp_path / "hosts.csv", [(10, 16 * GIB)] * 3))
    fullest = Policy(name="fullest", version=1, weights={"pack": 10, "keep_empty": 400})
    how = Consolidation(every_s=100, moves_permille=0, small_below=2, limits=Limits(aside_permille=0))
    assert replay_with_moves(requests, hosts, fullest, how)[0].tolist() == [0, 1, 1, 0, 0]
    assert replay_with_moves(requests, hosts, fullest, replace(how, small_below=0))[0].tolist() == [0, 1, 0, 0, 0]


def test_the_checker_of_moves_finds_each_fault() -> None:
    rows = [TraceRow(0, 0, 0, 10, 4, GIB), TraceRow(1, 0, 0, -1, 4, GIB)]
    shapes = [(4, GIB), (4, GIB), (3, GIB)]
    sound = [MoveRow(1, 10, 1, 0)]
    assert broken_with_moves(rows, shapes, {0: 0, 1: 1}, sound, 2) == []
    for wrong in (
        [MoveRow(1, 9, 1, 0)],
        [MoveRow(1, 10, 1, 2)],
        [MoveRow(1, 10, 0, 1)],
        [MoveRow(0, 10, 0, 2)],
        [MoveRow(1, 5, 1, 1)],
    ):
        assert broken_with_moves(rows, shapes, {0: 0, 1: 1}, wrong, 2)


@pytest.mark.parametrize(
    ("answer", "is_sound"),
    [
        ({0: 0, 1: 1, 2: 0}, True),
        ({0: 0, 1: 1, 2: 1}, False),
        ({0: 0, 1: 0, 2: 1}, False),
        ({0: 0, 1: 1}, False),
        ({0: 0, 1: -1, 2: -1}, True),
    ],
    ids=["sound", "too full", "not distinct", "one missing", "two refused"],
)
def test_the_checker_finds_each_fault(answer: dict[int, int], is_sound: bool) -> None:
    rows = [TraceRow(0, 0, 0, 10, 4, GIB), TraceRow(1, 0, 9, -1, 4, GIB), TraceRow(2, 1, 10, 5, 4, GIB)]
    assert (broken(rows, [(8, 9 * GIB), (7, 9 * GIB)], answer, 8) == []) == is_sound


def test_a_generated_trace_is_replayed_whole_and_the_same_each_time(tmp_path: Path) -> None:
    rows = list(trace(5, 3000, duration_s=60_000))
    requests = read_trace(write_trace(tmp_path / "trace.csv.gz", rows))
    hosts = read_hosts(write_hosts(tmp_path / "hosts.csv", shapes := [(64, 128 * GIB)] * 3 + [(128, 256 * GIB)]))
    placed_on = replay(requests, hosts, DEFAULT_POLICY, distinct_up_to=8)
    assert 0 < (placed_on < 0).sum() < len(rows), "the hosts are neither too many nor too few"
    assert broken(rows, shapes, dict(enumerate(placed_on.tolist())), 8) == []
    assert placed_on.tolist() == replay(requests, hosts, DEFAULT_POLICY, distinct_up_to=8).tolist()
