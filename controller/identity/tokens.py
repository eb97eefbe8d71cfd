"""Opaque tokens: 256 random bits, shown once, stored as SHA-256, with an end. The API and ``allot init`` call this."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, select, true, update

from controller.identity.caller import DEPARTMENT_ROLES, Caller, Role
from controller.identity.tables import tokens as table
from inventory.domain.errors import Invalid, NotFound, Unauthenticated
from inventory.domain.ids import DepartmentId, NewId, TokenId
from inventory.domain.scope import PLATFORM, of_departments
from inventory.store import tables as t

#: Begins every token, so that scanners of leaked secrets know one when they see it.
PREFIX = "allot_"
MAX_DAYS = 366


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token as recorded: never the secret itself."""

    id: TokenId
    user_name: str
    role: Role
    department_id: DepartmentId | None
    created_at_s: float
    expires_at_s: float
    revoked_at_s: float | None


def issue(
    connection: Connection,
    *,
    new_id: NewId,
    user_name: str,
    role: Role,
    department_id: DepartmentId | None,
    now_s: float,
    days: int,
) -> tuple[Token, str]:
    """Make a token; returns its record and the secret, which is nowhere else.

    Raises:
        Invalid: ``token.department_required``, ``token.department_not_allowed``, ``token.days_out_of_range``.
    """
    if role in DEPARTMENT_ROLES and department_id is None:
        raise Invalid("token.department_required", role=role.value)
    if role not in DEPARTMENT_ROLES and department_id is not None:
        raise Invalid("token.department_not_allowed", role=role.value)
    if not 1 <= days <= MAX_DAYS:
        raise Invalid("token.days_out_of_range", days=days, max=MAX_DAYS)
    secret = PREFIX + secrets.token_urlsafe(32)
    token = Token(
        id=TokenId(new_id("token")),
        user_name=user_name,
        role=role,
        department_id=department_id,
        created_at_s=now_s,
        expires_at_s=now_s + days * 86_400,
        revoked_at_s=None,
    )
    connection.execute(
        table.insert().values(
            id=token.id,
            sha256=_digest(secret),
            user_name=user_name,
            role=role.value,
            department_id=department_id,
            created_at_s=now_s,
            expires_at_s=token.expires_at_s,
        )
    )
    return token, secret


def resolve(connection: Connection, secret: str, *, now_s: float, source: str) -> Caller:
    """Return who holds this token.

    Raises:
        Unauthenticated: ``token.unknown``, ``token.revoked``, ``token.expired``.
    """
    rows = connection.execute(_HELD_BY, {"digest": _digest(secret)}).all()
    if not rows:
        raise Unauthenticated("token.unknown")
    token = _token(rows[0])
    if token.revoked_at_s is not None:
        raise Unauthenticated("token.revoked")
    if token.expires_at_s <= now_s:
        raise Unauthenticated("token.expired")
    scope = PLATFORM if token.department_id is None else of_departments(*(DepartmentId(r.below) for r in rows))
    return Caller(
        token_id=token.id,
        user_name=token.user_name,
        role=token.role,
        department_id=token.department_id,
        scope=scope,
        source=source,
    )


def _held_by() -> Select[Any]:
    """Return the token of a digest, once for each department it reaches: every request asks, so it asks once."""
    mine = table.c.sha256 == bindparam("digest")
    own = select(t.departments.c.id).join(table, table.c.department_id == t.departments.c.id).where(mine)
    below = own.cte("below", recursive=True)
    below = below.union(select(t.departments.c.id).join(below, t.departments.c.parent_id == below.c.id))
    return select(table, below.c.id.label("below")).join_from(table, below, true(), isouter=True).where(mine)


_HELD_BY = _held_by()


def page(connection: Connection, *, limit: int, after: str = "") -> list[Token]:
    """Return up to ``limit`` records with an id greater than ``after``, oldest first."""
    statement = select(table).where(table.c.id > after).order_by(table.c.id).limit(limit)
    return [_token(r) for r in connection.execute(statement)]


def revoke(connection: Connection, token_id: str, now_s: float) -> Token:
    """End a token now; one that has ended stays as it is.

    Raises:
        NotFound: ``token.not_found``.
    """
    connection.execute(update(table).where(table.c.id == token_id, table.c.revoked_at_s.is_(None)).values(revoked_at_s=now_s))
    row = connection.execute(select(table).where(table.c.id == token_id)).one_or_none()
    if row is None:
        raise NotFound("token.not_found", token=token_id)
    return _token(row)


def _digest(secret: str) -> str:
    # A plain hash is enough: the secret has 256 random bits, there is nothing to guess.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _token(row: Row[tuple[object, ...]]) -> Token:
    return Token(
        id=TokenId(row.id),
        user_name=row.user_name,
        role=Role(row.role),
        department_id=row.department_id,
        created_at_s=row.created_at_s,
        expires_at_s=row.expires_at_s,
        revoked_at_s=row.revoked_at_s,
    )
