"""Idempotency keys in the database: one row per token and key, from the first request to the end of its memory."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, select, tuple_, update

from controller.identity.tables import idempotency_keys as table
from inventory.domain.errors import Conflict, Invalid
from inventory.domain.ids import TokenId
from inventory.store import bulk

#: An answer is remembered this long; afterwards the key may be used for something else.
MEMORY_S = 86_400.0
#: A request that has not ended by then died with its process. It may be taken over: every workflow is one transaction
#: and recognises what it has done already.
ABANDONED_AFTER_S = 120.0
_RETRY_AFTER_S = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key as one caller sent it with one request."""

    token_id: TokenId
    key: str
    #: Of verb, address and body: the same key with another request is a mistake.
    request_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The answer that was given."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def begin(connection: Connection, key: Key, now_s: float) -> Stored | None:
    """Take the key for a request: ``None`` means go on, otherwise this was the answer.

    Raises:
        Invalid: ``idempotency.key_reused``: the key came with another request before.
        Conflict: ``idempotency.in_flight``: the first request is still running.
    """
    values = {"token_id": key.token_id, "key": key.key, "request_sha256": key.request_sha256, "created_at_s": now_s}
    taken = bulk.insert(connection, table).values(**values).on_conflict_do_nothing().returning(table.c.key)
    if connection.execute(taken).first() is not None:
        return None
    row = connection.execute(table.select().where(_is(key)).with_for_update()).one_or_none()
    if row is None:
        # The first request came to nothing in this moment, and was forgotten.
        return begin(connection, key, now_s)
    age_s = now_s - row.created_at_s
    if age_s > MEMORY_S or (row.status is None and age_s > ABANDONED_AFTER_S):
        _take_over(connection, key, now_s)
        return None
    if row.request_sha256 != key.request_sha256:
        raise Invalid("idempotency.key_reused", key=key.key)
    if row.status is None:
        raise Conflict("idempotency.in_flight", details={"retry_after_s": _RETRY_AFTER_S}, key=key.key)
    return Stored(status=row.status, headers=row.headers, body=row.body)


def _take_over(connection: Connection, key: Key, now_s: float) -> None:
    fresh = {"request_sha256": key.request_sha256, "created_at_s": now_s, "status": None, "headers": None, "body": None}
    connection.execute(update(table).where(_is(key)).values(**fresh))


def finish(connection: Connection, key: Key, answer: Stored) -> None:
    """Remember the answer."""
    values = {"status": answer.status, "headers": dict(answer.headers), "body": answer.body}
    connection.execute(update(table).where(_is(key)).values(**values))


def drop(connection: Connection, key: Key) -> None:
    """Forget a key whose request did nothing, so that it may be sent again."""
    connection.execute(delete(table).where(_is(key)))


def purge(connection: Connection, before_s: float, *, limit: int) -> int:
    """Forget up to ``limit`` answers given before a moment; returns how many."""
    old = select(table.c.token_id, table.c.key).where(table.c.created_at_s < before_s).limit(limit)
    return connection.execute(delete(table).where(tuple_(table.c.token_id, table.c.key).in_(old))).rowcount


def _is(key: Key) -> ColumnElement[bool]:
    return (table.c.token_id == key.token_id) & (table.c.key == key.key)
