"""The document of efficiency rules (``kind: EfficiencyRules``): bytes in, rules out, or everything that is wrong at once."""

from inventory.importers.kinds import entry as _f
from inventory.importers.kinds import head, read
from inventory.importers.shapes import ListOf, Prose, Record, Whole
from metering.efficiency import Rules, Target

_PERCENT = Whole(minimum=0, maximum=100)
_TARGET = Record(
    fields=[
        _f("network-class", Prose(max_length=64), "网络类别", required=True),
        _f("cpu-percent", _PERCENT, "处理器", required=True),
        _f("memory-percent", _PERCENT, "内存", required=True),
    ]
)
_IDLE = Record(
    fields=[
        _f("cpu-percent", _PERCENT, "处理器"),
        _f("mib-per-day", Whole(minimum=0, maximum=10**9), "日流量"),
        _f("stopped-days", Whole(minimum=1, maximum=366), "停机天数"),
    ]
)
_OVERSIZED = Record(
    fields=[
        _f("cpu-percent", _PERCENT, "处理器"),
        _f("memory-percent", _PERCENT, "内存"),
        _f("load-percent", Whole(minimum=10, maximum=100), "目标负载"),
    ]
)
RULES = Record(
    fields=[
        *head("EfficiencyRules", "效能规则"),
        _f("idle", _IDLE, "闲置"),
        _f("oversized", _OVERSIZED, "过大"),
        _f("coverage-percent", _PERCENT, "覆盖率"),
        _f("targets", ListOf(item=_TARGET, maximum=100, key="network-class"), "目标"),
    ]
)


def read_rules(data: bytes) -> Rules:
    """Read efficiency rules; what is not written is as it comes with the platform.

    Raises:
        Invalid: with every problem that was found.
    """
    values = read(RULES, data, unknown_field="efficiency.unknown_field").values
    idle, oversized = values.get("idle", {}), values.get("oversized", {})
    given = {
        "idle_cpu_percent": idle.get("cpu-percent"),
        "idle_mib_per_day": idle.get("mib-per-day"),
        "stopped_days": idle.get("stopped-days"),
        "oversized_cpu_percent": oversized.get("cpu-percent"),
        "oversized_memory_percent": oversized.get("memory-percent"),
        "load_percent": oversized.get("load-percent"),
        "coverage_percent": values.get("coverage-percent"),
    }
    targets = tuple(
        Target(network_class=t["network-class"], cpu_percent=t["cpu-percent"], memory_percent=t["memory-percent"])
        for t in values.get("targets", ())
    )
    return Rules(**{name: value for name, value in given.items() if value is not None}, targets=targets)
