"""The platform's capacity as a controller keeps it in memory: loaded once, then following what changed.

Decisions are made on it and taken from it at once, so that the next decision sees them. It may be late, never wrong: the
guarded updates of the commit judge every promise. What a decision took is read again before the next ones, unless just that
was written and is known to be committed.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from controller.scheduling.decide import place_on
from controller.scheduling.fleet import Fleet
from controller.scheduling.loading import EngineLoader
from controller.scheduling.policy import Policy
from controller.scheduling.snapshot import Snapshot
from controller.workflows.address_rooms import AddressRooms
from controller.workflows.place import load_snapshot
from inventory.domain.ids import HostId, StoragePoolId
from inventory.domain.placement import UNEXPLAINED, Placement, PlacementRequest, Refusal
from inventory.domain.resources import DISK_PREFIX
from inventory.store import changes, hosts


class Picture:
    """See the module. Used by one thread at a time, from ``follow`` to the end of its transaction."""

    def __init__(self, engines: EngineLoader | None = None) -> None:
        self._engines = engines or EngineLoader()
        self._fleet: Fleet | None = None
        self._mark = changes.Mark()
        #: Decisions that were taken from it since it followed the database.
        self._taken: list[Placement] = []
        #: What this transaction wrote of them, once it commits: the mark after it, and decisions that came to nothing.
        self._written: tuple[changes.Mark, list[Placement]] | None = None
        #: Provider (host or storage pool) -> index of its host; made when first asked for.
        self._host_of: dict[str, int] = {}
        #: What is left of addresses beside it.
        self.addresses = AddressRooms()
        #: Times everything was read.
        self.loads = 0

    def follow(self, connection: Connection) -> None:
        """Take over what changed since the last time; reads everything the first time."""
        fleet, self._fleet = self._fleet, None
        changed: frozenset[HostId] | None = None
        if fleet is not None:
            news = changes.since(connection, self._mark)
            if not news.is_everything:
                changed = news.host_ids | _hosts(self._taken)
                _read_again(connection, fleet, changed)
                self._fleet, self._mark = fleet, news.mark
        if self._fleet is None:
            self._mark = changes.mark_now(connection)
            self._fleet = Fleet(load_snapshot(connection, revision=self._mark.text))
            self._host_of = {}
            self.loads += 1
        self.addresses.follow(None if changed is None else _homes(self._fleet.snapshot, changed))
        self._fleet.revision = self._mark.text
        self._fleet.use(self._engines.engine(self._fleet.snapshot.host_count))
        self._taken, self._written = [], None

    @property
    def snapshot(self) -> Snapshot:
        """Return the picture as it is now."""
        return self._known().to_snapshot(self._mark.text)

    def _known(self) -> Fleet:
        assert self._fleet is not None, "followed before it is used"
        return self._fleet

    def decide(self, request: PlacementRequest, policy: Policy) -> Placement | Refusal:
        """Decide, and take what was placed; a refusal is not explained, for others wait."""
        fleet = self._known()
        decision = place_on(request, fleet, policy)
        if decision is None:
            return UNEXPLAINED
        fleet.keep()
        self._taken.append(decision)
        return decision

    def written(self, connection: Connection, kept: Sequence[Placement]) -> None:
        """Note which decisions this transaction wrote: all of them that count against capacity, and nothing else that does."""
        own = changes.own(connection)
        hosts_kept = _hosts(kept)
        if any(host_ids is None or not host_ids <= hosts_kept for host_ids in own.values()):
            return
        ids = {id(placement) for placement in kept}
        self._written = changes.knowing(self._mark, own.keys()), [p for p in self._taken if id(p) not in ids]

    def committed(self) -> None:
        """Go on from what was written, without reading it again: the transaction that ``written`` spoke of is durable."""
        if self._written is not None:
            self._mark, self._taken = self._written
            self._written = None

    def host_name(self, provider_id: str) -> str:
        """Return the host that is or has a provider of capacity; empty where it is in the picture no more."""
        snapshot = self._known().snapshot
        if provider_id not in self._host_of:
            owners = {j: host for host in range(snapshot.host_count) for j in snapshot.storage_of(host)}
            self._host_of = {str(snapshot.storage_ids[j]): host for j, host in owners.items()}
            self._host_of |= {str(host_id): host for host_id, host in snapshot.index_of.items()}
        host = self._host_of.get(provider_id)
        return "" if host is None else snapshot.host_names[host]


def _hosts(placements: Iterable[Placement]) -> set[HostId]:
    return {place.host_id for placement in placements for place in placement.members}


def _homes(snapshot: Snapshot, host_ids: Iterable[HostId]) -> Iterable[HostId]:
    """Return what segments of these hosts stand on."""
    if not snapshot.homes:
        return host_ids
    return {snapshot.home_of(snapshot.index_of[h]) for h in host_ids if h in snapshot.index_of}


def _read_again(connection: Connection, fleet: Fleet, host_ids: Iterable[HostId]) -> None:
    known = [h for h in host_ids if h in fleet.snapshot.index_of]
    for host_id, rows in hosts.inventories_of(connection, known).items() if known else ():
        own = [r for r in rows if not _is_disk(r)]
        fleet.set_used(
            host_id,
            used={r.dimension: r.used for r in own},
            foreign={r.dimension: r.foreign_used for r in own},
            storage_used_gib={StoragePoolId(r.provider_id): r.used + r.foreign_used for r in rows if _is_disk(r)},
        )


def _is_disk(row: hosts.InventoryRow) -> bool:
    return row.dimension.startswith(DISK_PREFIX)
