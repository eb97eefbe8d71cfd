"""Who is asking. Made once per request from a token (or by a local command) and handed to every workflow."""

from dataclasses import dataclass
from enum import StrEnum

from inventory.domain.ids import DepartmentId, TokenId
from inventory.domain.scope import PLATFORM, Scope


class Role(StrEnum):
    """What a person is to the platform."""

    OPERATOR = "operator"
    DEPARTMENT_ADMIN = "department_admin"
    DEPARTMENT_READER = "department_reader"
    FINANCE = "finance"
    AUDITOR = "auditor"


#: Roles that belong to one department and see its subtree only; all others see the whole platform.
DEPARTMENT_ROLES = frozenset({Role.DEPARTMENT_ADMIN, Role.DEPARTMENT_READER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A person (or program) with one role."""

    token_id: TokenId
    user_name: str
    role: Role
    #: Set for department roles only.
    department_id: DepartmentId | None
    #: What this caller may know of.
    scope: Scope
    #: Address the request came from, or ``local``.
    source: str


def local_operator(user_name: str) -> Caller:
    """Return the caller of a command that runs beside the state itself (``allot init``, simulations)."""
    return Caller(
        token_id=TokenId("local"),
        user_name=user_name,
        role=Role.OPERATOR,
        department_id=None,
        scope=PLATFORM,
        source="local",
    )
