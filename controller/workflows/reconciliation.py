"""Reconciling what is metered with what is claimed and with what back ends were last seen to hold.

``controller.reconcile.ledger`` calls ``look`` every few minutes. What nothing explains in two looks in a row becomes a finding
with its evidence; it closes when it is not met again. Nothing is put right here: an operator finds out why.
"""

from collections.abc import Collection

from sqlalchemy import Connection

from controller.workflows.platform import Platform
from inventory.store import findings
from metering.reconciliation import Unexplained, unexplained
from metering.reconciliation_store import books

#: Of a finding.
KIND = "metering"
#: A broken platform is told by its first faults.
_MOST = 1000


def look(platform: Platform, before: Collection[str]) -> tuple[set[str], list[Unexplained]]:
    """Compare the books; ``before`` are the subjects of the look before.

    Returns the subjects of this look, and what was met in both: two reads of a living database are not one picture.
    """
    with platform.db.read() as connection:
        met = [found for each in books(connection) if (found := unexplained(each)) is not None]
    lasting = [found for found in met if found.subject in before][:_MOST]
    platform.db.run(lambda connection: _write(connection, platform, lasting))
    return {found.subject for found in met}, lasting


def _write(connection: Connection, platform: Platform, lasting: list[Unexplained]) -> None:
    rows = [
        {
            "id": platform.new_id("finding"),
            "kind": KIND,
            "host_id": None,
            "resource_id": found.resource_id,
            "subject": found.subject,
            "detail": {"kind": found.kind, **found.evidence},
            "state": "open",
        }
        for found in lasting
    ]
    findings.save(connection, rows, platform.clock())
    findings.close_of_kind(connection, KIND, but_subjects=[found.subject for found in lasting])
