"""What may be promised on a host, written from its facts and the operator's word: the host as a whole, its cells, its storage."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, select, update

from inventory.domain.host import Host, Pool, StoragePool
from inventory.domain.ids import HostId
from inventory.domain.layout import HostCell, cell_dimension, cpu_dimension, huge_dimension
from inventory.domain.resources import HUGE_PREFIX, MEMORY_MIB, PCPU, VCPU, capacity, disk_dimension
from inventory.store import changes, hosts
from inventory.store import tables as t


def host_totals(host_: Host) -> Mapping[str, int]:
    """Return the physical amounts of a host: the operator's word where given, else what the driver read.

    Processors are those that machines share; ordinary memory is what huge pages leave.
    """
    facts = host_.facts
    if facts is None:
        return {VCPU: 0, MEMORY_MIB: 0, **host_.capacity_override}
    cells = host_.cells
    huge = _huge_mib(cells)
    seen = {VCPU: facts.cpu_count, MEMORY_MIB: max(0, facts.memory_mib - sum(huge.values()))} | huge
    if host_.dedicated_cpus or host_.shared_cpus:
        seen[VCPU] = sum(len(c.shared) for c in cells)
        dedicated = sum(len(core) for c in cells for core in c.dedicated)
        seen |= {PCPU: dedicated} if dedicated else {}
    return {**seen, **host_.capacity_override}


def overcommit_permille(host_: Host, pool: Pool, dimension: str) -> int:
    """Return how far a host is promised beyond what it has: its own word, or the pool's; no more than its back end takes."""
    wanted = host_.overcommit_permille.get(dimension, pool.overcommit_permille.get(dimension, 1000))
    most = host_.facts.overcommit_most_permille if host_.facts is not None else {}
    return min(wanted, most.get(dimension, wanted))


def _huge_mib(cells: Iterable[HostCell]) -> dict[str, int]:
    found: dict[str, int] = {}
    for cell in cells:
        for page_kib, mib in cell.cell.huge_mib:
            dimension = huge_dimension(page_kib)
            found[dimension] = found.get(dimension, 0) + mib
    return found


def fine_totals(host_: Host) -> dict[str, int]:
    """Return the physical amounts of the cells of a host, and its dedicated processors one by one."""
    found: dict[str, int] = {}
    for cell in host_.cells:
        found[cell_dimension(cell.id, VCPU)] = len(cell.shared)
        found[cell_dimension(cell.id, MEMORY_MIB)] = cell.cell.ordinary_mib
        found |= {cell_dimension(cell.id, huge_dimension(kib)): mib for kib, mib in cell.cell.huge_mib}
        found |= {cpu_dimension(cpu): 1 for core in cell.dedicated for cpu in core}
    return found


def save_capacity(connection: Connection, host_: Host, pool: Pool, storage: Iterable[StoragePool]) -> None:
    """Write what may be promised on a host and its storage pools; ``used`` stays as it is."""
    before = changes.amounts_of(connection, [host_.id], "capacity")

    def permille(dimension: str) -> int:
        return overcommit_permille(host_, pool, dimension)

    rooms: dict[str, tuple[int, int]] = {}
    for dimension, total in host_totals(host_).items():
        reserved = host_.reserved.get(dimension, 0)
        rooms[dimension] = total, capacity(total=total, reserved=reserved, overcommit_permille=permille(dimension))
    for dimension, total in fine_totals(host_).items():
        of = dimension.rpartition(":")[2] if dimension.endswith((VCPU, MEMORY_MIB)) else ""
        rooms[dimension] = total, capacity(total=total, reserved=0, overcommit_permille=permille(of))
    for dimension, (total, room) in rooms.items():
        _save_inventory(connection, host_.id, dimension, host_.id, total=total, room=room)
    _close_missing(connection, host_.id, rooms)
    sizes_gib = {s.name: s.capacity_gib for s in host_.facts.storage} if host_.facts else {}
    for pool_ in storage:
        dimension = disk_dimension(pool_.disk_class)
        total = host_.capacity_override.get(dimension, sizes_gib.get(pool_.name, 0))
        reserved = host_.reserved.get(dimension, 0)
        room = capacity(total=total, reserved=reserved, overcommit_permille=pool_.overcommit_permille)
        _save_inventory(connection, pool_.id, dimension, host_.id, total=total, room=room)
    changes.note(connection, None, changes.since_then(connection, [host_.id], "capacity", before))


def _close_missing(connection: Connection, host_id: HostId, rooms: Mapping[str, Any]) -> None:
    """Offer nothing more of cells, processors and huge pages that a host has no more."""
    i = t.inventories.c
    own = (i.provider_id == host_id) & (~hosts.IS_COARSE | i.dimension.like(f"{HUGE_PREFIX}%") | (i.dimension == PCPU))
    known = connection.execute(select(i.dimension).where(own, i.total > 0)).scalars()
    gone = sorted(set(known) - rooms.keys())
    if gone:
        statement = update(t.inventories).where(i.provider_id == host_id, i.dimension.in_(gone))
        connection.execute(statement.values(total=0, capacity=0))


def _save_inventory(connection: Connection, provider_id: str, dimension: str, host_id: HostId, *, total: int, room: int) -> None:
    key = (t.inventories.c.provider_id == provider_id) & (t.inventories.c.dimension == dimension)
    if connection.execute(update(t.inventories).where(key).values(total=total, capacity=room)).rowcount == 0:
        connection.execute(
            t.inventories.insert().values(
                provider_id=provider_id, dimension=dimension, host_id=host_id, total=total, capacity=room, used=0, foreign_used=0
            )
        )
