"""Metered use and its price."""

from controller.api.schemas.base import Out


class UsageLine(Out):
    """One meter of one resource."""

    department: str
    department_name: str
    project: str
    system: str
    resource_id: str
    resource_kind: str
    resource: str
    meter: str
    unit: str
    seconds: int
    state_seconds: dict[str, int]
    charged_seconds: int
    unit_seconds: int
    #: Decimal yuan.
    price_yuan: str


class UsageTotal(Out):
    """One meter of everything in the answer."""

    meter: str
    unit: str
    seconds: int
    charged_seconds: int
    unit_seconds: int
    price_yuan: str


class Usage(Out):
    """What was used from ``start_s`` up to ``end_s``."""

    start_s: int
    end_s: int
    #: Of the resources of this page.
    lines: list[UsageLine]
    #: Of everything in the window, not only of this page; told on the first page, null on those after it.
    totals: list[UsageTotal] | None
    price_yuan: str | None
    #: The ``after`` of the following page, null at the end.
    next: str | None
