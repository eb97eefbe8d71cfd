"""Wire models of efficiency. Percent and money are decimal texts; ``None`` is not known."""

from typing import Literal

from controller.api.schemas.base import In, Out, Words

FindingName = Literal["fit", "idle", "stopped", "oversized", "unknown"]


class EfficiencyTarget(Out):
    """How much of what is allocated is to be used in a class of zones."""

    network_class: str
    cpu_percent: int
    memory_percent: int


class EfficiencyRules(Out):
    """What counts as idle and as too large."""

    idle_cpu_percent: int
    idle_mib_per_day: int
    stopped_days: int
    oversized_cpu_percent: int
    oversized_memory_percent: int
    load_percent: int
    coverage_percent: int
    targets: list[EfficiencyTarget]


class _Figures(Out):
    network_class: str
    #: Of the machines that are there at the end.
    machines: int
    vcpu: int
    memory_mib: int
    running_hours: str
    #: For how much of the running time use is known.
    coverage_percent: str | None
    cpu_average_percent: str | None
    cpu_p95_percent: str | None
    #: Of the busiest machine in its busiest interval.
    cpu_peak_percent: str | None
    memory_average_percent: str | None
    memory_p95_percent: str | None
    memory_peak_percent: str | None
    received_gib: str
    sent_gib: str
    charged_yuan: str | None
    yuan_per_vcpu_hour: str | None
    yuan_per_used_vcpu_hour: str | None
    #: What a release, or the proposed sizes, would save at the prices of now.
    saving_yuan_per_year: str | None


class SystemEfficiency(_Figures):
    """One system."""

    department_code: str
    department_name: str
    project_code: str
    system_id: str
    system: str
    finding: FindingName
    answer: Literal["keep", "will_change"] | None
    answer_reason: str | None


class ClassEfficiency(_Figures):
    """One class of zones."""

    target_cpu_percent: int | None
    target_memory_percent: int | None
    target_met: Literal["yes", "no"] | None
    fit_machines: int
    idle_machines: int
    stopped_machines: int
    oversized_machines: int
    unknown_machines: int


class EfficiencyReport(Out):
    """A month up to a moment."""

    period_id: str
    start_s: int
    until_s: int
    systems: list[SystemEfficiency]
    classes: list[ClassEfficiency]


class EfficiencyDraft(Out):
    """A ticket to be read, changed and handed in by the department."""

    period_id: str
    system_id: str
    system: str
    finding: FindingName
    #: The document (YAML).
    ticket: str
    saving_yuan_per_year: str | None


class EfficiencyAnswerIn(In):
    """What a department says to what was found."""

    answer: Literal["keep", "will_change"]
    reason: Words


class EfficiencyAnswer(Out):
    """As it is kept."""

    period_id: str
    system_id: str
    system: str
    department_id: str
    answer: Literal["keep", "will_change"]
    reason: str
    answered_by: str
    answered_at_s: float
