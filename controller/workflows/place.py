"""Snapshot → decision: reads the state, asks the pure scheduler. The commit checks every promise again."""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, func, select

from controller.scheduling.snapshot import HostEntry, Snapshot, SnapshotBuilder, StorageEntry
from controller.workflows.deltas import ChangedMember, Deltas
from inventory.domain.host import Zone
from inventory.domain.ids import HostId
from inventory.domain.placement import GroupRule, MemberRequest, PlacementRequest
from inventory.domain.resource import Desired, Resource, ResourceKind
from inventory.domain.resources import MEMORY_MIB, VCPU, Resources
from inventory.domain.system import ServerSpec, SpreadLevel, SystemSpec
from inventory.store import directory, hosts
from inventory.store import tables as t


def load_snapshot(connection: Connection, *, without: Collection[HostId] = ()) -> Snapshot:
    """Return the platform's capacity as it is now; hosts in ``without`` are shown as taking nothing."""
    pools = {p.id: p for p in directory.pools(connection)}
    zones = {z.id: z for z in directory.zones(connection)}
    storage: dict[HostId, list[StorageEntry]] = {}
    rows: dict[str, list[hosts.InventoryRow]] = {}
    for row in hosts.inventories(connection):
        rows.setdefault(row.provider_id, []).append(row)
    for pool in hosts.storage_pools(connection):
        for row in rows.get(pool.id, ()):
            entry = StorageEntry(pool=pool, capacity_gib=row.capacity, used_gib=row.used)
            storage.setdefault(pool.host_id, []).append(entry)
    builder = SnapshotBuilder()
    for host in hosts.hosts(connection):
        own = rows.get(host.id, ()) if host.id not in without else ()
        pool_ = pools[host.pool_id]
        builder.add_host(
            HostEntry(
                host=host,
                pool=pool_,
                zone=zones[pool_.zone_id],
                capacity={r.dimension: r.capacity for r in own},
                used={r.dimension: r.used for r in own},
                foreign={r.dimension: r.foreign_used for r in own},
                storage=storage.get(host.id, ()),
            )
        )
    return builder.build(revision=state_revision(connection))


def state_revision(connection: Connection) -> str:
    """Return a short name of the state a decision was made on."""
    used, count = connection.execute(select(func.coalesce(func.sum(t.inventories.c.used), 0), func.count())).one()
    changes = connection.execute(select(func.coalesce(func.sum(t.hosts.c.revision), 0))).scalar_one()
    return f"{int(count)}.{int(changes)}.{int(used)}"


def placement_request(
    spec: SystemSpec, zone: Zone, deltas: Deltas, existing: Sequence[Resource], archs: Mapping[str, str]
) -> PlacementRequest:
    """Return what the scheduler is asked for: new machines anywhere, grown machines where they are.

    ``archs`` maps image names to architectures.
    """
    staying = [r for r in existing if r.kind is ResourceKind.INSTANCE and r.desired is not Desired.ABSENT]
    lost = {r.id for r in deltas.lost}
    staying = [r for r in staying if r.id not in lost]
    members = [_new_member(m.name, m.server, archs) for m in deltas.new]
    members += [_grown_member(c, archs) for c in deltas.changed]
    hosts_of: dict[str, HostId] = {}
    for machine in staying:
        for nic in machine.instance.nics:
            if machine.host_id is not None:
                hosts_of[nic.network] = machine.host_id
    return PlacementRequest(
        zone_id=zone.id,
        mlps_level=spec.mlps_level,
        members=tuple(members),
        rules=tuple(_rule(server, staying) for server in spec.servers if server.spread is not SpreadLevel.NONE),
        network_hosts=hosts_of,
    )


def _arch(server: ServerSpec, archs: Mapping[str, str]) -> str:
    return server.arch if server.arch != "any" else archs.get(server.image, "any")


def _new_member(name: str, server: ServerSpec, archs: Mapping[str, str]) -> MemberRequest:
    return MemberRequest(
        name=name,
        group=server.name,
        compute=Resources.of({VCPU: server.vcpu_count, MEMORY_MIB: server.memory_mib}),
        disks=((server.root_disk_class, server.root_disk_gib), *((d.disk_class, d.size_gib) for d in server.disks)),
        arch=_arch(server, archs),
        networks=server.networks,
    )


def _grown_member(change: ChangedMember, archs: Mapping[str, str]) -> MemberRequest:
    now = change.current.instance
    return MemberRequest(
        name=change.current.name,
        group=change.server.name,
        compute=Resources.of({VCPU: change.server.vcpu_count, MEMORY_MIB: change.server.memory_mib}),
        disks=tuple((d.disk_class, d.size_gib) for d in change.new_disks),
        arch=_arch(change.server, archs),
        pinned_host_id=change.current.host_id,
        held=Resources.of({VCPU: now.vcpu_count, MEMORY_MIB: now.memory_mib}),
    )


def _rule(server: ServerSpec, staying: Sequence[Resource]) -> GroupRule:
    where = tuple(r.host_id for r in staying if r.instance.group == server.name and r.host_id is not None)
    return GroupRule(group=server.name, spread=server.spread, is_hard=server.spread_is_hard, existing_host_ids=where)
