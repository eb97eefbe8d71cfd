"""Corrections by hand, and the way of a line back to what it came from.

A line of a closed period is never changed: a credit or debit refers to it, stands in the first period that is not reviewed
yet, and waits for a second person.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from controller.identity.caller import Caller
from controller.tickets import store as approval_store
from controller.workflows.periods import window
from controller.workflows.platform import Platform
from controller.workflows.sealing import seal
from inventory.domain.errors import Conflict, Forbidden, Invalid, NotFound
from inventory.domain.ids import DepartmentId, ResourceId
from inventory.domain.journal import JournalRow
from inventory.domain.scope import Scope
from inventory.importers.amounts import fixed_point
from inventory.store import hosts, journal
from metering import adjustments, book_store, count_store, entries, ledger_store, period_store
from metering.adjustments import Adjustment
from metering.books import Books
from metering.counts import Run
from metering.entries import Entry
from metering.lines import ID_BYTES, Kind, Line
from metering.rating import month_at, yuan

_MICRO_MAX = 10**15
#: Rows of the journal a correction shows at most.
_WORDS_MAX = 100


def adjust(platform: Platform, line: str, amount: str, reason: str, caller: Caller) -> Adjustment:
    """Enter a credit (negative) or debit for a line of a closed period.

    Raises:
        Invalid: ``adjustment.amount_unreadable`` or ``adjustment.reason_missing``.
        NotFound: ``line.not_found``.
        Conflict: ``adjustment.period_not_closed``.
    """
    micro = _micro(amount)
    if not reason.strip():
        raise Invalid("adjustment.reason_missing")

    def unit(connection: Connection) -> Adjustment:
        line_id = line_id_of(line)
        period_id, found = period_store.find_line(connection, line_id)
        period = period_store.get(connection, period_id)
        if period is None or period["state"] != "closed":
            raise Conflict("adjustment.period_not_closed", line=line, period=period_id)
        entered = Adjustment(
            id=platform.new_id("adjustment"),
            state="pending",
            line_period_id=period_id,
            line_id=line_id,
            period_id=None,
            micro_yuan=micro,
            reason=reason.strip(),
            entered_by=caller.user_name,
            entered_at_s=platform.clock(),
        )
        adjustments.add(connection, entered)
        _note(connection, platform, caller, "adjustment.add", entered, found)
        return entered

    return platform.db.run(unit)


def decide(platform: Platform, id_: str, caller: Caller, decision: str) -> Adjustment:
    """Agree to a correction, or turn it down, as a second person; it stands in the first period that is not reviewed.

    Raises:
        NotFound: ``adjustment.not_found``.
        Forbidden: ``adjustment.own``.
        Conflict: ``adjustment.decided``.
    """

    def unit(connection: Connection) -> Adjustment:
        found = adjustments.get(connection, id_)
        if caller.user_name == found.entered_by:
            raise Forbidden("adjustment.own", adjustment=id_)
        # A month that is being rated is over before this is asked.
        ledger_store.lock(connection)
        into = month_at(period_store.frozen_until_s(connection), platform.zone)
        values = {
            "state": decision,
            "period_id": str(into) if decision == "approved" else None,
            "decided_by": caller.user_name,
            "decided_at_s": platform.clock(),
        }
        adjustments.decide(connection, id_, values)
        _, line = period_store.find_line(connection, found.line_id)
        _note(connection, platform, caller, f"adjustment.{'approve' if decision == 'approved' else 'reject'}", found, line)
        return adjustments.get(connection, id_)

    return platform.db.run(unit)


def listed(platform: Platform, *, limit: int, after: str) -> list[Adjustment]:
    """Return corrections by hand, oldest first."""
    with platform.db.read() as connection:
        return adjustments.page(connection, limit=limit, after=after)


def trace(platform: Platform, line: str, scope: Scope) -> dict[str, Any]:
    """Return a line with all it came from: journal rows, price, the version's approvals, or the line it corrects.

    Raises:
        NotFound: ``line.not_found``, for one outside the scope too.
    """
    with platform.db.read() as connection:
        period_id, found = period_store.find_line(connection, line_id_of(line))
        if not scope.allows(DepartmentId(found.department_id)):
            raise NotFound("line.not_found", line=line)
        history = {r.revision: r for r in journal.of_resource(connection, ResourceId(found.resource_id))}
        opened, closed = history.get(found.opened_by), history.get(found.closed_by)
        return {
            "period": dict(period_store.get(connection, period_id) or window(platform, period_id)),
            "line": line_to_json(line_id_of(line), found),
            "opened_by": opened and _row(connection, opened),
            "closed_by": closed and _row(connection, closed),
            "price": _price(connection, found.book_id) if found.book_id else None,
            **_correction(connection, period_id, found, scope),
            "counted": _counted(connection, found),
            "by_hand": _by_hand(connection, found),
        }


def line_to_json(line_id: bytes, line: Line) -> dict[str, Any]:
    """Return a line as it is sent; money as decimal strings."""
    out = line._asdict()
    listed_, billed = out.pop("list_micro_yuan"), out.pop("micro_yuan")
    return {"id": line_id.hex(), **out, "list_yuan": yuan(listed_), "yuan": yuan(billed)}


def line_id_of(text: str) -> bytes:
    """Return the id that is written as hexadecimal digits.

    Raises:
        NotFound: ``line.not_found``: it is no id at all.
    """
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != ID_BYTES:
        raise NotFound("line.not_found", line=text[:64])
    return found


def _row(connection: Connection, row: JournalRow) -> dict[str, Any]:
    names = {} if row.host_id is None else hosts.names(connection, [row.host_id])
    return {
        "revision": row.revision,
        "state": row.state,
        "resource_name": row.resource_name,
        "host": "" if row.host_id is None else names.get(row.host_id, row.host_id),
        "amounts": dict(row.amounts),
        "occurred_at_s": row.occurred_at_s,
        "recorded_at_s": row.recorded_at_s,
        "source": row.source,
        "uncertain_s": row.uncertain_s,
    }


def _counted(connection: Connection, line: Line) -> list[dict[str, Any]]:
    """Return the days a line of what was passed is made of, each with its readings."""
    if line.kind != Kind.COUNTED:
        return []
    days = count_store.of_resource(connection, line.resource_id, line.meter, line.start_s, line.end_s)
    own = (line.department_id, line.project_id, line.system_id)
    return [
        {
            **{name: day[name] for name in ("start_s", "end_s", "received_bytes", "sent_bytes")},
            "runs": [Run(*run)._asdict() for run in day["runs"]],
        }
        for day in days
        if (day["department_id"], day["project_id"], day["system_id"]) == own
    ]


def _by_hand(connection: Connection, line: Line) -> dict[str, Any] | None:
    """Return who entered what a line is made of, why, and who agreed to it."""
    found: Entry | Adjustment
    if line.kind == Kind.ENTRY:
        found = entries.get(connection, line.resource_id)
    elif line.kind == Kind.ADJUSTMENT:
        found = adjustments.get(connection, line.reason.partition(" ")[0])
    else:
        return None
    told = ("id", "reason", "entered_by", "entered_at_s", "decided_by", "decided_at_s")
    return {name: getattr(found, name) for name in told}


def _correction(connection: Connection, period_id: str, line: Line, scope: Scope) -> dict[str, Any]:
    """Return the late word a correction is made of, and the price books that held in the month it corrects."""
    if line.kind != Kind.CORRECTION:
        return {"late_words": [], "prices": []}
    words = period_store.late_words(connection, period_id, line.end_s)
    # Where its resource was told nothing new of, word of others changed its share of a commitment or of steps.
    words = [w for w in words if w[0] == line.resource_id] or words
    wanted = {(id_, revision) for id_, revision in words[:_WORDS_MAX]}
    rows = [r for id_ in sorted({w[0] for w in wanted}) for r in journal.of_resource(connection, ResourceId(id_))]
    told = [r for r in rows if (r.resource_id, r.revision) in wanted and scope.allows(r.department_id)]
    pieces = Books(book_store.approved(connection)).pieces(line.meter, line.start_s, line.end_s)
    return {
        "late_words": [_row(connection, r) for r in told],
        "prices": [_price(connection, version.id) for _, _, version in pieces],
    }


def _price(connection: Connection, book_id: str) -> dict[str, Any]:
    book = book_store.get(connection, book_id)
    decisions = approval_store.approvals(connection, book_id)
    return {
        "book_id": book_id,
        "name": book["name"],
        "version": book["version"],
        "sha256": book["sha256"],
        "from_s": book["from_s"],
        "to_s": book["to_s"],
        "created_by": book["created_by"],
        "approved_by": [a.decided_by for a in decisions if a.decision == "approved"],
    }


def _micro(text: str) -> int:
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    micro = fixed_point(digits, 6)
    if not micro or micro > _MICRO_MAX:
        raise Invalid("adjustment.amount_unreadable", written=text[:40])
    return sign * micro


def _note(connection: Connection, platform: Platform, caller: Caller, action: str, adjustment: Adjustment, line: Line) -> None:
    detail: Mapping[str, Any] = {"line": adjustment.line_id.hex(), "yuan": yuan(adjustment.micro_yuan)}
    seal(connection, platform, caller, action, adjustment.id, detail, DepartmentId(line.department_id))
