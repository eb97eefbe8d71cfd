"""The frozen picture a decision is made on: columns of integers, hosts ordered by id.

The store layer builds it (``SnapshotBuilder``); ``decide`` reads it. There is no object per host on the hot path: a host
is its index in every column.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from controller.scheduling.columns import (
    ARCHS_MAX,
    ELIGIBLE_BIT,
    NO_STANDBY_BITS,
    TRAITS_MAX,
    Int32,
    Rows,
    arch_bit,
    clamped,
    mlps_bits,
    trait_bit,
)
from controller.scheduling.reserve import Standing, offered_bits
from inventory.domain.host import AdminState, Host, Pool, Reachability, StoragePool, Zone, told_apart
from inventory.domain.ids import HostId, PoolId, StoragePoolId, ZoneId
from inventory.domain.layout import HostCell
from inventory.domain.placement import Level, NetworkLevel
from inventory.domain.resources import ACCELERATOR_PREFIX, is_fine
from inventory.domain.system import SpreadLevel

_T = TypeVar("_T", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageEntry:
    """A storage pool of a host: what may be promised there (overcommit applied) and what is."""

    pool: StoragePool
    capacity_gib: int
    used_gib: int
    #: Held for the loss of a failure domain and for reservations.
    held_gib: int = 0


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
    #: What is held for the loss of a failure domain and for reservations, by dimension.
    held: Mapping[str, int] = field(default_factory=dict)
    #: It stands by for the loss of a failure domain: its whole capacity is held.
    is_standby: bool = False
    storage: Sequence[StorageEntry] = ()

    @property
    def traits(self) -> frozenset[str]:
        """Return what it has besides amounts, by name: machines may ask for it."""
        return self.host.offers


@dataclass(frozen=True, kw_only=True, eq=False)
class Snapshot:
    """Columns by host index. Treat every column as read-only; ``Fleet`` copies what it changes."""

    #: Names the state it shows, for the explanation.
    revision: str
    host_ids: tuple[HostId, ...]
    host_names: tuple[str, ...]
    index_of: Mapping[HostId, int]
    admin_states: tuple[AdminState, ...]
    reachabilities: tuple[Reachability, ...]
    zone_ids: tuple[ZoneId, ...]
    zone_codes: tuple[str, ...]
    zone_index: Int32
    pool_ids: tuple[PoolId, ...]
    pool_codes: tuple[str, ...]
    pool_index: Int32
    #: Hosts of one zone whose pools name the same policy are a section: (zone, name of the policy, empty for the default one).
    sections: tuple[tuple[ZoneId, str], ...]
    section_index: Int32
    #: The lower one of pool and zone.
    mlps_max: Int32
    archs: tuple[str, ...]
    arch_index: Int32
    traits: tuple[str, ...]
    #: Eligibility, MLPS level, architecture, traits and what the reserve means for groups as bits (``columns``).
    bits: Int32
    virtualisations: tuple[str, ...]
    virtualisation_index: Int32
    #: Names of the failure domains of each level, and the domain of each host. A host whose rack is not known counts to
    #: one rack of its room.
    domain_names: Mapping[Level, tuple[str, ...]]
    domain_index: Mapping[Level, Int32]
    rows: Rows
    #: What may be promised, one row per amount (``rows``).
    capacity_rows: Int32
    #: What is held for the loss of a failure domain and for reservations; nothing in the rows of disk classes.
    held_rows: Int32
    #: What is free, without what is held; below zero where more is promised than there is now.
    free_rows: Int32
    has_accelerator: Int32
    #: Storage pools, ordered by host, then id.
    storage_ids: tuple[StoragePoolId, ...]
    storage_class: tuple[str, ...]
    storage_capacity_gib: Int32
    storage_held_gib: Int32
    storage_free_gib: Int32
    #: The pools of host *i* are those from ``storage_start[i]`` up to ``storage_start[i + 1]``.
    storage_start: Int32
    #: Cells of the hosts that have any known, by host; what may be promised of their fine dimensions, and what is free of it.
    cells: Mapping[int, tuple[HostCell, ...]] = field(default_factory=dict)
    fine_capacity: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    fine_free: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    #: The host that the segments of each home stand on, by number (``home_index``); none where every host is its own.
    homes: tuple[HostId, ...] = ()
    #: What is derived from facts alone, kept for those who need it (``memo``); shared by updated copies.
    memory: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    @property
    def host_count(self) -> int:
        """Return how many hosts it shows."""
        return len(self.host_ids)

    @cached_property
    def capacity(self) -> Mapping[str, Int32]:
        """Return the column of what may be promised, by dimension."""
        return {d: self.capacity_rows[row] for d, row in self.rows.row_of.items()}

    @cached_property
    def held(self) -> Mapping[str, Int32]:
        """Return the column of what is held, by dimension."""
        return {d: self.held_rows[row] for d, row in self.rows.row_of.items()}

    @cached_property
    def free(self) -> Mapping[str, Int32]:
        """Return the column of what is free, by dimension."""
        return {d: self.free_rows[row] for d, row in self.rows.row_of.items()}

    @cached_property
    def class_capacity_gib(self) -> Mapping[str, Int32]:
        """Return the storage of each host, by disk class."""
        return {c: self.capacity_rows[row + 1] for c, row in self.rows.room_row_of.items()}

    @cached_property
    def class_roomiest_gib(self) -> Mapping[str, Int32]:
        """Return the free GiB of the roomiest pool of each host, by disk class."""
        return {c: self.free_rows[row] for c, row in self.rows.room_row_of.items()}

    @cached_property
    def class_free_gib(self) -> Mapping[str, Int32]:
        """Return the free GiB of all pools of each host together, by disk class."""
        return {c: self.free_rows[row + 1] for c, row in self.rows.room_row_of.items()}

    @cached_property
    def is_eligible(self) -> Int32:
        """Return 1 where the host is active and reachable."""
        return (self.bits & ELIGIBLE_BIT).astype(np.int32)

    @cached_property
    def has_any_accelerator(self) -> bool:
        """Tell whether any host has an accelerator."""
        return bool(self.has_accelerator.any())

    @cached_property
    def sections_of(self) -> Mapping[ZoneId, tuple[int, ...]]:
        """Return the sections of each zone."""
        found: dict[ZoneId, tuple[int, ...]] = {}
        for number, (zone_id, _) in enumerate(self.sections):
            found[zone_id] = (*found.get(zone_id, ()), number)
        return found

    @cached_property
    def home_index(self) -> Int32:
        """Return the number of the home of each host (``Host.home``)."""
        return self.domain_index[NetworkLevel.HOME if self.homes else SpreadLevel.HOST]

    @cached_property
    def home_number(self) -> Mapping[HostId, int]:
        """Return the number of each home, by the host its segments stand on."""
        return {home: n for n, home in enumerate(self.homes)} if self.homes else self.index_of

    @cached_property
    def wide_zones(self) -> frozenset[ZoneId]:
        """Return the zones in which hosts share a home: there, machines of one network may be on several hosts."""
        if not self.homes:
            return frozenset()
        shared = np.bincount(self.home_index, minlength=len(self.homes))[self.home_index] > 1
        return frozenset(self.zone_ids[z] for z in np.unique(self.zone_index[shared]).tolist())

    def home_of(self, host: int) -> HostId:
        """Return the host that the segments of a host stand on."""
        return self.homes[int(self.home_index[host])] if self.homes else self.host_ids[host]

    def policy_name(self, host: int) -> str:
        """Return the policy that the pool of a host names."""
        return self.sections[int(self.section_index[host])][1]

    def meets_standby(self, level: SpreadLevel) -> Int32:
        """Return 1 where the failure domain of the host has a stand-by host that may take over from another domain."""
        return np.asarray((self.bits & NO_STANDBY_BITS[level]) == 0, dtype=np.int32)

    def has_trait(self, host: int, trait: str) -> bool:
        """Tell whether a host has something by name."""
        return trait in self.traits and bool(self.bits[host] & trait_bit(self.traits.index(trait)))

    def storage_of(self, host: int) -> range:
        """Return the storage pools of a host."""
        return range(int(self.storage_start[host]), int(self.storage_start[host + 1]))

    def storage_on(self, host: int, disk_class: str) -> list[int]:
        """Return the storage pools of one class on a host."""
        return [j for j in self.storage_of(host) if self.storage_class[j] == disk_class]

    def with_used(
        self,
        host_id: HostId,
        *,
        used: Mapping[str, int],
        foreign: Mapping[str, int],
        storage_used_gib: Mapping[StoragePoolId, int],
        revision: str,
    ) -> "Snapshot":
        """Return the picture with other amounts used on one host; what is held, and pools not named, stay as they are.

        Raises:
            KeyError: the host is not in the picture.
        """
        host = self.index_of[host_id]
        free, storage = self.free_rows.copy(), self.storage_free_gib.copy()
        for dimension, row in self.rows.row_of.items():
            taken = used.get(dimension, 0) + foreign.get(dimension, 0) + int(self.held_rows[row, host])
            free[row, host] = clamped([int(self.capacity_rows[row, host]) - taken])[0]
        for j in self.storage_of(host):
            if self.storage_ids[j] in storage_used_gib:
                left = int(self.storage_capacity_gib[j] - self.storage_held_gib[j]) - storage_used_gib[self.storage_ids[j]]
                storage[j] = clamped([left])[0]
        for disk_class, row in self.rows.room_row_of.items():
            free[row : row + 2, host] = class_amounts(self.storage_on(host, disk_class), storage)
        fine = {**self.fine_free, host: self.fine_left(host, used)} if host in self.cells else self.fine_free
        return replace(self, revision=revision, free_rows=free, storage_free_gib=storage, fine_free=fine)

    def fine_left(self, host: int, used: Mapping[str, int]) -> dict[str, int]:
        """Return what is free of the fine dimensions of a host when so much is used."""
        return _left(self.fine_capacity[host], used)


def _left(room: Mapping[str, int], used: Mapping[str, int]) -> dict[str, int]:
    return {dimension: amount - used.get(dimension, 0) for dimension, amount in room.items()}


def class_amounts(pools: Iterable[int], free_gib: Sequence[int] | Int32) -> tuple[int, int]:
    """Return free GiB of the roomiest of ``pools`` and of all together; an overfull pool counts as full."""
    frees = [int(free_gib[j]) for j in pools if free_gib[j] > 0]
    return max(frees, default=0), int(clamped([sum(frees)])[0])


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
        sections, section_index = _interned([(e.zone.id, e.pool.placement) for e in entries])
        zone_code = {e.zone.id: e.zone.code for e in entries}
        pool_code = {e.pool.id: e.pool.code for e in entries}
        virtualisations, virtualisation_index = _interned([h.facts.virtualisation if h.facts else "" for h in hosts])
        domain_names, domain_index = _domains(hosts)
        rows = Rows.of((d for e in entries for d in e.capacity), (s.pool.disk_class for e in entries for s in e.storage))
        return Snapshot(
            revision=revision,
            host_ids=tuple(h.id for h in hosts),
            host_names=tuple(h.name for h in hosts),
            index_of={h.id: i for i, h in enumerate(hosts)},
            admin_states=tuple(h.admin_state for h in hosts),
            reachabilities=tuple(h.reachability for h in hosts),
            zone_ids=zones,
            zone_codes=tuple(zone_code[z] for z in zones),
            zone_index=zone_index,
            pool_ids=pools,
            pool_codes=tuple(pool_code[p] for p in pools),
            pool_index=pool_index,
            sections=sections,
            section_index=section_index,
            virtualisations=virtualisations,
            virtualisation_index=virtualisation_index,
            domain_names=domain_names,
            domain_index=domain_index,
            homes=tuple(dict.fromkeys(h.home for h in hosts)) if any(h.home != h.id for h in hosts) else (),
            rows=rows,
            **_facts(entries),
            **_amounts(entries, rows),
            **fine_columns(entries),
        )


def _is_eligible(host: Host) -> bool:
    return host.admin_state is AdminState.ACTIVE and host.reachability is Reachability.REACHABLE


def _interned(values: Sequence[_T]) -> tuple[tuple[_T, ...], Int32]:
    codes: dict[_T, int] = {}
    column = np.array([codes.setdefault(value, len(codes)) for value in values], dtype=np.int32)
    return tuple(codes), column


def _domains(hosts: Sequence[Host]) -> tuple[dict[Level, tuple[str, ...]], dict[Level, Int32]]:
    """Return names and columns of the failure domains; where a part of a place is not known its name says "?"."""
    columns = {
        SpreadLevel.RACK: _interned([(h.site, h.room, h.rack) for h in hosts]),
        SpreadLevel.ROOM: _interned([(h.site, h.room) for h in hosts]),
        SpreadLevel.SITE: _interned([(h.site,) for h in hosts]),
    }
    names: dict[Level, tuple[str, ...]] = {
        level: tuple("/".join(part or "?" for part in place) for place in places) for level, (places, _) in columns.items()
    }
    index: dict[Level, Int32] = {level: column for level, (_, column) in columns.items()}
    names[SpreadLevel.HOST] = tuple(h.name for h in hosts)
    index[SpreadLevel.HOST] = np.arange(len(hosts), dtype=np.int32)
    homes, index[NetworkLevel.HOME] = _interned([h.home for h in hosts])
    name_of = {h.id: h.name for h in hosts}
    names[NetworkLevel.HOME] = tuple(name_of.get(home, home) for home in homes)
    return names, index


def _facts(entries: Sequence[HostEntry]) -> dict[str, Any]:
    archs, arch_index = _interned([e.host.facts.arch if e.host.facts else "" for e in entries])
    own = {trait for e in entries for trait in e.host.traits}
    traits = told_apart(own, {trait for e in entries for trait in e.traits}, TRAITS_MAX)
    if len(archs) > ARCHS_MAX or len(traits) > TRAITS_MAX:
        raise ValueError(f"{len(archs)} architectures and {len(traits)} traits: at most {ARCHS_MAX} and {TRAITS_MAX}")
    mlps = [min(e.pool.mlps_max, e.zone.mlps_max) for e in entries]
    bit_of = {trait: trait_bit(n) for n, trait in enumerate(traits)}
    reserve = offered_bits([Standing(e.host, e.pool, e.is_standby) for e in entries])
    bits = [
        (ELIGIBLE_BIT if _is_eligible(e.host) else 0)
        | of_reserve
        | mlps_bits(level)
        | arch_bit(arch)
        | sum(bit_of[t] for t in e.traits if t in bit_of)
        for e, level, arch, of_reserve in zip(entries, mlps, arch_index.tolist(), reserve, strict=True)
    ]
    return {
        "mlps_max": clamped(mlps),
        "archs": archs,
        "arch_index": arch_index,
        "traits": traits,
        "bits": np.array(bits, dtype=np.int32),
    }


def _amounts(entries: Sequence[HostEntry], rows: Rows) -> dict[str, Any]:
    capacity, held, free = (np.zeros((rows.count, len(entries)), dtype=np.int32) for _ in range(3))
    for dimension, row in rows.row_of.items():
        capacity[row] = clamped([e.capacity.get(dimension, 0) for e in entries])
        held[row] = clamped([e.held.get(dimension, 0) for e in entries])
        taken = [e.used.get(dimension, 0) + e.foreign.get(dimension, 0) + e.held.get(dimension, 0) for e in entries]
        free[row] = clamped([c - t for c, t in zip(capacity[row].tolist(), taken, strict=True)])
    stored = [(i, s) for i, e in enumerate(entries) for s in sorted(e.storage, key=lambda s: s.pool.id)]
    start = np.zeros(len(entries) + 1, dtype=np.int32)
    start[1:] = np.cumsum([len(e.storage) for e in entries], dtype=np.int32)
    _sum_storage(stored, rows, capacity, free)
    accelerators = [row for d, row in rows.row_of.items() if d.startswith(ACCELERATOR_PREFIX)]
    return {
        "capacity_rows": capacity,
        "held_rows": held,
        "free_rows": free,
        "has_accelerator": (capacity[accelerators] > 0).any(axis=0).astype(np.int32),
        "storage_ids": tuple(s.pool.id for _, s in stored),
        "storage_class": tuple(s.pool.disk_class for _, s in stored),
        "storage_capacity_gib": clamped([s.capacity_gib for _, s in stored]),
        "storage_held_gib": clamped([s.held_gib for _, s in stored]),
        "storage_free_gib": clamped([s.capacity_gib - s.held_gib - s.used_gib for _, s in stored]),
        "storage_start": start,
    }


def fine_columns(entries: Sequence[HostEntry]) -> dict[str, Any]:
    """Return the cells; what is held of them is nobody's to have and counts as not there."""
    cells, room, free = {}, {}, {}
    for i, e in enumerate(entries):
        if e.host.facts and e.host.facts.cells:
            cells[i] = e.host.cells
            room[i] = {d: amount - e.held.get(d, 0) for d, amount in e.capacity.items() if is_fine(d)}
            free[i] = _left(room[i], e.used)
    return {"cells": cells, "fine_capacity": room, "fine_free": free}


def _sum_storage(stored: Sequence[tuple[int, StorageEntry]], rows: Rows, capacity: Int32, free: Int32) -> None:
    sums: dict[tuple[int, int], list[int]] = {}
    for host, s in stored:
        room = max(0, s.capacity_gib - s.held_gib - s.used_gib)
        found = sums.setdefault((rows.room_row_of[s.pool.disk_class], host), [0, 0, 0])
        found[:] = max(found[0], room), found[1] + room, found[2] + s.capacity_gib
    for (row, host), (roomiest, total, whole) in sums.items():
        free[row, host], free[row + 1, host], capacity[row + 1, host] = clamped([roomiest, total, whole])
