"""What the auditor of the invariants asks the inventory: each function returns what is there, and judges nothing beyond its name.

Whole-table reads, every few minutes; nothing here is for a request.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Text, func, literal, select, type_coerce, union_all

from inventory.domain.claim import MOVE
from inventory.domain.reservation import ReservationState
from inventory.domain.resource import Desired, Phase, ResourceKind
from inventory.domain.resources import PCPU, VCPU
from inventory.store import tables as t
from inventory.store.claim_amounts import claim_amounts

_R = t.resources.c
_A = t.addresses.c
_C = t.claims.c
_J = t.journal.c
_OPEN = (Phase.PENDING.value, Phase.WORKING.value)
_IS_GONE = _R.phase == Phase.GONE.value
_IS_SEGMENT = _R.kind == ResourceKind.SEGMENT.value
_Row = Row[*tuple[Any, ...]]
Rows = Sequence[_Row]
#: A claim as it is kept: provider, dimension, amount.
Amounts = Sequence[tuple[str, str, int]]


# -- claims, addresses, reservations -----------------------------------------------------------------------------------


def ended_with_slots(connection: Connection) -> Sequence[str]:
    """Return reservations that are over and still have slots."""
    s = t.reservation_slots.c
    statement = (
        select(s.reservation_id)
        .join(t.reservations, t.reservations.c.id == s.reservation_id)
        .where(t.reservations.c.state != ReservationState.HELD.value)
        .distinct()
    )
    return connection.execute(statement).scalars().all()


def addresses_given_twice(connection: Connection) -> Iterator[tuple[str, str]]:
    """Yield (segment, hardware or network address) given to more than one machine."""
    for column in (_A.mac, _A.address):
        statement = select(_A.segment_id, column).where(_A.resource_id.is_not(None)).group_by(_A.segment_id, column)
        yield from ((r[0], r[1]) for r in connection.execute(statement.having(func.count() > 1)))


def addresses_of_the_gone(connection: Connection) -> Rows:
    """Return (address, resource) where the resource is gone."""
    statement = select(_A.address, _R.id).join(t.resources, _R.id == _A.resource_id).where(_IS_GONE)
    return connection.execute(statement).all()


def gone_with_claims(connection: Connection) -> Sequence[str]:
    """Return what is gone and still claims."""
    statement = select(_C.resource_id).join(t.resources, _R.id == _C.resource_id).where(_IS_GONE).distinct()
    return connection.execute(statement).scalars().all()


def living_without_claims(connection: Connection) -> Sequence[str]:
    """Return what lives and claims nothing; segments claim nothing by right."""
    statement = (
        select(_R.id)
        .outerjoin(t.claims, _C.resource_id == _R.id)
        .where(~_IS_GONE, ~_IS_SEGMENT, _C.resource_id.is_(None))
    )  # fmt: skip
    return connection.execute(statement).scalars().all()


def claims_elsewhere(connection: Connection) -> Rows:
    """Return (resource, provider) where a claim lies at a provider of another host than the resource's."""
    amounts = claim_amounts(connection)
    i, a = t.inventories.c, amounts.c
    statement = (
        select(_R.id, a.provider_id)
        .join(amounts, a.resource_id == _R.id)
        .join(t.inventories, (i.provider_id == a.provider_id) & (i.dimension == a.dimension))
        .where(_R.host_id != i.host_id, a.resource_kind != MOVE)
    )
    return connection.execute(statement).all()


def claims_on_cells(connection: Connection) -> Mapping[str, Amounts]:
    """Return what machines with a seat claim, by machine. Each seat claims memory of a cell."""
    has_cell = type_coerce(_C.amounts, Text).like('%"cell:%')
    statement = select(_C.resource_id, _C.amounts).where(_C.resource_kind == ResourceKind.INSTANCE.value, has_cell)
    return {r.resource_id: r.amounts for r in connection.execute(statement)}


def machines_at_rest(connection: Connection, also: Collection[str]) -> Rows:
    """Return (id, host, spec) of settled machines that have a seat or are named in ``also``."""
    is_seated = type_coerce(_R.spec, Text).like('%"seat":%')
    rests = (_R.kind == ResourceKind.INSTANCE.value, _R.phase == Phase.SETTLED.value)
    statement = select(_R.id, _R.host_id, _R.spec).where(*rests, is_seated | _R.id.in_(sorted(also)))
    return connection.execute(statement).all()


def processors_promised(connection: Connection, resource_ids: Collection[str]) -> set[tuple[str, str]]:
    """Return (resource, provider) wherever processors are promised to one of these."""
    c = claim_amounts(connection).c
    statement = select(c.resource_id, c.provider_id).where(
        c.resource_id.in_(list(resource_ids)), c.dimension.in_((VCPU, PCPU))
    )  # fmt: skip
    return {(r.resource_id, r.provider_id) for r in connection.execute(statement)} if resource_ids else set()


# -- names of nothing --------------------------------------------------------------------------------------------------


def _unknown(owner: str, column: ColumnElement[Any], key: ColumnElement[Any]) -> Select[Any]:
    return select(literal(owner), column).where(column.is_not(None), column.not_in(select(key))).distinct()


_UNKNOWN = union_all(
    _unknown("resources", _R.department_id, t.departments.c.id),
    _unknown("resources", _R.project_id, t.projects.c.id),
    _unknown("resources", _R.system_id, t.systems.c.id),
    _unknown("resources", _R.host_id, t.hosts.c.id),
    _unknown("resources", _R.target_host_id, t.hosts.c.id),
    _unknown("resources", _R.lost_host_id, t.hosts.c.id),
    _unknown("claims", _C.project_id, t.projects.c.id),
    _unknown("claims", _C.resource_id, _R.id),
)


def unknown_names(connection: Connection) -> Rows:
    """Return (table, id) wherever a row names what there is not: these columns are written too often for foreign keys."""
    return connection.execute(_UNKNOWN).all()


# -- machines on their way ---------------------------------------------------------------------------------------------


def rooms_on_targets(connection: Connection) -> Rows:
    """Return (resource, target, host of the room) for all that is held for moves."""
    c, i = claim_amounts(connection).c, t.inventories.c
    statement = (
        select(c.resource_id, _R.target_host_id, i.host_id)
        .join(t.resources, _R.id == c.resource_id)
        .outerjoin(t.inventories, (i.provider_id == c.provider_id) & (i.dimension == c.dimension))
        .where(c.resource_kind == MOVE)
    )
    return connection.execute(statement).all()


def on_their_way(connection: Connection) -> Mapping[str, str]:
    """Return the kind of everything that has a target."""
    statement = select(_R.id, _R.kind).where(_R.target_host_id.is_not(None))
    return {r.id: r.kind for r in connection.execute(statement)}


# -- wishes ------------------------------------------------------------------------------------------------------------


def open_without_a_try(connection: Connection) -> Rows:
    """Return (id, phase) of what has work and no time of its next try."""
    statement = select(_R.id, _R.phase).where(_R.phase.in_(_OPEN), _R.next_try_s.is_(None))
    return connection.execute(statement).all()


def open_wishes(connection: Connection) -> Rows:
    """Return (id, phase, desired, step, problem) of what has work."""
    statement = select(_R.id, _R.phase, _R.desired, _R.step, _R.problem).where(_R.phase.in_(_OPEN))
    return connection.execute(statement).all()


def miscounted_reboots(connection: Connection) -> Rows:
    """Return (id, ordered, carried out) where a restart is forgotten, or more were carried out than ordered."""
    wanted, done = _R.reboots_wanted, _R.reboots_done
    forgotten = (wanted > done) & (_R.desired == Desired.RUNNING.value) & _R.next_try_s.is_(None)
    living = _R.phase.not_in([Phase.GONE.value, Phase.FAILED.value])
    return connection.execute(select(_R.id, wanted, done).where(living, forgotten | (done > wanted))).all()


def standings(connection: Connection) -> Mapping[str, _Row]:
    """Return (id, kind, host_id, desired, observed, phase) of every resource, by id."""
    statement = select(_R.id, _R.kind, _R.host_id, _R.desired, _R.observed, _R.phase)
    return {r.id: r for r in connection.execute(statement)}


def subnets_of_the_gone(connection: Connection) -> Sequence[str]:
    """Return segments that are gone, or are to go, and have a subnet."""
    s = t.subnets.c
    leaving = _IS_GONE | (_R.desired == Desired.ABSENT.value)
    statement = select(s.segment_id).join(t.resources, _R.id == s.segment_id).where(leaving)
    return connection.execute(statement).scalars().all()


def idle_segments(connection: Connection) -> Sequence[str]:
    """Return living segments without an address in use."""
    used = select(_A.address).where(_A.segment_id == _R.id, _A.resource_id.is_not(None)).exists()
    return connection.execute(select(_R.id).where(_IS_SEGMENT, ~_IS_GONE, ~used)).scalars().all()


# -- the journal -------------------------------------------------------------------------------------------------------


def journal_lines(connection: Connection) -> Iterator[_Row]:
    """Yield (resource, revision, state, amounts, occurred_at_s) of every line, by resource and revision."""
    columns = (_J.resource_id, _J.revision, _J.state, _J.amounts, _J.occurred_at_s)
    yield from connection.execute(select(*columns).order_by(_J.resource_id, _J.revision))


def metered_revisions(connection: Connection) -> Rows:
    """Return (id, revision, phase) of everything that has a journal."""
    return connection.execute(select(_R.id, _R.revision, _R.phase).where(~_IS_SEGMENT)).all()


def last_states(connection: Connection) -> Mapping[str, str]:
    """Return the state of the last line of every resource."""
    lines = connection.execute(select(_J.resource_id, _J.state).order_by(_J.revision))
    return {r.resource_id: r.state for r in lines}
