"""From the database to the picture plans of moves are made on, the whole platform or what one step needs."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from sqlalchemy import Connection

from controller.moves import store as move_store
from controller.scheduling.moves.cluster import (
    DWELLING,
    Cluster,
    HostWatts,
    MachineEntry,
    ReservedPool,
    WantedEntry,
    cluster_of,
)
from controller.scheduling.reserve import Standing, offered_bits
from controller.workflows.moves.addresses import Cards
from controller.workflows.moves.bounds import MoveBounds
from controller.workflows.place import host_entries
from controller.workflows.swap import claims_of
from inventory.domain.host import Host
from inventory.domain.ids import HostId, PoolId, ResourceId, StoragePoolId, SystemId
from inventory.domain.layout import compute_of
from inventory.domain.resource import Desired, Observed, Phase, Resource, ResourceKind
from inventory.domain.resources import Resources
from inventory.domain.system import ServerSpec, SpreadLevel, System
from inventory.store import directory, hosts, resources, standby, systems


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What keeps machines where they are, beside what fits."""

    now_s: float
    #: Pools whose driver moves machines; None: not asked.
    migrating: Collection[PoolId] | None = None
    #: Cool-down and dwell; None where a move is needed (drain, repair).
    bounds: MoveBounds | None = None
    #: Machines that are nowhere yet and need room.
    wanted: Sequence[WantedEntry] = ()


def load_cluster(connection: Connection, rules: Rules) -> Cluster:
    """Return the whole platform."""
    found = resources.machines(connection)
    return _Picture(connection, rules, found).cluster(None)


def load_around(connection: Connection, rules: Rules, machine: Resource, host_ids: Collection[HostId]) -> Cluster:
    """Return one machine with its whole system, the hosts these stand on, and ``host_ids``: what one step is judged by."""
    assert machine.system_id is not None
    found = resources.machines(connection, system_id=SystemId(machine.system_id))
    wanted = {h for r in found for h in (r.host_id, r.target_host_id) if h is not None} | set(host_ids)
    return _Picture(connection, rules, found).cluster(wanted)


@dataclass(slots=True)
class _Picture:
    """Rows read once, and the entries made of them."""

    connection: Connection
    rules: Rules
    found: Sequence[Resource]
    _systems: Mapping[SystemId, System] = field(default_factory=dict)
    _zones: Mapping[str, str] = field(default_factory=dict)
    _archs: Mapping[str, str] = field(default_factory=dict)
    _volumes: Mapping[ResourceId, Resource] = field(default_factory=dict)
    _shared: Mapping[tuple[str, str], int] = field(default_factory=dict)
    _pool_of: Mapping[HostId, PoolId] = field(default_factory=dict)
    #: Host -> home, and how many hosts share each.
    _home_of: Mapping[HostId, HostId] = field(default_factory=dict)
    _home_sizes: Mapping[HostId, int] = field(default_factory=dict)
    #: For plans; a step finds out when it asks for the address.
    _cards: Cards | None = None
    _moved_s: Mapping[ResourceId, float] = field(default_factory=dict)

    def cluster(self, host_ids: Collection[HostId] | None) -> Cluster:
        """Return the picture of these hosts (all for None) and the machines found."""
        every = hosts.hosts(self.connection)
        self._home_of = {h.id: h.home for h in every}
        self._home_sizes = Counter(self._home_of.values())
        wanted = [h for h in every if host_ids is None or h.id in host_ids]
        rows = hosts.inventories_of(self.connection, [h.id for h in wanted])
        entries = list(host_entries(self.connection, wanted, chain.from_iterable(rows.values())))
        machines = [r for r in self.found if r.kind is ResourceKind.INSTANCE]
        self._systems = systems.by_ids(self.connection, sorted({SystemId(m.system_id) for m in machines if m.system_id}))
        zones = {z.code: z for z in directory.zones(self.connection)}
        self._zones = {code: zone.id for code, zone in zones.items()}
        if host_ids is None:
            self._cards = Cards(zones)
        self._archs = {image.name: image.arch for image in directory.images(self.connection)}
        self._volumes = {r.id: r for r in self.found if r.kind is ResourceKind.VOLUME}
        self._shared = Counter((str(m.system_id), network) for m in machines for network in {n.network for n in m.instance.nics})
        self._pool_of = {e.host.id: e.pool.id for e in entries}
        if self.rules.bounds is not None:
            self._moved_s = move_store.last_moved_s(self.connection, self.rules.now_s - self.rules.bounds.cool_down_s)
        watts = {e.host.id: HostWatts(idle=e.host.watts_idle, most=e.host.watts_most) for e in entries}
        placed = [entry for m in machines for entry in self._entries(m)]
        left = self._cards.left(self.connection, self.rules.now_s) if self._cards is not None else None
        # A step looks at a few hosts; who stands by is elsewhere.
        reserve = None if host_ids is None else _reserve(self.connection, every)
        cluster = cluster_of(entries, placed, watts, left, self.rules.wanted, reserve)
        return replace(cluster, reserved=_reserved(self.connection, self.found)) if host_ids is None else cluster

    def _entries(self, machine: Resource) -> Iterator[MachineEntry]:
        entry = self._entry(machine)
        yield entry
        if machine.target_host_id is not None:
            # It counts for its group where it goes, too; what it takes there is claimed already.
            yield MachineEntry(
                id=ResourceId(f"{machine.id}+"),
                name=entry.name,
                host_id=machine.target_host_id,
                compute=Resources.of(),
                zone_id=entry.zone_id,
                mlps_level=entry.mlps_level,
                group=entry.group,
                spread=entry.spread,
                spread_is_hard=entry.spread_is_hard,
                most_per_domain=entry.most_per_domain,
                is_kept_together=entry.is_kept_together,
                stays="moves.on_its_way",
            )

    def _entry(self, machine: Resource) -> MachineEntry:
        assert machine.host_id is not None
        system = self._systems[SystemId(str(machine.system_id))]
        server = next((s for s in system.spec.servers if s.name == machine.instance.group), None)
        spec = machine.instance
        return MachineEntry(
            id=machine.id,
            name=f"{system.name}/{machine.name}",
            host_id=machine.host_id,
            compute=compute_of(spec.vcpu_count, spec.memory_mib, spec.layout),
            disks=tuple(self._disks(machine)),
            zone_id=self._zones.get(system.spec.zone, ""),
            mlps_level=system.spec.mlps_level,
            arch=self._arch(server),
            system_id=system.id,
            group=f"{system.id}/{spec.group}" if server is not None and server.spread is not SpreadLevel.NONE else "",
            spread=server.spread if server is not None else SpreadLevel.NONE,
            spread_is_hard=server.spread_is_hard if server is not None else False,
            most_per_domain=server.spread_max if server is not None else 1,
            is_kept_together=server.is_together if server is not None else False,
            stays=self._stays(machine),
            seat=spec.seat,
            traits=server.traits if server is not None else (),
            cards=self._cards.of(machine, system.spec.zone) if self._cards is not None else (),
            is_homebound=self._shares_network(machine),
        )

    def _arch(self, server: ServerSpec | None) -> str:
        if server is None:
            return "any"
        return server.arch if server.arch != "any" else self._archs.get(server.image, "any")

    def _disks(self, machine: Resource) -> Iterator[tuple[str, int, StoragePoolId]]:
        spec = machine.instance
        yield spec.root_disk_class, spec.root_disk_gib, StoragePoolId(spec.storage_pool_id)
        for disk in sorted(spec.disks, key=lambda d: d.name):
            volume = self._volumes[disk.volume_id].volume
            yield volume.disk_class, volume.size_gib, StoragePoolId(volume.storage_pool_id)

    def _stays(self, machine: Resource) -> str:
        """Return why a machine stays where it is, empty where it may move."""
        reasons = (
            (machine.target_host_id is not None, "moves.on_its_way"),
            (not self._is_offered(machine), "moves.not_offered"),
            (machine.desired is not Desired.RUNNING or machine.observed is not Observed.RUNNING, "moves.not_running"),
            (not is_at_rest(machine) or not all(is_at_rest(v) for v in self._own_volumes(machine)), "moves.not_settled"),
            (self._shares_network(machine) and not self._has_wide_home(machine), "moves.shares_network"),
            (machine.id in self._moved_s, "moves.cooling"),
            (self._is_young(machine), DWELLING),
            (machine.instance.seat is not None and self.rules.bounds is not None, "moves.seated"),
        )
        return next((reason for is_so, reason in reasons if is_so), "")

    def _shares_network(self, machine: Resource) -> bool:
        return any(self._shared[str(machine.system_id), n.network] > 1 for n in machine.instance.nics)

    def _has_wide_home(self, machine: Resource) -> bool:
        """Tell whether other hosts share the home of a machine's host: to those it may go with its networks."""
        assert machine.host_id is not None
        return self._home_sizes[self._home_of[machine.host_id]] > 1

    def _is_offered(self, machine: Resource) -> bool:
        assert machine.host_id is not None
        return self.rules.migrating is None or self._pool_of.get(machine.host_id) in self.rules.migrating

    def _own_volumes(self, machine: Resource) -> list[Resource]:
        return [self._volumes[d.volume_id] for d in machine.instance.disks if d.volume_id in self._volumes]

    def _is_young(self, machine: Resource) -> bool:
        bounds = self.rules.bounds
        return bounds is not None and machine.created_at_s > self.rules.now_s - bounds.dwell_s


def _reserve(connection: Connection, every: Sequence[Host]) -> Mapping[HostId, int]:
    """Return what the reserve means on each host for groups, by where all hosts are and who stands by."""
    pools = {p.id: p for p in directory.pools(connection)}
    standing = standby.standing_by(connection)
    bits = offered_bits([Standing(h, pools[h.pool_id], h.id in standing) for h in every])
    return {h.id: of_host for h, of_host in zip(every, bits, strict=True)}


def _reserved(connection: Connection, found: Sequence[Resource]) -> tuple[ReservedPool, ...]:
    """Return the pools with a reserve without these machines and disks, which a plan may move."""
    leaving: Counter[tuple[str, str]] = Counter()
    for claim in chain.from_iterable(map(claims_of, found)):
        leaving[claim.provider_id, claim.dimension] += claim.amount
    pools = standby.reserved_without(connection, leaving)
    return tuple(ReservedPool(reserve=pool.reserve, hosts=tuple(hosts_)) for pool, hosts_ in pools)


def is_at_rest(resource: Resource) -> bool:
    """Tell whether a resource is as wanted and nobody has anything to do to it."""
    return resource.phase is Phase.SETTLED and resource.generation == resource.settled_generation
