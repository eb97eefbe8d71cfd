"""The exact check of cells: may machines lie on a host as they ask, and where? Pure; asked of the best hosts only.

Nodes of one machine lie on different cells, and all are alike: it fits exactly when enough cells take one node. Machines that go
to one host together are tried in every order of cells that matters, within a bound. What is free is by fine dimension of the
host, so that the same amounts are judged here, claimed by the commit and guarded by the database.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from inventory.domain.layout import (
    HostCell,
    Layout,
    NodeSeat,
    Seat,
    cell_dimension,
    cpu_dimension,
    cpus_text,
)
from inventory.domain.resources import VCPU

#: Ways to put a node looked at for the machines of one unit, before it counts as not fitting.
STEPS_MAX = 2_000

#: What is free, by fine dimension.
Free = Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatAsk:
    """What one machine asks of the cells of a host."""

    layout: Layout
    vcpu_count: int
    memory_mib: int
    #: Where it lies now on its pinned host.
    held: Seat | None = None

    @property
    def node_vcpu_count(self) -> int:
        """Return the processors of one node."""
        return self.vcpu_count // self.layout.node_count

    @property
    def node_memory_mib(self) -> int:
        """Return the memory of one node."""
        return self.memory_mib // self.layout.node_count

    def memory_dimension(self, cell: int) -> str:
        """Return which memory of a cell it asks for."""
        return cell_dimension(cell, self.layout.memory_dimension)


def seats_for(asks: Sequence[SeatAsk], cells: Sequence[HostCell], free: Free) -> tuple[Seat, ...] | None:
    """Return a seat for every machine, or nothing where they do not all fit on the cells of one host."""
    if not cells or any(ask.layout.misfit(ask.vcpu_count, ask.memory_mib) for ask in asks):
        return None
    order = sorted(range(len(asks)), key=lambda k: (-_weight(asks[k]), k))
    found = _Search(asks, cells, order).place(0, _with_held(asks, free))
    return None if found is None else tuple(found[k] for k in range(len(asks)))


def growth(asks: Sequence[SeatAsk], seats: Sequence[Seat]) -> dict[str, int]:
    """Return what these seats take beyond those the machines hold already."""
    more: dict[str, int] = {}
    for ask, seat in zip(asks, seats, strict=True):
        held = ask.held.amounts() if ask.held else {}
        for dimension, amount in seat.amounts().items():
            less = amount - held.get(dimension, 0)
            if less > 0:
                more[dimension] = more.get(dimension, 0) + less
    return more


def fitting_count(ask: SeatAsk, cells: Sequence[HostCell], free: Free) -> int:
    """Return how many cells would take one node."""
    return sum(_times(ask, cell, free) > 0 for cell in cells)


def _with_held(asks: Sequence[SeatAsk], free: Free) -> dict[str, int]:
    own = dict(free)
    for ask in asks:
        for dimension, amount in ask.held.amounts().items() if ask.held else ():
            own[dimension] = own.get(dimension, 0) + amount
    return own


def _weight(ask: SeatAsk) -> int:
    return ask.node_memory_mib + 1024 * ask.node_vcpu_count * ask.layout.node_count


class _Search:
    """Depth first over machines, largest first; equal states are looked at once."""

    def __init__(self, asks: Sequence[SeatAsk], cells: Sequence[HostCell], order: Sequence[int]) -> None:
        self._asks, self._cells, self._order = asks, cells, order
        self._failed: set[tuple[int, tuple[int, ...]]] = set()
        self._steps = 0

    def place(self, depth: int, free: Mapping[str, int]) -> dict[int, Seat] | None:
        if depth == len(self._order):
            return {}
        state = depth, self._state(free)
        if state in self._failed:
            return None
        k = self._order[depth]
        for chosen in self._ways(self._asks[k], free):
            self._steps += 1
            if self._steps > STEPS_MAX:
                return None
            seat = _seat(self._asks[k], chosen, free)
            rest = self.place(depth + 1, _less(free, seat))
            if rest is not None:
                return {**rest, k: seat}
        self._failed.add(state)
        return None

    def _ways(self, ask: SeatAsk, free: Free) -> Iterator[tuple[HostCell, ...]]:
        """Yield the cells of its nodes: those it has first, then the tightest one, or the roomiest several."""
        times = {cell.id: _times(ask, cell, free) for cell in self._cells}
        kept = {node.cell for node in ask.held.nodes} if ask.held else set()
        sign = 1 if ask.layout.node_count == 1 else -1
        able = [cell for cell in self._cells if times[cell.id] > 0]
        able.sort(key=lambda cell: (cell.id not in kept, sign * times[cell.id], cell.id))
        yield from combinations(able, ask.layout.node_count)

    def _state(self, free: Free) -> tuple[int, ...]:
        """Return what matters of what is free: processors of a cell are as good as each other."""
        counts = [sum(free.get(cpu_dimension(cpu), 0) > 0 for core in cell.dedicated for cpu in core) for cell in self._cells]
        rest = [amount for dimension, amount in sorted(free.items()) if not dimension.startswith("cpu:")]
        return (*counts, *rest)


def _times(ask: SeatAsk, cell: HostCell, free: Free) -> int:
    """Return how many such nodes a cell would take."""
    vcpu, memory = ask.node_vcpu_count, ask.node_memory_mib
    by_memory = free.get(ask.memory_dimension(cell.id), 0) // memory
    if ask.layout.is_dedicated:
        processors = sum(len(core) for core in _free_cores(cell, free))
    elif vcpu > len(cell.shared):
        # A machine never shares a processor with itself.
        return 0
    else:
        processors = free.get(cell_dimension(cell.id, VCPU), 0)
    return max(0, min(by_memory, processors // vcpu))


def _free_cores(cell: HostCell, free: Free) -> list[tuple[int, ...]]:
    cores = (tuple(cpu for cpu in core if free.get(cpu_dimension(cpu), 0) > 0) for core in cell.dedicated)
    return [core for core in cores if core]


def _seat(ask: SeatAsk, cells: Sequence[HostCell], free: Free) -> Seat:
    kept = frozenset(cpu for node in ask.held.nodes for cpu in node.cpus) if ask.held else frozenset()
    nodes = []
    for cell in sorted(cells, key=lambda cell: cell.id):
        is_dedicated = ask.layout.is_dedicated
        nodes.append(
            NodeSeat(
                cell=cell.id,
                vcpu_count=ask.node_vcpu_count,
                memory_mib=ask.node_memory_mib,
                cpus=choose_cpus(_free_cores(cell, free), ask.node_vcpu_count, kept) if is_dedicated else (),
                shared="" if is_dedicated else cpus_text(cell.shared),
            )
        )
    return Seat(page_kib=ask.layout.page_kib, nodes=tuple(nodes))


def choose_cpus(cores: Sequence[tuple[int, ...]], count: int, kept: frozenset[int] = frozenset()) -> tuple[int, ...]:
    """Return ``count`` free processors: those it has, whole cores, then from the core that is most broken into."""
    chosen = sorted(cpu for core in cores for cpu in core if cpu in kept)[:count]
    left = [core for core in (tuple(c for c in core if c not in chosen) for core in cores) if core]
    for core in sorted(left, key=lambda core: (-len(core), core)):
        if len(core) <= count - len(chosen):
            chosen += core
            left.remove(core)
    missing = count - len(chosen)
    for core in sorted(left, key=lambda core: (len(core) < missing, len(core), core)):
        chosen += core[: count - len(chosen)]
    assert len(chosen) == count, "the processors were counted before"
    return tuple(sorted(chosen))


def _less(free: Free, seat: Seat) -> dict[str, int]:
    rest = dict(free)
    for dimension, amount in seat.amounts().items():
        rest[dimension] = rest.get(dimension, 0) - amount
    return rest
