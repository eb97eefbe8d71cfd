"""A period rated in the database: written for the review, accrued on demand, derived again for a proof.

Months are written and accrued by the fast engine (``metering.vectors``); corrections and proofs go through the plain
integer kernel, so that every proof of a closed month also proves the engine.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import Connection

from inventory.domain.errors import Problem, Unavailable
from inventory.domain.ids import DepartmentId
from inventory.domain.progress import UNSEEN, Progress, WorkPhase, counted
from inventory.domain.scope import PLATFORM, of_departments
from inventory.store.collector import put_off
from metering import ledger_store
from metering import period_store as store
from metering.books import Books
from metering.charging import Charging
from metering.ledger import LedgerInterval, derived
from metering.line_columns import LineColumns
from metering.lines import Kind, Line
from metering.statements import Names, Sealed, Summing, seal
from metering.vectors import Engine

Row = Mapping[str, Any]
#: A proof that fails is told by its first faults.
FAULTS_MAX = 100
_BY_HAND = (Kind.ADJUSTMENT, Kind.CORRECTION)
#: What a correction is about.
Subject = tuple[str, str, str, str, str]


def write(connection: Connection, period: Row, books: Books, names: Names, previous: str, progress: Progress = UNSEEN) -> Sealed:
    """Rate a period, write its lines and statements, and return what it comes to.

    Raises:
        Conflict: ``usage.price_gap``.
    """
    summing = Summing(period["id"])
    start_s, end_s = period["start_s"], period["end_s"]
    engine = Engine(Charging(books, period["id"], start_s, end_s, end_s, billing=names.billing), summing)
    # Closed here, while the transaction lives, whatever happens: a stream left open would fail the next one.
    progress.phase(WorkPhase.RATING, lambda: store.usage_count(connection, start_s, end_s))
    done = 0
    with put_off(), closing(store.usage_rows(connection, start_s, end_s)) as portions:
        for rows in portions:
            engine.take(rows)
            done += len(rows)
            progress.reached(done)
    by_hand = chain(adjusted(connection, period), corrected(connection, period, books, names, progress))
    engine.rest(store.entries(connection, start_s, end_s), by_hand)
    _write_lines(connection, period["id"], engine.finished(), summing, progress)
    progress.phase(WorkPhase.SEALING)
    found = seal(period, summing, names, previous)
    store.add_statements(connection, found.statements, found.rows)
    return found


def _write_lines(connection: Connection, period_id: str, lines: LineColumns, summing: Summing, progress: Progress) -> None:
    progress.phase(WorkPhase.WRITING, lambda: len(lines))
    done = 0
    for department_id, own in lines.in_order():
        summing.sorted_ids[department_id] = own.ids.tobytes()
        store.add_lines(connection, period_id, department_id, own)
        done += len(own)
        progress.reached(done)


def accrued(connection: Connection, period: Row, books: Books, names: Names, department_id: str, until_s: int) -> Sealed:
    """Return one department's statement of an open period as it stands at ``until_s``, with corrections by hand; writes nothing.

    Raises:
        Conflict: ``usage.price_gap``.
    """
    summing = Summing(period["id"])
    charging = Charging(books, period["id"], period["start_s"], period["end_s"], until_s, department_id, names.billing)
    engine = Engine(charging, summing, makes_lines=False)
    with put_off(), closing(store.usage_rows(connection, period["start_s"], until_s, department_id)) as portions:
        for rows in portions:
            engine.take(rows)
    by_hand = (line for line in adjusted(connection, period, until_s) if line.department_id == department_id)
    engine.rest(store.entries(connection, period["start_s"], until_s, department_id), by_hand)
    engine.finished()
    return seal(period, summing, names, "")


def adjusted(connection: Connection, period: Row, until_s: int | None = None) -> Iterator[Line]:
    """Return the lines of corrections by hand: the original's facts, the difference's money.

    ``until_s``: as they stand at a moment of the period; at its end all of them, those of the time of grace too.
    """
    for adjustment in store.approved_adjustments(connection, period["id"]):
        if until_s is not None and adjustment["decided_at_s"] > until_s < period["end_s"]:
            continue
        _, line = store.find_line(connection, bytes(adjustment["line_id"]))
        yield line._replace(
            kind=Kind.ADJUSTMENT,
            micro_yuan_per_unit=0,
            basis_points=0,
            list_micro_yuan=0,
            micro_yuan=adjustment["micro_yuan"],
            reference=bytes(adjustment["line_id"]).hex(),
            reason=f"{adjustment['id']} {adjustment['reason']}",
        )


# -- word that came late -----------------------------------------------------------------------------------------------


def corrected(connection: Connection, period: Row, books: Books, names: Names, progress: Progress = UNSEEN) -> Iterator[Line]:
    """Return what closed periods would have come to more or less, had late word of them been there in time."""
    late = store.uncorrected(connection, period["id"])
    if not late:
        return
    progress.phase(WorkPhase.CORRECTING)
    touched: list[tuple[Row, str]] = []
    for closed in store.all_periods(connection):
        if closed["end_s"] > period["start_s"]:
            break
        resources = {r["resource_id"] for r in late if store.tells_of(r, closed["end_s"])}
        touched += [(closed, department_id) for department_id in sorted(_departments(connection, closed, resources))]
    progress.phase(WorkPhase.CORRECTING, lambda: len(touched))
    for done, (closed, department_id) in enumerate(touched, 1):
        yield from _differences(connection, closed, period, books, names, department_id)
        progress.reached(done)


def _departments(connection: Connection, closed: Row, resources: Iterable[str]) -> set[str]:
    """Return whose lines of a closed period the late word may touch: then and now."""
    ids = frozenset(resources)
    if not ids:
        return set()
    now = ledger_store.departments_of(connection, ids, before_s=closed["end_s"])
    owners = chain.from_iterable(block.owners for block in store.columns(connection, closed["id"]))
    return {*now, *(owner.department_id for owner in owners if owner.resource_id in ids)}


def _differences(
    connection: Connection, closed: Row, period: Row, books: Books, names: Names, department_id: str
) -> Iterator[Line]:
    start_s, end_s = closed["start_s"], closed["end_s"]
    charging = Charging(books, closed["id"], start_s, end_s, end_s, department_id)
    entries = store.entries(connection, start_s, end_s, department_id)
    wanted: dict[Subject, list[int]] = {}
    with closing(store.usage(connection, start_s, end_s, department_id)) as usage:
        for line in charging.lines(usage, entries):
            _count(wanted, line, 1)
    reference: dict[Subject, str] = {}
    for line_id, line in store.lines(connection, closed["id"], department_id=department_id):
        if line.kind not in _BY_HAND:
            _count(wanted, line, -1)
            reference.setdefault(_subject(line), line_id.hex())
    booked = list(_booked_since(connection, closed, period, department_id))
    for line in booked:
        _count(wanted, line, -1)
    billing = _billing_then(connection, closed, department_id, booked, names)
    for subject, (listed, billed) in sorted(wanted.items()):
        if listed or billed:
            project_id, system_id, resource_id, meter, _ = subject
            yield Line(
                Kind.CORRECTION, department_id, project_id, system_id, resource_id, meter, "", 1, start_s, end_s, 0, 0, "", 0, 0,
                listed, billed, reference.get(subject, ""), f"late word of {closed['id']}",
                billing,
            )  # fmt: skip


def _billing_then(connection: Connection, closed: Row, department_id: str, booked: Sequence[Line], names: Names) -> str:
    """Return how a department was billed for a closed period: what was only shown is corrected by what is only shown.

    Where it had no statement then, the first correction of that period decided it, or this one does.
    """
    kept = store.statements(connection, closed["id"], of_departments(DepartmentId(department_id)))
    if kept:
        return str(kept[0]["billing"])
    return booked[0].billing if booked else names.billing_of(department_id)


def _booked_since(connection: Connection, closed: Row, period: Row, department_id: str) -> Iterator[Line]:
    """Return corrections of a closed period that later ones have booked already."""
    for later in store.all_periods(connection):
        if closed["id"] < later["id"] < period["id"]:
            for _, line in store.lines(connection, later["id"], department_id=department_id, kind=Kind.CORRECTION):
                if (line.start_s, line.end_s) == (closed["start_s"], closed["end_s"]):
                    yield line


def _subject(line: Line) -> Subject:
    return (line.project_id, line.system_id, line.resource_id, line.meter, "")


def _count(sums: dict[Subject, list[int]], line: Line, sign: int) -> None:
    found = sums.setdefault(_subject(line), [0, 0])
    found[0] += sign * line.list_micro_yuan
    found[1] += sign * line.micro_yuan


# -- proving -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Whether a closed period is what its journal, prices and decisions say, byte by byte."""

    line_count: int
    seal: str
    derived_seal: str
    #: What is wrong, the first of it.
    faults: tuple[Problem, ...]


def prove(connection: Connection, period: Row, books: Books, previous: str, progress: Progress = UNSEEN) -> Proof:
    """Derive a closed period again from the journal and compare every line, every statement and the seal."""
    progress.phase(WorkPhase.READING, lambda: int(period["line_count"]))
    faults, stored, late = _as_stored(connection, period["id"], progress)
    if stored is None:
        return Proof(line_count=period["line_count"], seal=period["seal"], derived_seal="", faults=tuple(faults[:FAULTS_MAX]))
    summing = Summing(period["id"])
    kept, rows = store.statements(connection, period["id"], PLATFORM), store.statement_rows(connection, period["id"], PLATFORM)
    names = Names.as_sealed(kept, rows)
    charging = Charging(books, period["id"], period["start_s"], period["end_s"], period["end_s"], billing=names.billing)
    entries = store.entries(connection, period["start_s"], period["end_s"])
    progress.phase(WorkPhase.DERIVING, lambda: int(period["line_count"]))
    with closing(_from_journal(connection, period)) as usage:
        rated = charging.lines(usage, entries)
        derived_lines = summing.passing(chain(rated, adjusted(connection, period), late))
        for line_id, _ in counted(derived_lines, progress):
            if line_id in stored:
                stored.discard(line_id)
            else:
                faults.append(Problem("fault.line_missing", {"line": line_id.hex()}))
            if len(faults) >= FAULTS_MAX:
                break
    faults += [Problem("fault.line_extra", {"line": line_id.hex()}) for line_id in sorted(stored)]
    derived_seal = ""
    if not faults:
        found = seal(period, summing, names, previous)
        derived_seal = found.seal
        faults += _statement_faults(found, kept, rows)
    if period["previous_seal"] != previous:
        faults.append(Problem("fault.previous_seal_differs"))
    if not faults and derived_seal != period["seal"]:
        faults.append(Problem("fault.seal_differs"))
    return Proof(
        line_count=period["line_count"], seal=period["seal"], derived_seal=derived_seal, faults=tuple(faults[:FAULTS_MAX])
    )


def _as_stored(connection: Connection, period_id: str, progress: Progress) -> tuple[list[Problem], set[bytes] | None, list[Line]]:
    """Return what is wrong with the stored lines in themselves, their ids (``None``: unreadable), and corrections among them."""
    faults: list[Problem] = []
    ids: set[bytes] = set()
    late: list[Line] = []
    try:
        for line_id, line in counted(store.lines(connection, period_id), progress):
            if line.id_in(period_id) != line_id:
                faults.append(Problem("fault.line_altered", {"line": line_id.hex()}))
            if line_id in ids:
                faults.append(Problem("fault.line_twice", {"line": line_id.hex()}))
            ids.add(line_id)
            if line.kind == Kind.CORRECTION:
                late.append(line)
    except Unavailable as error:
        return [*faults, Problem("fault.lines_unreadable", {"reason": error.internal})], None, []
    return faults, ids, late


def _from_journal(connection: Connection, period: Row) -> Generator[LedgerInterval]:
    for _, rows in store.journal_histories(connection, period["end_s"]):
        yield from derived(rows)


def row_key(row: Row) -> tuple[str, str, str, str]:
    """Return what rows of a statement are sealed in the order of."""
    return row["project_id"], row["meter"], row["kind"], row["billing"]


def _statement_faults(found: Sealed, kept: Iterable[Row], rows: Iterable[Row]) -> Iterator[Problem]:
    unsealed = ("acknowledged_by", "acknowledged_at_s")
    wanted = {s["department_id"]: {k: v for k, v in s.items() if k not in unsealed} for s in found.statements}
    stored = {s["department_id"]: {k: v for k, v in s.items() if k not in unsealed} for s in kept}
    for department_id in sorted(wanted.keys() | stored.keys()):
        if wanted.get(department_id) != stored.get(department_id):
            yield Problem("fault.statement_differs", {"department": department_id})
    key = ("department_id", "project_id", "meter", "kind", "billing")
    derived_rows = {tuple(r[k] for k in key): dict(r) for r in found.rows}
    stored_rows = {tuple(r[k] for k in key): dict(r) for r in rows}
    if derived_rows != stored_rows:
        yield Problem("fault.rows_differ")
