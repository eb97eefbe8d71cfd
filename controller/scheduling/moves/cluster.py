"""The picture a plan of moves is made on: hosts and machines as columns of integers. Built by the workflows, read by planners.

A host is its index in every column, so is a machine. Hosts are ordered by id, machines by id: equal states give equal plans.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.scheduling.moves.addresses import AddressColumns, AddressesLeft, NetworkKey, address_columns
from controller.scheduling.reserve import Standing, asked_bits, offered_bits
from controller.scheduling.snapshot import HostEntry, fine_columns
from inventory.domain.host import AdminState, Host, Reachability, Reserve
from inventory.domain.ids import HostId, ResourceId, StoragePoolId
from inventory.domain.layout import HostCell, Seat
from inventory.domain.resources import MEMORY_MIB, VCPU, Resources, disk_dimension, is_fine
from inventory.domain.standby import PoolHost
from inventory.domain.system import SpreadLevel

Column = NDArray[np.int64]
Flags = NDArray[np.bool_]
#: Dimensions that come first in every picture, in this order.
FIRST_DIMENSIONS = (VCPU, MEMORY_MIB)
ANY_ARCH = ("", "any")
#: Why a machine stays that has not been there for long: many are soon gone by themselves.
DWELLING = "moves.dwelling"


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineEntry:
    """Everything a plan needs of one machine, as plain values."""

    id: ResourceId
    name: str
    host_id: HostId
    #: ``vcpu``, ``memory_mib`` and accelerators.
    compute: Resources
    #: (class, GiB, storage pool) of the root disk, then of the data disks.
    disks: tuple[tuple[str, int, StoragePoolId], ...] = ()
    zone_id: str = ""
    mlps_level: int = 1
    arch: str = "any"
    system_id: str = ""
    #: Machines of one group share its spread rule; empty where there is none.
    group: str = ""
    spread: SpreadLevel = SpreadLevel.NONE
    spread_is_hard: bool = True
    #: Most of the group in one failure domain; where they are to be kept together, all must share one.
    most_per_domain: int = 1
    is_kept_together: bool = False
    #: Code of the reason it must stay where it is; empty where it may move.
    stays: str = ""
    #: Where it lies on the cells of its host, if it asks for that.
    seat: Seat | None = None
    #: What a host must have, by name.
    traits: tuple[str, ...] = ()
    #: The network of each of its cards.
    cards: tuple[NetworkKey, ...] = ()
    #: It shares a network with others of its system: it may go to hosts of its home only.
    is_homebound: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedEntry:
    """A machine that is nowhere yet and needs room, as plain values."""

    compute: Resources
    #: (class, GiB) of its only disk.
    disk: tuple[str, int] | None = None
    #: Empty: any.
    zone_id: str = ""
    mlps_level: int = 1
    arch: str = "any"
    traits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The same as columns."""

    #: By dimension of the picture.
    demand: Column
    #: The hosts that may carry it.
    hosts: Flags
    disk: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservedPool:
    """A pool with a reserve (N+1), and its hosts as they would be without the machines of the picture."""

    reserve: Reserve
    #: Empty: nothing else is promised there. What rules ask follows from where machines are.
    hosts: tuple[PoolHost, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostWatts:
    """What a host draws with no load and with all of it; operator facts."""

    idle: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Columns by host (first axis), by machine, and by storage pool. Treat every column as read-only."""

    host_ids: tuple[HostId, ...]
    host_names: tuple[str, ...]
    host_index: Mapping[HostId, int]
    #: ``vcpu``, ``memory_mib``, further ones of hosts, then one per disk class.
    dimensions: tuple[str, ...]
    capacity: Column
    #: What may still be promised: used, foreign and held amounts taken off; below zero where a host is overfull.
    free: Column
    #: Active and reachable: may take machines.
    takes: Flags
    zone: Column
    mlps_max: Column
    arch: Column
    pool: Column
    #: Level (``host``, ``rack``, ``room``, ``site``) -> failure domain of every host.
    domains: Mapping[str, Column]
    #: What hard rules of groups would still hold on a host after a failure, as bits (``scheduling.reserve``); what a group asks
    #: for is ``group_reserve``.
    reserve_bits: Column
    #: Room on it is held for reservations: it stays on, for what it was promised to.
    is_reserved: Flags
    #: 0 where the operator did not say.
    watts_idle: Column
    watts_most: Column
    storage_ids: tuple[StoragePoolId, ...]
    storage_free: Column
    #: Host index -> disk class -> indices of its storage pools.
    storage_of: tuple[Mapping[str, tuple[int, ...]], ...]
    machine_ids: tuple[ResourceId, ...]
    machine_names: tuple[str, ...]
    machine_index: Mapping[ResourceId, int]
    #: Machine -> host.
    host: Column
    demand: Column
    disks: tuple[tuple[tuple[str, int], ...], ...]
    #: Storage pool per disk, as an index; -1 where it is not in the picture.
    disk_pools: tuple[tuple[int, ...], ...]
    #: Machine -> row of ``allowed``.
    kind: Column
    #: Kind (zone, MLPS level, architecture, traits) × host: whether the host may carry such a machine at all.
    allowed: Flags
    #: Machine -> group, -1 without a rule; group -> level and hardness.
    group: Column
    group_level: tuple[SpreadLevel, ...]
    group_is_hard: tuple[bool, ...]
    group_most: tuple[int, ...]
    group_is_together: tuple[bool, ...]
    group_reserve: tuple[int, ...]
    stays: tuple[str, ...]
    #: What part of the machines that were asked for with it has ended: those that are alike end alike. Nothing where unknown.
    mates_ended_permille: Column = field(default_factory=lambda: np.empty(0, np.int64))
    #: Machines that ask how they lie on their host, with their seats; cells of hosts and what is free of them, by host.
    seats: Mapping[int, Seat] = field(default_factory=dict)
    cells: Mapping[int, tuple[HostCell, ...]] = field(default_factory=dict)
    fine_free: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    addresses: AddressColumns = field(default_factory=AddressColumns)
    #: Machines that need room (``make_room``).
    wanted: tuple[Wanted, ...] = ()
    #: The home of every host by number, and machines that may not leave theirs; nothing where every host is its own.
    home: Column = field(default_factory=lambda: np.empty(0, np.int64))
    is_homebound: Flags = field(default_factory=lambda: np.empty(0, bool))
    #: Pools with a reserve, and where all hosts are.
    reserved: tuple[ReservedPool, ...] = ()
    places: Mapping[HostId, Host] = field(default_factory=dict)

    @property
    def host_count(self) -> int:
        """Return how many hosts there are."""
        return len(self.host_ids)

    @property
    def machine_count(self) -> int:
        """Return how many machines there are."""
        return len(self.machine_ids)

    @property
    def movable(self) -> Flags:
        """Return which machines may move."""
        return np.array([not reason for reason in self.stays], dtype=bool)

    def within_reach(self, machine: int) -> Flags | None:
        """Return the hosts that a machine may go to for its networks; nothing where that is every host."""
        if not self.is_homebound.size or not self.is_homebound[machine]:
            return None
        found: Flags = self.home == self.home[self.host[machine]]
        return found

    def reaches(self, machine: int, host: int) -> bool:
        """Tell the same of one host."""
        within = self.within_reach(machine)
        return within is None or bool(within[host])

    def domain_of(self, group: int) -> Column:
        """Return the failure domain of every host at the level of a group's rule."""
        return self.domains[self.group_level[group].value]


def cluster_of(
    hosts: Iterable[HostEntry],
    machines: Iterable[MachineEntry],
    watts: Mapping[HostId, HostWatts] | None = None,
    addresses: AddressesLeft | None = None,
    wanted: Sequence[WantedEntry] = (),
    reserve: Mapping[HostId, int] | None = None,
) -> Cluster:
    """Return the picture of these hosts and of the machines on them; without ``addresses`` there is plenty of them.

    Where these are not all hosts of their pools, ``reserve`` are the bits of each of them (``offered_bits``).

    Raises:
        KeyError: a machine is on a host that is not in the picture.
    """
    entries = sorted(hosts, key=lambda e: e.host.id)
    rows = sorted(machines, key=lambda m: m.id)
    index = {e.host.id: i for i, e in enumerate(entries)}
    dimensions = _dimensions(entries, rows, wanted)
    host_ids = tuple(e.host.id for e in entries)
    if reserve is None:
        reserve = dict(zip(host_ids, offered_bits([Standing(e.host, e.pool, e.is_standby) for e in entries]), strict=True))
    return Cluster(
        host_ids=host_ids,
        host_names=tuple(e.host.name for e in entries),
        host_index=index,
        places={e.host.id: e.host for e in entries},
        reserve_bits=np.array([reserve[host_id] for host_id in host_ids], np.int64),
        dimensions=dimensions,
        addresses=address_columns(
            addresses or AddressesLeft(),
            [e.host.home for e in entries],
            [m.cards for m in rows],
            [index[m.host_id] for m in rows],
        ),
        wanted=_wanted(entries, wanted, dimensions),
        **_homes(entries, rows),
        **_host_columns(entries, dimensions, watts or {}),
        **_machine_columns(entries, rows, index, dimensions),
    )


def _homes(entries: Sequence[HostEntry], rows: Sequence[MachineEntry]) -> dict[str, Any]:
    if not any(m.is_homebound and not m.stays for m in rows):
        return {}
    return {"home": _codes([e.host.home for e in entries]), "is_homebound": np.array([m.is_homebound for m in rows], bool)}


def _wanted(entries: Sequence[HostEntry], wanted: Sequence[WantedEntry], dimensions: Sequence[str]) -> tuple[Wanted, ...]:
    amounts = [{**w.compute, **({disk_dimension(w.disk[0]): w.disk[1]} if w.disk else {})} for w in wanted]
    allowed = _allowed(entries, [(w.zone_id, w.mlps_level, w.arch, w.traits) for w in wanted])
    return tuple(
        Wanted(demand=np.array([asked.get(d, 0) for d in dimensions], np.int64), hosts=hosts, disk=one.disk)
        for one, asked, hosts in zip(wanted, amounts, allowed, strict=True)
    )


def _dimensions(entries: Sequence[HostEntry], rows: Sequence[MachineEntry], wanted: Sequence[WantedEntry]) -> tuple[str, ...]:
    further = {d for e in entries for d in e.capacity if not is_fine(d)} | {d for m in rows for d in m.compute}
    further |= {d for w in wanted for d in w.compute}
    classes = {s.pool.disk_class for e in entries for s in e.storage} | {d[0] for m in rows for d in m.disks}
    classes |= {w.disk[0] for w in wanted if w.disk}
    disks = {disk_dimension(c) for c in classes}
    return (*FIRST_DIMENSIONS, *sorted(further - set(FIRST_DIMENSIONS) - disks), *sorted(disks))


def _host_columns(entries: Sequence[HostEntry], dimensions: Sequence[str], watts: Mapping[HostId, HostWatts]) -> dict[str, Any]:
    hosts = [e.host for e in entries]
    capacity, free = _amounts(entries, dimensions)
    storage = [(i, s) for i, e in enumerate(entries) for s in sorted(e.storage, key=lambda s: s.pool.id)]
    of: list[dict[str, tuple[int, ...]]] = [{} for _ in entries]
    for j, (i, s) in enumerate(storage):
        of[i][s.pool.disk_class] = (*of[i].get(s.pool.disk_class, ()), j)
    none, fine = HostWatts(idle=0, most=0), fine_columns(entries)
    return {
        "capacity": capacity,
        "free": free,
        "takes": np.array([h.admin_state is AdminState.ACTIVE and h.reachability is Reachability.REACHABLE for h in hosts], bool),
        "zone": _codes([e.zone.id for e in entries]),
        "mlps_max": np.array([min(e.pool.mlps_max, e.zone.mlps_max) for e in entries], np.int64),
        "arch": _codes([h.facts.arch if h.facts else "" for h in hosts]),
        "pool": _codes([e.pool.id for e in entries]),
        "domains": {
            "host": np.arange(len(hosts), dtype=np.int64),
            "rack": _codes([(h.site, h.room, h.rack) for h in hosts]),
            "room": _codes([(h.site, h.room) for h in hosts]),
            "site": _codes([h.site for h in hosts]),
        },
        "is_reserved": np.array([_is_reserved(e) for e in entries], bool),
        "watts_idle": np.array([watts.get(h.id, none).idle for h in hosts], np.int64),
        "watts_most": np.array([watts.get(h.id, none).most for h in hosts], np.int64),
        "storage_ids": tuple(s.pool.id for _, s in storage),
        "storage_free": np.array([s.capacity_gib - s.used_gib - s.held_gib for _, s in storage], np.int64),
        "storage_of": tuple(of),
        "cells": fine["cells"],
        "fine_free": fine["fine_free"],
    }


def _is_reserved(entry: HostEntry) -> bool:
    """Tell whether more is held than what a stand-by host holds for a loss: the rest is for reservations."""
    amounts = [(held, entry.capacity.get(d, 0)) for d, held in entry.held.items()]
    amounts += [(s.held_gib, s.capacity_gib) for s in entry.storage]
    return any(held > (capacity if entry.is_standby else 0) for held, capacity in amounts)


def _codes(values: Sequence[object]) -> Column:
    codes: dict[object, int] = {}
    return np.array([codes.setdefault(value, len(codes)) for value in values], np.int64)


def _amounts(entries: Sequence[HostEntry], dimensions: Sequence[str]) -> tuple[Column, Column]:
    capacity = np.zeros((len(entries), len(dimensions)), np.int64)
    free = np.zeros_like(capacity)
    column = {d: k for k, d in enumerate(dimensions)}
    for i, entry in enumerate(entries):
        for d, amount in entry.capacity.items():
            if d not in column:
                continue
            capacity[i, column[d]] = amount
            free[i, column[d]] = amount - entry.used.get(d, 0) - entry.foreign.get(d, 0) - entry.held.get(d, 0)
        for s in entry.storage:
            k = column[disk_dimension(s.pool.disk_class)]
            capacity[i, k] += s.capacity_gib
            free[i, k] += s.capacity_gib - s.used_gib - s.held_gib
    return capacity, free


def _machine_columns(
    entries: Sequence[HostEntry], rows: Sequence[MachineEntry], index: Mapping[HostId, int], dimensions: Sequence[str]
) -> dict[str, Any]:
    column = {d: k for k, d in enumerate(dimensions)}
    storage = {s.pool.id: j for j, s in enumerate(s for e in entries for s in sorted(e.storage, key=lambda s: s.pool.id))}
    demand = np.zeros((len(rows), len(dimensions)), np.int64)
    for i, row in enumerate(rows):
        for d, amount in row.compute.items():
            demand[i, column[d]] += amount
        for disk_class, size_gib, _ in row.disks:
            demand[i, column[disk_dimension(disk_class)]] += size_gib
    kinds: dict[_Kind, int] = {}
    kind = [kinds.setdefault((m.zone_id, m.mlps_level, m.arch, m.traits), len(kinds)) for m in rows]
    groups: dict[str, int] = {}
    group = [groups.setdefault(m.group, len(groups)) if m.group and m.spread is not SpreadLevel.NONE else -1 for m in rows]
    rule = {m.group: m for m in rows if m.group in groups}
    return {
        "machine_ids": tuple(m.id for m in rows),
        "machine_names": tuple(m.name for m in rows),
        "machine_index": {m.id: i for i, m in enumerate(rows)},
        "host": np.array([index[m.host_id] for m in rows], np.int64),
        "demand": demand,
        "disks": tuple(tuple((c, g) for c, g, _ in m.disks) for m in rows),
        "disk_pools": tuple(tuple(storage.get(p, -1) for _, _, p in m.disks) for m in rows),
        "kind": np.array(kind, np.int64),
        "allowed": _allowed(entries, tuple(kinds)),
        "group": np.array(group, np.int64),
        "group_level": tuple(rule[g].spread for g in groups),
        "group_is_hard": tuple(rule[g].spread_is_hard for g in groups),
        "group_most": tuple(rule[g].most_per_domain for g in groups),
        "group_is_together": tuple(rule[g].is_kept_together for g in groups),
        "group_reserve": tuple(_reserve_asked(rule[g]) for g in groups),
        "stays": tuple(m.stays for m in rows),
        "seats": {i: m.seat for i, m in enumerate(rows) if m.seat is not None},
    }


def _reserve_asked(one: MachineEntry) -> int:
    if not one.spread_is_hard:
        return 0
    return asked_bits([], [one.spread]) if one.is_kept_together else asked_bits([one.spread], [])


#: What decides on which hosts a machine may be at all: zone, MLPS level, architecture, traits.
_Kind = tuple[str, int, str, tuple[str, ...]]


def _allowed(entries: Sequence[HostEntry], kinds: Sequence[_Kind]) -> Flags:
    allowed = np.zeros((len(kinds), len(entries)), bool)
    for k, (zone_id, level, arch, traits) in enumerate(kinds):
        for i, entry in enumerate(entries):
            has_arch = arch in ANY_ARCH or (entry.host.facts is not None and entry.host.facts.arch == arch)
            has_level = level <= min(entry.pool.mlps_max, entry.zone.mlps_max)
            allowed[k, i] = has_arch and has_level and zone_id in ("", entry.zone.id) and entry.traits.issuperset(traits)
    return allowed
