"""The exact check of cells against a plain oracle that tries every assignment of nodes to cells."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.scheduling.cells import SeatAsk, choose_cpus, fitting_count, growth, seats_for
from controller.scheduling.decide import choose, decide
from controller.scheduling.fleet import Fleet
from controller.scheduling.snapshot import HostEntry
from inventory.domain.ids import HostId
from inventory.domain.layout import Cell, HostCell, Layout, Seat
from inventory.domain.placement import MemberRequest, Placement, PlacementRequest
from inventory.domain.resources import PCPU, is_fine
from tests.support.placement import entry, is_same_snapshot, member, request, snapshot

PAGE = 2048
LAYOUTS = [Layout.of(is_dedicated=d, page_kib=p, node_count=n) for d in (False, True) for p in (0, PAGE) for n in (1, 2)]


def some_host(source: random.Random, number: int) -> HostEntry:
    """Return a host of one to three cells with a few cores each, some of its processors dedicated, some of it in use."""
    cells, cpu = [], 0
    for n in range(source.randint(1, 3)):
        cores = []
        for _ in range(source.randint(1, 3)):
            threads = source.choice([1, 2, 2])
            cores.append(",".join(str(cpu + t) for t in range(threads)))
            cpu += threads
        huge = source.choice([0, 4, 8, 12])
        pools = ((PAGE, huge),) if huge else ()
        cells.append(Cell(id=n, memory_mib=huge + source.randint(2, 12), cores=" ".join(cores), huge_mib=pools))
    dedicated = ",".join(str(c) for c in range(cpu) if source.random() < 0.6)
    host = entry(number, storage=[("standard", 1000, 0)], cells=tuple(cells), dedicated_cpus=dedicated)
    used = {d: 1 for d in host.capacity if d.startswith("cpu:") and source.random() < 0.25}
    used |= {d: source.randint(0, 2) for d in host.capacity if is_fine(d) and not d.startswith("cpu:")}
    coarse = {PCPU: sum(n for d, n in used.items() if d.startswith("cpu:"))}
    overcommit = source.choice([1, 1, 4])
    capacity = {d: n * overcommit if d.endswith("vcpu") else n for d, n in host.capacity.items()}
    return replace(host, capacity=capacity, used={**used, **coarse})


def some_member(source: random.Random, name: str, networks: tuple[str, ...] = ()) -> MemberRequest:
    layout = source.choice(LAYOUTS)
    nodes = layout.node_count
    return member(
        name,
        vcpu=source.randint(1, 3) * nodes,
        memory_mib=source.choice([2, 4, 6]) * nodes,
        disks=(),
        layout=layout,
        networks=networks,
    )


def ask_of(one: MemberRequest) -> SeatAsk:
    amounts = dict(one.compute.amounts)
    vcpu = amounts.get(PCPU, 0) or amounts.get("vcpu", 0)
    memory = next(n for d, n in amounts.items() if d not in (PCPU, "vcpu"))
    return SeatAsk(layout=one.layout, vcpu_count=vcpu, memory_mib=memory, held=one.seat)


def free_of(host: HostEntry) -> dict[str, int]:
    return {d: n - host.used.get(d, 0) for d, n in host.capacity.items()}


# -- the oracle: cells as bags of amounts, every assignment of nodes tried ------------------------------------------------


def bags(cells: Sequence[HostCell], free: Mapping[str, int]) -> dict[int, Counter[str]]:
    found = {}
    for cell in cells:
        bag: Counter[str] = Counter()
        bag["own"] = sum(free.get(f"cpu:{cpu}", 0) for core in cell.dedicated for cpu in core)
        bag["vcpu"] = free.get(f"cell:{cell.id}:vcpu", 0)
        bag["memory"] = free.get(f"cell:{cell.id}:memory_mib", 0)
        bag["huge"] = free.get(f"cell:{cell.id}:huge_mib:{PAGE}", 0)
        bag["shared"] = len(cell.shared)
        found[cell.id] = bag
    return found


def ways(ask: SeatAsk, state: Mapping[int, Counter[str]]) -> Iterator[dict[int, Counter[str]]]:
    nodes = ask.layout.node_count
    vcpu, memory = ask.vcpu_count // nodes, ask.memory_mib // nodes
    for chosen in permutations(state, nodes):
        after = {cell: Counter(bag) for cell, bag in state.items()}
        kinds = "own" if ask.layout.is_dedicated else "vcpu", "huge" if ask.layout.page_kib else "memory"
        for cell in chosen:
            after[cell][kinds[0]] -= vcpu
            after[cell][kinds[1]] -= memory
        is_enough = all(after[cell][kind] >= 0 for cell in chosen for kind in kinds)
        if is_enough and (ask.layout.is_dedicated or all(state[c]["shared"] >= vcpu for c in chosen)):
            yield after


def can_sit(asks: Sequence[SeatAsk], state: Mapping[int, Counter[str]]) -> bool:
    return not asks or any(can_sit(asks[1:], after) for after in ways(asks[0], state))


def fits_on(host: HostEntry, members: Sequence[MemberRequest]) -> bool:
    free = free_of(host)
    asked: Counter[str] = Counter()
    for one in members:
        asked.update(dict(one.compute.amounts))
    is_roomy = all(free.get(d, 0) >= n for d, n in asked.items())
    return is_roomy and can_sit([ask_of(m) for m in members], bags(host.host.cells, free))


def check_seats(hosts: Sequence[HostEntry], asked: PlacementRequest, answer: Placement) -> None:
    """Every seat is what was asked, and all of them together are within what each host has, processor by processor."""
    by_id = {h.host.id: h for h in hosts}
    taken: dict[HostId, Counter[str]] = {}
    for one, placed in zip(asked.members, answer.members, strict=True):
        assert (placed.seat is not None) == bool(one.layout)
        if placed.seat is None:
            continue
        assert placed.seat.layout == one.layout
        assert len({node.cell for node in placed.seat.nodes}) == one.layout.node_count
        assert sum(node.vcpu_count for node in placed.seat.nodes) == ask_of(one).vcpu_count
        assert all(len(node.cpus) == (node.vcpu_count if one.layout.is_dedicated else 0) for node in placed.seat.nodes)
        taken.setdefault(placed.host_id, Counter()).update(placed.seat.amounts())
    for host_id, amounts in taken.items():
        free = free_of(by_id[host_id])
        assert all(n <= free.get(d, 0) for d, n in amounts.items())


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_machines_sit_on_a_host_exactly_when_some_assignment_of_nodes_holds(seed: int) -> None:
    source = random.Random(seed)
    host = some_host(source, 0)
    asks = [ask_of(some_member(source, f"m{n}")) for n in range(source.randint(1, 3))]
    free = free_of(host)
    seats = seats_for(asks, host.host.cells, free)
    assert (seats is not None) == can_sit(asks, bags(host.host.cells, free))
    for ask in asks:
        node = SeatAsk(layout=replace(ask.layout, node_count=1), vcpu_count=ask.node_vcpu_count, memory_mib=ask.node_memory_mib)
        able = len(list(ways(node, bags(host.host.cells, free))))
        assert fitting_count(ask, host.host.cells, free) == able
    if seats is not None:
        taken: Counter[str] = Counter()
        for seat in seats:
            taken.update(seat.amounts())
        assert all(n <= free.get(d, 0) for d, n in taken.items())
        assert dict(taken) == growth(asks, seats)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32))
def test_a_unit_is_placed_exactly_when_one_host_takes_it_and_refused_with_true_reasons(seed: int) -> None:
    source = random.Random(seed)
    hosts = [some_host(source, n) for n in range(source.randint(1, 3))]
    networks = ("n1",) if source.random() < 0.5 else ()
    members = [some_member(source, f"m{n}", networks) for n in range(source.randint(1, 3) if networks else 1)]
    asked = request(*members)
    answer = decide(asked, snapshot(hosts))
    assert isinstance(answer, Placement) == any(fits_on(h, members) for h in hosts)
    if isinstance(answer, Placement):
        check_seats(hosts, asked, answer)
        return
    names = {h.host.name: h for h in hosts}
    for page in answer.explanations:
        for miss in page.misses:
            if miss.filter == "numa":
                host = names[miss.host]
                assert not can_sit([ask_of(m) for m in members], bags(host.host.cells, free_of(host)))
                assert miss.params["cells"] == len(host.host.cells)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_gangs_never_get_a_processor_twice_and_leave_a_refused_fleet_as_it_was(seed: int) -> None:
    source = random.Random(seed)
    hosts = [some_host(source, n) for n in range(source.randint(1, 3))]
    fleet = Fleet(snapshot(hosts))
    members = [some_member(source, f"m{n}", (f"n{source.randint(0, 2)}",)) for n in range(source.randint(1, 4))]
    plain = [member("p", vcpu=1, memory_mib=1, disks=())] if source.random() < 0.5 else []
    asked = request(*members, *plain)
    before = fleet.to_snapshot("r")
    placed = choose(asked, fleet)
    if placed is None:
        assert is_same_snapshot(fleet.to_snapshot("r"), before)
    else:
        check_seats(hosts, asked, Placement(members=placed, explanations=()))
        after = fleet.to_snapshot("r").fine_free
        taken: Counter[tuple[HostId, str]] = Counter()
        for one in placed:
            for dimension, amount in one.seat.amounts().items() if one.seat else ():
                taken[one.host_id, dimension] += amount
        for i, fine in before.fine_free.items():
            assert {d: n - taken[before.host_ids[i], d] for d, n in fine.items()} == after[i]


def equal_machines_fit(host: HostEntry, one: MemberRequest, count: int) -> bool:
    return fits_on(host, [one] * count)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_equal_machines_one_by_one_are_as_many_as_any_assignment_gets(seed: int) -> None:
    source = random.Random(seed)
    host = some_host(source, 0)
    one = some_member(source, "m")
    fleet, count = Fleet(snapshot([host])), 0
    while choose(request(one), fleet) is not None:
        fleet.keep()
        count += 1
    assert equal_machines_fit(host, one, count)
    assert count >= 5 or not equal_machines_fit(host, one, count + 1)


def test_machines_of_two_nodes_take_the_roomiest_cells_so_that_none_is_left_alone() -> None:
    cells = tuple(Cell(id=n, memory_mib=100, cores=cores) for n, cores in enumerate(("0", "1", "2 3")))
    host = entry(0, storage=[("standard", 1000, 0)], cells=cells, dedicated_cpus="0-3")
    fleet = Fleet(snapshot([host]))
    one = member("m", vcpu=2, memory_mib=2, disks=(), layout=Layout.of(is_dedicated=True, node_count=2))
    for _ in range(2):
        assert choose(request(one), fleet) is not None
        fleet.keep()


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32))
def test_a_machine_that_changes_may_keep_what_it_has(seed: int) -> None:
    source = random.Random(seed)
    host = some_host(source, 0)
    ask = ask_of(some_member(source, "m"))
    seats = seats_for([ask], host.host.cells, free_of(host))
    if seats is None:
        return
    left = free_of(host)
    for dimension, amount in seats[0].amounts().items():
        left[dimension] -= amount
    same = SeatAsk(layout=ask.layout, vcpu_count=ask.vcpu_count, memory_mib=ask.memory_mib, held=seats[0])
    again = seats_for([same], host.host.cells, left)
    assert again == seats
    assert growth([same], again) == {}
    larger = SeatAsk(layout=ask.layout, vcpu_count=2 * ask.vcpu_count, memory_mib=ask.memory_mib, held=seats[0])
    more = seats_for([larger], host.host.cells, left)
    assert (more is not None) == can_sit([larger], bags(host.host.cells, free_of(host)))
    if more is not None:
        assert all(n <= left.get(d, 0) for d, n in growth([larger], more).items())


@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.data())
def test_whole_cores_go_first_and_the_rest_breaks_as_little_as_can_be(threads: list[int], data: st.DataObject) -> None:
    cores, first = [], 0
    for size in threads:
        cores.append(tuple(range(first, first + size)))
        first += size
    count = data.draw(st.integers(1, first))
    chosen = choose_cpus(cores, count)
    assert len(set(chosen)) == count
    broken = [core for core in cores if 0 < len(set(core) & set(chosen)) < len(core)]
    assert len(broken) <= 1


def test_a_seat_is_stored_and_read_back() -> None:
    host = some_host(random.Random(7), 0)
    ask = ask_of(member("m", vcpu=1, memory_mib=2, disks=(), layout=Layout.of(is_dedicated=True)))
    seats = seats_for([ask], host.host.cells, dict.fromkeys(host.capacity, 9))
    assert seats is not None
    assert Seat.from_json(seats[0].to_json()) == seats[0]
