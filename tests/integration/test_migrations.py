"""One history, and a migrated schema is the schema the code describes: table by table, index by index, trigger by trigger."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import insert, inspect, text
from sqlalchemy.exc import DBAPIError

from controller.identity.tables import APPEND_ONLY, audit
from controller.schema import METADATA
from controller.state import WANTED_REVISION, upgrade
from inventory.store.engine import Database
from tests.support.database import open_for_test, sqlite_database
from tests.support.postgres import PostgresServer
from tests.support.regenerate_migration import FILE, migration_text

_MIGRATIONS = FILE.parents[1]
GUARDS_OF_METERING = {
    "usage_intervals_overlap_insert",
    "usage_intervals_overlap_update",
    "periods_closed_update",
    "periods_closed_delete",
    *(
        f"{t}_sealed_{v}"
        for t in ("line_blocks", "statements", "statement_rows", "network_counts")
        for v in ("insert", "update", "delete")
    ),
    *(f"{t}_{v}" for t in ("price_books", "usage_entries", "adjustments") for v in ("frozen", "kept")),
}
_AUDIT_ROW = {
    "seq": 1, "at_s": 1, "actor": "li", "role": "operator", "on_behalf_of": "", "source": "local", "action": "host.enrol",
    "target": "host_a", "department_id": None, "result": "ok", "detail": {}, "previous_hash": "0", "hash": "1",
}  # fmt: skip


def _config(database: Database | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["database"] = database
    return config


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without tables, on both engines in turn."""
    if request.param == "sqlite":
        with open_for_test(f"sqlite:///{tmp_path / 'empty.db'}") as database:
            yield database
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.create_database(empty=True)
    with open_for_test(url) as database:
        yield database
    server.drop_database(url)


def _tables(database: Database) -> set[str]:
    with database.read() as connection:
        return set(inspect(connection).get_table_names())


def test_the_history_has_one_head_and_every_revision_can_be_taken_back() -> None:
    script = ScriptDirectory.from_config(_config())
    assert script.get_heads() == [WANTED_REVISION]
    revisions = list(script.walk_revisions())
    assert revisions[-1].revision == "0001"
    assert all(callable(r.module.downgrade) and r.doc for r in revisions)


def test_the_first_migration_is_what_the_tables_ask_for() -> None:
    assert FILE.read_text("utf-8") == migration_text(), "run: python -m tests.support.regenerate_migration"


def test_a_migrated_state_has_the_revision_of_the_program(empty: Database) -> None:
    assert empty.schema_revision() is None
    upgrade(empty)
    assert empty.schema_revision() == WANTED_REVISION


def test_migrating_twice_changes_nothing(empty: Database) -> None:
    upgrade(empty)
    before = _description(empty)
    upgrade(empty)
    assert _description(empty) == before


def test_alembic_finds_no_difference_after_a_migration(empty: Database) -> None:
    upgrade(empty)
    with empty.read() as connection:
        # On SQLite Alembic takes every DEFAULT '' for a difference; there the statements themselves are compared below.
        options = {"compare_type": True, "compare_server_default": not empty.is_sqlite}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, METADATA) == []


def test_alembic_would_find_a_column_that_is_missing(empty: Database) -> None:
    """The judge of the test above is no rubber stamp."""
    upgrade(empty)
    with empty.write() as connection:
        connection.execute(text("ALTER TABLE sizes DROP COLUMN root_disk_gib"))
    with empty.read() as connection:
        found = compare_metadata(MigrationContext.configure(connection), METADATA)
    assert [(change[0], change[2]) for change in found] == [("add_column", "sizes")]


def test_down_to_nothing_and_up_again_is_the_same_schema(empty: Database) -> None:
    upgrade(empty)
    before = _description(empty)
    command.downgrade(_config(empty), "base")
    assert _tables(empty) == {"alembic_version"}
    assert _left_over(empty) == []
    upgrade(empty)
    assert _description(empty) == before


def test_a_migrated_schema_refuses_to_change_what_is_append_only(empty: Database) -> None:
    upgrade(empty)
    with empty.write() as connection:
        connection.execute(insert(audit).values(**_AUDIT_ROW))
    for statement in ("UPDATE audit SET actor = 'forged'", "DELETE FROM audit"):
        with pytest.raises(DBAPIError, match="append-only"), empty.write() as connection:
            connection.execute(text(statement))


def test_a_failing_migration_leaves_no_half_of_a_schema(empty: Database) -> None:
    """A name that is taken stops the migration in its middle; nothing of what came before stays."""
    with empty.write() as connection:
        connection.execute(text("CREATE TABLE zones (id TEXT PRIMARY KEY)"))
    with pytest.raises(DBAPIError):
        upgrade(empty)
    assert _tables(empty) == {"zones"}


def test_a_migrated_schema_is_the_created_schema_on_sqlite(tmp_path: Path) -> None:
    with open_for_test(f"sqlite:///{tmp_path / 'migrated.db'}") as migrated:
        upgrade(migrated)
        with sqlite_database(tmp_path / "created.db") as created:
            found, wanted = _sqlite_description(migrated), _sqlite_description(created)
    assert found == wanted
    assert {name for kind, name in wanted if kind == "table"} == set(METADATA.tables)
    assert all(items[-1].endswith("STRICT") for (kind, _), items in wanted.items() if kind == "table")
    assert {name for kind, name in wanted if kind == "trigger"} == {
        f"{t}_no_{v}" for t in APPEND_ONLY for v in ("update", "delete")
    } | GUARDS_OF_METERING
    assert sum("WHERE" in items[0] for (kind, _), items in wanted.items() if kind == "index") >= 3


@pytest.mark.postgres
def test_a_migrated_schema_is_the_created_schema_on_postgresql(postgres_server: PostgresServer) -> None:
    urls = [postgres_server.create_database(), postgres_server.create_database(empty=True)]
    with open_for_test(urls[0]) as created, open_for_test(urls[1]) as migrated:
        upgrade(migrated)
        found, wanted = _postgres_description(migrated), _postgres_description(created)
    for url in urls:
        postgres_server.drop_database(url)
    assert found == wanted
    assert {row[0] for row in wanted["columns"]} == set(METADATA.tables)
    assert {row[0] for row in wanted["triggers"]} == set(APPEND_ONLY) | {
        "price_books",
        "usage_entries",
        "adjustments",
        "network_counts",
        "periods",
        "line_blocks",
        "statements",
        "statement_rows",
    }
    assert sum(" WHERE " in str(row[2]) for row in wanted["indexes"]) >= 3
    assert wanted["constraints"]


# -- reading a schema ---------------------------------------------------------------------------------------------------


def _description(database: Database) -> Mapping[Any, Any]:
    return _sqlite_description(database) if database.is_sqlite else _postgres_description(database)


def _left_over(database: Database) -> list[object]:
    """Return triggers, functions and indexes of ours that outlived their tables."""
    if database.is_sqlite:
        return [key for key in _sqlite_description(database) if key[0] != "table"]
    found = _postgres_description(database)
    return [*found["triggers"], *found["functions"], *found["indexes"]]


def _sqlite_description(database: Database) -> dict[tuple[str, str], list[str]]:
    """Return every object's statement as SQLite keeps it; the order of constraints in a table says nothing."""
    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL").all()
    return {(kind, name): _statement(kind, sql) for kind, name, sql in rows if name != "alembic_version"}


def _statement(kind: str, sql: str) -> list[str]:
    flat = re.sub(r"\s+", " ", sql).replace("IF NOT EXISTS ", "").strip()
    if kind != "table":
        return [flat]
    body = re.fullmatch(r"CREATE TABLE (\w+) ?\((.*)\) ?([\w, ]*)", flat)
    assert body, flat
    items = [item.strip() for item in re.split(r",(?![^(]*\))", body[2])]
    columns = [item for item in items if not item.startswith(("CONSTRAINT", "PRIMARY", "FOREIGN", "UNIQUE", "CHECK"))]
    constraints = sorted(item for item in items if item not in columns)
    return [body[1], *columns, *constraints, body[3]]


_POSTGRES = {
    "columns": """
        SELECT table_name, ordinal_position, column_name, data_type, is_nullable, column_default
        FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version' ORDER BY 1, 2""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version' ORDER BY 1, 2""",
    "indexes": """
        SELECT tablename, indexname, indexdef FROM pg_indexes
        WHERE schemaname = 'public' AND tablename <> 'alembic_version' ORDER BY 1, 2""",
    "triggers": """
        SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2""",
    "functions": """
        SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1""",
}


def _postgres_description(database: Database) -> dict[str, list[tuple[object, ...]]]:
    with database.read() as connection:
        return {name: [tuple(row) for row in connection.exec_driver_sql(sql)] for name, sql in _POSTGRES.items()}
