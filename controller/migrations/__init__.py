"""The one Alembic history of all rooms."""
