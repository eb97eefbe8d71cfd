"""Statements of the schema that no table expresses: triggers and what they call."""

from sqlalchemy import DDL


def ddl(statement: str) -> DDL:
    """Return a statement to run when the tables are made; a per cent sign is doubled by the caller."""
    return DDL(statement)  # type: ignore[no-untyped-call]  # SQLAlchemy leaves this constructor unannotated
