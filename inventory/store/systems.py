"""Systems of departments."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, update

from inventory.domain.errors import Conflict, NotFound
from inventory.domain.ids import DepartmentId, ProjectId, SystemId
from inventory.domain.resource import Phase
from inventory.domain.scope import Scope
from inventory.domain.system import System, SystemSpec, SystemState, digest_of_text
from inventory.store import bulk
from inventory.store import tables as t
from inventory.store.columns import encoded
from inventory.store.scoping import in_scope

_S = t.systems.c


def _system(row: Row[Any]) -> System:
    return System(
        id=row.id,
        name=row.name,
        department_id=row.department_id,
        project_id=row.project_id,
        state=SystemState(row.state),
        revision=row.revision,
        spec=SystemSpec.from_json(row.spec),
        lease_end_s=row.lease_end_s,
    )


def get(connection: Connection, id_or_name: str, scope: Scope) -> System:
    """Return one system inside the scope, by id, or a living one by name.

    Raises:
        NotFound: ``system.not_found``, for what is outside the scope too.
        Conflict: ``system.name_ambiguous``: several departments in the scope have one of that name.
    """
    by_name = (_S.name == id_or_name) & (_S.state != SystemState.RELEASED.value)
    statement = select(t.systems).where((_S.id == id_or_name) | by_name, in_scope(scope, _S.department_id)).limit(2)
    rows = connection.execute(statement).all()
    if not rows:
        raise NotFound("system.not_found", system=id_or_name)
    if len(rows) > 1:
        raise Conflict("system.name_ambiguous", system=id_or_name)
    return _system(rows[0])


def find(connection: Connection, department_id: DepartmentId, name: str) -> System | None:
    """Return the living system of this name in a department."""
    row = connection.execute(_FIND, {"department": department_id, "system": name}).one_or_none()
    return _system(row) if row else None


#: Built once: every submission asks.
_FIND = select(t.systems).where(_S.department_id == bindparam("department"), _S.name == bindparam("system"), t.LIVING_SYSTEM)


#: Which of these names living systems of these departments have.
LIVING_NAMED = select(_S.department_id, _S.name).where(
    _S.department_id.in_(bindparam("departments", expanding=True)),
    _S.name.in_(bindparam("names", expanding=True)),
    t.LIVING_SYSTEM,
)


def page(connection: Connection, scope: Scope, *, limit: int, after: str = "", with_released: bool = False) -> list[System]:
    """Return up to ``limit`` systems with an id greater than ``after``."""
    statement = select(t.systems).where(_S.id > after, in_scope(scope, _S.department_id)).order_by(_S.id).limit(limit)
    if not with_released:
        statement = statement.where(_S.state != SystemState.RELEASED.value)
    return [_system(r) for r in connection.execute(statement)]


def living_of(connection: Connection, project_id: ProjectId) -> list[System]:
    """Return the systems of a project that are held and not being given back."""
    over = [s.value for s in (SystemState.RELEASING, SystemState.RELEASED, SystemState.ABSENT)]
    s = t.systems.c
    statement = select(t.systems).where(s.project_id == project_id, s.state.not_in(over)).order_by(s.id)
    return [_system(r) for r in connection.execute(statement)]


def names(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    """Return the names of systems by id."""
    return {r.id: r.name for r in connection.execute(select(_S.id, _S.name).where(_S.id.in_(list(ids))))}


def insert(connection: Connection, new: Sequence[System], *, created_at_s: float) -> None:
    """Add systems; a second living one of that name in the department is refused by the database."""
    rows = [{**_values(system), "id": system.id, "created_at_s": created_at_s} for system in new]
    bulk.insert_many(connection, t.systems, rows)


def replace(connection: Connection, system: System, *, base_revision: int) -> None:
    """Write a new revision over ``base_revision``.

    Raises:
        Conflict: ``system.changed_meanwhile``.
    """
    statement = update(t.systems).where(_S.id == system.id, _S.revision == base_revision).values(**_values(system))
    if connection.execute(statement).rowcount != 1:
        raise Conflict("system.changed_meanwhile", system=system.name)


def _values(system: System) -> Mapping[str, Any]:
    spec = encoded(system.spec.to_json())
    return {
        "name": system.name,
        "department_id": system.department_id,
        "project_id": system.project_id,
        "state": system.state.value,
        "revision": system.revision,
        "spec": spec,
        "spec_digest": digest_of_text(spec),
        "lease_end_s": system.lease_end_s,
    }


def lock(connection: Connection, system_id: SystemId) -> None:
    """Keep a system as it is until the end of the transaction: a commit that replaces it waits, or was before."""
    connection.execute(select(_S.id).where(_S.id == system_id).with_for_update())


def by_ids(connection: Connection, ids: Sequence[SystemId]) -> dict[SystemId, System]:
    """Return the systems of these ids."""
    return {SystemId(r.id): _system(r) for r in connection.execute(select(t.systems).where(_S.id.in_(list(ids))))}


def refresh_state(connection: Connection, system_id: SystemId) -> SystemState:
    """Derive a system's state from its resources and write it; returns the state now."""
    row = connection.execute(select(_S.state).where(_S.id == system_id)).one()
    state = SystemState(row.state)
    phases = t.resources.c.phase
    statement = select(phases, func.count()).where(t.resources.c.system_id == system_id).group_by(phases)
    counts = {row[0]: row[1] for row in connection.execute(statement)}
    living = sum(n for phase, n in counts.items() if phase != Phase.GONE.value)
    if state in (SystemState.RELEASING, SystemState.RELEASED):
        now = SystemState.RELEASED if living == 0 else SystemState.RELEASING
    elif counts.get(Phase.FAILED.value):
        now = SystemState.DEGRADED
    elif counts.get(Phase.PENDING.value) or counts.get(Phase.WORKING.value):
        now = SystemState.BUILDING
    else:
        now = SystemState.ACTIVE
    if now is not state:
        connection.execute(update(t.systems).where(_S.id == system_id).values(state=now.value))
    return now
