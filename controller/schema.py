"""All tables of all rooms in one place: what migrations, ``allot init`` and tests create."""

import controller.identity.tables
import controller.moves.tables
import controller.tickets.tables
import metering.book_tables
import metering.cost_tables
import metering.guards
import metering.ledger_tables
import metering.period_tables
import metering.sample_tables
import metering.tables
import quotas.budget_tables
import quotas.tables
from inventory.store.tables import METADATA

#: Imported for their tables.
ROOMS = (
    controller.identity.tables,
    controller.moves.tables,
    controller.tickets.tables,
    metering.book_tables,
    metering.cost_tables,
    metering.guards,
    metering.ledger_tables,
    metering.period_tables,
    metering.sample_tables,
    metering.tables,
    quotas.budget_tables,
    quotas.tables,
)

__all__ = ["METADATA", "ROOMS"]
