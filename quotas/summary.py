"""How full the limits of departments are, for the metrics room."""

from sqlalchemy import Connection, select

from inventory.store.tables import departments
from quotas.limits import Mode, ScopeKind
from quotas.tables import quotas


def department_ratios(connection: Connection) -> list[tuple[str, str, float]]:
    """Return (department code, dimension, used / limit) wherever a department has a limit; a limit of zero in use is 1."""
    return [(code, dimension, _ratio(used, limit)) for code, dimension, used, limit in department_limits(connection)]


def department_limits(connection: Connection) -> list[tuple[str, str, int, int]]:
    """Return (department code, dimension, used, limit) wherever a department has a limit."""
    q = quotas.c
    statement = (
        select(departments.c.code, q.dimension, q.used, q.limit_amount)
        .select_from(quotas.join(departments, departments.c.id == q.scope_id))
        .where(q.scope_kind == ScopeKind.DEPARTMENT.value, q.mode == Mode.LIMIT.value)
        .order_by(departments.c.code, q.dimension)
    )
    return [(r[0], r[1], r[2], r[3]) for r in connection.execute(statement)]


def _ratio(used: int, limit: int) -> float:
    if limit:
        return used / limit
    return 1.0 if used else 0.0
