"""Hosts: enrolled from what the driver reads and what only the operator knows, read again, moved between admin states.

The API and ``allot host`` call it. A driver is asked before the transaction, never inside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from sqlalchemy import Connection

from controller.identity.caller import Caller
from controller.scheduling.columns import TRAITS_MAX
from controller.workflows.platform import Platform
from controller.workflows.sealing import seal
from drivers.protocol import ComputeDriver
from inventory.domain.errors import Conflict, Invalid, NotFound
from inventory.domain.host import AdminState, Host, HostFacts, Pool, Reachability, StoragePool
from inventory.domain.ids import HostId, StoragePoolId
from inventory.domain.layout import cores_of, cpus_text, read_cpus
from inventory.domain.resources import DISK_PREFIX, MEMORY_MIB, VCPU, is_fine
from inventory.store import capacities, directory, homes, standby
from inventory.store import hosts as host_store

#: States in which a host may be given guests, or keep those it has.
_IN_SERVICE = frozenset({AdminState.ACTIVE})


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageRequest:
    """A storage pool of the back end, and the class of disk it is to hold."""

    name: str
    disk_class: str = "standard"
    path: str = ""
    overcommit_permille: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolRequest:
    """A host as the operator describes it; the rest is read from it."""

    name: str
    #: Code of the pool.
    pool: str
    connection: str
    #: Where the id had to be known before (the driver was opened with it).
    host_id: HostId | None = None
    site: str = ""
    room: str = ""
    rack: str = ""
    vendor: str = ""
    owner: str = ""
    warranty_until: str = ""
    #: What it draws with no load and with all of it, W; 0: not known.
    watts_idle: int = 0
    watts_most: int = 0
    reserved: Mapping[str, int] = field(default_factory=dict)
    capacity_override: Mapping[str, int] = field(default_factory=dict)
    overcommit_permille: Mapping[str, int] = field(default_factory=dict)
    storage: Sequence[StorageRequest] = ()
    #: Processors given to one machine each, and those that are shared (``0-3,8``).
    dedicated_cpus: str = ""
    shared_cpus: str = ""
    traits: Sequence[str] = ()


def pool_by_code(pools: Sequence[Pool], code: str) -> Pool:
    """Return one pool by code or id.

    Raises:
        NotFound: ``pool.not_found``.
    """
    for pool in pools:
        if code in (pool.code, pool.id):
            return pool
    raise NotFound("pool.not_found", pool=code, known=", ".join(p.code for p in pools))


def enrol(platform: Platform, request: EnrolRequest, driver: ComputeDriver, caller: Caller) -> Host:
    """Take a host into the inventory as ``enrolled``: it gets guests only after it was set ``active``.

    Raises:
        DriverFault: the host could not be read.
        Invalid: ``host.amount_invalid``, ``host.storage_missing``, ``host.storage_twice``, ``host.storage_class_mixed``,
            ``host.cpus_invalid``, ``host.cpus_overlap``, ``host.cpus_unknown``, ``host.too_many_traits``.
        NotFound: ``pool.not_found``.
        Conflict: ``host.name_taken``, ``host.connection_taken``.
    """
    check_amounts(request)
    facts = driver.inspect_host()
    check_storage(request.name, [s.name for s in request.storage], facts)
    check_processors(request, facts)
    observed_at_s = int(platform.clock())

    def unit(connection: Connection) -> Host:
        directory.lock_for_edit(connection)
        pool = pool_by_code(directory.pools(connection), request.pool)
        known = host_store.hosts(connection)
        check_is_new(known, request)
        check_traits(known, request)
        host_id = request.host_id or HostId(platform.new_id("host"))
        host = replace(
            record_of(request, host_id, pool),
            facts=facts,
            reachability=Reachability.REACHABLE,
            observed_at_s=observed_at_s,
            home_id=homes.home_for(known, pool.id, facts.network_scope),
        )
        storage = storage_read(host, storage_of(platform, request, host.id))
        check_classes(connection, host.name, storage)
        save_new(connection, host, pool, storage)
        detail = {"name": host.name, "pool": pool.code, "connection": host.connection}
        seal(connection, platform, caller, "host.enrol", host.id, detail)
        return host

    return platform.db.run(unit)


def refresh(platform: Platform, host_id: HostId | str, driver: ComputeDriver) -> Host:
    """Read what a host is again and take over what changed: its facts and what may be promised on it.

    Raises:
        DriverFault: the host could not be read.
        NotFound: ``host.not_found``.
        Invalid: ``host.storage_missing``: a registered storage pool is not there; ``host.storage_class_mixed``; nothing is
            changed then.
    """
    return _take_facts(platform, host_id, driver.inspect_host())


def refresh_changed(platform: Platform, host_id: HostId | str, driver: ComputeDriver) -> bool:
    """Read what a host is again and write it only where it is otherwise; tells whether it was.

    Raises:
        DriverFault, NotFound, Invalid: as ``refresh``.
    """
    facts = driver.inspect_host()
    with platform.db.read() as connection:
        known = host_store.host(connection, host_id).facts
    if known is not None and _lasting(known) == _lasting(facts):
        return False
    _take_facts(platform, host_id, facts)
    return True


def _lasting(facts: HostFacts) -> HostFacts:
    """Return the facts but for the room left in storage, which looks tell."""
    return replace(facts, storage=tuple(replace(s, available_gib=0) for s in facts.storage))


def _take_facts(platform: Platform, host_id: HostId | str, facts: HostFacts) -> Host:
    observed_at_s = int(platform.clock())

    def unit(connection: Connection) -> Host:
        if facts.network_scope:
            # Of two hosts of a fabric that are read at once for the first time, the second one joins the first.
            directory.lock_for_edit(connection)
        host = host_store.host(connection, host_id, lock=True)
        known = host_store.storage_pools(connection, host.id)
        check_storage(host.name, [s.name for s in known], facts)
        pool = pool_by_code(directory.pools(connection), host.pool_id)
        seen = replace(host, facts=facts, reachability=Reachability.REACHABLE, observed_at_s=observed_at_s)
        storage = storage_read(seen, known)
        check_classes(connection, host.name, storage)
        for changed in (new for new, old in zip(storage, known, strict=True) if new != old):
            host_store.save_storage_pool(connection, changed)
        seen = replace(seen, home_id=homes.home_joined(connection, seen))
        if (seen.facts, seen.home_id) != (host.facts, host.home_id):
            seen = replace(seen, revision=host.revision + 1)
        host_store.save_host(connection, seen)
        capacities.save_capacity(connection, seen, pool, storage)
        standby.renew(connection, [pool.id])
        return seen

    return platform.db.run(unit)


def set_state(
    platform: Platform,
    host_id: HostId | str,
    to: AdminState,
    caller: Caller,
    *,
    reason: str,
    until_s: int | None = None,
    base_revision: int | None = None,
) -> Host:
    """Move a host to another admin state, with who, why and until when; ``base_revision`` is the one that was read.

    Raises:
        NotFound: ``host.not_found``.
        Invalid: ``host.until_past``.
        Conflict: ``host.state_forbids``, ``host.facts_missing``, ``host.not_empty``, ``host.changed_meanwhile``.
    """
    if until_s is not None and until_s <= platform.clock():
        raise Invalid("host.until_past", until_s=until_s)

    def unit(connection: Connection) -> Host:
        before = host_store.host(connection, host_id, lock=True)
        if base_revision not in (None, before.revision):
            raise Conflict("host.changed_meanwhile", host=before.name)
        if to in _IN_SERVICE and before.facts is None:
            raise Conflict("host.facts_missing", host=before.name)
        if to is AdminState.RETIRED:
            check_empty(connection, before)
        after = host_store.set_admin_state(connection, before.id, to, reason=reason, by=caller.user_name, until_s=until_s)
        homes.hand_on(connection, [after.pool_id], platform.clock())
        standby.renew(connection, [after.pool_id])
        detail = {"from": before.admin_state.value, "to": to.value, "reason": reason, "until_s": until_s}
        seal(connection, platform, caller, "host.set_state", after.id, detail)
        return after

    return platform.db.run(unit)


def record_of(request: EnrolRequest, host_id: HostId, pool: Pool) -> Host:
    """Return the record of a host that was described and not yet read."""
    named = ("site", "room", "rack", "vendor", "owner", "warranty_until", "watts_idle", "watts_most")
    known = (*named, "reserved", "capacity_override", "overcommit_permille")
    return Host(
        id=host_id,
        name=request.name,
        pool_id=pool.id,
        connection=request.connection,
        admin_state=AdminState.ENROLLED,
        reachability=Reachability.UNKNOWN,
        **{name: getattr(request, name) for name in known},
        dedicated_cpus=cpus_text(cpus_of(request, "dedicated_cpus")),
        shared_cpus=cpus_text(cpus_of(request, "shared_cpus")),
        traits=tuple(sorted(set(request.traits))),
    )


def storage_of(platform: Platform, request: EnrolRequest, host_id: HostId) -> list[StoragePool]:
    """Return the records of a new host's storage pools."""
    return [StoragePool(id=StoragePoolId(platform.new_id("storage_pool")), host_id=host_id, **asdict(s)) for s in request.storage]


def storage_read(host: Host, storage: Sequence[StoragePool]) -> list[StoragePool]:
    """Return storage pools as what was read of the host says they are; unread, they are what they were. Pure."""
    read = {s.name: s.roots_only for s in host.facts.storage} if host.facts is not None else {}
    return [replace(s, roots_only=read.get(s.name, s.roots_only)) for s in storage]


def check_classes(connection: Connection, host: str, storage: Sequence[StoragePool]) -> None:
    """Refuse a class that takes root disks only in one place and any in another: a plan says of a class which it takes.

    Raises:
        Invalid: ``host.storage_class_mixed``.
    """
    for pool in storage:
        beside = any(s.disk_class == pool.disk_class and s.roots_only is not pool.roots_only for s in storage)
        other = host if beside else host_store.otherwise_kept(connection, pool)
        if other is not None:
            raise _mixed(host, pool, other)


def check_classes_among(kept: Mapping[tuple[str, bool], str], host: str, storage: Sequence[StoragePool]) -> None:
    """Refuse the same among hosts that come together; ``kept`` names one of them by class and whether it takes root disks only.

    Raises:
        Invalid: ``host.storage_class_mixed``.
    """
    for pool in storage:
        other = kept.get((pool.disk_class, not pool.roots_only))
        if other is not None:
            raise _mixed(host, pool, other)


def _mixed(host: str, pool: StoragePool, other: str) -> Invalid:
    return Invalid("host.storage_class_mixed", host=host, storage_pool=pool.name, disk_class=pool.disk_class, other=other)


def save_new(connection: Connection, host: Host, pool: Pool, storage: Sequence[StoragePool]) -> None:
    """Write a new host, its storage pools and what may be promised on them."""
    host_store.save_host(connection, host)
    for storage_pool in storage:
        host_store.save_storage_pool(connection, storage_pool)
    capacities.save_capacity(connection, host, pool, storage)


def check_is_new(known: Sequence[Host], request: EnrolRequest) -> None:
    """Refuse a host whose name or connection another one has.

    Raises:
        Conflict: ``host.name_taken``, ``host.connection_taken``.
    """
    for host in known:
        if host.name == request.name:
            raise Conflict("host.name_taken", host=host.name)
        # Two records of one machine would promise its capacity twice.
        if host.connection == request.connection and host.admin_state is not AdminState.RETIRED:
            raise Conflict("host.connection_taken", host=request.name, connection=request.connection, other=host.name)


def check_storage(host: str, names: Sequence[str], facts: HostFacts) -> None:
    """Refuse storage pools the back end does not have.

    Raises:
        Invalid: ``host.storage_missing``, ``host.storage_twice``.
    """
    found = [s.name for s in facts.storage]
    for position, name in enumerate(names):
        if name in names[:position]:
            raise Invalid("host.storage_twice", host=host, storage_pool=name)
        if name not in found:
            raise Invalid("host.storage_missing", host=host, storage_pool=name, known=", ".join(sorted(found)) or "—")


def cpus_of(request: EnrolRequest, field_name: str) -> frozenset[int]:
    """Return one of the two sets of processors.

    Raises:
        Invalid: ``host.cpus_invalid``.
    """
    written = getattr(request, field_name)
    try:
        return read_cpus(written)
    except ValueError as error:
        raise Invalid("host.cpus_invalid", host=request.name, field=field_name, written=written) from error


def check_processors(request: EnrolRequest, facts: HostFacts | None) -> None:
    """Refuse sets of processors that share one, or that the host does not have.

    Raises:
        Invalid: ``host.cpus_invalid``, ``host.cpus_overlap``, ``host.cpus_unknown``.
    """
    dedicated, shared = cpus_of(request, "dedicated_cpus"), cpus_of(request, "shared_cpus")
    if dedicated & shared:
        raise Invalid("host.cpus_overlap", host=request.name, cpus=cpus_text(dedicated & shared))
    if facts is None or not dedicated | shared:
        return
    known = frozenset(cpu for cell in facts.cells for core in cores_of(cell.cores) for cpu in core)
    if not dedicated | shared <= known:
        unknown, has = cpus_text((dedicated | shared) - known), cpus_text(known) or "—"
        raise Invalid("host.cpus_unknown", host=request.name, cpus=unknown, known=has)


def check_traits(known: Sequence[Host], request: EnrolRequest) -> None:
    """Refuse more different traits on the platform than placement tells apart.

    Raises:
        Invalid: ``host.too_many_traits``.
    """
    count = len({trait for host in known for trait in host.traits} | set(request.traits))
    if request.traits and count > TRAITS_MAX:
        raise Invalid("host.too_many_traits", host=request.name, count=count, highest=TRAITS_MAX)


def check_amounts(request: EnrolRequest) -> None:
    """Refuse amounts of unknown dimensions, negative ones, and an overcommit of nothing.

    Raises:
        Invalid: ``host.amount_invalid``.
    """
    least = {"reserved": 0, "capacity_override": 0, "overcommit_permille": 1}
    for name, smallest in least.items():
        for dimension, amount in getattr(request, name).items():
            if amount < smallest or not (dimension in (VCPU, MEMORY_MIB) or dimension.startswith(DISK_PREFIX)):
                raise Invalid("host.amount_invalid", host=request.name, field=name, dimension=dimension, amount=amount)
    for storage in request.storage:
        if storage.overcommit_permille < 1:
            amount = storage.overcommit_permille
            raise Invalid("host.amount_invalid", host=request.name, field="storage", dimension=storage.name, amount=amount)


def check_empty(connection: Connection, host: Host) -> None:
    """Refuse while anything is promised on a host or its storage.

    Raises:
        Conflict: ``host.not_empty``.
    """
    rows = host_store.inventories_of(connection, [host.id])[host.id]
    coarse = (r for r in rows if not is_fine(r.dimension))
    used = {r.dimension: r.used + r.held_reservations for r in coarse if r.used or r.held_reservations}
    if used:
        raise Conflict("host.not_empty", host=host.name, used=dict(sorted(used.items())))
