"""Builders of hosts, snapshots and requests for the tests and the bench of the scheduler."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from controller.scheduling.snapshot import HostEntry, Snapshot, SnapshotBuilder, StorageEntry
from inventory.domain.host import AdminState, Host, HostFacts, Pool, Reachability, StoragePool, Zone
from inventory.domain.ids import HostId, PoolId, StoragePoolId, ZoneId
from inventory.domain.layout import NO_LAYOUT, Cell, Layout, Seat, compute_of
from inventory.domain.placement import AddressRoom, GroupRule, MemberRequest, PlacementRequest
from inventory.domain.resources import MEMORY_MIB, VCPU, Resources
from inventory.store import capacities

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
    held: Mapping[str, int] | None = None,
    is_standby: bool = False,
    accelerators: Mapping[str, int] | None = None,
    storage: Sequence[tuple[str, int, int]] = (("standard", 1000, 0),),
    storage_held_gib: int = 0,
    in_zone: Zone | None = None,
    pool_mlps_max: int = 3,
    rack: str = "",
    room: str = "",
    site: str = "",
    traits: Iterable[str] = (),
    arch: str = "x86_64",
    admin_state: AdminState = AdminState.ACTIVE,
    reachability: Reachability = Reachability.REACHABLE,
    cells: tuple[Cell, ...] = (),
    dedicated_cpus: str = "",
    home: int | None = None,
) -> HostEntry:
    """Return host number ``number``; storage is (class, capacity GiB, used GiB) per pool; a stand-by host is held whole.

    With ``cells`` what it has of processors and memory follows from them.
    """
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
        facts=HostFacts(hostname="h", arch=arch, virtualisation="simulated", cpu_count=vcpu, memory_mib=memory_mib, cells=cells),
        dedicated_cpus=dedicated_cpus,
        traits=tuple(traits),
        rack=rack,
        room=room,
        site=site,
        home_id=None if home is None else HostId(f"host_{home:05d}"),
    )
    pools = [
        StorageEntry(
            pool=StoragePool(id=StoragePoolId(f"stor_{number:05d}_{j}"), host_id=host_id, name=f"s{j}", disk_class=c),
            capacity_gib=capacity_gib,
            used_gib=used_gib,
            held_gib=capacity_gib if is_standby else storage_held_gib,
        )
        for j, (c, capacity_gib, used_gib) in enumerate(storage)
    ]
    capacity = {VCPU: vcpu, MEMORY_MIB: memory_mib, **(accelerators or {})}
    if cells:
        capacity |= {**capacities.host_totals(host), **capacities.fine_totals(host)}
    return HostEntry(
        host=host,
        pool=pool,
        zone=where,
        capacity=capacity,
        used=used or {},
        foreign=foreign or {},
        held=capacity if is_standby else held or {},
        is_standby=is_standby,
        storage=pools,
    )


def with_homes(source: random.Random, hosts: Sequence[HostEntry]) -> list[HostEntry]:
    """Have hosts of a pool share one or two network homes."""
    first: dict[object, HostId] = {}
    keys = [(h.pool.id, source.choice([0, 0, 0, 1])) for h in hosts]
    homes = [first.setdefault(key, h.host.id) for key, h in zip(keys, hosts, strict=True)]
    return [
        h if home == h.host.id else replace(h, host=replace(h.host, home_id=home)) for home, h in zip(homes, hosts, strict=True)
    ]


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
    traits: tuple[str, ...] = (),
    layout: Layout = NO_LAYOUT,
    seat: Seat | None = None,
) -> MemberRequest:
    return MemberRequest(
        name=name,
        group=group,
        compute=compute_of(vcpu, memory_mib, layout) + Resources.of(accelerators or {}),
        disks=disks,
        arch=arch,
        networks=networks,
        pinned_host_id=None if pinned is None else HostId(pinned),
        held=Resources.of(held or {}),
        traits=traits,
        layout=layout,
        seat=seat,
    )


def request(
    *members: MemberRequest,
    rules: tuple[GroupRule, ...] = (),
    zone_code: str = "a",
    mlps_level: int = 2,
    network_hosts: Mapping[str, HostId] | None = None,
    addresses: AddressRoom | None = None,
) -> PlacementRequest:
    return PlacementRequest(
        zone_id=ZoneId(f"zone_{zone_code}"),
        mlps_level=mlps_level,
        members=members,
        rules=rules,
        network_hosts=network_hosts or {},
        addresses=addresses,
    )


def is_same_snapshot(one: Snapshot, other: Snapshot) -> bool:
    """Compare column by column; what is kept beside the columns does not count."""
    names = [f.name for f in fields(Snapshot) if f.name != "memory"]
    return all(_is_same(getattr(one, name), getattr(other, name)) for name in names)


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, Mapping) and any(isinstance(value, np.ndarray) for value in one.values()):
        return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)
    return bool(one == other)
