"""The datasets of efficiency and of the yearly assessment: small tables, every cell given as text. Pure."""

from metering.efficiency import Finding
from metering.reports.columns import Column, Dataset, Type, plain

_INT = Type.INTEGER


def _percent(name: str) -> Column:
    return plain(name, Type.DECIMAL, 1)


_FIGURES = (
    plain("machines", _INT), plain("vcpu", _INT), plain("memory_mib", _INT), plain("running_hours", Type.DECIMAL, 2),
    *map(_percent, (
        "coverage_percent", "cpu_average_percent", "cpu_p95_percent", "cpu_peak_percent", "memory_average_percent",
        "memory_p95_percent", "memory_peak_percent",
    )),
    plain("received_gib", Type.DECIMAL, 3), plain("sent_gib", Type.DECIMAL, 3),
)  # fmt: skip
_COSTS = tuple(plain(name, Type.DECIMAL) for name in ("charged_yuan", "yuan_per_vcpu_hour", "yuan_per_used_vcpu_hour"))
_SAVING = plain("saving_yuan_per_year", Type.DECIMAL)

SYSTEMS = Dataset(
    name="efficiency",
    columns=(
        *map(plain, ("department_code", "department_name", "project_code", "system_id", "system", "network_class")),
        *_FIGURES, plain("finding"), *_COSTS, _SAVING, plain("answer"), plain("answer_reason"),
    ),
)  # fmt: skip
CLASSES = Dataset(
    name="efficiency-classes",
    columns=(
        plain("network_class"), *_FIGURES, plain("target_cpu_percent", _INT), plain("target_memory_percent", _INT),
        plain("target_met"), *(plain(f"{f.value}_machines", _INT) for f in Finding), *_COSTS, _SAVING,
    ),
)  # fmt: skip
MACHINES = Dataset(
    name="efficiency-machines",
    columns=(
        *map(plain, ("department_code", "system", "machine", "instance_id", "network_class")),
        *_FIGURES[1:], plain("stopped_hours", Type.DECIMAL, 2), plain("finding"), plain("proposed_vcpu", _INT),
        plain("proposed_memory_mib", _INT),
    ),
)  # fmt: skip
#: Section, what it is about, figure, value, unit: one row for each figure, whatever it is of.
ASSESSMENT = Dataset(
    name="assessment", columns=tuple(map(plain, ("year_to", "section", "subject", "month", "figure", "value", "unit")))
)
