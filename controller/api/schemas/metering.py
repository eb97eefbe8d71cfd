"""Meters and the ledger of usage."""

from typing import Literal

from controller.api.schemas.base import Out, Page, Told


class Meter(Out):
    """What is counted, and in which unit it is priced."""

    #: A prefix where it ends with a colon: one meter per class or kind.
    name: str
    unit: str
    base_unit: str
    base_per_unit: int
    counting: Literal["level", "count", "entry"]
    charged_states: list[str]
    #: Whether people enter what there was, because the platform does not see it.
    is_entered: bool


class MeterPage(Page):
    """The catalogue of meters."""

    items: list[Meter]


class LedgerInterval(Out):
    """An amount of one meter, held by one resource in one state."""

    resource_id: str
    meter: str
    start_s: int
    #: Null: still so.
    end_s: int | None
    amount: int
    state: str
    opened_by: int
    closed_by: int | None
    resource_kind: str
    resource_name: str
    department_id: str
    project_id: str
    system_id: str
    host_id: str | None
    #: It began, and ended, at most so many seconds before; 0: in that very second, or still so.
    start_uncertain_s: int
    end_uncertain_s: int


class LedgerIntervalPage(Page):
    """Intervals by resource, meter and time."""

    items: list[LedgerInterval]


class LedgerDifference(Told):
    """A resource whose stored intervals are not what its journal says."""

    resource_id: str
    kind: str


class LedgerComparison(Out):
    """What was compared, and the first differences."""

    is_equal: bool
    resource_count: int
    interval_count: int
    differences: list[LedgerDifference]


class CountedReason(Out):
    """A part of a difference."""

    #: ``building`` | ``never_started`` | ``rebuilding`` | ``ended_early`` | ``not_promised`` | ``other_size``.
    reason: str
    #: What the ledger has more, or less (negative).
    vcpu_s: int
    memory_mib_s: int


class CountedMachine(Out):
    """One machine in the ledger and at the back end; the reasons add up to the differences."""

    instance_id: str
    name: str
    ledger_vcpu_s: int
    counted_vcpu_s: int
    difference_vcpu_s: int
    ledger_memory_mib_s: int
    counted_memory_mib_s: int
    difference_memory_mib_s: int
    reasons: list[CountedReason]


class CountedReport(Out):
    """The ledger beside what a back end counts itself."""

    start_s: int
    end_s: int
    machines: list[CountedMachine]
    #: Machines the platform did not make.
    foreign_count: int
    foreign_vcpu_s: int
    foreign_memory_mib_s: int


class LedgerRebuilt(Out):
    """How many intervals the ledger has."""

    interval_count: int
