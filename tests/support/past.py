"""An earlier state as a placement saw it."""

from dataclasses import replace

from sqlalchemy import Connection

from controller.scheduling.snapshot import Snapshot, SnapshotBuilder
from controller.workflows.place import entries_of
from inventory.store import past
from inventory.store.changes import Mark


def snapshot_of(connection: Connection, revision: str) -> Snapshot:
    """Return the picture of the state that a revision names, told from what changed since."""
    estate = past.as_of(connection, Mark.of_text(revision))
    assert estate is not None, "what changed since then is kept"
    builder = SnapshotBuilder()
    for entry in entries_of(estate):
        builder.add_host(entry)
    return replace(builder.build(), revision=revision)
