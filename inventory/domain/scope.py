"""Whose records a caller may see. Every query of departmental records takes one; there is no default."""

from dataclasses import dataclass

from inventory.domain.ids import DepartmentId


@dataclass(frozen=True, slots=True)
class Scope:
    """``None`` is the whole platform (operators, auditors, finance, the controller itself)."""

    department_ids: frozenset[DepartmentId] | None

    def allows(self, department_id: DepartmentId) -> bool:
        """Tell whether a record of this department may be seen."""
        return self.department_ids is None or department_id in self.department_ids


#: The controller's own work and platform-wide roles.
PLATFORM = Scope(None)


def of_departments(*department_ids: DepartmentId) -> Scope:
    """Return the scope of these departments and no others."""
    return Scope(frozenset(department_ids))
