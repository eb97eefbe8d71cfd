"""Write migration 0001 again from the tables: ``python -m tests.support.regenerate_migration``.

Only while no state anywhere was made with it; from the first release on every change of the tables is a new migration.
``--check`` writes nothing and ends with 1 where the file is not current.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.autogenerate.api import AutogenContext
from alembic.migration import MigrationContext
from alembic.operations.ops import DowngradeOps, DropTableOp

from controller.identity.tables import APPEND_ONLY
from controller.schema import METADATA
from inventory.store.columns import Big, Flag, Json, Seconds
from inventory.store.engine import open_database
from metering import guards

FILE = Path(__file__).parents[2] / "controller" / "migrations" / "versions" / "0001_first_schema.py"

_HEAD = '''"""The first schema: every table of every room.

Types are written out as they are stored, so that this file means the same when the code has moved on: flags are integers
and JSON is text, because STRICT tables of SQLite know nothing else.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import sqlite

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

#: 64-bit integer.
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
#: UTC epoch seconds with a fraction.
SECONDS: sa.Double[float] = sa.Double().with_variant(sqlite.REAL(), "sqlite")
#: Tables whose rows are never changed or deleted: the database itself refuses it.
APPEND_ONLY = {append_only}
#: What else the database refuses by itself: statements run after the tables are made.
GUARDS_SQLITE = {guards_sqlite}
GUARDS_POSTGRESQL = {guards_postgresql}
GUARDS_POSTGRESQL_DROP = {guards_postgresql_drop}


def upgrade() -> None:
    """Make all tables."""
    {upgrade}
    for table in APPEND_ONLY:
        _refuse_changes(table)
    for statement in GUARDS_SQLITE if op.get_bind().dialect.name == "sqlite" else GUARDS_POSTGRESQL:
        op.get_bind().exec_driver_sql(statement)


def _refuse_changes(table: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {{table}}_no_{{verb.lower()}} BEFORE {{verb}} ON {{table}} "
                f"BEGIN SELECT RAISE(ABORT, '{{table}} is append-only'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {{table}}_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{{table}} is append-only'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {{table}}_append_only BEFORE UPDATE OR DELETE ON {{table}} "
        f"FOR EACH ROW EXECUTE FUNCTION {{table}}_is_append_only()"
    )


def downgrade() -> None:
    """Remove all tables, and everything in them."""
    {downgrade}
    if op.get_bind().dialect.name != "sqlite":
        for table in APPEND_ONLY:
            op.execute(f"DROP FUNCTION {{table}}_is_append_only()")
        for statement in GUARDS_POSTGRESQL_DROP:
            op.get_bind().exec_driver_sql(statement)
'''


def _render_item(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """Name the types of ours that STRICT tables need, instead of spelling them at every column."""
    if kind != "type":
        return False
    if isinstance(item, Flag):
        return "sa.Integer()"
    if isinstance(item, Json):
        return "sa.Text()"
    return "BIG" if item is Big else "SECONDS" if item is Seconds else False


def _formatted(text: str) -> str:
    """Return ``text`` as ``make format`` would leave it."""
    ruff = str(Path(sys.executable).with_name("ruff"))
    for command in (["check", "--fix", "--quiet", "--exit-zero"], ["format", "--quiet"]):
        done = subprocess.run(
            [ruff, *command, "--stdin-filename", str(FILE), "-"],
            input=text, capture_output=True, text=True, check=True, cwd=FILE.parents[3],
        )  # fmt: skip
        text = done.stdout
    return text


def migration_text() -> str:
    """Return the migration the tables ask for, found by comparing them with an empty database."""
    database = open_database("sqlite://")
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"target_metadata": METADATA})
        script = produce_migrations(context, METADATA)
        assert script.upgrade_ops is not None
        assert script.downgrade_ops is not None
        upgrade = render_python_code(script.upgrade_ops, render_item=_render_item, migration_context=context)
        # Indexes go with their tables.
        drops = [op for op in script.downgrade_ops.ops if isinstance(op, DropTableOp)]
        downgrade = render_python_code(DowngradeOps(ops=drops), migration_context=context)
    database.dispose()
    return _formatted(
        _HEAD.format(
            append_only=repr(APPEND_ONLY),
            guards_sqlite=_literal(guards.SQLITE),
            guards_postgresql=_literal(guards.POSTGRESQL),
            guards_postgresql_drop=_literal(guards.POSTGRESQL_DROP),
            upgrade=_plain(upgrade),
            downgrade=_plain(downgrade),
        )
    )


def _literal(statements: tuple[str, ...]) -> str:
    """Return statements as a tuple of texts that read as SQL."""
    return "(" + "".join(f'"""\\\n{statement}""",\n' for statement in statements) + ")"


def _plain(code: str) -> str:
    """Drop Alembic's advice to the author: this file is compared with the tables, not edited."""
    return "\n".join(line for line in code.splitlines() if not line.strip().startswith("# ###")).strip()


def main() -> int:
    """Write the file, or with ``--check`` only say whether it is current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 where the file is not current")
    text = migration_text()
    if parser.parse_args().check:
        return int(not FILE.exists() or FILE.read_text("utf-8") != text)
    FILE.write_text(text, "utf-8")
    print(f"written: {FILE.relative_to(FILE.parents[3])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
