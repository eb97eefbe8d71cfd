"""Machines we did not make: what hosts show of them, and those of them that were taken into the books.

One that is not adopted counts as foreign against its host. One that is has a row of its own and claims like any machine of
a department; only what it has beyond its claim is foreign then. Whoever changes either calls ``recount_foreign`` with it.
What is in storage pools and not ours is told of by the pool, whosever it is, and kept so: less what adopted machines claim
there, it is foreign. Hosts that share storage are told a share of it each, and one of them bears the whole claim: what they
count together is then more than there is, never less.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Text, cast, func, or_, select, tuple_, type_coerce, update
from sqlalchemy.dialects.postgresql import JSONB

from inventory.domain.host import ForeignDisk, ForeignDomain
from inventory.domain.ids import PREFIXES, HostId, ResourceId, SystemId
from inventory.domain.resource import Phase, Resource, ResourceKind
from inventory.domain.resources import MEMORY_MIB, VCPU, disk_dimension
from inventory.domain.scope import PLATFORM, Scope
from inventory.store import bulk, changes, hosts, resources
from inventory.store import tables as t
from inventory.store.scoping import in_scope

_FIELDS = tuple(f.name for f in fields(ForeignDomain))
_R = t.resources.c
_UUIDS: bulk.Columns = (("uuid", Text),)
#: An id begins with its kind and goes on in hexadecimal: a part of the primary key.
_IS_ADOPTED = (_R.id > PREFIXES["adopted"] + "_") & (_R.id < PREFIXES["adopted"] + "_g") & (_R.phase != Phase.GONE.value)


def domains(connection: Connection, host_ids: Collection[HostId] | None = None) -> list[ForeignDomain]:
    """Return the machines we did not make, adopted ones too, on some hosts or everywhere."""
    return _read(connection, _domains(host_ids))


def page(connection: Connection, host_ids: Collection[HostId], *, limit: int, after: str = "") -> list[ForeignDomain]:
    """Return up to ``limit`` of the machines of ``domains``, behind one (``place``)."""
    statement = _domains(host_ids).limit(limit)
    if after:
        host_id, _, uuid = after.partition(" ")
        statement = statement.where(tuple_(t.foreign_domains.c.host_id, t.foreign_domains.c.uuid) > tuple_(host_id, uuid))
    return _read(connection, statement)


def place(machine: ForeignDomain) -> str:
    """Return where a machine stands among all, to go on behind it."""
    return f"{machine.host_id} {machine.uuid}"


def _domains(host_ids: Collection[HostId] | None) -> Select[Any]:
    statement = select(t.foreign_domains).order_by(t.foreign_domains.c.host_id, t.foreign_domains.c.uuid)
    return statement if host_ids is None else statement.where(t.foreign_domains.c.host_id.in_(sorted(host_ids)))


def _read(connection: Connection, statement: Select[Any]) -> list[ForeignDomain]:
    return [_domain({f: getattr(r, f) for f in _FIELDS}) for r in connection.execute(statement)]


def _domain(values: dict[str, Any]) -> ForeignDomain:
    told = values["disks"]
    return ForeignDomain(**{**values, "disks": None if told is None else tuple(ForeignDisk(**d) for d in told)})


def save_foreign(connection: Connection, host_id: HostId, found: Iterable[ForeignDomain], now_s: float) -> None:
    """Replace the list of a host; ``recount_foreign`` counts it against its capacity."""
    table = t.foreign_domains
    hosts.host(connection, host_id, lock=True)
    known = {r.uuid: r.first_seen_s for r in connection.execute(select(table).where(table.c.host_id == host_id))}
    connection.execute(table.delete().where(table.c.host_id == host_id))
    now = list(found)
    if now:
        connection.execute(table.insert(), [{**asdict(f), "first_seen_s": known.get(f.uuid, now_s)} for f in now])


def recount_foreign(connection: Connection, host_id: HostId) -> bool:
    """Count the foreign machines of a host against its capacity, less what adopted ones claim; tells whether that changed.

    The host's row is locked: a look and an adoption would otherwise count past each other.
    """
    hosts.host(connection, host_id, lock=True)
    claimed = {a.adopted.uuid: a.adopted for a in adopted(connection, host_id=host_id)}
    totals: dict[tuple[str, str], int] = {(host_id, VCPU): 0, (host_id, MEMORY_MIB): 0}
    # A stopped foreign machine may be started at any moment by its owner: its memory is not ours to promise.
    for machine in domains(connection, [host_id]):
        ours = claimed.get(machine.uuid)
        totals[host_id, VCPU] += max(0, machine.vcpu_count - (ours.vcpu_count if ours else 0))
        totals[host_id, MEMORY_MIB] += max(0, machine.memory_mib - (ours.memory_mib if ours else 0))
    claimed_gib: Counter[str] = Counter()
    for disk in (d for spec in claimed.values() for d in spec.disks):
        claimed_gib[disk.storage_pool_id] += disk.size_gib
    for pool_id, disk_class, size_gib in _storage(connection, host_id):
        totals[pool_id, disk_dimension(disk_class)] = max(0, size_gib - claimed_gib[pool_id])
    return _write_foreign(connection, host_id, totals)


def save_storage(connection: Connection, host_id: HostId, foreign_gib: Mapping[str, int]) -> None:
    """Write what is not ours in the storage pools of a host, by the pools' names; ``recount_foreign`` counts it.

    A pool that is not named keeps what was known of it last. It may be more than is free: nothing is promised there then.
    """
    hosts.host(connection, host_id, lock=True)
    pools = [p for p in hosts.storage_pools(connection, host_id) if p.name in foreign_gib]
    rows = [{"storage_pool_id": p.id, "size_gib": foreign_gib[p.name]} for p in pools]
    bulk.upsert(connection, t.foreign_storage, rows, key=("storage_pool_id",))


def _storage(connection: Connection, host_id: HostId) -> Iterable[tuple[str, str, int]]:
    """Return (storage pool, class, GiB) of what is not ours in those of a host that told of it."""
    p, f = t.storage_pools.c, t.foreign_storage.c
    statement = (
        select(p.id, p.disk_class, f.size_gib).join(t.foreign_storage, f.storage_pool_id == p.id).where(p.host_id == host_id)
    )
    return [(r.id, r.disk_class, r.size_gib) for r in connection.execute(statement)]


def _write_foreign(connection: Connection, host_id: HostId, amounts: Mapping[tuple[str, str], int]) -> bool:
    """Write what is foreign by provider and dimension; the host's row is locked."""
    i = t.inventories.c
    changed, before = 0, changes.amounts_of(connection, [host_id], "foreign_used")
    for (provider_id, dimension), amount in amounts.items():
        row = (i.provider_id == provider_id) & (i.dimension == dimension) & (i.foreign_used != amount)
        changed += connection.execute(update(t.inventories).where(row).values(foreign_used=amount)).rowcount
    if changed:
        changes.note(connection, [host_id], changes.since_then(connection, [host_id], "foreign_used", before))
    return changed > 0


def adopted(
    connection: Connection,
    scope: Scope = PLATFORM,
    *,
    system_id: SystemId | None = None,
    host_id: HostId | None = None,
    resource_id: ResourceId | None = None,
    limit: int | None = None,
    after: str = "",
) -> list[Resource]:
    """Return the living adopted machines, by id: all, or those of a system, of a host in the books, or one.

    Up to ``limit`` of them, with an id greater than ``after``.
    """
    wanted_rows = (_IS_ADOPTED, in_scope(scope, _R.department_id), _R.id > after)
    statement = select(t.resources).where(*wanted_rows).order_by(_R.id).limit(limit)
    for column, wanted in ((_R.system_id, system_id), (_R.host_id, host_id), (_R.id, resource_id)):
        if wanted is not None:
            statement = statement.where(column == wanted)
    return [resources.from_row(r) for r in connection.execute(statement)]


def adopted_as(connection: Connection, uuids: Iterable[str], *, host_id: HostId | None = None) -> list[Resource]:
    """Return the living adopted machines that back ends call so, and all of a host in the books, by id."""
    spec = type_coerce(_R.spec, Text)
    uuid = cast(spec, JSONB)["uuid"].astext if bulk.is_postgresql(connection) else func.json_extract(spec, "$.uuid")
    wanted: ColumnElement[bool] = uuid.in_(select(bulk.given(connection, _UUIDS).c.uuid))
    if host_id is not None:
        wanted = or_(wanted, _R.host_id == host_id)
    statement = select(t.resources).where(_IS_ADOPTED, wanted).order_by(_R.id)
    values = bulk.given_values(connection, [(uuid,) for uuid in uuids], _UUIDS)
    return [resources.from_row(r) for r in connection.execute(statement, values)]


def is_read_only(connection: Connection, system_id: SystemId) -> bool:
    """Tell whether a system has machines that are only looked at."""
    statement = select(_R.id).where(_R.system_id == system_id, _R.kind == ResourceKind.ADOPTED.value).limit(1)
    return connection.execute(statement).first() is not None


def enter(connection: Connection, resource: Resource) -> None:
    """Add an adopted machine; no worker is ever to look at it."""
    bulk.insert_many(connection, t.resources, [{**resources.to_row(resource), "next_try_s": None}])


def write(connection: Connection, resource: Resource) -> None:
    """Write an adopted machine as it is now; no worker ever holds one."""
    row = resources.to_row(resource)
    names = (
        "host_id",
        "desired",
        "observed",
        "observed_at_s",
        "agreed_at_s",
        "phase",
        "spec",
        "revision",
        "generation",
        "settled_generation",
    )
    values: dict[str, Any] = {name: row[name] for name in names}
    connection.execute(update(t.resources).where(_R.id == resource.id).values(**values))
