"""Journal rows to usage intervals. Pure: the same rows always give the same intervals.

A row says what a resource is *from* its moment on; the next row of the same resource ends it. So between its first row
and its release every second of a resource lies in exactly one half-open interval per meter.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from inventory.domain.ids import DepartmentId, HostId, ProjectId, ResourceId, SystemId
from inventory.domain.journal import JournalRow

RELEASED = "released"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """``amount`` of a meter held by one resource in one state during ``[start_s, end_s)``."""

    resource_id: ResourceId
    resource_kind: str
    resource_name: str
    department_id: DepartmentId
    project_id: ProjectId
    system_id: SystemId
    host_id: HostId | None
    meter: str
    state: str
    amount: int
    #: Where it begins whatever window is looked at: charges are rounded from here, so that parts add up to the whole.
    opened_s: int
    start_s: int
    end_s: int
    #: Journal revision that opened it, and the one that closed it (``None``: still open, or closed after the window).
    opened_by: int
    closed_by: int | None

    @property
    def seconds(self) -> int:
        """Return its length."""
        return self.end_s - self.start_s


def intervals(rows: Iterable[JournalRow], start_s: int, end_s: int) -> Iterator[Interval]:
    """Return the intervals of ``rows`` within the window ``[start_s, end_s)``.

    ``rows`` come by resource and revision, each resource whole from its first row on. The order of revisions is the
    truth: a moment before the one of the revision before it (a clock set back) counts as that one, never as negative time.
    """
    for _, history in groupby(rows, key=lambda r: r.resource_id):
        for whole in _of_resource(history, end_s):
            if whole.end_s > start_s:
                yield replace(whole, start_s=max(whole.start_s, start_s))


def clip(interval: Interval, start_s: int, end_s: int) -> Interval | None:
    """Return the part of an interval inside a window; ``None`` where there is none."""
    start, end = max(interval.start_s, start_s), min(interval.end_s, end_s)
    if start >= end:
        return None
    closed_by = interval.closed_by if interval.end_s <= end_s else None
    return replace(interval, start_s=start, end_s=end, closed_by=closed_by)


def _of_resource(history: Iterable[JournalRow], end_s: int) -> Iterator[Interval]:
    """Return the intervals of one resource from its birth to ``end_s``, without empty ones."""
    row: JournalRow | None = None
    since_s = 0
    for following in history:
        at_s = following.occurred_at_s
        if row is not None:
            at_s = max(at_s, since_s)
            yield from _of_row(row, since_s, min(at_s, end_s), closed_by=following.revision if at_s <= end_s else None)
        row, since_s = following, at_s
    if row is not None:
        yield from _of_row(row, since_s, end_s, closed_by=None)


def _of_row(row: JournalRow, since_s: int, until_s: int, *, closed_by: int | None) -> Iterator[Interval]:
    if row.state == RELEASED or until_s <= since_s:
        return
    for meter, amount in sorted(row.amounts.items()):
        if amount:
            yield Interval(
                resource_id=row.resource_id,
                resource_kind=row.resource_kind,
                resource_name=row.resource_name,
                department_id=row.department_id,
                project_id=row.project_id,
                system_id=row.system_id,
                host_id=row.host_id,
                meter=meter,
                state=row.state,
                amount=amount,
                opened_s=since_s,
                start_s=since_s,
                end_s=until_s,
                opened_by=row.revision,
                closed_by=closed_by,
            )
