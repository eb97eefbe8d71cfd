"""Every host and every machine, one by one: for exporters and for what asks where to scrape. Few reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, case, func, select

from inventory.domain.host import AdminState
from inventory.domain.resource import Phase, ResourceKind, VolumeSpec
from inventory.domain.resources import MEMORY_MIB, VCPU, counted_as
from inventory.store import tables as t
from inventory.store.hosts import IS_COARSE

_H, _R = t.hosts.c, t.resources.c


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSeen:
    """One host that is not retired."""

    id: str = ""
    name: str
    pool: str
    zone: str
    connection: str
    admin_state: str
    reachability: str
    #: Dimension -> (capacity, used with what is foreign).
    rooms: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    #: Dimension -> held for the loss of others and for reservations.
    held: Mapping[str, int] = field(default_factory=dict)
    machine_count: int = 0
    running_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSeen:
    """One living machine."""

    id: str
    name: str
    department: str
    project: str
    system: str
    host: str
    pool: str
    zone: str
    phase: str
    observed: str
    vcpu: int
    memory_mib: int
    #: Empty: it has none.
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeSeen:
    """One living data disk."""

    id: str
    name: str
    department: str
    zone: str
    phase: str
    size_gib: int
    disk_class: str
    #: The id of the machine it is attached to.
    machine: str


def hosts(connection: Connection) -> list[HostSeen]:
    """Return every host that is not retired, by name."""
    rooms: dict[str, dict[str, tuple[int, int]]] = {}
    held: dict[str, dict[str, int]] = {}
    i = t.inventories.c
    figures = (i.capacity, i.used + i.foreign_used, i.held_reserve + i.held_reservations)
    sums = select(i.host_id, i.dimension, *map(func.sum, figures)).where(IS_COARSE).group_by(i.host_id, i.dimension)
    for host_id, dimension, capacity, used, kept in connection.execute(sums):
        # PostgreSQL sums 64-bit integers to a decimal.
        rooms.setdefault(host_id, {})[dimension] = (int(capacity), int(used))
        held.setdefault(host_id, {})[dimension] = int(kept)
    is_machine = (_R.kind == "instance", _R.phase != Phase.GONE.value)
    counted = (
        select(_R.host_id, func.count(), func.count().filter(_R.observed == "running")).where(*is_machine).group_by(_R.host_id)
    )
    counts = {host_id: (count, running) for host_id, count, running in connection.execute(counted)}
    statement = (
        select(_H.id, _H.name, t.pools.c.code, t.zones.c.code, _H.connection, _H.admin_state, _H.reachability)
        .select_from(t.hosts.join(t.pools).join(t.zones))
        .where(_H.admin_state != AdminState.RETIRED.value)
        .order_by(_H.name)
    )
    return [
        HostSeen(
            id=id_, name=name, pool=pool, zone=zone, connection=address, admin_state=admin, reachability=reach,
            rooms=rooms.get(id_, {}), held=held.get(id_, {}), machine_count=counts.get(id_, (0, 0))[0],
            running_count=counts.get(id_, (0, 0))[1],
        )
        for id_, name, pool, zone, address, admin, reach in connection.execute(statement)
    ]  # fmt: skip


def machine_count(connection: Connection) -> int:
    """Return how many machines live."""
    statement = select(func.count()).select_from(t.resources).where(_R.kind == "instance", _R.phase != Phase.GONE.value)
    return int(connection.execute(statement).scalar_one())


def machines(connection: Connection, limit: int) -> list[MachineSeen]:
    """Return living machines by id, at most so many."""
    wanted = (
        select(_R.id, _R.name, t.departments.c.code, t.projects.c.code, t.systems.c.name, _H.name, t.pools.c.code, t.zones.c.code,
               _R.phase, _R.observed)
        .select_from(
            t.resources.join(t.departments, t.departments.c.id == _R.department_id)
            .outerjoin(t.projects, t.projects.c.id == _R.project_id)
            .outerjoin(t.systems, t.systems.c.id == _R.system_id)
            .outerjoin(t.hosts, _H.id == _R.host_id)
            .outerjoin(t.pools, t.pools.c.id == _H.pool_id)
            .outerjoin(t.zones, t.zones.c.id == t.pools.c.zone_id)
        )
        .where(_R.kind == "instance", _R.phase != Phase.GONE.value)
        .order_by(_R.id)
        .limit(limit)
    )  # fmt: skip
    c = t.claims.c
    amounts: dict[tuple[str, str], int] = {}
    for resource_id, claimed in connection.execute(select(c.resource_id, c.amounts).where(c.resource_kind == "instance")):
        for _, dimension, amount in claimed:
            key = resource_id, counted_as(dimension)
            amounts[key] = amounts.get(key, 0) + amount
    addresses = _addresses(connection)
    return [
        MachineSeen(
            id=id_, name=name, department=department, project=project or "", system=system or "", host=host or "",
            pool=pool or "",
            zone=zone or "", phase=phase, observed=observed, vcpu=amounts.get((id_, VCPU), 0),
            memory_mib=amounts.get((id_, MEMORY_MIB), 0), address=addresses.get(id_, ""),
        )
        for id_, name, department, project, system, host, pool, zone, phase, observed in connection.execute(wanted)
    ]  # fmt: skip


def _addresses(connection: Connection) -> dict[str, str]:
    """Return the first address of each machine where it runs: on its way it has others too, on the host it goes to."""
    a, segment, machine = t.addresses.c, t.resources.alias("segment"), t.resources.alias("machine")
    joined = t.addresses.join(segment, segment.c.id == a.segment_id).join(machine, machine.c.id == a.resource_id)
    target = t.hosts.alias("target")
    joined = joined.outerjoin(target, target.c.id == machine.c.target_host_id)
    is_elsewhere = case((segment.c.host_id == func.coalesce(target.c.home_id, target.c.id), 1), else_=0)
    given = select(a.resource_id, a.address).select_from(joined).order_by(a.resource_id, is_elsewhere, a.address)
    found: dict[str, str] = {}
    for resource_id, address in connection.execute(given):
        found.setdefault(resource_id, address)
    return found


def volumes(connection: Connection) -> list[VolumeSeen]:
    """Return living data disks by id."""
    statement = (
        select(_R.id, _R.name, t.departments.c.code, t.zones.c.code, _R.phase, _R.spec)
        .select_from(
            t.resources.join(t.departments, t.departments.c.id == _R.department_id)
            .outerjoin(t.hosts, _H.id == _R.host_id)
            .outerjoin(t.pools, t.pools.c.id == _H.pool_id)
            .outerjoin(t.zones, t.zones.c.id == t.pools.c.zone_id)
        )
        .where(_R.kind == ResourceKind.VOLUME.value, _R.phase != Phase.GONE.value)
        .order_by(_R.id)
    )
    found = []
    for id_, name, department, zone, phase, stored in connection.execute(statement):
        spec = VolumeSpec.from_json(stored)
        found.append(
            VolumeSeen(
                id=id_,
                name=name,
                department=department,
                zone=zone or "",
                phase=phase,
                size_gib=spec.size_gib,
                disk_class=spec.disk_class,
                machine=spec.instance_id,
            )
        )
    return found
