"""Price books, and services and labour entered by hand."""

from typing import Literal

from pydantic import Field

from controller.api.schemas.base import In, Name, Out, Page, Whole, Words


class PriceBookChecked(Out):
    """What was read from a document."""

    name: str
    sha256: str
    from_s: int
    to_s: int | None
    rate_count: int
    discount_count: int
    commitment_count: int


class BookDecision(Out):
    """Who decided what on a version."""

    decided_by: str
    decision: Literal["approved", "rejected"]
    reason: str
    at_s: float


class PriceBookSummary(Out):
    """A version of a price book."""

    id: str
    name: str
    version: int
    #: ``approved``: in force from a later day on.
    state: Literal["draft", "approved", "effective", "retired", "rejected"]
    from_s: int
    #: First second after; null: until another version replaces it.
    to_s: int | None
    #: Id of the version that ends where this one begins; empty: none.
    replaces: str
    sha256: str
    created_by: str
    created_at_s: float
    approved_at_s: float | None


class PriceBook(PriceBookSummary):
    """A version with the document as it was handed in."""

    document: str
    approvals: list[BookDecision]


class PriceBookPage(Page):
    """Versions, oldest first."""

    items: list[PriceBookSummary]


class UsageEntryIn(In):
    """A service or labour of a project."""

    #: Code or id.
    project: Name
    meter: Name
    #: In the base unit of the meter: items, or minutes of labour.
    amount: Whole = Field(ge=1, le=10**9)
    #: Epoch seconds, or an ISO date or time.
    start: Name
    #: First moment after, for a service by the month.
    end: str | None = Field(default=None, max_length=40)
    reason: Words


class UsageEntry(Out):
    """A service or labour as it was entered and decided."""

    id: str
    state: Literal["pending", "approved", "rejected"]
    department_id: str
    project_id: str
    meter: str
    amount: int
    start_s: int
    end_s: int | None
    reason: str
    entered_by: str
    entered_at_s: float
    decided_by: str | None
    decided_at_s: float | None


class UsageEntryPage(Page):
    """Entries, oldest first."""

    items: list[UsageEntry]
