"""Alembic's entry: runs migrations on the database that ``controller.state`` hands over."""

from alembic import context

from controller.schema import METADATA
from inventory.store.engine import Database, open_database


def _run() -> None:
    database: Database = context.config.attributes.get("database") or open_database("sqlite://")
    with database.write() as connection:
        context.configure(connection=connection, target_metadata=METADATA, render_as_batch=database.is_sqlite)
        context.run_migrations()


_run()
