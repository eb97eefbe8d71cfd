"""From new journal rows to changes of the stored ledger. Pure: the same rows give the same ledger, in one go or one by one.

The order of revisions is the truth. A row that comes twice, or after a later one, changes nothing by that; a row whose
predecessor is not there yet waits for it. A row that tells of an earlier moment than the row before it (a clock set
back) counts from that moment on, so that no interval is ever negative.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from inventory.domain.ids import ResourceId
from inventory.domain.journal import JournalRow
from metering.intervals import RELEASED


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Up to where the rows of one resource were taken."""

    resource_id: ResourceId
    #: Revision of the last row that was taken.
    revision: int
    #: From when that row counts, UTC epoch s.
    since_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerInterval:
    """``amount`` of one meter held by one resource in one state, with its owner and place as they were then."""

    resource_id: str
    meter: str
    start_s: int
    #: ``None``: still so.
    end_s: int | None
    amount: int
    state: str
    #: Revisions of the journal rows that opened and closed it.
    opened_by: int
    closed_by: int | None
    resource_kind: str
    resource_name: str
    department_id: str
    project_id: str
    system_id: str
    host_id: str | None
    #: It began, and ended, at most so many seconds before ``start_s`` and ``end_s``; 0: in that very second, or still so.
    start_uncertain_s: int = 0
    end_uncertain_s: int = 0


def of_row(row: Sequence[Any]) -> LedgerInterval:
    """Return the interval of a row of the ledger's table, as far as rating needs it (``ledger_tables.RATED``)."""
    return LedgerInterval(
        resource_id=row[0], meter=row[1], start_s=row[2], end_s=row[3], amount=row[4], state=row[5], opened_by=row[6],
        closed_by=row[7], resource_kind=row[8], resource_name=row[9], department_id=row[10], project_id=row[11],
        system_id=row[12], host_id=row[13],
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """What taking some rows of one resource changes."""

    #: Where the resource stands afterwards.
    position: Position
    #: What was open ends here, by this revision.
    closed_s: int
    closed_by: int
    closed_uncertain_s: int
    opened: tuple[LedgerInterval, ...]
    #: Each row taken, with the moment from which it counts.
    taken: tuple[tuple[int, int], ...]


def advance(position: Position | None, rows: Sequence[JournalRow]) -> Advance | None:
    """Return what ``rows`` of one resource change, ``None`` where they change nothing (all taken, or waiting)."""
    fresh = _following(position.revision if position else 0, rows)
    if not fresh:
        return None
    moments = _effective(position.since_s if position else None, fresh)
    opened = _opened(fresh, moments)
    last = fresh[-1]
    return Advance(
        position=Position(resource_id=last.resource_id, revision=last.revision, since_s=moments[-1]),
        closed_s=moments[0],
        closed_by=fresh[0].revision,
        closed_uncertain_s=_uncertain(fresh[0], moments[0]),
        opened=tuple(opened),
        taken=tuple((row.revision, at_s) for row, at_s in zip(fresh, moments, strict=True)),
    )


def derived(rows: Sequence[JournalRow]) -> list[LedgerInterval]:
    """Return the intervals of one resource from just these rows, in their order, whichever others there are."""
    return _opened(rows, _effective(None, rows))


def _opened(rows: Sequence[JournalRow], moments: Sequence[int]) -> list[LedgerInterval]:
    bounds = [_Bound(at_s, row.revision, _uncertain(row, at_s)) for row, at_s in zip(rows, moments, strict=True)]
    stretches = zip(rows, bounds, [*bounds[1:], _STILL_SO], strict=True)
    return [interval for row, start, end in stretches for interval in _of_row(row, start, end)]


class _Bound(NamedTuple):
    """Where an interval begins or ends: the moment, the revision that says so, and how much earlier it may have been."""

    at_s: int | None
    revision: int | None
    uncertain_s: int


_STILL_SO = _Bound(None, None, 0)


def _uncertain(row: JournalRow, at_s: int) -> int:
    """Return how much before the moment it counts from a change may have happened: after a clock was ahead it counts late."""
    return at_s - row.occurred_at_s + row.uncertain_s


def _following(taken: int, rows: Iterable[JournalRow]) -> list[JournalRow]:
    """Return the rows after revision ``taken`` as far as none is missing."""
    fresh: list[JournalRow] = []
    for row in sorted(rows, key=lambda r: r.revision):
        if row.revision == taken + len(fresh) + 1:
            fresh.append(row)
    return fresh


def _effective(since_s: int | None, rows: Iterable[JournalRow]) -> list[int]:
    moments: list[int] = []
    for row in rows:
        since_s = row.occurred_at_s if since_s is None else max(since_s, row.occurred_at_s)
        moments.append(since_s)
    return moments


def _of_row(row: JournalRow, start: _Bound, end: _Bound) -> Iterator[LedgerInterval]:
    if row.state == RELEASED or start.at_s is None or start.at_s == end.at_s:
        return
    for meter, amount in sorted(row.amounts.items()):
        if amount:
            yield LedgerInterval(
                resource_id=row.resource_id,
                meter=meter,
                start_s=start.at_s,
                end_s=end.at_s,
                amount=amount,
                state=row.state,
                opened_by=row.revision,
                closed_by=end.revision,
                resource_kind=row.resource_kind,
                resource_name=row.resource_name,
                department_id=row.department_id,
                project_id=row.project_id,
                system_id=row.system_id,
                host_id=row.host_id,
                start_uncertain_s=start.uncertain_s,
                end_uncertain_s=end.uncertain_s,
            )
