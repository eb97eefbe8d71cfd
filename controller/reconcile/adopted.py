"""Adopted machines in a look at their host: their state is followed, their end is told, and nothing is done about either.

Called by ``looks`` in the loop's transaction. A machine that is not shown any more may have been moved by its owner to a
host that was not looked at yet; it stays in the books for a while, and ends as of the moment it was missed first. A disk that
it has no more is out of the books at once; what it has beside, or of a larger size, is told.
"""

from sqlalchemy import Connection

from controller.workflows.adopted_rows import (
    disks_left,
    end,
    follow,
    host_of,
    miss,
    pools_of,
    size_of,
    state_of,
    subject_of,
)
from controller.workflows.engine import Finding
from inventory.domain.host import ForeignDomain
from inventory.domain.ids import HostId
from inventory.domain.resource import AdoptedSpec, Observed, Resource
from inventory.store import findings as finding_store
from inventory.store import foreign

#: Looks at every other host of a region lie in this many periods of looking.
MISSED_PERIODS = 4


def follow_adopted(
    connection: Connection,
    host_id: HostId,
    machines: list[ForeignDomain],
    *,
    now_s: float,
    period_s: float,
    disks_age_s: float = 0.0,
) -> tuple[list[Finding], bool]:
    """Write what a look at a host says of adopted machines; returns what is to be reported, and whether one is missed.

    What it says of disks may be older by ``disks_age_s``.
    """
    shown = {m.uuid: m for m in machines}
    concerned = foreign.adopted_as(connection, shown, host_id=host_id)
    pools = pools_of(connection, host_id) if concerned else {}
    findings: list[Finding] = []
    as_taken: list[str] = []
    is_any_missed = False
    left: set[HostId] = set()
    for known in concerned:
        machine = shown.get(known.adopted.uuid)
        if machine is None:
            is_any_missed |= not _ended(connection, known, now_s, period_s)
            continue
        if host_of(known) != host_id:
            left.add(host_of(known))
        now, is_moved = known, host_of(known) != host_id or disks_left(machine, known.adopted, pools) != known.adopted.disks
        if is_moved or known.observed is not state_of(machine):
            now = follow(connection, known, machine, pools, now_s=now_s, disks_age_s=disks_age_s)
        size = size_of(machine, now.adopted, pools)
        if size == now.adopted:
            as_taken.append(subject_of(now))
        else:
            findings.append(_resized(now, size))
    for subject in sorted(finding_store.open_among(connection, as_taken) if as_taken else ()):
        finding_store.close(connection, subject)
    for other in sorted(left):
        foreign.recount_foreign(connection, other)
    return findings, is_any_missed


def _ended(connection: Connection, known: Resource, now_s: float, period_s: float) -> bool:
    """Miss a machine, or end it where it was missed for long enough; tells whether it is over."""
    if known.observed is not Observed.UNKNOWN:
        miss(connection, known, now_s=now_s)
        return False
    if now_s - known.observed_at_s < MISSED_PERIODS * period_s:
        return False
    end(connection, known, at_s=int(known.observed_at_s), now_s=now_s, source="reconcile")
    return True


def _resized(known: Resource, size: AdoptedSpec) -> Finding:
    disk_gib = sum(d.size_gib for d in size.disks)
    return Finding(
        kind="edited",
        subject=subject_of(known),
        resource_id=known.id,
        detail={"name": known.name, "vcpu_count": size.vcpu_count, "memory_mib": size.memory_mib, "disk_gib": disk_gib},
    )
