"""How a machine lies on the processors and the memory of its host: what it asks, what a host has, what was chosen.

All of it becomes amounts of dimensions of the host (``resources``), so that it is promised and given back like everything else.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from inventory.domain.resources import CELL_PREFIX, CPU_PREFIX, HUGE_PREFIX, MEMORY_MIB, PCPU, VCPU, Resources

#: Nodes of one machine, at most: more cells has no server.
NODES_MAX = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a machine asks of cells; ``node_count`` 0 asks for nothing at all."""

    #: A processor of the host for each virtual one, and nobody else's.
    is_dedicated: bool = False
    #: Huge pages of this size; 0: ordinary ones.
    page_kib: int = 0
    #: NUMA nodes of the machine, each on a cell of its own.
    node_count: int = 0

    @classmethod
    def of(cls, *, is_dedicated: bool = False, page_kib: int = 0, node_count: int = 0) -> "Layout":
        """Return the layout a size means: what needs a cell has one node at least."""
        nodes = node_count or (1 if is_dedicated or page_kib else 0)
        return cls(is_dedicated=is_dedicated, page_kib=page_kib, node_count=nodes)

    def __bool__(self) -> bool:
        return self.node_count > 0

    @property
    def processor_dimension(self) -> str:
        """Return which processors it is made of."""
        return PCPU if self.is_dedicated else VCPU

    @property
    def memory_dimension(self) -> str:
        """Return which memory it is made of."""
        return huge_dimension(self.page_kib) if self.page_kib else MEMORY_MIB

    def is_kind_of(self, other: "Layout") -> bool:
        """Tell whether both are made of the same processors and memory."""
        return (self.is_dedicated, self.page_kib) == (other.is_dedicated, other.page_kib)

    def to_json(self) -> dict[str, Any]:
        """Return the stored form."""
        return {"is_dedicated": self.is_dedicated, "page_kib": self.page_kib, "node_count": self.node_count}

    def misfit(self, vcpu_count: int, memory_mib: int) -> str:
        """Return what cannot be split evenly: ``vcpu``, ``memory`` or ``pages``; empty where all can."""
        if not self:
            return ""
        if vcpu_count % self.node_count:
            return "vcpu"
        if memory_mib % self.node_count:
            return "memory"
        return "pages" if self.page_kib and memory_mib // self.node_count * 1024 % self.page_kib else ""


NO_LAYOUT = Layout()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One NUMA cell of a host, as its driver read it."""

    id: int
    #: All of its memory, huge pages included.
    memory_mib: int
    #: Processors by core: threads of a core joined by commas, cores by spaces: ``0,4 1,5``.
    cores: str
    #: (size in KiB, MiB reserved in pages of it).
    huge_mib: tuple[tuple[int, int], ...] = ()

    @property
    def ordinary_mib(self) -> int:
        """Return the memory outside huge pages."""
        return max(0, self.memory_mib - sum(mib for _, mib in self.huge_mib))


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSeat:
    """One node of a machine on a cell of its host."""

    cell: int
    vcpu_count: int
    memory_mib: int
    #: The processor of each virtual one; empty where they run on the shared ones.
    cpus: tuple[int, ...] = ()
    #: The shared processors of the cell (``0-3,8``); empty for dedicated ones.
    shared: str = ""

    def cpu_sets(self) -> list[str]:
        """Return where each virtual processor may run."""
        return [str(cpu) for cpu in self.cpus] if self.cpus else [self.shared] * self.vcpu_count


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Where a machine with a layout lies on its host: one entry for each of its nodes."""

    page_kib: int
    nodes: tuple[NodeSeat, ...]

    @property
    def layout(self) -> Layout:
        """Return what was asked for."""
        return Layout(is_dedicated=bool(self.nodes[0].cpus), page_kib=self.page_kib, node_count=len(self.nodes))

    @property
    def text(self) -> str:
        """Return the whole of it in one line: a driver that can read it back tells whether a machine still lies so."""
        return seat_text(self.page_kib, [(node.cell, node.cpu_sets()) for node in self.nodes])

    def amounts(self) -> dict[str, int]:
        """Return what it takes of the fine dimensions of its host."""
        found: dict[str, int] = {}
        for node in self.nodes:
            memory = cell_dimension(node.cell, self.layout.memory_dimension)
            found[memory] = found.get(memory, 0) + node.memory_mib
            if node.cpus:
                found |= {cpu_dimension(cpu): 1 for cpu in node.cpus}
            else:
                vcpu = cell_dimension(node.cell, VCPU)
                found[vcpu] = found.get(vcpu, 0) + node.vcpu_count
        return found

    def to_json(self) -> dict[str, Any]:
        """Return the stored form."""
        nodes = [
            {"cell": n.cell, "vcpu_count": n.vcpu_count, "memory_mib": n.memory_mib, "cpus": list(n.cpus), "shared": n.shared}
            for n in self.nodes
        ]
        return {"page_kib": self.page_kib, "nodes": nodes}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Seat":
        """Read the stored form back."""
        nodes = tuple(NodeSeat(**{**node, "cpus": tuple(node["cpus"])}) for node in data["nodes"])
        return cls(page_kib=data["page_kib"], nodes=nodes)


def text_of(seat: Seat | None) -> str:
    """Return where something lies, empty for what may lie anywhere."""
    return seat.text if seat else ""


def seat_text(page_kib: int, nodes: Iterable[tuple[int, Iterable[str]]]) -> str:
    """Return cells, processors and pages in one line, for example ``2048: 0(2|18) 1(4|20)``."""
    return f"{page_kib}: " + " ".join(f"{cell}({'|'.join(cpu_sets)})" for cell, cpu_sets in nodes)


def huge_dimension(page_kib: int) -> str:
    """Return the dimension of memory in huge pages of one size."""
    return f"{HUGE_PREFIX}{page_kib}"


def cell_dimension(cell: int, dimension: str) -> str:
    """Return the dimension of one cell's share of another one."""
    return f"{CELL_PREFIX}{cell}:{dimension}"


def cpu_dimension(cpu: int) -> str:
    """Return the dimension of one dedicated processor: there is one of it."""
    return f"{CPU_PREFIX}{cpu}"


def compute_of(vcpu_count: int, memory_mib: int, layout: Layout = NO_LAYOUT) -> Resources:
    """Return what a machine takes of its host as a whole."""
    return Resources.of({layout.processor_dimension: vcpu_count, layout.memory_dimension: memory_mib})


# -- sets of processors -------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def read_cpus(text: str) -> frozenset[int]:
    """Return the processors of a set as Linux writes it: ``0-3,8,10-11``.

    Raises:
        ValueError: it is not such a set.
    """
    found: set[int] = set()
    for part in text.split(",") if text else ():
        first, dash, last = part.partition("-")
        if not first.isdecimal() or not (last.isdecimal() if dash else True):
            raise ValueError(f"{part!r} is no processor and no range of them")
        low, high = int(first), int(last or first)
        if not low <= high < _CPUS_MAX:
            raise ValueError(f"{part!r} is no range below {_CPUS_MAX}")
        found |= set(range(low, high + 1))
    return frozenset(found)


_CPUS_MAX = 8192


def cpus_text(cpus: Iterable[int]) -> str:
    """Return a set of processors as Linux writes it."""
    parts: list[list[int]] = []
    for cpu in sorted(set(cpus)):
        if parts and cpu == parts[-1][1] + 1:
            parts[-1][1] = cpu
        else:
            parts.append([cpu, cpu])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in parts)


@lru_cache(maxsize=4096)
def cores_of(text: str) -> tuple[tuple[int, ...], ...]:
    """Return the cores of a cell, each with its threads."""
    return tuple(tuple(int(cpu) for cpu in core.split(",")) for core in text.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCell:
    """A cell with what the operator says its processors are for."""

    cell: Cell
    #: Dedicated processors by core; a core without any is left out.
    dedicated: tuple[tuple[int, ...], ...]
    shared: frozenset[int]

    @property
    def id(self) -> int:
        """Return its number."""
        return self.cell.id


def host_cells(cells: Iterable[Cell], dedicated: str, shared: str) -> tuple[HostCell, ...]:
    """Return the cells of a host under the operator's word on its processors."""
    return _host_cells(tuple(cells), dedicated, shared)


@lru_cache(maxsize=4096)
def _host_cells(cells: tuple[Cell, ...], dedicated: str, shared: str) -> tuple[HostCell, ...]:
    pinned = read_cpus(dedicated)
    found = []
    for cell in cells:
        cores = cores_of(cell.cores)
        own = frozenset(cpu for core in cores for cpu in core)
        kept = tuple(threads for core in cores if (threads := tuple(cpu for cpu in core if cpu in pinned)))
        rest = own & read_cpus(shared) if shared else own
        found.append(HostCell(cell=cell, dedicated=kept, shared=rest - pinned))
    return tuple(found)
