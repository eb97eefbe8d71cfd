"""Periods, statements, lines and corrections."""

from typing import Literal

from controller.api.schemas.base import In, Name, Out, Page, Told, Words

BillingWord = Literal["chargeback", "showback"]


class Period(Out):
    """A month, and how far its closing is."""

    id: str
    zone: str
    start_s: int
    end_s: int
    state: Literal["open", "closing", "reviewed", "closed"]
    #: From when on it may be reviewed.
    ready_s: int
    closing_by: str | None
    closing_at_s: float | None
    reviewed_by: str | None
    reviewed_at_s: float | None
    closed_by: str | None
    closed_at_s: float | None
    line_count: int | None
    #: Decimal yuan with six places; null before the review.
    yuan: str | None
    #: With two: what all statements add up to.
    payable_yuan: str | None
    seal: str
    previous_seal: str


class PeriodPage(Page):
    """Months, oldest first."""

    items: list[Period]


class PeriodProof(Out):
    """Whether a closed month is what its journal, prices and decisions say."""

    period_id: str
    is_proven: bool
    line_count: int
    seal: str
    derived_seal: str
    #: Whether the seal stands in the audit chain.
    is_sealed_in_audit: bool
    faults: list[Told]


class Statement(Out):
    """What a department's use cost in a month, and what it owes for it."""

    period_id: str
    department_id: str
    department_code: str
    department_name: str
    line_count: int
    #: ``showback``: shown, not charged.
    billing: BillingWord
    list_yuan: str
    #: What all lines cost, with six places.
    yuan: str
    #: Of it what is charged.
    billed_yuan: str
    #: In fen: what is paid.
    payable_yuan: str
    #: ``payable_yuan`` − ``billed_yuan``.
    rounding_yuan: str
    seal: str
    acknowledged_by: str | None
    acknowledged_at_s: float | None


class StatementPage(Page):
    """Statements by department."""

    items: list[Statement]


class StatementRow(Out):
    """One project, meter and kind of a statement."""

    project_code: str
    project_name: str
    budget_code: str
    meter: str
    kind: str
    #: Corrections are billed as the month they correct.
    billing: BillingWord
    #: What ``quantity`` counts, times seconds where the meter is held for a time.
    unit: str
    #: A whole number, which may be larger than 64 bits.
    quantity: str
    list_yuan: str
    yuan: str
    payable_yuan: str
    #: The same quantity in the unit that is priced (``72000.000`` of ``GiB·h``); none of corrections.
    priced_quantity: str | None
    priced_unit: str | None


class StatementWithRows(Statement):
    """A statement with its rows; of an open month, as it stands at ``until_s``."""

    period_state: Literal["open", "closing", "reviewed", "closed"]
    until_s: int
    #: Of an open month: what was told too late about reviewed months, and waits for the next review to book its corrections.
    late_word_count: int
    rows: list[StatementRow]


class Line(Out):
    """What one stretch of usage, service or correction costs."""

    id: str
    kind: str
    department_id: str
    project_id: str
    system_id: str
    resource_id: str
    meter: str
    state: str
    amount: int
    start_s: int
    end_s: int
    opened_by: int
    closed_by: int
    book_id: str
    micro_yuan_per_unit: int
    basis_points: int
    list_yuan: str
    yuan: str
    reference: str
    reason: str
    billing: BillingWord


class LinePage(Page):
    """Rated lines by id."""

    items: list[Line]


class TracedRow(Out):
    """A row of the journal."""

    revision: int
    state: str
    resource_name: str
    #: Where it was; empty: nowhere yet, or no more.
    host: str
    #: What it held from then on, by meter.
    amounts: dict[str, int]
    occurred_at_s: int
    recorded_at_s: int
    source: str
    #: It happened at most so many seconds before; 0: in that very second.
    uncertain_s: int


class TracedPrice(Out):
    """The version of a price book a line was priced by, and who agreed to it."""

    book_id: str
    name: str
    version: int
    sha256: str
    from_s: int
    to_s: int | None
    created_by: str
    approved_by: list[str]


class CounterRun(Out):
    """First and last reading of a stretch over which a machine's counters only grew."""

    host_id: str
    from_ms: int
    received_from: int
    sent_from: int
    to_ms: int
    received_to: int
    sent_to: int


class CountedDay(Out):
    """What a machine passed in a day, and the readings it comes from."""

    start_s: int
    end_s: int
    received_bytes: int
    sent_bytes: int
    runs: list[CounterRun]


class TracedDecision(Out):
    """Who entered something by hand, why, and who agreed to it."""

    id: str
    reason: str
    entered_by: str
    entered_at_s: float
    decided_by: str | None
    decided_at_s: float | None


class LineTrace(Out):
    """A line with all it came from."""

    period: Period
    line: Line
    opened_by: TracedRow | None
    closed_by: TracedRow | None
    price: TracedPrice | None
    #: Of a correction: the rows of the journal that came late, and the versions that held in the month it corrects.
    late_words: list[TracedRow]
    prices: list[TracedPrice]
    #: Of a line of what was passed: its days.
    counted: list[CountedDay]
    #: Of an entry or a correction by hand.
    by_hand: TracedDecision | None


class AdjustmentIn(In):
    """A credit (negative) or debit for a line of a closed month."""

    line: Name
    #: Decimal yuan, at most six places.
    yuan: Name
    reason: Words


class Adjustment(Out):
    """A correction as it was entered and decided."""

    id: str
    state: Literal["pending", "approved", "rejected"]
    line_period_id: str
    line_id: str
    period_id: str | None
    yuan: str
    reason: str
    entered_by: str
    entered_at_s: float
    decided_by: str | None
    decided_at_s: float | None


class AdjustmentPage(Page):
    """Corrections by hand, oldest first."""

    items: list[Adjustment]
