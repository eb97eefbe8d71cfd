"""The frozen picture a decision is made on: columns of integers, hosts ordered by id.

The store layer builds it (``SnapshotBuilder``); ``decide`` reads it. There is no object per host on the hot path: a host
is its index in every column, so that the columns can become arrays of a compiled core without a change for callers.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from inventory.domain.host import AdminState, Host, Pool, Reachability, StoragePool, Zone
from inventory.domain.ids import HostId, PoolId, StoragePoolId, ZoneId
from inventory.domain.resources import ACCELERATOR_PREFIX, DISK_PREFIX, MEMORY_MIB, VCPU

_T = TypeVar("_T", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageEntry:
    """A storage pool of a host: what may be promised there (overcommit applied) and what is."""

    pool: StoragePool
    capacity_gib: int
    used_gib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HostEntry:
    """Everything a snapshot needs of one host, as plain values."""

    host: Host
    pool: Pool
    zone: Zone
    #: What may be promised by dimension, reserve and overcommit applied (``resources.capacity``): the number the commit guards.
    capacity: Mapping[str, int]
    #: What is promised, by dimension.
    used: Mapping[str, int]
    #: What guests we did not make take, by dimension.
    foreign: Mapping[str, int] = field(default_factory=dict)
    storage: Sequence[StorageEntry] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Columns by host index. Treat every column as read-only; ``Scratch`` copies what it changes."""

    #: Names the state it shows, for the explanation.
    revision: str
    host_ids: tuple[HostId, ...]
    host_names: tuple[str, ...]
    index_of: Mapping[HostId, int]
    admin_states: tuple[AdminState, ...]
    reachabilities: tuple[Reachability, ...]
    #: 1 where the host is active and reachable.
    is_eligible: Sequence[int]
    zone_ids: tuple[ZoneId, ...]
    zone_codes: tuple[str, ...]
    zone_index: Sequence[int]
    pool_ids: tuple[PoolId, ...]
    pool_codes: tuple[str, ...]
    pool_index: Sequence[int]
    #: The lower one of pool and zone.
    mlps_max: Sequence[int]
    archs: tuple[str, ...]
    arch_index: Sequence[int]
    virtualisations: tuple[str, ...]
    virtualisation_index: Sequence[int]
    #: (site, room, rack), (site, room) and (site,): hosts whose rack is not known count as one rack of their room.
    racks: tuple[tuple[str, ...], ...]
    rack_index: Sequence[int]
    room_index: Sequence[int]
    site_index: Sequence[int]
    #: Dimension -> column.
    capacity: Mapping[str, Sequence[int]]
    #: Dimension -> column; below zero where more is promised than there is now.
    free: Mapping[str, Sequence[int]]
    has_accelerator: Sequence[int]
    #: Storage pools, ordered by host, then id.
    storage_ids: tuple[StoragePoolId, ...]
    storage_class: tuple[str, ...]
    storage_capacity_gib: Sequence[int]
    storage_free_gib: Sequence[int]
    #: Host index -> indices of its storage pools.
    storage_of: tuple[tuple[int, ...], ...]
    #: Disk class -> column by host: capacity, free of the roomiest pool, free of all pools together.
    class_capacity_gib: Mapping[str, Sequence[int]]
    class_roomiest_gib: Mapping[str, Sequence[int]]
    class_free_gib: Mapping[str, Sequence[int]]
    #: Memory of the filters that do not depend on what is free; filled while deciding, shared by updated copies.
    base_cache: dict[Hashable, list[tuple[str, list[int]]]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def host_count(self) -> int:
        """Return how many hosts it shows."""
        return len(self.host_ids)

    def storage_on(self, host: int, disk_class: str) -> list[int]:
        """Return the storage pools of one class on a host."""
        return [j for j in self.storage_of[host] if self.storage_class[j] == disk_class]

    def with_used(
        self,
        host_id: HostId,
        *,
        used: Mapping[str, int],
        foreign: Mapping[str, int],
        storage_used_gib: Mapping[StoragePoolId, int],
        revision: str,
    ) -> "Snapshot":
        """Return the picture with other amounts used on one host; storage pools that are not named stay as they are.

        Raises:
            KeyError: the host is not in the picture.
        """
        host = self.index_of[host_id]
        free = {d: _with_item(c, host, self.capacity[d][host] - used.get(d, 0) - foreign.get(d, 0)) for d, c in self.free.items()}
        storage = list(self.storage_free_gib)
        for j in self.storage_of[host]:
            storage[j] = self.storage_capacity_gib[j] - storage_used_gib.get(
                self.storage_ids[j], self.storage_capacity_gib[j] - storage[j]
            )
        sums = {c: class_amounts(self.storage_on(host, c), storage) for c in self.class_free_gib}
        return replace(
            self,
            revision=revision,
            free=free,
            storage_free_gib=storage,
            class_roomiest_gib={c: _with_item(col, host, sums[c][0]) for c, col in self.class_roomiest_gib.items()},
            class_free_gib={c: _with_item(col, host, sums[c][1]) for c, col in self.class_free_gib.items()},
        )


def class_amounts(pools: Iterable[int], free_gib: Sequence[int]) -> tuple[int, int]:
    """Return free GiB of the roomiest of ``pools`` and of all together; an overfull pool counts as full."""
    frees = [free_gib[j] for j in pools if free_gib[j] > 0]
    return max(frees, default=0), sum(frees)


def _with_item(column: Sequence[int], index: int, value: int) -> list[int]:
    copy = list(column)
    copy[index] = value
    return copy


class SnapshotBuilder:
    """Collects hosts in any order and makes the picture; equal hosts give an equal picture."""

    def __init__(self) -> None:
        self._entries: dict[HostId, HostEntry] = {}

    def add_host(self, entry: HostEntry) -> None:
        """Take in one host.

        Raises:
            ValueError: the host was added before.
        """
        if entry.host.id in self._entries:
            raise ValueError(f"host {entry.host.id} was added twice")
        self._entries[entry.host.id] = entry

    def build(self, *, revision: str = "") -> Snapshot:
        """Return the picture of all hosts added so far."""
        entries = [self._entries[i] for i in sorted(self._entries)]
        hosts = [e.host for e in entries]
        zones, zone_index = _interned([e.zone.id for e in entries])
        pools, pool_index = _interned([e.pool.id for e in entries])
        zone_code = {e.zone.id: e.zone.code for e in entries}
        pool_code = {e.pool.id: e.pool.code for e in entries}
        archs, arch_index = _interned([h.facts.arch if h.facts else "" for h in hosts])
        virtualisations, virtualisation_index = _interned([h.facts.virtualisation if h.facts else "" for h in hosts])
        racks, rack_index = _interned([(h.site, h.room, h.rack) for h in hosts])
        capacity, free = _amounts(entries)
        return Snapshot(
            revision=revision,
            host_ids=tuple(h.id for h in hosts),
            host_names=tuple(h.name for h in hosts),
            index_of={h.id: i for i, h in enumerate(hosts)},
            admin_states=tuple(h.admin_state for h in hosts),
            reachabilities=tuple(h.reachability for h in hosts),
            is_eligible=[int(_is_eligible(h)) for h in hosts],
            zone_ids=zones,
            zone_codes=tuple(zone_code[z] for z in zones),
            zone_index=zone_index,
            pool_ids=pools,
            pool_codes=tuple(pool_code[p] for p in pools),
            pool_index=pool_index,
            mlps_max=[min(e.pool.mlps_max, e.zone.mlps_max) for e in entries],
            archs=archs,
            arch_index=arch_index,
            virtualisations=virtualisations,
            virtualisation_index=virtualisation_index,
            racks=racks,
            rack_index=rack_index,
            room_index=_interned([(h.site, h.room) for h in hosts])[1],
            site_index=_interned([h.site for h in hosts])[1],
            capacity=capacity,
            free=free,
            has_accelerator=_any_accelerator(capacity, len(hosts)),
            **_storage_columns(entries),
        )


def _is_eligible(host: Host) -> bool:
    return host.admin_state is AdminState.ACTIVE and host.reachability is Reachability.REACHABLE


def _interned(values: Sequence[_T]) -> tuple[tuple[_T, ...], list[int]]:
    codes: dict[_T, int] = {}
    column = [codes.setdefault(value, len(codes)) for value in values]
    return tuple(codes), column


def _amounts(entries: Sequence[HostEntry]) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Return capacity and free by dimension. Disk is counted on storage pools, never here."""
    named = {dimension for e in entries for dimension in e.capacity} | {VCPU, MEMORY_MIB}
    capacity = {d: [e.capacity.get(d, 0) for e in entries] for d in sorted(named) if not d.startswith(DISK_PREFIX)}
    free = {
        d: [c - e.used.get(d, 0) - e.foreign.get(d, 0) for c, e in zip(column, entries, strict=True)]
        for d, column in capacity.items()
    }
    return capacity, free


def _any_accelerator(capacity: Mapping[str, Sequence[int]], count: int) -> list[int]:
    columns = [column for d, column in capacity.items() if d.startswith(ACCELERATOR_PREFIX)]
    return [int(any(column[i] for column in columns)) for i in range(count)] if columns else [0] * count


def _storage_columns(entries: Sequence[HostEntry]) -> dict[str, Any]:
    rows = [(i, s) for i, e in enumerate(entries) for s in sorted(e.storage, key=lambda s: s.pool.id)]
    of: list[list[int]] = [[] for _ in entries]
    for j, (i, _) in enumerate(rows):
        of[i].append(j)
    free = [s.capacity_gib - s.used_gib for _, s in rows]
    capacity, roomiest, total = ({c: [0] * len(entries) for c in sorted({s.pool.disk_class for _, s in rows})} for _ in range(3))
    for (i, s), free_gib in zip(rows, free, strict=True):
        disk_class = s.pool.disk_class
        capacity[disk_class][i] += s.capacity_gib
        roomiest[disk_class][i] = max(roomiest[disk_class][i], free_gib)
        total[disk_class][i] += max(0, free_gib)
    return {
        "storage_ids": tuple(s.pool.id for _, s in rows),
        "storage_class": tuple(s.pool.disk_class for _, s in rows),
        "storage_capacity_gib": [s.capacity_gib for _, s in rows],
        "storage_free_gib": free,
        "storage_of": tuple(tuple(js) for js in of),
        "class_capacity_gib": capacity,
        "class_roomiest_gib": roomiest,
        "class_free_gib": total,
    }
