"""What the database itself refuses about usage, whatever program writes: statements for each engine, run with the schema.

``METADATA.create_all`` runs them, and the first migration repeats them word for word.
"""

from sqlalchemy import event

from inventory.store.ddl import ddl
from inventory.store.tables import METADATA
from metering import book_tables, ledger_tables, period_tables, sample_tables

#: The tables have to be known before the statements about them.
_TABLES = (book_tables, ledger_tables, period_tables, sample_tables)

#: No second of a meter of a resource may lie in two intervals. SQLite has one writer, so a trigger sees everything.
_OVERLAP_SQLITE = """\
CREATE TRIGGER IF NOT EXISTS usage_intervals_overlap_{verb} BEFORE {event} ON usage_intervals
WHEN EXISTS (
  SELECT 1 FROM usage_intervals AS other
  WHERE other.resource_id = NEW.resource_id AND other.meter = NEW.meter{other}
    AND other.start_s < coalesce(NEW.end_s, 9223372036854775807)
    AND coalesce(other.end_s, 9223372036854775807) > NEW.start_s
)
BEGIN SELECT RAISE(ABORT, 'usage_intervals overlap'); END"""

#: Columns that never change once a row is there; the row itself never goes.
_FROZEN = {
    "price_books": ("id", "name", "version", "from_s", "replaces", "document", "sha256", "body", "created_by", "created_at_s"),
    "usage_entries": (
        "id", "department_id", "project_id", "meter", "amount", "start_s", "end_s", "reason", "entered_by", "entered_at_s",
    ),
    "adjustments": ("id", "line_period_id", "line_id", "micro_yuan", "reason", "entered_by", "entered_at_s"),
}  # fmt: skip


def _frozen_sqlite(table: str, columns: tuple[str, ...]) -> tuple[str, ...]:
    refusal = f"BEGIN SELECT RAISE(ABORT, '{table}: what was handed in never changes'); END"
    return (
        f"CREATE TRIGGER IF NOT EXISTS {table}_frozen BEFORE UPDATE OF {', '.join(columns)} ON {table}\n{refusal}",
        f"CREATE TRIGGER IF NOT EXISTS {table}_kept BEFORE DELETE ON {table}\n{refusal}",
    )


def _frozen_postgresql(table: str, columns: tuple[str, ...]) -> str:
    return (
        f"CREATE OR REPLACE TRIGGER {table}_frozen BEFORE UPDATE OF {', '.join(columns)} OR DELETE ON {table}\n"
        "FOR EACH ROW EXECUTE FUNCTION metering_refuses('what was handed in never changes')"
    )


#: Of a closed period: nothing comes to it, nothing of it changes or goes.
_SEALED = ("line_blocks", "statements", "statement_rows")
#: What may still be written on a statement of a closed period.
_OPEN_COLUMNS = {"statements": ("acknowledged_by", "acknowledged_at_s")}


def _sealed_columns(table: str) -> str:
    """Return the columns whose change is refused."""
    names = [c.name for c in METADATA.tables[table].columns]
    return ", ".join(name for name in names if name not in _OPEN_COLUMNS.get(table, ()))


def _sealed_sqlite(table: str) -> tuple[str, ...]:
    refusal = f"BEGIN SELECT RAISE(ABORT, '{table}: there is no such period, or it is closed'); END"
    closed = "WHEN NOT EXISTS (SELECT 1 FROM periods WHERE id = {row}.period_id AND state <> 'closed')"
    return tuple(
        f"CREATE TRIGGER IF NOT EXISTS {table}_sealed_{verb} BEFORE {event_} ON {table}\n{closed.format(row=row)}\n{refusal}"
        for verb, event_, row in (
            ("insert", "INSERT", "NEW"),
            ("update", f"UPDATE OF {_sealed_columns(table)}", "OLD"),
            ("delete", "DELETE", "OLD"),
        )
    )


def _sealed_postgresql(table: str) -> tuple[str, ...]:
    return (
        f"""\
CREATE OR REPLACE TRIGGER {table}_sealed BEFORE INSERT OR UPDATE OF {_sealed_columns(table)} OR DELETE ON {table}
FOR EACH ROW EXECUTE FUNCTION metering_refuses_closed()""",
        f"""\
CREATE OR REPLACE TRIGGER {table}_whole BEFORE TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION metering_refuses('statements are kept')""",
        # The owner of a table has rights that can be taken from it; a superuser is above all of this.
        f"REVOKE {'' if table in _OPEN_COLUMNS else 'UPDATE, '}TRUNCATE ON {table} FROM PUBLIC, CURRENT_USER",
    )


_PERIOD_SQLITE = tuple(
    f"CREATE TRIGGER IF NOT EXISTS periods_closed_{verb} BEFORE {verb.upper()} ON periods\nWHEN OLD.state = 'closed'\n"
    "BEGIN SELECT RAISE(ABORT, 'periods: a closed period never opens again'); END"
    for verb in ("update", "delete")
)
_PERIOD_POSTGRESQL = """\
CREATE OR REPLACE TRIGGER periods_closed BEFORE UPDATE OR DELETE ON periods
FOR EACH ROW WHEN (OLD.state = 'closed') EXECUTE FUNCTION metering_refuses('a closed period never opens again')"""

#: What was counted in a month that is closed stays as it was.
_COUNTS_SQLITE = tuple(
    f"""\
CREATE TRIGGER IF NOT EXISTS network_counts_sealed_{verb} BEFORE {verb.upper()} ON network_counts
WHEN (SELECT max(state = 'closed') FROM periods WHERE {row}.start_s BETWEEN start_s AND end_s - 1)
BEGIN SELECT RAISE(ABORT, 'network_counts: the month is closed'); END"""  # noqa: S608  words of ours
    for verb, row in (("insert", "NEW"), ("update", "OLD"), ("delete", "OLD"))
)
_COUNTS_POSTGRESQL = (
    """\
CREATE OR REPLACE FUNCTION metering_refuses_counts() RETURNS trigger LANGUAGE plpgsql AS
$$ DECLARE moment bigint := CASE WHEN TG_OP = 'INSERT' THEN NEW.start_s ELSE OLD.start_s END;
BEGIN
  IF EXISTS (SELECT 1 FROM periods WHERE state = 'closed' AND start_s <= moment AND moment < end_s) THEN
    RAISE EXCEPTION 'network_counts: the month is closed';
  END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $$""",
    """\
CREATE OR REPLACE TRIGGER network_counts_sealed BEFORE INSERT OR UPDATE OR DELETE ON network_counts
FOR EACH ROW EXECUTE FUNCTION metering_refuses_counts()""",
)

SQLITE: tuple[str, ...] = (
    _OVERLAP_SQLITE.format(verb="insert", event="INSERT", other=""),
    _OVERLAP_SQLITE.format(
        verb="update", event="UPDATE OF resource_id, meter, start_s, end_s", other=" AND other.rowid != OLD.rowid"
    ),
    *(statement for table, columns in _FROZEN.items() for statement in _frozen_sqlite(table, columns)),
    *(statement for table in _SEALED for statement in _sealed_sqlite(table)),
    *_PERIOD_SQLITE,
    *_COUNTS_SQLITE,
)
#: On PostgreSQL writers run side by side: only a constraint sees what others have not committed yet.
POSTGRESQL: tuple[str, ...] = (
    "CREATE EXTENSION IF NOT EXISTS btree_gist",
    """\
DO $$ BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = 'usage_intervals_overlap') THEN
    ALTER TABLE usage_intervals ADD CONSTRAINT usage_intervals_overlap
      EXCLUDE USING gist (resource_id WITH =, meter WITH =, int8range(start_s, end_s) WITH &&);
  END IF;
END $$""",
    """\
CREATE OR REPLACE FUNCTION metering_refuses() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ': ' || TG_ARGV[0]; END $$""",
    *(_frozen_postgresql(table, columns) for table, columns in _FROZEN.items()),
    """\
CREATE OR REPLACE FUNCTION metering_refuses_closed() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
  IF NOT EXISTS (
    SELECT 1 FROM periods WHERE state <> 'closed' AND id = CASE WHEN TG_OP = 'INSERT' THEN NEW.period_id ELSE OLD.period_id END
  ) THEN
    RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ': there is no such period, or it is closed';
  END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $$""",
    *(statement for table in _SEALED for statement in _sealed_postgresql(table)),
    _PERIOD_POSTGRESQL,
    *_COUNTS_POSTGRESQL,
)
#: What stays behind on PostgreSQL when the tables are dropped.
POSTGRESQL_DROP: tuple[str, ...] = (
    "DROP EXTENSION IF EXISTS btree_gist",
    "DROP FUNCTION IF EXISTS metering_refuses()",
    "DROP FUNCTION IF EXISTS metering_refuses_closed()",
    "DROP FUNCTION IF EXISTS metering_refuses_counts()",
)


def _register() -> None:
    for dialect, statements in (("sqlite", SQLITE), ("postgresql", POSTGRESQL)):
        for statement in statements:
            made = ddl(statement.replace("%", "%%"))
            event.listen(METADATA, "after_create", made.execute_if(dialect=dialect))


_register()
