"""Price books: handed in as a draft, in force when two others agreed, never edited; services and labour entered by hand.

Nobody decides on what is their own. Each decision is a row of ``approvals`` and an event of the audit chain; whether a
version may hold is asked again in the transaction of the last decision, under a lock on all versions.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from controller.identity.caller import Caller
from controller.tickets import store as approval_store
from controller.tickets.model import Approval
from controller.workflows.platform import Platform
from controller.workflows.sealing import seal
from inventory.domain.errors import Conflict, Forbidden, Invalid, NotFound
from inventory.domain.ids import DepartmentId
from inventory.domain.scope import Scope
from inventory.store import directory
from metering import book_store, entries, ledger_store, period_store
from metering.book_document import BookDocument, read_book
from metering.books import BookVersion, overlaps
from metering.entries import Entry
from metering.meters import is_timed, meter_of

#: The one stage; two different people must pass it.
_STAGE = "two-persons"
_APPROVALS_NEEDED = 2


def check(platform: Platform, data: bytes) -> BookDocument:
    """Read a price book and say whether it could hold; stores nothing.

    Raises:
        Invalid: with every problem of the document.
        Conflict: ``book.overlap`` or ``book.replaces_nothing``.
    """
    with platform.db.read() as connection:
        document = _read(platform, connection, data)
        _may_hold(connection, document.version, document.replaces)
    return document


def submit(platform: Platform, data: bytes, caller: Caller) -> dict[str, Any]:
    """Hand in a draft; the same bytes again give the same draft.

    Raises:
        Invalid, Conflict: as ``check``.
    """

    def unit(connection: Connection) -> str:
        book_store.lock(connection)
        document = _read(platform, connection, data)
        known = book_store.same_document(connection, document.sha256)
        if known is not None:
            return known
        _may_hold(connection, document.version, document.replaces)
        version = document.version
        values = {
            "id": version.id,
            "name": document.name,
            "from_s": version.from_s,
            "to_s": version.to_s,
            "replaces": document.replaces,
            "document": data,
            "sha256": document.sha256,
            "body": version.to_json(),
            "created_by": caller.user_name,
            "created_at_s": platform.clock(),
            "approved_at_s": None,
        }
        number = book_store.add(connection, values)
        detail = {"name": document.name, "version": number, "sha256": document.sha256}
        seal(connection, platform, caller, "book.submit", version.id, detail)
        return version.id

    return show(platform, platform.db.run(unit))


def decide(platform: Platform, id_: str, caller: Caller, decision: str, reason: str) -> dict[str, Any]:
    """Approve (or reject) a draft; the second approval puts it in force.

    Raises:
        NotFound: ``book.not_found``.
        Forbidden: ``book.own``.
        Conflict: ``book.state_forbids``, ``book.decided_already``, ``book.overlap``.
    """

    def unit(connection: Connection) -> None:
        # No month is being rated meanwhile: it would be by the prices of before, and proven by those of after.
        ledger_store.lock(connection)
        book_store.lock(connection)
        book = book_store.get(connection, id_)
        if book["state"] != "draft":
            raise Conflict("book.state_forbids", book=id_, state=book["state"])
        if caller.user_name == book["created_by"]:
            raise Forbidden("book.own", book=id_)
        before = approval_store.approvals(connection, id_)
        if any(a.decided_by == caller.user_name for a in before):
            raise Conflict("book.decided_already", book=id_, user=caller.user_name)
        approval_store.add_approval(connection, _approval(platform, id_, caller, decision, reason))
        if decision == "rejected":
            book_store.decide(connection, id_, "rejected", platform.clock())
        elif len(before) + 1 >= _APPROVALS_NEEDED:
            _put_in_force(connection, platform, book)
        verb = "approve" if decision == "approved" else "reject"
        seal(connection, platform, caller, f"book.{verb}", id_, {"sha256": book["sha256"]})

    platform.db.run(unit)
    return show(platform, id_)


def show(platform: Platform, id_: str) -> dict[str, Any]:
    """Return one version with its document and who decided on it.

    Raises:
        NotFound: ``book.not_found``.
    """
    with platform.db.read() as connection:
        book = book_store.get(connection, id_)
        decisions = approval_store.approvals(connection, id_)
    shown = {name: value for name, value in book.items() if name not in ("document", "body")}
    return {
        **_summary(platform, shown),
        "document": bytes(book["document"]).decode("utf-8", "replace"),
        "approvals": [_decision(a) for a in decisions],
    }


def _decision(approval: Approval) -> dict[str, Any]:
    return {
        "decided_by": approval.decided_by,
        "decision": approval.decision,
        "reason": approval.reason,
        "at_s": approval.at_s,
    }


def listed(platform: Platform, *, limit: int, after: str) -> list[dict[str, Any]]:
    """Return versions without their documents."""
    with platform.db.read() as connection:
        return [_summary(platform, row) for row in book_store.page(connection, limit=limit, after=after)]


def _summary(platform: Platform, book: Mapping[str, Any]) -> dict[str, Any]:
    """Return a version as it is sent; an approved one is in force, still to come, or over."""
    state, now_s = book["state"], platform.clock()
    if state == "approved" and now_s >= book["from_s"]:
        state = "effective" if book["to_s"] is None or now_s < book["to_s"] else "retired"
    return {**book, "state": state}


def _read(platform: Platform, connection: Connection, data: bytes) -> BookDocument:
    departments = {d.code: str(d.id) for d in directory.departments(connection)}
    projects = {p.code: (str(p.id), str(p.department_id)) for p in directory.projects(connection)}
    id_ = platform.new_id("price_book")
    return read_book(data, id_=id_, departments=departments, zone=platform.zone, projects=projects)


def _may_hold(connection: Connection, version: BookVersion, replaces: str) -> None:
    frozen_until_s = period_store.frozen_until_s(connection)
    if version.from_s < frozen_until_s:
        raise Conflict("book.period_frozen", start_s=version.from_s, until_s=frozen_until_s)
    in_force = {v.id: v for v in book_store.approved(connection)}
    old = in_force.pop(replaces, None)
    if replaces and (old is None or old.from_s >= version.from_s or (old.to_s is not None and old.to_s < version.from_s)):
        raise Conflict("book.replaces_nothing", replaces=replaces, start_s=version.from_s)
    for other in in_force.values():
        if overlaps(version, other):
            raise Conflict("book.overlap", other=other.id, start_s=other.from_s, end_s=other.to_s or "∞")


def _put_in_force(connection: Connection, platform: Platform, book: Mapping[str, Any]) -> None:
    version = BookVersion.from_json(book["body"])
    _may_hold(connection, version, book["replaces"])
    if book["replaces"]:
        book_store.end(connection, book["replaces"], version.from_s)
    book_store.decide(connection, version.id, "approved", platform.clock())


def _approval(platform: Platform, id_: str, caller: Caller, decision: str, reason: str) -> Approval:
    return Approval(
        id=platform.new_id("approval"),
        subject_kind="price_book",
        subject_id=id_,
        stage=_STAGE,
        decided_by=caller.user_name,
        decision=decision,
        reason=reason,
        at_s=platform.clock(),
    )


# -- services and labour -----------------------------------------------------------------------------------------------


def enter(
    platform: Platform, caller: Caller, *, project: str, meter: str, amount: int, start_s: int, end_s: int | None, reason: str
) -> Entry:
    """Enter a service, labour, or what a project held unseen by the platform; a second person has to agree before it is charged.

    Raises:
        Invalid: ``price.meter_unknown``, ``entry.meter_is_measured``, ``entry.reason_missing``, ``entry.end_missing`` or
            ``entry.window_empty``.
        NotFound: ``project.unknown``.
    """
    if not meter_of(meter).is_entered:
        raise Invalid("entry.meter_is_measured", meter=meter)
    if end_s is None and is_timed(meter):
        raise Invalid("entry.end_missing", meter=meter)
    if not reason.strip():
        raise Invalid("entry.reason_missing")
    if end_s is not None and end_s <= start_s:
        raise Invalid("entry.window_empty", start_s=start_s, end_s=end_s)

    def unit(connection: Connection) -> Entry:
        found = next((p for p in directory.projects(connection) if project in (p.id, p.code)), None)
        if found is None:
            raise NotFound("entry.project_unknown", project=project)
        _not_frozen(connection, start_s)
        entry = Entry(
            id=platform.new_id("usage_entry"),
            state="pending",
            department_id=found.department_id,
            project_id=found.id,
            meter=meter,
            amount=amount,
            start_s=start_s,
            end_s=end_s,
            reason=reason.strip(),
            entered_by=caller.user_name,
            entered_at_s=platform.clock(),
        )
        entries.add(connection, entry)
        seal(connection, platform, caller, "entry.add", entry.id, {"meter": meter, "amount": amount}, found.department_id)
        return entry

    return platform.db.run(unit)


def decide_entry(platform: Platform, id_: str, caller: Caller, decision: str) -> Entry:
    """Agree to an entry, or turn it down, as a second person.

    Raises:
        NotFound: ``entry.not_found``.
        Forbidden: ``entry.own``.
        Conflict: ``entry.decided``.
    """

    def unit(connection: Connection) -> Entry:
        entry = entries.get(connection, id_)
        if caller.user_name == entry.entered_by:
            raise Forbidden("entry.own", entry=id_)
        if decision == "approved":
            _not_frozen(connection, entry.start_s)
        now_s = platform.clock()
        entries.decide(connection, id_, {"state": decision, "decided_by": caller.user_name, "decided_at_s": now_s})
        verb = "approve" if decision == "approved" else "reject"
        seal(connection, platform, caller, f"entry.{verb}", id_, {"meter": entry.meter}, DepartmentId(entry.department_id))
        return entries.get(connection, id_)

    return platform.db.run(unit)


def _not_frozen(connection: Connection, start_s: int) -> None:
    # A month that is being rated is over before this is asked.
    ledger_store.lock(connection)
    frozen_until_s = period_store.frozen_until_s(connection)
    if start_s < frozen_until_s:
        raise Conflict("entry.period_frozen", start_s=start_s, until_s=frozen_until_s)


def entry_page(platform: Platform, scope: Scope, *, limit: int, after: str) -> list[Entry]:
    """Return entries of the departments in ``scope``."""
    with platform.db.read() as connection:
        return entries.page(connection, scope, limit=limit, after=after)
