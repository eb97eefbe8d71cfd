"""Closing a period: begun, reviewed by one, closed by another, never opened again. Corrections go into a later period.

Each step is one transaction that holds the ledger's lock, so that nothing is taken from the journal meanwhile, and ends
with its event of the audit chain; the seal of a closed period is in that event.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from controller.identity import audit
from controller.identity.caller import Caller
from controller.workflows import ledger
from controller.workflows.platform import Platform
from controller.workflows.sealing import seal
from inventory.domain.errors import Conflict, Forbidden, Invalid, NotFound
from inventory.domain.ids import DepartmentId
from inventory.domain.organisation import billing_of
from inventory.domain.progress import UNSEEN, Progress, WorkPhase
from inventory.domain.scope import PLATFORM, Scope
from inventory.store import directory
from metering import book_store, ledger_store, period_store, rated_period
from metering.books import Books
from metering.rating import Month, month_at
from metering.statements import GENESIS, Names, Sealed

Row = Mapping[str, Any]


def window(platform: Platform, month: str) -> dict[str, Any]:
    """Return the bounds of a period that is still open.

    Raises:
        Invalid: ``usage.month_invalid``.
    """
    start_s, end_s = Month.of(month).window(platform.zone)
    return {"id": month, "zone": str(platform.zone), "start_s": start_s, "end_s": end_s, "state": "open"}


def begin_closing(platform: Platform, month: str, caller: Caller) -> Row:
    """Begin to close a period that is over; its grace begins now.

    Raises:
        Invalid: ``usage.month_invalid``.
        Conflict: ``period.not_over``, ``period.state_forbids`` or ``period.out_of_order``.
    """
    period = window(platform, month)

    def unit(connection: Connection) -> None:
        ledger_store.lock(connection)
        now_s = platform.clock()
        known = period_store.get(connection, month)
        if known is not None:
            raise Conflict("period.state_forbids", period=month, state=known["state"], wanted="open")
        if now_s < period["end_s"]:
            raise Conflict("period.not_over", period=month, end_s=period["end_s"])
        _follows(connection, period)
        period_store.add(
            connection,
            {
                **period,
                "state": "closing",
                "closing_by": caller.user_name,
                "closing_at_s": now_s,
                "line_count": 0,
                "micro_yuan": 0,
                "fen": 0,
                "seal": "",
                "previous_seal": "",
            },
        )
        seal(connection, platform, caller, "period.closing", month, {"end_s": period["end_s"]})

    platform.db.run(unit)
    return show(platform, month)


def review(platform: Platform, month: str, caller: Caller, progress: Progress = UNSEEN) -> Row:
    """Rate a period and write its statements; once more where word of it came since.

    Raises:
        Conflict: ``period.in_grace``, ``period.state_forbids``, ``period.rows_due``, ``period.decisions_wait``,
            ``usage.price_gap``.
    """
    ledger.catch_up(platform, progress=progress)

    def unit(connection: Connection) -> None:
        ledger_store.lock(connection)
        period = _in_state(connection, month, "closing", "reviewed")
        _may_be_rated(platform, connection, period)
        if period["state"] == "reviewed":
            period_store.thaw(connection, period["start_s"], period["end_s"])
        period_store.clear(connection, month)
        found = _rate(platform, connection, period, progress)
        values = {
            "state": "reviewed",
            "reviewed_by": caller.user_name,
            "reviewed_at_s": platform.clock(),
            "line_count": found.line_count,
            "micro_yuan": found.micro_yuan,
            "fen": found.fen,
            "seal": found.seal,
            "previous_seal": _previous_seal(connection, period),
        }
        period_store.change(connection, month, period["state"], values)
        seal(connection, platform, caller, "period.review", month, {"fen": found.fen, "line_count": found.line_count})

    progress.phase(WorkPhase.TURN)
    platform.db.run(unit)
    return show(platform, month)


def close(platform: Platform, month: str, caller: Caller, progress: Progress = UNSEEN) -> Row:
    """Close a reviewed period for good; the reviewer cannot.

    Raises:
        Forbidden: ``period.own_review``.
        Conflict: ``period.state_forbids`` or ``period.changed``.
    """
    ledger.catch_up(platform, progress=progress)

    def unit(connection: Connection) -> None:
        ledger_store.lock(connection)
        period = _in_state(connection, month, "reviewed")
        if caller.user_name == period["reviewed_by"]:
            raise Forbidden("period.own_review", period=month)
        late_count = period_store.late_within(connection, period["end_s"])
        if late_count:
            raise Conflict("period.changed", period=month, count=late_count)
        values = {"state": "closed", "closed_by": caller.user_name, "closed_at_s": platform.clock()}
        period_store.change(connection, month, "reviewed", values)
        detail = {"seal": period["seal"], "previous_seal": period["previous_seal"], "fen": period["fen"]}
        seal(connection, platform, caller, "period.close", month, detail)

    progress.phase(WorkPhase.TURN)
    platform.db.run(unit)
    return show(platform, month)


def show(platform: Platform, month: str) -> Row:
    """Return a period; one without a row is open.

    Raises:
        Invalid: ``usage.month_invalid``.
    """
    with platform.db.read() as connection:
        known = period_store.get(connection, month)
    return _full(platform, known or window(platform, month))


def told_until(platform: Platform, period: Row) -> int:
    """Return up to when a month can be told: now, or its end.

    Raises:
        Invalid: ``report.in_future``.
    """
    now_s = int(platform.clock())
    if period["start_s"] > now_s:
        raise Invalid("report.in_future", period=period["id"])
    return min(now_s, int(period["end_s"]))


def listed(platform: Platform) -> list[Row]:
    """Return every period from the first usage up to the one that runs, oldest first."""
    with platform.db.read() as connection:
        known = {p["id"]: p for p in period_store.all_periods(connection)}
        first_s = period_store.first_usage_s(connection)
    month = _month_at(platform, first_s if first_s is not None else platform.clock())
    if known:
        month = min(month, Month.of(min(known)))
    last = _month_at(platform, platform.clock())
    found = []
    while month <= last:
        found.append(_full(platform, known.get(str(month)) or window(platform, str(month))))
        month = month.next()
    return found


def statements(platform: Platform, month: str, scope: Scope) -> list[Row]:
    """Return the statements of a reviewed or closed period."""
    with platform.db.read() as connection:
        return period_store.statements(connection, month, scope)


def statement(platform: Platform, month: str, department_id: str) -> dict[str, Any]:
    """Return one statement with its rows: as it was written, or, of an open period, as it stands now.

    Raises:
        NotFound: ``statement.not_found``.
        Conflict: ``usage.price_gap``.
    """
    with platform.db.read() as connection:
        period = period_store.get(connection, month) or window(platform, month)
        if period["state"] in ("reviewed", "closed"):
            scope = Scope(frozenset({DepartmentId(department_id)}))
            found = period_store.statements(connection, month, scope)
            if not found:
                raise NotFound("statement.not_found", period=month)
            rows = period_store.statement_rows(connection, month, scope)
            told = {"period_state": period["state"], "until_s": period["end_s"], "late_word_count": 0}
            return {**found[0], **told, "rows": rows}
        until_s = max(period["start_s"], min(int(platform.clock()), period["end_s"]))
        books = Books(book_store.approved(connection))
        accrued = rated_period.accrued(connection, period, books, names(platform, connection), department_id, until_s)
        late_word_count = period_store.late_word_count(connection, department_id)
    if not accrued.statements:
        raise NotFound("statement.not_found", period=month)
    told = {"period_state": period["state"], "until_s": until_s, "late_word_count": late_word_count}
    return {**accrued.statements[0], **told, "rows": list(accrued.rows)}


def acknowledge(platform: Platform, month: str, department_id: str, caller: Caller) -> dict[str, Any]:
    """Write that the department has seen its statement of a closed period; a second time changes nothing.

    Raises:
        NotFound: ``statement.not_found``.
        Conflict: ``period.state_forbids``.
    """

    def unit(connection: Connection) -> None:
        _in_state(connection, month, "closed")
        if period_store.acknowledge(connection, month, department_id, caller.user_name, platform.clock()):
            seal(connection, platform, caller, "statement.acknowledge", month, {}, DepartmentId(department_id))

    platform.db.run(unit)
    return statement(platform, month, department_id)


def verify(platform: Platform, month: str, progress: Progress = UNSEEN) -> dict[str, Any]:
    """Derive a closed period again and compare every byte of it, up to the seal in the audit chain; changes nothing.

    Raises:
        Conflict: ``period.state_forbids``.
    """
    with platform.db.read() as connection:
        period = _in_state(connection, month, "closed")
        books = Books(book_store.approved(connection))
        proof = rated_period.prove(connection, period, books, _previous_seal(connection, period), progress)
        # Whoever tried to close it and was refused is in the chain too, and sealed nothing.
        sealed = audit.page(connection, PLATFORM, limit=1, action="period.close", target=month, result=audit.Result.OK)
    is_sealed = any(e["detail"].get("seal") == proof.seal for e in sealed)
    return {
        "period_id": month,
        "is_proven": is_sealed and not proof.faults,
        "is_sealed_in_audit": is_sealed,
        "line_count": proof.line_count,
        "seal": proof.seal,
        "derived_seal": proof.derived_seal,
        "faults": proof.faults,
    }


def names(platform: Platform, connection: Connection) -> Names:
    """Return what departments and projects are called now, and how departments are billed."""
    departments = directory.departments(connection)
    return Names(
        departments={d.id: (d.code, d.name) for d in departments},
        projects=directory.project_names(connection),
        billing={id_: billing.value for id_, billing in billing_of(departments, platform.billing).items()},
    )


def _rate(platform: Platform, connection: Connection, period: Row, progress: Progress) -> Sealed:
    books, previous = Books(book_store.approved(connection)), _previous_seal(connection, period)
    found = rated_period.write(connection, period, books, names(platform, connection), previous, progress)
    period_store.mark_corrected(connection, period["id"])
    return found


def _may_be_rated(platform: Platform, connection: Connection, period: Row) -> None:
    ready_s = period["end_s"] + platform.closing_grace_s
    if platform.clock() < ready_s:
        raise Conflict("period.in_grace", period=period["id"], ready_s=ready_s)
    due = ledger_store.due_count(connection)
    if due:
        raise Conflict("period.rows_due", period=period["id"], count=due)
    waiting = period_store.pending_count(connection, period["end_s"])
    if waiting:
        raise Conflict("period.decisions_wait", period=period["id"], count=waiting)


def _follows(connection: Connection, period: Row) -> None:
    """Refuse to leave a gap or to go back: the period before is closed, or nothing was used before."""
    known = period_store.all_periods(connection)
    before = [p for p in known if p["start_s"] < period["start_s"]]
    if len(before) < len(known):
        raise Conflict("period.out_of_order", period=period["id"], before=known[-1]["id"])
    if before:
        last = before[-1]
        if last["end_s"] != period["start_s"] or last["state"] != "closed":
            raise Conflict("period.out_of_order", period=period["id"], before=last["id"])
        return
    first_s = period_store.first_usage_s(connection)
    if first_s is not None and first_s < period["start_s"]:
        raise Conflict("period.out_of_order", period=period["id"], before="")


def _previous_seal(connection: Connection, period: Row) -> str:
    before = [p for p in period_store.all_periods(connection) if p["end_s"] == period["start_s"]]
    return str(before[0]["seal"]) if before else GENESIS


def _in_state(connection: Connection, month: str, *states: str) -> Row:
    period = period_store.get(connection, month)
    if period is None or period["state"] not in states:
        found = "open" if period is None else period["state"]
        raise Conflict("period.state_forbids", period=month, state=found, wanted=" / ".join(states))
    return period


def _full(platform: Platform, period: Row) -> Row:
    """Return a period with every field; an open one has none of its end."""
    end = dict.fromkeys(
        (
            "closing_by",
            "closing_at_s",
            "reviewed_by",
            "reviewed_at_s",
            "closed_by",
            "closed_at_s",
            "line_count",
            "micro_yuan",
            "fen",
        )
    )
    return {**end, "seal": "", "previous_seal": "", **period, "ready_s": period["end_s"] + platform.closing_grace_s}


def _month_at(platform: Platform, at_s: float) -> Month:
    return month_at(at_s, platform.zone)
