"""Tokens, the audit chain, idempotency keys, and the platform's own marks."""

from sqlalchemy import Column, ForeignKey, Integer, LargeBinary, Table, Text, event

from inventory.store.columns import Big, Json, Seconds
from inventory.store.ddl import ddl
from inventory.store.tables import METADATA

tokens = Table(
    "tokens",
    METADATA,
    Column("id", Text, primary_key=True),
    #: SHA-256 of the token; the token itself is shown once and never stored.
    Column("sha256", Text, nullable=False, unique=True),
    Column("user_name", Text, nullable=False),
    #: ``operator`` | ``department_admin`` | ``department_reader`` | ``finance`` | ``auditor``.
    Column("role", Text, nullable=False),
    Column("department_id", Text, ForeignKey("departments.id")),
    Column("created_at_s", Seconds, nullable=False),
    Column("expires_at_s", Seconds, nullable=False),
    Column("revoked_at_s", Seconds),
    sqlite_strict=True,
)

audit = Table(
    "audit",
    METADATA,
    Column("seq", Big, primary_key=True, autoincrement=False),
    Column("at_s", Big, nullable=False),
    Column("actor", Text, nullable=False),
    Column("role", Text, nullable=False),
    #: Department on whose behalf it was done.
    Column("on_behalf_of", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("department_id", Text),
    #: ``ok`` | ``refused`` | ``failed``.
    Column("result", Text, nullable=False),
    Column("detail", Json, nullable=False),
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False, unique=True),
    sqlite_strict=True,
)

idempotency_keys = Table(
    "idempotency_keys",
    METADATA,
    Column("token_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_sha256", Text, nullable=False),
    #: NULL while the first request is still running.
    Column("status", Integer),
    Column("headers", Json),
    Column("body", LargeBinary),
    Column("created_at_s", Seconds, nullable=False),
    sqlite_strict=True,
)

#: Rights to do a platform-wide job (optimiser, reaper, auditor): the same hold as a resource's.
singletons = Table(
    "singletons",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("hold_until_s", Seconds, nullable=False),
    Column("fence", Big, nullable=False),
    sqlite_strict=True,
)


def _append_only(table: str) -> None:
    """Have the database itself refuse changes to what was written: the promise of a record is kept below the code."""
    for verb in ("UPDATE", "DELETE"):
        sqlite = ddl(
            f"CREATE TRIGGER IF NOT EXISTS {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
        event.listen(METADATA, "after_create", sqlite.execute_if(dialect="sqlite"))
    function = ddl(
        f"CREATE OR REPLACE FUNCTION {table}_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$"
    )
    trigger = ddl(
        f"CREATE OR REPLACE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_is_append_only()"
    )
    event.listen(METADATA, "after_create", function.execute_if(dialect="postgresql"))
    event.listen(METADATA, "after_create", trigger.execute_if(dialect="postgresql"))


APPEND_ONLY = ("audit", "journal")
for _name in APPEND_ONLY:
    _append_only(_name)
