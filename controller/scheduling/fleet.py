"""What is free, in columns that change: the state a gang is placed on, and that a controller keeps in memory.

A ``Fleet`` is made from a snapshot and owned by one thread at a time. Everything taken is written in a log, so that an
attempt is undone in the time it took (``mark``, ``rollback``).
"""

from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from controller.scheduling import cells
from controller.scheduling.blocks import Hosts, layout_of
from controller.scheduling.columns import ELIGIBLE_BIT, Int32, clamped
from controller.scheduling.engine import PLAIN, Engine
from controller.scheduling.groups import Groups
from controller.scheduling.index import Index
from controller.scheduling.policy import Policy
from controller.scheduling.scoring import host_bits
from controller.scheduling.snapshot import Snapshot, class_amounts
from controller.scheduling.storage_fit import pack
from controller.scheduling.tables import DISKS_MAX, Pools
from controller.scheduling.units import Need
from inventory.domain.ids import HostId, StoragePoolId
from inventory.domain.layout import Seat
from inventory.domain.resources import disk_dimension

#: Changes remembered for those who follow them.
_CHANGES_MOST = 20_000


class Taken(NamedTuple):
    """What a unit got on its host."""

    #: The storage pool of each disk.
    pools: tuple[int, ...]
    #: One for each of its machines that asks for one.
    seats: tuple[Seat, ...]


class Fleet:
    """Hosts and what is free on them; a host is its index in the snapshot it was made from."""

    def __init__(self, snapshot: Snapshot, engine: Engine = PLAIN) -> None:
        self.snapshot = snapshot
        layout = layout_of(snapshot)
        self.position_of = layout.position_of
        self.hosts: Hosts = layout.hosts(snapshot.free_rows)
        rows = snapshot.rows
        self.pools = Pools(
            start=snapshot.storage_start.copy(),
            row=np.array([rows.room_row_of[c] for c in snapshot.storage_class], dtype=np.int32),
            free=snapshot.storage_free_gib.copy(),
            dimensions=len(rows.dimensions),
        )
        #: What is free of fine dimensions, by host: replaced whole, never changed in place.
        self._fine: dict[int, Mapping[str, int]] = dict(snapshot.fine_free)
        self._nothing = np.zeros(snapshot.host_count, dtype=np.int32)
        self.index = Index(self.hosts, snapshot, engine)
        self._log: list[tuple[Need, int, Sequence[int]]] = []
        #: Fine amounts before each entry of the log that changed them, by its position.
        self._fine_before: dict[int, Mapping[str, int]] = {}
        self._opened = 0
        self._chosen = np.empty(DISKS_MAX, dtype=np.int32)
        #: Hosts that changed, in order, and how many changes were forgotten before them.
        self._changed: list[int] = []
        self._forgotten = 0
        #: What is worked out of it for kinds of machines, the one that rested longest first (``standing``).
        self.kept: OrderedDict[Hashable, Any] = OrderedDict()
        #: Names the state, for the explanation; its keeper sets it with every change from outside.
        self.revision = snapshot.revision

    def use(self, engine: Engine) -> None:
        """Compute with another engine from now on; no choice changes."""
        self.index.use(engine)

    # What is free, by host.

    def column(self, row: int) -> Int32:
        """Return a row by host; a copy."""
        return np.take(self.hosts.free[row], self.position_of)

    def on(self, row: int, hosts: Int32) -> Int32:
        """Return a row of these hosts; a copy."""
        found: Int32 = self.hosts.free[row][self.position_of[hosts]]
        return found

    def free_of(self, dimension: str) -> Int32:
        """Return what is free of a dimension, by host; nobody has any of one that no host names."""
        row = self.snapshot.rows.row_of.get(dimension)
        return self._nothing if row is None else self.column(row)

    @property
    def roomiest_gib(self) -> Mapping[str, Int32]:
        """Return the free GiB of the roomiest pool of each host, by disk class."""
        return {c: self.column(row) for c, row in self.snapshot.rows.room_row_of.items()}

    @property
    def class_free_gib(self) -> Mapping[str, Int32]:
        """Return the free GiB of all pools of each host together, by disk class."""
        return {c: self.column(row + 1) for c, row in self.snapshot.rows.room_row_of.items()}

    def free_at(self, dimension: str, host: int) -> int:
        """Return what one host has free of a dimension."""
        row = self.snapshot.rows.row_of.get(dimension)
        return 0 if row is None else int(self.hosts.free[row, self.position_of[host]])

    def class_room(self, disk_class: str, host: int) -> tuple[int, int]:
        """Return the free GiB of all pools of a class on a host together, and of the roomiest."""
        row = self.snapshot.rows.room_row_of.get(disk_class)
        if row is None:
            return 0, 0
        position = self.position_of[host]
        return int(self.hosts.free[row + 1, position]), int(self.hosts.free[row, position])

    @property
    def storage_free_gib(self) -> Int32:
        """Return the free GiB of each storage pool."""
        return self.pools.free

    def to_snapshot(self, revision: str) -> Snapshot:
        """Return the frozen picture of what is free now."""
        free = self.hosts.free[:, self.position_of]
        storage = self.pools.free.copy()
        return replace(self.snapshot, revision=revision, free_rows=free, storage_free_gib=storage, fine_free=dict(self._fine))

    # Decisions.

    def best(self, need: Need, policy: Policy, groups: Groups) -> int | None:
        """Return the best host for a unit, or nothing where none fits; equal ones go to the lowest host."""
        if need.pins or need.reach or need.conflict:
            return self._given(need, groups)
        return self.index.best(need, policy, groups, self.takes_exactly)

    def _given(self, need: Need, groups: Groups) -> int | None:
        """Return the only host a unit may go to, if it fits there."""
        wanted = set(need.pins + need.reach)
        host = self.snapshot.index_of.get(min(wanted)) if len(wanted) == 1 and not need.conflict else None
        if host is None or not (need.is_staying or self._is_suited(need, host)):
            return None
        has_room = self.has_room(need, host) and groups.addresses.takes(need, host)
        return host if has_room and not groups.breaks(need, host) else None

    def _is_suited(self, need: Need, host: int) -> bool:
        wanted, bits = host_bits(need, self.snapshot), int(self.snapshot.bits[host])
        return (
            wanted is not None
            and bits & wanted == wanted
            and self.snapshot.zone_ids[self.snapshot.zone_index[host]] == need.zone_id
        )

    def takes_exactly(self, need: Need, host: int) -> bool:
        """Tell what columns cannot say: whether the storage pools of a host take the disks, and its cells the machines."""
        return self.pools_for(need.disks, host) is not None and (not need.seats or self.has_seats(need, host))

    def has_seats(self, need: Need, host: int) -> bool:
        """Tell whether the cells of a host take the machines of a unit."""
        return not need.seats or self.seats_for(need, host) is not None

    def seats_for(self, need: Need, host: int) -> tuple[Seat, ...] | None:
        """Return a seat for each machine of a unit that asks for one, or nothing where they do not all fit."""
        return cells.seats_for(need.seats, self.snapshot.cells.get(host, ()), self._fine.get(host, {}))

    def fine_of(self, host: int) -> Mapping[str, int]:
        """Return what is free of the fine dimensions of a host."""
        return self._fine.get(host, {})

    def is_eligible(self, host: int) -> bool:
        """Tell whether a host takes new machines."""
        return bool(self.snapshot.bits[host] & ELIGIBLE_BIT)

    def has_room(self, need: Need, host: int) -> bool:
        """Tell whether a host has capacity and storage for one more of ``need``."""
        position, row_of = self.position_of[host], self.snapshot.rows.row_of
        for dimension, amount in need.ask:
            row = row_of.get(dimension)
            if row is None or self.hosts.free[row, position] < amount:
                return False
        if need.seats and not self.has_seats(need, host):
            return False
        return not need.disks or self.pools_for(need.disks, host) is not None

    def pools_for(self, disks: Sequence[tuple[str, int]], host: int) -> list[int] | None:
        """Return a storage pool per disk (tightest fit), or nothing if the disks do not fit on the host."""
        if len(disks) == 1:
            pool = self._tightest(host, *disks[0])
            return None if pool is None else [pool]
        chosen = [0] * len(disks)
        for disk_class in {c for c, _ in disks}:
            places = [k for k, (c, _) in enumerate(disks) if c == disk_class]
            pools = self.snapshot.storage_on(host, disk_class)
            found = pack([disks[k][1] for k in places], [int(self.pools.free[j]) for j in pools])
            if found is None:
                return None
            for k, p in zip(places, found, strict=True):
                chosen[k] = pools[p]
        return chosen

    def _tightest(self, host: int, disk_class: str, size_gib: int) -> int | None:
        free, classes = self.pools.free, self.snapshot.storage_class
        best = None
        for j in self.snapshot.storage_of(host):
            # A disk that is held already asks for nothing, which fits in an overfull pool too.
            fits = classes[j] == disk_class and (free[j] >= size_gib or size_gib == 0)
            if fits and (best is None or free[j] < free[best]):
                best = j
        return best

    # Changes.

    def take(self, need: Need, host: int) -> Taken:
        """Put one unit on a host that has room."""
        seats = self._sit(need, host) if need.seats else ()
        pools = self._put(need, host)
        if pools is None:
            pools = self.pools_for(need.disks, host)
            assert pools is not None, "the host was checked before"
            self._move(need, host, pools, 1)
        self._log.append((need, host, pools))
        self._note(host)
        return Taken(tuple(pools), seats)

    def take_alike(self, need: Need, policy: Policy, groups: Groups, count: int) -> list[tuple[int, Taken]]:
        """Choose and take hosts for equal units one after the other, as ``best`` and ``take`` do for each.

        Returns those that got one in one step of the compiled engine, fewer than ``count`` where a choice needs a closer look,
        none without that engine. ``groups`` hears of it from the caller.
        """
        if need.pins or need.reach or need.conflict or count < 1:
            return []
        position, pools = self.index.fill(need, policy, groups, self.pools, count)
        found = [
            (host, Taken(tuple(own), ())) for host, own in zip(self.hosts.ids[position].tolist(), pools.tolist(), strict=True)
        ]
        self._log.extend((need, host, own.pools) for host, own in found)
        self._note(*(host for host, _ in found))
        return found

    def _sit(self, need: Need, host: int) -> tuple[Seat, ...]:
        seats = self.seats_for(need, host)
        assert seats is not None, "the host was checked before"
        before, more = self._fine[host], cells.growth(need.seats, seats)
        self._fine_before[len(self._log)] = before
        self._fine[host] = {**before, **{dimension: before[dimension] - amount for dimension, amount in more.items()}}
        return seats

    def _note(self, *hosts: int) -> None:
        self._changed.extend(hosts)
        if len(self._changed) > _CHANGES_MOST:
            self.forget_changes()

    def forget_changes(self) -> None:
        """Whoever follows the changes must look at every host again."""
        self._forgotten += len(self._changed) + 1
        self._changed.clear()

    @property
    def changed_count(self) -> int:
        """Return how many changes there were."""
        return self._forgotten + len(self._changed)

    def changed_since(self, count: int) -> list[int] | None:
        """Return the hosts that changed since there were ``count`` changes; nothing where that is not known any more."""
        return None if count < self._forgotten else self._changed[count - self._forgotten :]

    def _put(self, need: Need, host: int) -> list[int] | None:
        """Take what was just chosen in one step of the compiled engine; nothing where that is not possible."""
        slot, steps = self.index.slot_of(need, host), self.index.engine.steps
        if slot < 0 or steps is None or len(need.disks) > DISKS_MAX:
            return None
        tables = self.hosts, self.pools, self.index.classes, self.index.bounds
        if not steps.put(*tables, slot, self.position_of[host], self._chosen):
            return None
        order, chosen = self.index.terms_at(slot).disk_order, self._chosen[: len(need.disks)].tolist()
        return [pool for _, pool in sorted(zip(order, chosen, strict=True))]

    def give(self, need: Need, host: int, pools: Sequence[int]) -> None:
        """Give back what a unit took, for example of a machine that is gone. Not for undoing: see ``rollback``."""
        assert not self._log, "what was taken is kept (``keep``) or undone before something else is given back"
        assert not need.seats, "which seats a machine had only the database knows: see ``set_used``"
        self._move(need, host, pools, -1)

    def mark(self) -> int:
        """Return the point that ``rollback`` goes back to."""
        return len(self._log)

    def open(self) -> None:
        """Begin with another request: what it takes from now on is told apart in its explanation (``taken``)."""
        self._opened = len(self._log)

    def taken(self, dimension: str, host: int) -> int:
        """Return how much the present request took of a dimension (disk too) on a host."""
        return sum(_amount(need, dimension) for need, where, _ in self._log[self._opened :] if where == host)

    def rollback(self, mark: int) -> None:
        """Undo every ``take`` since the mark, the last one first."""
        while len(self._log) > mark:
            need, host, pools = self._log.pop()
            if need.seats:
                self._fine[host] = self._fine_before.pop(len(self._log))
            self._move(need, host, pools, -1)

    def keep(self) -> None:
        """Keep what was taken so far: it can no longer be undone."""
        self._log.clear()
        self._fine_before.clear()
        self._opened = 0

    def _move(self, need: Need, host: int, pools: Sequence[int], sign: int) -> None:
        position, rows, free = self.position_of[host], self.snapshot.rows, self.hosts.free
        for dimension, amount in need.ask:
            free[rows.row_of[dimension], position] -= sign * amount
        for (_, size_gib), j in zip(need.disks, pools, strict=True):
            self.pools.free[j] -= sign * size_gib
        self._sum_pools(host, {c for c, _ in need.disks})
        self.index.changed(int(position))
        self._note(host)

    def _sum_pools(self, host: int, disk_classes: set[str]) -> None:
        position = self.position_of[host]
        for disk_class in disk_classes:
            row = self.snapshot.rows.room_row_of[disk_class]
            room = class_amounts(self.snapshot.storage_on(host, disk_class), self.pools.free)
            self.hosts.free[row, position], self.hosts.free[row + 1, position] = room

    def set_used(
        self,
        host_id: HostId,
        *,
        used: Mapping[str, int],
        foreign: Mapping[str, int],
        storage_used_gib: Mapping[StoragePoolId, int],
    ) -> None:
        """Show other amounts used on one host; what is held, and pools not named, stay as they are.

        Raises:
            KeyError: the host is not in the picture.
        """
        assert not self._log, "an attempt is kept or undone before the state changes"
        host = self.snapshot.index_of[host_id]
        position, snapshot = self.position_of[host], self.snapshot
        for dimension, row in snapshot.rows.row_of.items():
            taken = used.get(dimension, 0) + foreign.get(dimension, 0) + int(snapshot.held_rows[row, host])
            self.hosts.free[row, position] = clamped([int(snapshot.capacity_rows[row, host]) - taken])[0]
        for j in snapshot.storage_of(host):
            if snapshot.storage_ids[j] in storage_used_gib:
                left = int(snapshot.storage_capacity_gib[j] - snapshot.storage_held_gib[j])
                left -= storage_used_gib[snapshot.storage_ids[j]]
                self.pools.free[j] = clamped([left])[0]
        self._sum_pools(host, {snapshot.storage_class[j] for j in snapshot.storage_of(host)})
        if host in snapshot.cells:
            self._fine[host] = snapshot.fine_left(host, used)
        self.index.changed(int(position))
        self._note(host)


def _amount(need: Need, dimension: str) -> int:
    disk = sum(size for c, size in need.disks if disk_dimension(c) == dimension)
    return dict(need.ask).get(dimension, 0) + disk
