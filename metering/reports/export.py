"""One report from the database to a file: which lines, which names, which dataset. Called by the workflow of reports."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection

from inventory.domain.errors import Conflict
from inventory.domain.ids import DepartmentId
from inventory.domain.progress import UNSEEN, Progress, WorkPhase
from inventory.domain.scope import Scope
from metering import book_store, period_store
from metering.books import Books
from metering.lines import MICRO_PER_FEN
from metering.reports import focus, focus_parties, lines, source, tables
from metering.reports.columns import Dataset, Format, neutral
from metering.reports.facets import Chunks, Subjects, Totals
from metering.reports.files import Sink
from metering.reports.focus import Setting
from metering.reports.tables import Chunk, TextOptions
from metering.statements import Names, Summing, seal

Row = Mapping[str, Any]
#: What can be asked for, besides workbooks and printed statements.
DATASETS = (
    "lines",
    "statements",
    "focus-cost-and-usage",
    "focus-billing-period",
    "focus-invoice-detail",
    "focus-contract-commitment",
    "focus-1.2",
)
_FOCUS_LINES = {"focus-cost-and-usage": focus.cost_and_usage, "focus-1.2": focus.cost_and_usage_1_2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a report is about."""

    dataset: str
    format: Format
    period: Row
    #: Open periods: up to when; reviewed and closed ones: their end.
    as_of_s: int
    scope: Scope
    provider: str
    text: TextOptions = field(default_factory=TextOptions)

    @property
    def is_rated(self) -> bool:
        """Tell whether its lines are stored."""
        return self.period["state"] in ("reviewed", "closed")

    @property
    def setting(self) -> Setting:
        """What holds for every row."""
        period = self.period
        return Setting(period_id=period["id"], start_s=period["start_s"], end_s=period["end_s"], provider=self.provider)

    @property
    def neutral(self) -> Callable[[str], str]:
        """Return what texts go through: only in CSV something may be taken for a formula."""
        return neutral if self.format is Format.CSV else str


def write(connection: Connection, asked: Asked, names: Names, sink: Sink, progress: Progress = UNSEEN) -> Totals:
    """Write a report and return what it comes to.

    Raises:
        Conflict: ``usage.price_gap``.
        Unavailable: ``report.disk_full`` or ``report.not_written``.
    """
    books = Books(book_store.approved(connection))
    if asked.dataset == "lines" or asked.dataset in _FOCUS_LINES:
        return _of_lines(connection, asked, names, books, sink, progress)
    dataset, rows, totals = _of_parties(connection, asked, names, books, progress)
    progress.phase(WorkPhase.FILING)
    tables.write(dataset, [tables.of_rows(rows, (c.name for c in dataset.columns))], asked.format, sink, asked.text)
    return replace(totals, rows=len(rows))


def _of_lines(connection: Connection, asked: Asked, names: Names, books: Books, sink: Sink, progress: Progress) -> Totals:
    setting, clean = asked.setting, asked.neutral
    is_focus = asked.dataset in _FOCUS_LINES
    contracts = {id_: name for id_, (name, _) in source.books_agreed(connection).items()} if is_focus else {}
    owner_cells = focus.owner_cells(setting, clean) if is_focus else lines.owner_cells(clean)
    dataset = _FOCUS_LINES[asked.dataset](setting) if is_focus else lines.lines(setting.period_id)
    names = _names_as_sealed(connection, asked, names)
    subjects = _subjects(connection, asked, names)
    chunks = Chunks(
        subjects=subjects,
        books=books,
        period_s=setting.end_s - setting.start_s,
        owner_cells=owner_cells,
        price_cells=focus.price_cells(clean, contracts) if is_focus else lines.price_cells(clean),
        is_neutral=asked.format is Format.CSV,
        has_extras=is_focus,
    )
    portions = _chunks(connection, asked, names, books, chunks, progress)
    tables.write(dataset, portions, asked.format, sink, asked.text)
    # What FOCUS adds up is what is billed.
    return replace(chunks.totals, micro_yuan=chunks.totals.billed_micro_yuan) if is_focus else chunks.totals


def _chunks(
    connection: Connection, asked: Asked, names: Names, books: Books, chunks: Chunks, progress: Progress
) -> Iterator[Chunk]:
    """Return the chunks of a file of lines; fees and rounding at its end."""
    has_any = False
    kept: Sequence[Row]
    if asked.is_rated:
        kept = period_store.statements(connection, asked.period["id"], asked.scope)
        progress.phase(WorkPhase.REPORTING, lambda: sum(s["line_count"] for s in kept))
        for portion in source.stored(connection, asked.period["id"], asked.scope, progress):
            has_any = True
            yield chunks.of(portion)
        _must_add_up(asked, chunks.totals, kept)
    else:
        summing = Summing(asked.period["id"])
        for portion in source.accrued(connection, asked.period, books, names, asked.scope, asked.as_of_s, summing, progress):
            has_any = True
            yield chunks.of(portion)
        kept = seal(asked.period, summing, names, "").statements
    progress.phase(WorkPhase.FILING)
    extras = chunks.extras(kept, asked.period["start_s"], asked.period["end_s"]) if chunks.has_extras else None
    if extras is not None:
        yield extras
    elif not has_any:
        yield chunks.none()


def _must_add_up(asked: Asked, totals: Totals, kept: Sequence[Row]) -> None:
    """Refuse to write lines that are not what the statements say: no report disagrees with another.

    Raises:
        Conflict: ``report.differs``.
    """
    wanted = (sum(s["line_count"] for s in kept), sum(s["micro_yuan"] for s in kept))
    if (totals.rows, totals.micro_yuan) != wanted:
        raise Conflict(
            "report.differs",
            period=asked.period["id"],
            lines=totals.rows,
            micro_yuan=totals.micro_yuan,
            wanted_lines=wanted[0],
            wanted_micro_yuan=wanted[1],
        )


def _subjects(connection: Connection, asked: Asked, names: Names) -> Subjects:
    clean, period = asked.neutral, asked.period
    known = source.resource_names(connection, period["start_s"], period["end_s"], asked.scope)
    corrections = _corrections(connection, asked)
    known |= source.names_of(connection, (r["resource_id"] for r, _ in corrections if r["resource_id"] not in known))
    return Subjects(
        departments=names.departments,
        projects=names.projects,
        systems=source.system_names(connection, asked.scope),
        resources={id_: (kind, clean(name)) for id_, (kind, name) in known.items()},
    )


def _names_as_sealed(connection: Connection, asked: Asked, now: Names) -> Names:
    """Return what departments and projects are called: as they were when the period was reviewed."""
    if not asked.is_rated:
        return now
    period_id = asked.period["id"]
    kept = period_store.statements(connection, period_id, asked.scope)
    return Names.as_sealed(kept, period_store.statement_rows(connection, period_id, asked.scope))


def statements(
    connection: Connection, asked: Asked, names: Names, books: Books, progress: Progress = UNSEEN
) -> list[tuple[Row, list[Row]]]:
    """Return every statement with its rows: as written, or as the period stands."""
    if asked.is_rated:
        kept: Sequence[Row] = period_store.statements(connection, asked.period["id"], asked.scope)
        rows: Sequence[Row] = period_store.statement_rows(connection, asked.period["id"], asked.scope)
    else:
        summing = Summing(asked.period["id"])
        for _ in source.accrued(connection, asked.period, books, names, asked.scope, asked.as_of_s, summing, progress):
            pass
        found = seal(asked.period, summing, names, "")
        kept, rows = sorted(found.statements, key=lambda s: str(s["department_code"])), found.rows
    by_department: dict[str, list[Row]] = {}
    for row in rows:
        by_department.setdefault(row["department_id"], []).append(row)
    return [(s, by_department.get(s["department_id"], [])) for s in kept]


def _of_parties(
    connection: Connection, asked: Asked, names: Names, books: Books, progress: Progress
) -> tuple[Dataset, list[Row], Totals]:
    """Return a small table and the sums it is about: none for periods and commitments."""
    setting, clean = asked.setting, asked.neutral
    if asked.dataset == "focus-billing-period":
        return focus_parties.BILLING_PERIOD, [focus_parties.billing_period(setting, asked.period, asked.as_of_s)], Totals()
    if asked.dataset == "focus-contract-commitment":
        return focus_parties.CONTRACT_COMMITMENT, list(_commitments(connection, asked, names, books)), Totals()
    found = statements(connection, asked, names, books, progress)
    listed = sum(s["list_micro_yuan"] for s, _ in found)
    if asked.dataset == "statements":
        cells = [lines.statement_cells(s, r, clean) for s, rows in found for r in rows]
        micro, billed = (sum(s[name] for s, _ in found) for name in ("micro_yuan", "billed_micro_yuan"))
        return lines.STATEMENTS, cells, Totals(list_micro_yuan=listed, micro_yuan=micro, billed_micro_yuan=billed)
    payable = sum(s["fen"] for s, _ in found) * MICRO_PER_FEN
    totals = Totals(list_micro_yuan=listed, micro_yuan=payable, billed_micro_yuan=payable)
    return focus_parties.INVOICE_DETAIL, list(_invoices(connection, asked, names, found)), totals


def _invoices(connection: Connection, asked: Asked, names: Names, found: Sequence[tuple[Row, Sequence[Row]]]) -> Iterator[Row]:
    setting, clean = asked.setting, asked.neutral
    references = _references(connection, asked, _names_as_sealed(connection, asked, names))
    for statement, rows in found:
        yield from focus_parties.invoice_rows(setting, asked.period, statement, rows, references, clean, asked.as_of_s)


def _corrections(connection: Connection, asked: Asked) -> list[tuple[Row, str]]:
    return source.corrected_periods(connection, asked.period, asked.scope, is_rated=asked.is_rated, until_s=asked.as_of_s)


def _references(connection: Connection, asked: Asked, names: Names) -> dict[str, str]:
    """Return which period each invoice row of corrections is about, where all of it is about one."""
    about: dict[str, set[str]] = {}
    for row, period_id in _corrections(connection, asked):
        code = names.departments[row["department_id"]][0]
        project = names.projects.get(row["project_id"], ("", "", ""))[0]
        invoice = focus.invoice_id(asked.period["id"], code)
        about.setdefault(focus.invoice_detail_id(invoice, project, row["meter"], row["kind"], row["billing"]), set()).add(
            period_id
        )
    return {detail: next(iter(ids)) for detail, ids in about.items() if len(ids) == 1 and "" not in ids}


def _commitments(connection: Connection, asked: Asked, names: Names, books: Books) -> Iterator[Row]:
    setting, clean = asked.setting, asked.neutral
    agreed = source.books_agreed(connection)
    names = _names_as_sealed(connection, asked, names)
    seen: set[tuple[str, str]] = set()
    for version, commitment in focus_parties.commitments(books.versions, setting):
        key = (version.id, commitment.name)
        if key in seen or commitment.department_id not in names.departments:
            continue
        if not asked.scope.allows(DepartmentId(commitment.department_id)):
            continue
        seen.add(key)
        book, agreed_s = agreed[version.id]
        code = names.departments[commitment.department_id][0]
        yield focus_parties.commitment_row(setting, commitment, agreed_s, code, clean, book)
