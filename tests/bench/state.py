"""Fills a state with hosts and running machines, fast: rows through the stores where they take many at once.

What it writes is a state the platform could be in: claims, counters, addresses and journal agree, which the auditor of
the invariants is asked to confirm.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import Connection, bindparam, insert, update

from controller.networks.address_plan import free_addresses, free_subnets, gateway_of, mac_of
from controller.reconcile.auditor import audit_invariants
from controller.workflows.create import lease_key
from inventory.domain.claim import Claim, quota_amounts
from inventory.domain.host import AdminState, Host, HostFacts, Pool, Reachability, StorageFacts, StoragePool, Zone
from inventory.domain.ids import DepartmentId, HostId, NewId, ResourceId, StoragePoolId, SystemId
from inventory.domain.journal import JournalRow
from inventory.domain.organisation import Department, Project
from inventory.domain.resource import (
    Desired,
    InstanceSpec,
    Nic,
    Observed,
    Phase,
    Resource,
    ResourceKind,
    SegmentSpec,
)
from inventory.domain.resources import MEMORY_MIB, VCPU, disk_dimension
from inventory.domain.system import ServerSpec, System, SystemSpec, SystemState
from inventory.store import claims, directory, journal, networks, resources, systems
from inventory.store import hosts as host_store
from inventory.store import tables as t
from inventory.store.engine import Database
from quotas import store as quotas
from tests.support.platform import furnish

#: Machines of one system; its name is its number.
PER_SYSTEM = 100
WORLD = "bench"
#: As the settings have it by default.
LOOK_EVERY_S = 30.0
_CPUS, _MEMORY_MIB, _DISK_GIB = 128, 524_288, 8000
_DISK = disk_dimension("standard")
_STORAGE = "default"
_VCPU_COUNT, _RAM_MIB, _ROOT_GIB = 1, 128, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What was written."""

    hosts: tuple[Host, ...]
    storage: tuple[StoragePool, ...]
    instance_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    zone: Zone
    pool: Pool
    image_id: str
    departments: Sequence[Department]
    projects: Sequence[Project]


def add_hosts(connection: Connection, pool: Pool, count: int, new_id: NewId, *, now_s: float) -> Filled:
    """Add simulated hosts with one storage pool each, due to be looked at one after another as in a controller that runs."""
    facts = HostFacts(
        hostname="",
        arch="x86_64",
        virtualisation="simulated",
        cpu_count=_CPUS,
        memory_mib=_MEMORY_MIB,
        storage=(StorageFacts(name=_STORAGE, path="/pool", capacity_gib=_DISK_GIB, available_gib=_DISK_GIB),),
    )
    options = f"cpus={_CPUS}&memory_mib={_MEMORY_MIB}&disk_gib={_DISK_GIB}"
    made = [
        Host(
            id=HostId(new_id("host")),
            name=f"host-{number:05d}",
            pool_id=pool.id,
            connection=f"simulated://{WORLD}/host-{number:05d}?{options}",
            admin_state=AdminState.ACTIVE,
            reachability=Reachability.REACHABLE,
            rack=f"R{number // 20:04d}",
            facts=facts,
        )
        for number in range(count)
    ]
    storage = [
        StoragePool(id=StoragePoolId(new_id("storage_pool")), host_id=h.id, name=_STORAGE, disk_class="standard") for h in made
    ]
    # One host through the store gives the shape of its rows; the others are the same but for their names.
    host_store.save_host(connection, made[0])
    shape = dict(connection.execute(t.hosts.select()).one()._mapping)
    rows = [{**shape, "id": h.id, "name": h.name, "connection": h.connection} for h in made]
    for number, row in enumerate(rows):
        row |= {"observed_at_s": now_s, "next_observation_s": now_s + LOOK_EVERY_S * number / count}
        row["operator_facts"] = {**shape["operator_facts"], "rack": made[number].rack}
    connection.execute(t.hosts.delete().where(t.hosts.c.id == made[0].id))
    connection.execute(insert(t.hosts), rows)
    connection.execute(insert(t.storage_pools), [asdict(s) for s in storage])
    room = [(VCPU, _CPUS), (MEMORY_MIB, _MEMORY_MIB)]
    capacity: list[tuple[str, HostId, str, int]] = [(h.id, h.id, dimension, total) for h in made for dimension, total in room]
    capacity += [(s.id, s.host_id, _DISK, _DISK_GIB) for s in storage]
    names = ("provider_id", "host_id", "dimension", "total")
    fields = [dict(zip(names, row, strict=True)) for row in capacity]
    connection.execute(insert(t.inventories), [{**f, "capacity": f["total"], "used": 0, "foreign_used": 0} for f in fields])
    return Filled(hosts=tuple(made), storage=tuple(storage), instance_count=0)


def fill(database: Database, folder: Path, *, host_count: int, instance_count: int, now_s: float, new_id: NewId) -> Filled:
    """Furnish an empty state with a city, hosts, and settled machines in the departments' networks, spread evenly."""
    per_host = -(-instance_count // host_count)
    # A segment of 28 bits holds 13 machines, one of 26 bits 61: enough blocks for many hosts, or machines for few.
    prefix = 28 if per_host <= 13 else 26
    furnished = furnish(database, folder, host_count=0, segment_prefix=prefix, new_id=new_id)
    projects = tuple(furnished.city.projects.values())
    by_id = {d.id: d for d in furnished.city.departments.values()}
    with database.write() as connection:
        ground = _Ground(
            zone=directory.zones(connection)[0],
            pool=directory.pools(connection)[0],
            image_id=directory.images(connection)[0].id,
            departments=[by_id[p.department_id] for p in projects],
            projects=projects,
        )
        filled = add_hosts(connection, ground.pool, host_count, new_id, now_s=now_s)
        _add_machines(connection, ground, filled, instance_count, now_s, new_id)
    with database.read(is_steady=True) as connection:
        assert audit_invariants(connection, {}) == []
    return Filled(hosts=filled.hosts, storage=filled.storage, instance_count=instance_count)


def _add_machines(connection: Connection, ground: _Ground, filled: Filled, count: int, now_s: float, new_id: NewId) -> None:
    subnets = free_subnets(ground.zone.address_range, ground.zone.segment_prefix, ())
    made: list[Resource] = []
    given: list[networks.Address] = []
    blocks: list[dict[str, str]] = []
    host_count = len(filled.hosts)
    system_ids: dict[tuple[int, int], SystemId] = {}
    for position, (host, storage) in enumerate(zip(filled.hosts, filled.storage, strict=True)):
        own = count // host_count + (position < count % host_count)
        which = position % len(ground.projects)
        segment_id, cidr = ResourceId(new_id("segment")), next(subnets)
        addresses = free_addresses(cidr, ())
        leases = []
        for number in range(own):
            key = (which, (position * own + number) // PER_SYSTEM)
            if key not in system_ids:
                system_ids[key] = _add_system(connection, ground, which, key[1], new_id)
            instance_id = ResourceId(new_id("instance"))
            nic = Nic(network="default", segment_id=segment_id, mac=mac_of(instance_id, 0), address=next(addresses))
            name = f"web-{number + 1}"
            spec = InstanceSpec(
                image_id=ground.image_id, root_disk_class="standard", storage_pool_id=storage.id, nics=(nic,), group="web",
                size="tiny", vcpu_count=_VCPU_COUNT, memory_mib=_RAM_MIB, root_disk_gib=_ROOT_GIB,
            )  # fmt: skip
            made.append(_settled(ground, which, host, instance_id, name, system_ids[key], spec, now_s))
            given.append(
                networks.Address(
                    segment_id=segment_id, address=nic.address, mac=nic.mac, resource_id=instance_id, hostname=name,
                    quarantine_until_s=None,
                )
            )  # fmt: skip
            leases.append(lease_key(nic.mac, nic.address))
        block = SegmentSpec(network="default", zone=ground.zone.code, cidr=cidr, gateway=gateway_of(cidr))
        name = f"{ground.zone.code}/default"
        made.append(_settled(ground, which, host, segment_id, name, None, block, now_s, {"leases": sorted(leases)}))
        blocks.append({"cidr": cidr, "zone_id": ground.zone.id, "segment_id": segment_id})
    # NULL: nothing is due. The store's own insert is for new resources, which are.
    connection.execute(insert(t.resources), [{**resources.to_row(r), "next_try_s": None} for r in made])
    connection.execute(insert(t.subnets), blocks)
    networks.give(connection, given)
    _promise(connection, ground, [r for r in made if r.kind is ResourceKind.INSTANCE], int(now_s))


def _add_system(connection: Connection, ground: _Ground, which: int, number: int, new_id: NewId) -> SystemId:
    department, project = ground.departments[which], ground.projects[which]
    server = ServerSpec(
        name="web", count=PER_SYSTEM, size="tiny", image="demo-linux", vcpu_count=_VCPU_COUNT, memory_mib=_RAM_MIB,
        root_disk_gib=_ROOT_GIB,
    )  # fmt: skip
    spec = SystemSpec(
        name=f"system-{number}", title="", department=department.code, project=project.code, zone=ground.zone.code, mlps_level=2,
        environment="test", lease_end="2099-12-31", owner="张三", contact_name="张三", servers=(server,),
    )  # fmt: skip
    system = System(
        id=SystemId(new_id("system")), name=spec.name, department_id=department.id, project_id=project.id,
        state=SystemState.ACTIVE, revision=1, spec=spec, lease_end_s=4_102_415_999,
    )  # fmt: skip
    systems.insert(connection, [system], created_at_s=0.0)
    return system.id


def _settled(
    ground: _Ground,
    which: int,
    host: Host,
    id_: ResourceId,
    name: str,
    system_id: SystemId | None,
    spec: InstanceSpec | SegmentSpec,
    now_s: float,
    detail: dict[str, list[str]] | None = None,
) -> Resource:
    is_machine = isinstance(spec, InstanceSpec)
    return Resource(
        id=id_,
        kind=ResourceKind.INSTANCE if is_machine else ResourceKind.SEGMENT,
        name=name,
        department_id=DepartmentId(ground.departments[which].id),
        project_id=ground.projects[which].id if is_machine else None,
        system_id=system_id,
        host_id=host.id,
        desired=Desired.RUNNING if is_machine else Desired.PRESENT,
        observed=Observed.RUNNING if is_machine else Observed.PRESENT,
        phase=Phase.SETTLED,
        spec=spec,
        settled_generation=1,
        fence=1,
        revision=2 if is_machine else 0,
        observed_at_s=now_s,
        created_at_s=now_s,
        detail=detail or {},
    )


def _promise(connection: Connection, ground: _Ground, machines: Sequence[Resource], now_s: int) -> None:
    made = [claim for machine in machines for claim in _claims_of(machine)]
    by_id = {p.id: p for p in ground.projects}
    everyone = directory.departments(connection)
    for project_id, project in by_id.items():
        amounts = quota_amounts([c for c in made if c.project_id == project_id])
        quotas.hold(connection, everyone, project, amounts)
    used = [{"key": p, "what": d, "amount": n} for (p, d), n in claims.totals(made).items()]
    i = t.inventories.c
    statement = update(t.inventories).where(i.provider_id == bindparam("key"), i.dimension == bindparam("what"))
    connection.execute(statement.values(used=bindparam("amount")), used)
    claims.insert(connection, made)
    states = ("allocated", "running")
    journal.append(connection, [_told(m, n + 1, state, now_s) for m in machines for n, state in enumerate(states)])


def _claims_of(machine: Resource) -> list[Claim]:
    spec = machine.instance
    assert machine.host_id is not None
    assert machine.project_id is not None
    amounts = [
        (str(machine.host_id), VCPU, spec.vcpu_count),
        (str(machine.host_id), MEMORY_MIB, spec.memory_mib),
        (spec.storage_pool_id, _DISK, spec.root_disk_gib),
        (str(spec.nics[0].segment_id), "address", 1),
    ]
    return [
        Claim(
            resource_id=machine.id, resource_kind="instance", project_id=machine.project_id, provider_id=p, dimension=d, amount=n
        )
        for p, d, n in amounts
    ]


def _told(machine: Resource, revision: int, state: str, now_s: int) -> JournalRow:
    spec = machine.instance
    assert machine.project_id is not None
    assert machine.system_id is not None
    return JournalRow(
        resource_id=machine.id,
        revision=revision,
        resource_kind="instance",
        resource_name=machine.name,
        department_id=machine.department_id,
        project_id=machine.project_id,
        system_id=machine.system_id,
        host_id=machine.host_id,
        state=state,
        amounts={VCPU: spec.vcpu_count, MEMORY_MIB: spec.memory_mib, _DISK: spec.root_disk_gib, "address": 1},
        occurred_at_s=now_s,
        recorded_at_s=now_s,
        source="controller",
    )
