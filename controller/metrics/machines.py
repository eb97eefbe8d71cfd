"""Series of each machine, on an endpoint of their own: asked for by a setting, and never more than its budget. Pure text.

Above the budget not one of them is told, because a part would look like the whole; one figure says why.
"""

from collections.abc import Sequence

from controller.metrics.declared import Metric, gauge
from controller.metrics.exposition import family, single
from inventory.store.estate import MachineSeen

_OF = ("instance_id",)
BUDGET = gauge("allot_instance_series_budget", "Most series of machines that are told (setting metrics.instance_series_max).")
WANTED = gauge("allot_instance_series_wanted", "Series of machines there would be; above the budget none of them is told.")
INFO = gauge(
    "allot_instance_info", "1 for each living machine, with what it is called and where it is.",
    "instance_id", "name", "department", "project", "system", "zone", "pool", "host",
)  # fmt: skip
RUNNING = gauge("allot_instance_running", "1 where the machine was seen running.", *_OF)
VCPU = gauge("allot_instance_vcpu", "Virtual CPUs promised to the machine.", *_OF)
MEMORY = gauge("allot_instance_memory_bytes", "Memory promised to the machine.", *_OF)
#: Told by the second endpoint only.
ALL: tuple[Metric, ...] = (BUDGET, WANTED, INFO, RUNNING, VCPU, MEMORY)
SERIES_PER_MACHINE = 4


def exposition(machines: Sequence[MachineSeen], count: int, budget: int) -> str:
    """Return the families of machines; ``count`` is how many there are."""
    wanted = count * SERIES_PER_MACHINE
    head = single(BUDGET, budget) + single(WANTED, wanted)
    told = machines if wanted <= budget else ()
    return "".join(
        (
            head,
            family(INFO, {(m.id, m.name, m.department, m.project, m.system, m.zone, m.pool, m.host): 1 for m in told}),
            family(RUNNING, {(m.id,): int(m.observed == "running") for m in told}),
            family(VCPU, {(m.id,): m.vcpu for m in told}),
            family(MEMORY, {(m.id,): m.memory_mib << 20 for m in told}),
        )
    )
