"""Hosts, their storage pools and the capacity that may be promised on them."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Text,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
    type_coerce,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import UserDefinedType

from inventory.domain.errors import Conflict, NotFound
from inventory.domain.host import (
    ADMIN_TRANSITIONS,
    AdminState,
    Host,
    HostFacts,
    Reachability,
    StorageFacts,
    StoragePool,
    told_apart,
)
from inventory.domain.ids import HostId, StoragePoolId
from inventory.domain.layout import Cell
from inventory.domain.resources import CELL_PREFIX, CPU_PREFIX
from inventory.store import bulk, changes
from inventory.store import tables as t
from inventory.store.claim_amounts import claim_amounts
from inventory.store.columns import Encoded

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
    "watts_idle",
    "watts_most",
    "dedicated_cpus",
    "shared_cpus",
    "traits",
)


#: Key of a row of capacity: a host or a storage pool, and what of it.
ProviderDimension = tuple[str, str]
_D = t.inventories.c.dimension
#: Rows that sums over a host are made of: fine dimensions are parts of others.
IS_COARSE = _D.not_like(f"{CELL_PREFIX}%") & _D.not_like(f"{CPU_PREFIX}%")


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
    #: Held for the loss of a failure domain, and for reservations: nobody else is given it.
    held_reserve: int = 0
    held_reservations: int = 0

    @property
    def held(self) -> int:
        """Return what is held of it."""
        return self.held_reserve + self.held_reservations

    @property
    def free(self) -> int:
        """Return what may still be promised; below zero where more is promised or held than there is."""
        return self.capacity - self.used - self.foreign_used - self.held


def _host(row: Row[Any]) -> Host:
    return host_of(dict(row._mapping))


def host_of(row: Mapping[str, Any]) -> Host:
    """Return the host of a row's values."""
    facts = row["facts"]
    if facts is not None:
        storage = tuple(StorageFacts(**s) for s in facts["storage"])
        facts = HostFacts(
            **{
                **facts,
                "machine_types": tuple(facts["machine_types"]),
                "service_versions": tuple(facts.get("service_versions", ())),
                "storage": storage,
                "traits": tuple(facts.get("traits", ())),
                "places": tuple(facts.get("places", ())),
                "cells": tuple(_cell(c) for c in facts.get("cells", ())),
                "lacks": tuple(facts.get("lacks", ())),
                "sizes": None if facts.get("sizes") is None else tuple(map(tuple, facts["sizes"])),
            }
        )
    return Host(
        id=row["id"],
        name=row["name"],
        pool_id=row["pool_id"],
        connection=row["connection"],
        admin_state=AdminState(row["admin_state"]),
        reachability=Reachability(row["reachability"]),
        state_reason=row["state_reason"],
        state_by=row["state_by"],
        state_until_s=row["state_until_s"],
        facts=facts,
        observed_at_s=int(row["observed_at_s"]) if row["observed_at_s"] is not None else None,
        unreachable_since_s=row["unreachable_since_s"],
        loss_begun_s=row["loss_begun_s"],
        home_id=row["home_id"],
        revision=row["revision"],
        **{**row["operator_facts"], "traits": tuple(row["operator_facts"].get("traits", ()))},
    )


def _cell(data: Mapping[str, Any]) -> Cell:
    return Cell(**{**data, "huge_mib": tuple((kib, mib) for kib, mib in data["huge_mib"])})


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
        "is_limited": host_.facts is not None and host_.facts.is_limited,
        "facts": asdict(host_.facts) if host_.facts else None,
        "operator_facts": {name: _plain(getattr(host_, name)) for name in _OPERATOR_FACTS},
        "observed_at_s": host_.observed_at_s,
        "unreachable_since_s": host_.unreachable_since_s if host_.reachability is Reachability.UNREACHABLE else None,
        "loss_begun_s": host_.loss_begun_s,
        "home_id": host_.home_id,
        "revision": host_.revision,
    }
    before = changes.row_before(connection, t.hosts, values)
    bulk.upsert(connection, t.hosts, [values])
    changes.note(connection, None, before)


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def set_admin_state(
    connection: Connection,
    host_id: HostId,
    to: AdminState,
    *,
    reason: str,
    by: str,
    until_s: int | None,
    loss_begun_s: float | None = None,
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
    told = {"admin_state": to.value, "state_reason": reason, "state_by": by, "state_until_s": until_s}
    is_known = (t.hosts.c.id == now.id) & (t.hosts.c.revision == now.revision)
    statement = update(t.hosts).where(is_known)
    statement = statement.values({**told, "loss_begun_s": loss_begun_s, "revision": t.hosts.c.revision + 1})
    if connection.execute(statement).rowcount != 1:
        raise Conflict("host.changed_meanwhile", host=now.name)
    changes.note(connection, None, {"rows": {"hosts": {now.id: {"admin_state": now.admin_state.value}}}})
    return host(connection, now.id)


def overdue(connection: Connection, now_s: float) -> list[Host]:
    """Return the hosts whose admin state was to last until a time that has passed, by id."""
    statement = select(t.hosts).where(t.hosts.c.state_until_s <= now_s).order_by(t.hosts.c.id)
    return [_host(r) for r in connection.execute(statement)]


def set_reachability(connection: Connection, host_id: HostId, to: Reachability, now_s: float) -> bool:
    """Note what was seen of a host; tells whether that is news."""
    h = t.hosts.c
    before = connection.execute(select(h.reachability).where(h.id == host_id, h.reachability != to.value).with_for_update())
    known = before.scalar()
    if known is None:
        return False
    since_s = now_s if to is Reachability.UNREACHABLE else None
    connection.execute(update(t.hosts).where(h.id == host_id).values(reachability=to.value, unreachable_since_s=since_s))
    changes.note(connection, None, {"rows": {"hosts": {host_id: {"reachability": known}}}})
    return True


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
    statement = _claim_observations(bulk.is_postgresql(connection))
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


def note_observed(connection: Connection, looks: Mapping[HostId, float]) -> None:
    """Say when the last look at each of these hosts began."""
    statement = update(t.hosts).where(t.hosts.c.id == bindparam("of")).values(observed_at_s=bindparam("at"))
    connection.execute(statement, [{"of": host_id, "at": at_s} for host_id, at_s in sorted(looks.items())])


def schedule_observation(
    connection: Connection, host_ids: Iterable[HostId], at_s: float, *, observed_at_s: float | None = None
) -> None:
    """Say when these hosts are looked at next, and when they were last seen."""
    values: dict[str, Any] = {"next_observation_s": at_s}
    if observed_at_s is not None:
        values["observed_at_s"] = observed_at_s
    connection.execute(update(t.hosts).where(t.hosts.c.id.in_(list(host_ids))).values(**values))


def storage_pools(connection: Connection, host_id: HostId | None = None) -> list[StoragePool]:
    """Return every storage pool, or those of a host, by id."""
    statement = select(t.storage_pools).order_by(t.storage_pools.c.id)
    if host_id is not None:
        statement = statement.where(t.storage_pools.c.host_id == host_id)
    return [StoragePool(**r._mapping) for r in connection.execute(statement)]


_DISK_CLASSES = (
    select(t.storage_pools.c.disk_class, t.storage_pools.c.roots_only).distinct().order_by(t.storage_pools.c.disk_class)
)


def disk_classes(connection: Connection) -> dict[str, bool]:
    """Return the classes of all storage pools, and whether any pool of a class takes root disks only."""
    found: dict[str, bool] = {}
    for disk_class, roots_only in connection.execute(_DISK_CLASSES):
        found[disk_class] = found.get(disk_class, False) or bool(roots_only)
    return found


def otherwise_kept(connection: Connection, storage: StoragePool) -> str | None:
    """Return the name of another host, read and in the inventory, whose storage pools of that class take other disks; or None."""
    pools, h = t.storage_pools.c, t.hosts.c
    is_other = (pools.host_id != storage.host_id) & (pools.disk_class == storage.disk_class)
    is_known = h.facts.is_not(None) & (h.admin_state != AdminState.RETIRED.value)
    statement = select(h.name).join(t.storage_pools, pools.host_id == h.id).order_by(h.name).limit(1)
    name: str | None = connection.execute(statement.where(is_other, is_known, pools.roots_only != storage.roots_only)).scalar()
    return name


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
    values = asdict(storage)
    before = changes.row_before(connection, t.storage_pools, values)
    bulk.upsert(connection, t.storage_pools, [values])
    changes.note(connection, None, before)


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


def try_use(
    connection: Connection, amounts: Mapping[ProviderDimension, int], difference: changes.Difference | Encoded | None = None
) -> list[ProviderDimension]:
    """Promise capacity: last check and write of every row in one statement.

    ``difference`` tells the same of several orders, one after the other. Returns what was refused: it does not fit, or the
    host takes nothing new. Then nothing is promised.
    """
    if not amounts:
        return []
    given, values = _locked(connection, amounts)
    held = connection.execute(_try_use(given), values).all()
    if len(held) == len(amounts):
        changes.note(connection, {host_id for _, _, host_id in held}, difference or changes.used(amounts))
        return []
    kept = {(provider_id, dimension): amounts[provider_id, dimension] for provider_id, dimension, _ in held}
    _undo(connection, kept)
    return sorted(amounts.keys() - kept.keys())


def _undo(connection: Connection, amounts: Mapping[ProviderDimension, int]) -> None:
    """Take back what this transaction has just promised and not noted yet: its rows are still locked."""
    if amounts:
        given, values = _locked(connection, amounts)
        connection.execute(_give_back(given), values)


def give_back(connection: Connection, amounts: Mapping[ProviderDimension, int]) -> None:
    """Return promised capacity; the check constraint refuses to go below zero."""
    if not amounts:
        return
    given, values = _locked(connection, amounts)
    freed = connection.execute(_give_back(given), values)
    changes.note(connection, freed.scalars(), changes.used(amounts, sign=-1))


def use_as_found(connection: Connection, amounts: Mapping[ProviderDimension, int]) -> None:
    """Count what is there anyway as promised: no room is asked for, because nothing comes that was not there before."""
    given, values = _locked(connection, amounts)
    found = connection.execute(_use(given), values)
    changes.note(connection, found.scalars(), changes.used(amounts))


def _locked(connection: Connection, amounts: Mapping[ProviderDimension, int]) -> tuple[FromClause, Mapping[str, Any]]:
    """Lock rows in their one order, so that two transactions never wait for each other in a circle.

    Returns them with the amounts given for them, to be joined with (``_is_given``), and the parameters of a statement that does.
    """
    # In any order: locks are taken in theirs by the database.
    values = bulk.given_values(connection, [(*key, amount) for key, amount in amounts.items()])
    given = bulk.given(connection)
    if not bulk.is_postgresql(connection):
        return given, values
    rows, own = connection.execute(_lock_rows(given), values).one()
    return _LOCKED, {"locked_rows": rows or "{}", "locked_amounts": own or "{}"}


class _RowPlace(UserDefinedType[str]):
    """PostgreSQL: where a row lies."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "TID"


#: Rows that are locked stay where they are: found there, they cost no second search by their keys, which is planned badly.
_PLACE = literal_column("inventories.ctid", _RowPlace())
_LOCKED = (
    func.unnest(
        cast(bindparam("locked_rows", type_=Text), ARRAY(_RowPlace())),
        cast(bindparam("locked_amounts", type_=Text), ARRAY(BigInteger)),
    )
    .table_valued(column("place", _RowPlace()), "amount", name="given", joins_implicitly=True)
    .render_derived()
)


@cache
def _lock_rows(given: FromClause) -> Any:
    rows = t.inventories.join(given, _is_given(given))
    order = (t.inventories.c.provider_id, t.inventories.c.dimension)
    one = select(_PLACE.label("place"), given.c.amount).select_from(rows).order_by(*order).with_for_update(of=t.inventories)
    # One text each, handed on as it comes: nobody here looks into it.
    every = one.subquery("locked")
    return select(cast(func.array_agg(every.c.place), Text), cast(func.array_agg(every.c.amount), Text))


@cache
def _try_use(given: FromClause) -> Any:
    i = t.inventories.c
    h = t.hosts.c
    # A value, not a question whether there is such a row: PostgreSQL would plan a join, which reads every host and counter.
    accepting = (
        select((h.admin_state == AdminState.ACTIVE.value) & (h.reachability == Reachability.REACHABLE.value))
        .where(h.id == i.host_id)
        .scalar_subquery()
    )
    has_room = i.used + i.foreign_used + i.held_reserve + i.held_reservations + given.c.amount <= i.capacity
    statement = update(t.inventories).where(_is_given(given), has_room, accepting).values(used=i.used + given.c.amount)
    return statement.returning(i.provider_id, i.dimension, i.host_id)


@cache
def _give_back(given: FromClause) -> Any:
    i = t.inventories.c
    return update(t.inventories).where(_is_given(given)).values(used=i.used - given.c.amount).returning(i.host_id)


@cache
def _use(given: FromClause) -> Any:
    i = t.inventories.c
    return update(t.inventories).where(_is_given(given)).values(used=i.used + given.c.amount).returning(i.host_id)


def _is_given(given: FromClause) -> ColumnElement[bool]:
    if "place" in given.c:
        return given.c.place == _PLACE
    return (t.inventories.c.provider_id == given.c.provider_id) & (t.inventories.c.dimension == given.c.dimension)


def connections(connection: Connection, host_ids: Collection[HostId]) -> dict[HostId, str]:
    """Return how these hosts are reached."""
    if not host_ids:
        return {}
    statement = select(t.hosts.c.id, t.hosts.c.connection).where(t.hosts.c.id.in_(list(host_ids)))
    return {HostId(r.id): r.connection for r in connection.execute(statement)}


def traits(connection: Connection, most: int) -> list[str]:
    """Return what hosts have by name and may be asked for (``told_apart``), each name once."""
    own, places = (
        {name for facts in _with_names(connection, given, key) for name in facts[key]}
        for given, key in ((t.hosts.c.operator_facts, "traits"), (t.hosts.c.facts, "places"))
    )
    return list(told_apart(own, places, most))


def _with_names(connection: Connection, given: Column[Any], key: str) -> Iterable[Mapping[str, Any]]:
    return connection.execute(select(given).where(type_coerce(given, Text).like(f'%"{key}":["%'))).scalars()


def confinements(connection: Connection, host_ids: Collection[HostId]) -> dict[str, str]:
    """Return the processors that ordinary machines must keep to, of those of these hosts that have such a rule."""
    if not host_ids:
        return {}
    statement = select(t.hosts.c.id, t.hosts.c.operator_facts).where(t.hosts.c.id.in_(sorted(host_ids)))
    rules = ("dedicated_cpus", "shared_cpus")
    ruled = [r.id for r in connection.execute(statement) if any(r.operator_facts.get(name) for name in rules)]
    if not ruled:
        return {}
    found = connection.execute(select(t.hosts).where(t.hosts.c.id.in_(ruled)))
    return {host_.id: host_.confined_to for host_ in map(_host, found)}


def recount_used(connection: Connection) -> list[tuple[str, str, int, int]]:
    """Return (provider, dimension, used, sum of claims) wherever the two differ."""
    c = claim_amounts(connection).c
    sums = select(c.provider_id, c.dimension, func.sum(c.amount).label("claimed")).group_by(c.provider_id, c.dimension).subquery()
    inv = t.inventories
    statement = (
        select(inv.c.provider_id, inv.c.dimension, inv.c.used, func.coalesce(sums.c.claimed, 0).label("claimed"))
        .select_from(inv.outerjoin(sums, (sums.c.provider_id == inv.c.provider_id) & (sums.c.dimension == inv.c.dimension)))
        .where(inv.c.used != func.coalesce(sums.c.claimed, 0))
    )
    return [(r.provider_id, r.dimension, r.used, int(r.claimed)) for r in connection.execute(statement)]
