"""Reports of months."""

from controller.api.schemas.base import Out


class ReportManifest(Out):
    """What a report holds, and what it was made of."""

    period: str
    #: Of the month when the report was made.
    state: str
    #: Of a reviewed or closed month; empty while it is open.
    seal: str
    #: Up to when it is told.
    as_of_s: int
    dataset: str
    format: str
    department: str | None
    rows: int
    #: Sums of the rows, as decimal yuan with six places.
    list_yuan: str
    yuan: str
    #: Of it what is charged: less, where departments are only shown what they use.
    billed_yuan: str
    bytes: int
    #: Of the file's bytes; its ``ETag``.
    sha256: str
