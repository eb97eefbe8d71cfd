"""All tables of all rooms in one place: what migrations, ``allot init`` and tests create."""

import controller.identity.tables
import controller.tickets.tables
import metering.tables
import quotas.tables
from inventory.store.tables import METADATA

#: Imported for their tables.
ROOMS = (controller.identity.tables, controller.tickets.tables, metering.tables, quotas.tables)

__all__ = ["METADATA", "ROOMS"]
