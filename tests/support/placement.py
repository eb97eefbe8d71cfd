"""Builders of hosts, snapshots and requests for the tests and the bench of the scheduler."""

from collections.abc import Mapping, Sequence

from controller.scheduling.snapshot import HostEntry, Snapshot, SnapshotBuilder, StorageEntry
from inventory.domain.host import AdminState, Host, HostFacts, Pool, Reachability, StoragePool, Zone
from inventory.domain.ids import HostId, PoolId, StoragePoolId, ZoneId
from inventory.domain.placement import GroupRule, MemberRequest, PlacementRequest
from inventory.domain.resources import MEMORY_MIB, VCPU, Resources

GIB = 1024


def zone(code: str = "a", mlps_max: int = 3) -> Zone:
    return Zone(
        id=ZoneId(f"zone_{code}"),
        code=code,
        name=code,
        network_class="gov-private",
        mlps_max=mlps_max,
        address_range="10.96.0.0/12",
    )


def entry(
    number: int,
    *,
    vcpu: int = 32,
    memory_mib: int = 128 * GIB,
    used: Mapping[str, int] | None = None,
    foreign: Mapping[str, int] | None = None,
    accelerators: Mapping[str, int] | None = None,
    storage: Sequence[tuple[str, int, int]] = (("standard", 1000, 0),),
    in_zone: Zone | None = None,
    pool_mlps_max: int = 3,
    rack: str = "",
    arch: str = "x86_64",
    admin_state: AdminState = AdminState.ACTIVE,
    reachability: Reachability = Reachability.REACHABLE,
) -> HostEntry:
    """Return host number ``number``; storage is (class, capacity GiB, used GiB) per pool."""
    where = in_zone or zone()
    pool = Pool(
        id=PoolId(f"pool_{where.code}"), code=where.code, name="p", zone_id=where.id, driver="simulated", mlps_max=pool_mlps_max
    )
    host_id = HostId(f"host_{number:05d}")
    host = Host(
        id=host_id,
        name=f"h{number:05d}",
        pool_id=pool.id,
        connection="sim",
        admin_state=admin_state,
        reachability=reachability,
        facts=HostFacts(hostname="h", arch=arch, virtualisation="simulated", cpu_count=vcpu, memory_mib=memory_mib),
        rack=rack,
    )
    pools = [
        StorageEntry(
            pool=StoragePool(id=StoragePoolId(f"stor_{number:05d}_{j}"), host_id=host_id, name=f"s{j}", disk_class=c),
            capacity_gib=capacity_gib,
            used_gib=used_gib,
        )
        for j, (c, capacity_gib, used_gib) in enumerate(storage)
    ]
    return HostEntry(
        host=host,
        pool=pool,
        zone=where,
        capacity={VCPU: vcpu, MEMORY_MIB: memory_mib, **(accelerators or {})},
        used=used or {},
        foreign=foreign or {},
        storage=pools,
    )


def snapshot(entries: Sequence[HostEntry], revision: str = "r1") -> Snapshot:
    builder = SnapshotBuilder()
    for one in entries:
        builder.add_host(one)
    return builder.build(revision=revision)


def member(
    name: str,
    *,
    group: str = "web",
    vcpu: int = 2,
    memory_mib: int = 4 * GIB,
    disks: tuple[tuple[str, int], ...] = (("standard", 20),),
    arch: str = "any",
    networks: tuple[str, ...] = (),
    pinned: str | None = None,
    held: Mapping[str, int] | None = None,
    accelerators: Mapping[str, int] | None = None,
) -> MemberRequest:
    return MemberRequest(
        name=name,
        group=group,
        compute=Resources.of({VCPU: vcpu, MEMORY_MIB: memory_mib, **(accelerators or {})}),
        disks=disks,
        arch=arch,
        networks=networks,
        pinned_host_id=None if pinned is None else HostId(pinned),
        held=Resources.of(held or {}),
    )


def request(
    *members: MemberRequest,
    rules: tuple[GroupRule, ...] = (),
    zone_code: str = "a",
    mlps_level: int = 2,
    network_hosts: Mapping[str, HostId] | None = None,
) -> PlacementRequest:
    return PlacementRequest(
        zone_id=ZoneId(f"zone_{zone_code}"),
        mlps_level=mlps_level,
        members=members,
        rules=rules,
        network_hosts=network_hosts or {},
    )
