"""Hosts, their storage pools and the capacity that may be promised on them."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, update

from inventory.domain.errors import Conflict, NotFound
from inventory.domain.host import (
    ADMIN_TRANSITIONS,
    AdminState,
    ForeignDomain,
    Host,
    HostFacts,
    Pool,
    Reachability,
    StorageFacts,
    StoragePool,
)
from inventory.domain.ids import HostId, StoragePoolId
from inventory.domain.resources import MEMORY_MIB, VCPU, capacity, disk_dimension
from inventory.store import tables as t
from inventory.store.directory import upsert

_OPERATOR_FACTS = (
    "site",
    "room",
    "rack",
    "vendor",
    "owner",
    "warranty_until",
    "reserved",
    "capacity_override",
    "overcommit_permille",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryRow:
    """Capacity and use of one dimension of one provider."""

    provider_id: str
    dimension: str
    host_id: HostId
    capacity: int
    total: int
    used: int
    foreign_used: int


def _host(row: Row[Any]) -> Host:
    facts = row.facts
    if facts is not None:
        storage = tuple(StorageFacts(**s) for s in facts["storage"])
        facts = HostFacts(**{**facts, "machine_types": tuple(facts["machine_types"]), "storage": storage})
    return Host(
        id=row.id,
        name=row.name,
        pool_id=row.pool_id,
        connection=row.connection,
        admin_state=AdminState(row.admin_state),
        reachability=Reachability(row.reachability),
        state_reason=row.state_reason,
        state_by=row.state_by,
        state_until_s=row.state_until_s,
        facts=facts,
        observed_at_s=int(row.observed_at_s) if row.observed_at_s is not None else None,
        revision=row.revision,
        **row.operator_facts,
    )


def hosts(connection: Connection) -> list[Host]:
    """Return every host, by id."""
    return [_host(r) for r in connection.execute(select(t.hosts).order_by(t.hosts.c.id))]


def host(connection: Connection, host_id: str, *, lock: bool = False) -> Host:
    """Return one host by id or name; ``lock`` keeps other writers off it until the end of the transaction.

    Raises:
        NotFound: ``host.not_found``.
    """
    statement = select(t.hosts).where((t.hosts.c.id == host_id) | (t.hosts.c.name == host_id))
    row = connection.execute(statement.with_for_update() if lock else statement).first()
    if row is None:
        raise NotFound("host.not_found", host=host_id)
    return _host(row)


def page(connection: Connection, *, limit: int, after: str = "", pool_id: str = "") -> list[Host]:
    """Return up to ``limit`` hosts with an id greater than ``after``."""
    statement = select(t.hosts).where(t.hosts.c.id > after).order_by(t.hosts.c.id).limit(limit)
    if pool_id:
        statement = statement.where(t.hosts.c.pool_id == pool_id)
    return [_host(r) for r in connection.execute(statement)]


def names(connection: Connection, host_ids: Iterable[HostId]) -> dict[HostId, str]:
    """Return the names of these hosts; unknown ones are left out."""
    wanted = sorted(set(host_ids))
    if not wanted:
        return {}
    rows = connection.execute(select(t.hosts.c.id, t.hosts.c.name).where(t.hosts.c.id.in_(wanted)))
    return {HostId(r.id): r.name for r in rows}


def save_host(connection: Connection, host_: Host) -> None:
    """Write a host's own record (not its capacity: see ``save_capacity``)."""
    values = {
        "id": host_.id,
        "name": host_.name,
        "pool_id": host_.pool_id,
        "connection": host_.connection,
        "admin_state": host_.admin_state.value,
        "reachability": host_.reachability.value,
        "state_reason": host_.state_reason,
        "state_by": host_.state_by,
        "state_until_s": host_.state_until_s,
        "facts": asdict(host_.facts) if host_.facts else None,
        "operator_facts": {name: _plain(getattr(host_, name)) for name in _OPERATOR_FACTS},
        "observed_at_s": host_.observed_at_s,
        "revision": host_.revision,
    }
    upsert(connection, t.hosts, values)


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def set_admin_state(
    connection: Connection, host_id: HostId, to: AdminState, *, reason: str, by: str, until_s: int | None
) -> Host:
    """Move a host to another admin state.

    Raises:
        NotFound: ``host.not_found``.
        Conflict: ``host.state_forbids``, or ``host.changed_meanwhile``.
    """
    now = host(connection, host_id)
    if to not in ADMIN_TRANSITIONS[now.admin_state]:
        allowed = ", ".join(sorted(s.value for s in ADMIN_TRANSITIONS[now.admin_state]))
        raise Conflict("host.state_forbids", host=now.name, state=now.admin_state.value, wanted=to.value, allowed=allowed)
    statement = (
        update(t.hosts)
        .where(t.hosts.c.id == now.id, t.hosts.c.revision == now.revision)
        .values(admin_state=to.value, state_reason=reason, state_by=by, state_until_s=until_s, revision=t.hosts.c.revision + 1)
    )
    if connection.execute(statement).rowcount != 1:
        raise Conflict("host.changed_meanwhile", host=now.name)
    return host(connection, now.id)


def set_reachability(connection: Connection, host_id: HostId, to: Reachability) -> bool:
    """Note what was seen of a host; tells whether that is news."""
    statement = update(t.hosts).where(t.hosts.c.id == host_id, t.hosts.c.reachability != to.value).values(reachability=to.value)
    return connection.execute(statement).rowcount == 1


def due_for_observation(connection: Connection, now_s: float, limit: int) -> list[Host]:
    """Return hosts to look at, the longest waiting first; retired ones are left alone."""
    statement = (
        select(t.hosts)
        .where(t.hosts.c.next_observation_s <= now_s, t.hosts.c.admin_state != AdminState.RETIRED.value)
        .order_by(t.hosts.c.next_observation_s)
        .limit(limit)
    )
    return [_host(r) for r in connection.execute(statement)]


def claim_observations(connection: Connection, *, now_s: float, period_s: float, limit: int) -> list[HostId]:
    """Take hosts that are due to be looked at, for one controller of several; retired ones are left alone."""
    statement = _claim_observations(connection.dialect.name == "postgresql")
    values = {"now_s": now_s, "next_s": now_s + period_s, "most": limit}
    return sorted(HostId(i) for i in connection.execute(statement, values).scalars())


_OBSERVABLE = (t.hosts.c.next_observation_s <= bindparam("now_s")) & (t.hosts.c.admin_state != AdminState.RETIRED.value)
_ANY_OBSERVABLE = select(t.hosts.c.id).where(_OBSERVABLE).limit(1)


@cache
def _claim_observations(is_postgresql: bool) -> Any:
    h = t.hosts.c
    due = select(h.id).where(_OBSERVABLE).order_by(h.next_observation_s, h.id).limit(bindparam("most"))
    chosen = h.id.in_(due.with_for_update(skip_locked=True) if is_postgresql else due.scalar_subquery())
    return update(t.hosts).where(chosen).values(next_observation_s=bindparam("next_s")).returning(h.id)


def is_any_observation_due(connection: Connection, now_s: float) -> bool:
    """Tell whether ``claim_observations`` would find something."""
    return connection.execute(_ANY_OBSERVABLE, {"now_s": now_s}).first() is not None


def note_observed(connection: Connection, host_ids: Iterable[HostId], at_s: float) -> None:
    """Say when these hosts were last seen."""
    connection.execute(update(t.hosts).where(t.hosts.c.id.in_(list(host_ids))).values(observed_at_s=at_s))


def schedule_observation(
    connection: Connection, host_ids: Iterable[HostId], at_s: float, *, observed_at_s: float | None = None
) -> None:
    """Say when these hosts are looked at next, and when they were last seen."""
    values: dict[str, Any] = {"next_observation_s": at_s}
    if observed_at_s is not None:
        values["observed_at_s"] = observed_at_s
    connection.execute(update(t.hosts).where(t.hosts.c.id.in_(list(host_ids))).values(**values))


def storage_pools(connection: Connection) -> list[StoragePool]:
    """Return every storage pool, by id."""
    return [StoragePool(**r._mapping) for r in connection.execute(select(t.storage_pools).order_by(t.storage_pools.c.id))]


def storage_pool(connection: Connection, storage_pool_id: StoragePoolId | str) -> StoragePool:
    """Return one storage pool.

    Raises:
        NotFound: ``storage_pool.not_found``.
    """
    row = connection.execute(select(t.storage_pools).where(t.storage_pools.c.id == storage_pool_id)).one_or_none()
    if row is None:
        raise NotFound("storage_pool.not_found", storage_pool=storage_pool_id)
    return StoragePool(**row._mapping)


def save_storage_pool(connection: Connection, storage: StoragePool) -> None:
    """Write a storage pool."""
    upsert(connection, t.storage_pools, asdict(storage))


def inventories(connection: Connection) -> list[InventoryRow]:
    """Return capacity and use of every provider."""
    rows = connection.execute(select(t.inventories).order_by(t.inventories.c.provider_id, t.inventories.c.dimension))
    return [InventoryRow(**r._mapping) for r in rows]


def inventories_of(connection: Connection, host_ids: Iterable[HostId]) -> dict[HostId, list[InventoryRow]]:
    """Return capacity and use of these hosts and their storage pools, by host."""
    wanted = sorted(set(host_ids))
    found: dict[HostId, list[InventoryRow]] = {host_id: [] for host_id in wanted}
    statement = select(t.inventories).where(t.inventories.c.host_id.in_(wanted))
    for row in connection.execute(statement.order_by(t.inventories.c.provider_id, t.inventories.c.dimension)):
        found[HostId(row.host_id)].append(InventoryRow(**row._mapping))
    return found


def host_totals(host_: Host) -> Mapping[str, int]:
    """Return the physical amounts of a host: the operator's word where given, else what the driver read."""
    facts = host_.facts
    seen = {VCPU: facts.cpu_count, MEMORY_MIB: facts.memory_mib} if facts else {VCPU: 0, MEMORY_MIB: 0}
    return {**seen, **host_.capacity_override}


def save_capacity(connection: Connection, host_: Host, pool: Pool, storage: Iterable[StoragePool]) -> None:
    """Write what may be promised on a host and its storage pools; ``used`` stays as it is."""
    for dimension, total in host_totals(host_).items():
        permille = host_.overcommit_permille.get(dimension, pool.overcommit_permille.get(dimension, 1000))
        room = capacity(total=total, reserved=host_.reserved.get(dimension, 0), overcommit_permille=permille)
        _save_inventory(connection, host_.id, dimension, host_.id, total=total, room=room)
    sizes_gib = {s.name: s.capacity_gib for s in host_.facts.storage} if host_.facts else {}
    for pool_ in storage:
        dimension = disk_dimension(pool_.disk_class)
        total = host_.capacity_override.get(dimension, sizes_gib.get(pool_.name, 0))
        reserved = host_.reserved.get(dimension, 0)
        room = capacity(total=total, reserved=reserved, overcommit_permille=pool_.overcommit_permille)
        _save_inventory(connection, pool_.id, dimension, host_.id, total=total, room=room)


def _save_inventory(connection: Connection, provider_id: str, dimension: str, host_id: HostId, *, total: int, room: int) -> None:
    key = (t.inventories.c.provider_id == provider_id) & (t.inventories.c.dimension == dimension)
    if connection.execute(update(t.inventories).where(key).values(total=total, capacity=room)).rowcount == 0:
        connection.execute(
            t.inventories.insert().values(
                provider_id=provider_id, dimension=dimension, host_id=host_id, total=total, capacity=room, used=0, foreign_used=0
            )
        )


def foreign_domains(connection: Connection, host_id: HostId | None = None) -> list[ForeignDomain]:
    """Return the guests we did not make, on one host or everywhere."""
    statement = select(t.foreign_domains).order_by(t.foreign_domains.c.host_id, t.foreign_domains.c.uuid)
    if host_id is not None:
        statement = statement.where(t.foreign_domains.c.host_id == host_id)
    fields = ("host_id", "uuid", "name", "vcpu_count", "memory_mib", "is_running")
    return [ForeignDomain(**{f: getattr(r, f) for f in fields}) for r in connection.execute(statement)]


def save_foreign(connection: Connection, host_id: HostId, found: Iterable[ForeignDomain], now_s: float) -> None:
    """Replace the list of foreign guests of a host and count the running ones against its capacity."""
    table = t.foreign_domains
    known = {r.uuid: r.first_seen_s for r in connection.execute(select(table).where(table.c.host_id == host_id))}
    connection.execute(table.delete().where(table.c.host_id == host_id))
    now = list(found)
    if now:
        connection.execute(table.insert(), [{**asdict(f), "first_seen_s": known.get(f.uuid, now_s)} for f in now])
    # A stopped foreign guest may be started at any moment by its owner: its memory is not ours to promise.
    totals = {VCPU: sum(f.vcpu_count for f in now), MEMORY_MIB: sum(f.memory_mib for f in now)}
    for dimension, amount in totals.items():
        connection.execute(
            update(t.inventories)
            .where(t.inventories.c.provider_id == host_id, t.inventories.c.dimension == dimension)
            .values(foreign_used=amount)
        )


def try_use(connection: Connection, provider_id: str, dimension: str, amount: int) -> bool:
    """Promise capacity: last check and write in one statement. False: it does not fit, or the host takes nothing new."""
    table = t.inventories
    accepting = (
        select(t.hosts.c.id)
        .where(
            t.hosts.c.id == table.c.host_id,
            t.hosts.c.admin_state == AdminState.ACTIVE.value,
            t.hosts.c.reachability == Reachability.REACHABLE.value,
        )
        .exists()
    )
    statement = (
        update(table)
        .where(
            table.c.provider_id == provider_id,
            table.c.dimension == dimension,
            table.c.used + table.c.foreign_used + amount <= table.c.capacity,
            accepting,
        )
        .values(used=table.c.used + amount)
    )
    return connection.execute(statement).rowcount == 1


def give_back(connection: Connection, provider_id: str, dimension: str, amount: int) -> None:
    """Return promised capacity; the check constraint refuses to go below zero."""
    table = t.inventories
    statement = (
        update(table)
        .where(table.c.provider_id == provider_id, table.c.dimension == dimension)
        .values(used=table.c.used - bindparam("amount"))
    )
    connection.execute(statement, {"amount": amount})


def recount_used(connection: Connection) -> list[tuple[str, str, int, int]]:
    """Return (provider, dimension, used, sum of claims) wherever the two differ."""
    sums = (
        select(t.claims.c.provider_id, t.claims.c.dimension, func.sum(t.claims.c.amount).label("claimed"))
        .group_by(t.claims.c.provider_id, t.claims.c.dimension)
        .subquery()
    )
    inv = t.inventories
    statement = (
        select(inv.c.provider_id, inv.c.dimension, inv.c.used, func.coalesce(sums.c.claimed, 0).label("claimed"))
        .select_from(inv.outerjoin(sums, (sums.c.provider_id == inv.c.provider_id) & (sums.c.dimension == inv.c.dimension)))
        .where(inv.c.used != func.coalesce(sums.c.claimed, 0))
    )
    return [(r.provider_id, r.dimension, r.used, int(r.claimed)) for r in connection.execute(statement)]
