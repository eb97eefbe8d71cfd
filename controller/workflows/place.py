"""Snapshot → decision: reads the state, asks the pure scheduler. The commit checks every promise again."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from controller.scheduling.snapshot import HostEntry, Snapshot, SnapshotBuilder, StorageEntry
from controller.workflows.deltas import ChangedMember, Deltas, NewMember
from inventory.domain.host import Host, Zone
from inventory.domain.ids import HostId, PoolId
from inventory.domain.layout import compute_of
from inventory.domain.placement import GroupRule, MemberRequest, PlacementRequest
from inventory.domain.reservation import Key
from inventory.domain.resource import Desired, Resource, ResourceKind
from inventory.domain.resources import Resources
from inventory.domain.system import ServerSpec, SpreadLevel, SystemSpec
from inventory.store import changes, directory, hosts
from inventory.store.past import Estate


def load_snapshot(
    connection: Connection,
    *,
    without: Collection[HostId] = (),
    only: Collection[HostId] = (),
    reserved: Mapping[Key, int] | None = None,
    reserve_of: Collection[PoolId] = (),
    revision: str = "",
) -> Snapshot:
    """Return the platform's capacity as it is now.

    Hosts in ``without`` are shown as taking nothing, and where hosts are named in ``only`` all others. ``reserved`` is held for
    reservations in place of what is: at another time, or without one of them. What stands by in ``reserve_of`` is shown as free:
    what is asked is what it stands by for. ``revision`` names the state it shows (``changes.Mark``); that of this moment where
    it is not given.
    """
    revision = revision or changes.mark_now(connection).text
    every = hosts.hosts(connection)
    free = {host.id for host in every if host.pool_id in reserve_of}
    rows = shown(_inventories(connection, reserved, free), without, only)
    builder = SnapshotBuilder()
    for entry in host_entries(connection, every, rows):
        builder.add_host(entry)
    return builder.build(revision=revision)


def shown(rows: Iterable[hosts.InventoryRow], without: Collection[HostId], only: Collection[HostId]) -> list[hosts.InventoryRow]:
    """Return amounts without those of hosts that are to take nothing."""
    out = (r for r in rows if r.provider_id not in without)
    return [r for r in out if r.provider_id != r.host_id or r.host_id in only] if only else list(out)


def host_entries(connection: Connection, wanted: Iterable[Host], rows: Iterable[hosts.InventoryRow]) -> Iterator[HostEntry]:
    """Yield hosts with what may be promised on them; ``rows`` are theirs and those of their storage pools."""
    pools, zones, storage = directory.pools(connection), directory.zones(connection), hosts.storage_pools(connection)
    return entries_of(Estate(hosts=list(wanted), storage_pools=storage, pools=pools, zones=zones, rows=list(rows)))


def entries_of(estate: Estate) -> Iterator[HostEntry]:
    """Yield the hosts of an estate with what may be promised on them."""
    pools = {p.id: p for p in estate.pools}
    zones = {z.id: z for z in estate.zones}
    by_provider: dict[str, list[hosts.InventoryRow]] = {}
    for row in estate.rows:
        by_provider.setdefault(row.provider_id, []).append(row)
    storage: dict[HostId, list[StorageEntry]] = {}
    for stored in estate.storage_pools:
        for row in by_provider.get(stored.id, ()):
            entry = StorageEntry(pool=stored, capacity_gib=row.capacity, used_gib=row.used + row.foreign_used, held_gib=row.held)
            storage.setdefault(stored.host_id, []).append(entry)
    for host in estate.hosts:
        own, pool = by_provider.get(host.id, ()), pools[host.pool_id]
        yield HostEntry(
            host=host,
            pool=pool,
            zone=zones[pool.zone_id],
            capacity={r.dimension: r.capacity for r in own},
            used={r.dimension: r.used for r in own},
            foreign={r.dimension: r.foreign_used for r in own},
            held={r.dimension: r.held for r in own},
            is_standby=any(r.held_reserve for r in own),
            storage=storage.get(host.id, ()),
        )


def _inventories(
    connection: Connection, reserved: Mapping[Key, int] | None, free: Collection[HostId]
) -> list[hosts.InventoryRow]:
    rows = hosts.inventories(connection)
    if reserved is not None:
        rows = [replace(r, held_reservations=reserved.get((r.provider_id, r.dimension), 0)) for r in rows]
    return [replace(r, held_reserve=0) if r.host_id in free else r for r in rows] if free else rows


def placement_request(
    spec: SystemSpec, zone: Zone, deltas: Deltas, existing: Sequence[Resource], archs: Mapping[str, str]
) -> PlacementRequest:
    """Return what the scheduler is asked for: new machines anywhere, grown machines where they are.

    ``archs`` maps image names to architectures.
    """
    staying = [r for r in existing if r.kind is ResourceKind.INSTANCE and r.desired is not Desired.ABSENT]
    lost = {r.id for r in deltas.lost}
    staying = [r for r in staying if r.id not in lost]
    members = list(_new_members(deltas.new, archs))
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


def _new_members(new: Sequence[NewMember], archs: Mapping[str, str]) -> Iterator[MemberRequest]:
    """Yield what each new machine asks for; those of one group share it."""
    of_group: dict[str, tuple[Resources, tuple[tuple[str, int], ...], str]] = {}
    for member in new:
        server = member.server
        if server.name not in of_group:
            compute = compute_of(server.vcpu_count, server.memory_mib, server.layout)
            disks = ((server.root_disk_class, server.root_disk_gib), *((d.disk_class, d.size_gib) for d in server.disks))
            of_group[server.name] = compute, disks, _arch(server, archs)
        compute, disks, arch = of_group[server.name]
        yield MemberRequest(
            name=member.name,
            group=server.name,
            compute=compute,
            disks=disks,
            arch=arch,
            networks=server.networks,
            traits=server.traits,
            layout=server.layout,
        )


def _grown_member(change: ChangedMember, archs: Mapping[str, str]) -> MemberRequest:
    now, server = change.current.instance, change.server
    member = MemberRequest(
        name=change.current.name,
        group=server.name,
        compute=compute_of(server.vcpu_count, server.memory_mib, server.layout),
        disks=tuple((d.disk_class, d.size_gib) for d in change.new_disks),
        arch=_arch(server, archs),
        pinned_host_id=change.current.host_id,
        held=compute_of(now.vcpu_count, now.memory_mib, now.layout),
    )
    if not change.is_resize:
        return member
    return replace(member, traits=server.traits, layout=server.layout, seat=now.seat)


def _rule(server: ServerSpec, staying: Sequence[Resource]) -> GroupRule:
    group = [r for r in staying if r.instance.group == server.name]
    # A machine on its way counts where it was and where it goes.
    where = tuple(h for r in group for h in (r.host_id, r.target_host_id) if h is not None)
    return GroupRule(
        group=server.name,
        spread=server.spread,
        is_hard=server.spread_is_hard,
        existing_host_ids=where,
        max_per_domain=server.spread_max,
        is_affinity=server.is_together,
    )
