"""The document of cost pools (``kind: CostPools``): bytes in, cost pools out, or everything that is wrong at once."""

from zoneinfo import ZoneInfo

from inventory.domain.clock import first_second
from inventory.domain.errors import Invalid
from inventory.domain.resources import ADDRESS, MEMORY_MIB
from inventory.importers.amounts import MONEY
from inventory.importers.document import excerpt, refuse
from inventory.importers.kinds import entry as _f
from inventory.importers.kinds import head, read
from inventory.importers.shapes import Choice, Day, Decimal, ListOf, Prose, Record
from metering.costs import CostPool, Policy
from metering.meters import Counting, meter_of, meter_written

_AMOUNT_MAX = 10**17


_KINDS = {"hardware": "设备", "power": "电力", "licences": "许可", "staff": "人员", "other": "其他"}
_POLICIES = {"show": "单列", "proportional": "按用量", "even": "平均"}
_POOL = Record(
    fields=[
        _f("name", Prose(max_length=64), "名称", required=True),
        _f("kind", Choice(labels=_KINDS), "类别", required=True),
        _f("amount", Decimal(places=6, maximum=_AMOUNT_MAX, units=MONEY), "金额", required=True),
        _f("from", Day(), "起", required=True),
        _f("to", Day(), "止", required=True),
        _f("over", Prose(max_length=60), "分摊计量项", required=True),
        _f("hosts", ListOf(item=Prose(max_length=200), maximum=2000), "主机"),
        _f("idle", Choice(labels=_POLICIES), "闲置处理"),
    ]
)
COSTS = Record(
    fields=[
        *head("CostPools", "成本池"),
        _f("pools", ListOf(item=_POOL, minimum=1, maximum=500, key="name"), "成本池", required=True),
    ]
)


def read_costs(data: bytes, zone: ZoneInfo) -> list[CostPool]:
    """Read cost pools; a pool lasts from the first second of its first day up to the first second of its last.

    Raises:
        Invalid: with every problem that was found.
    """
    values, reading, _ = read(COSTS, data, unknown_field="cost.unknown_field")
    found = []
    for number, one in enumerate(values["pools"]):
        places = reading.places
        if one["to"] <= one["from"]:
            where = places.get(f"pools.{number}.to")
            reading.fail("cost.window_empty", where, start=str(one["from"]), end=str(one["to"]))
        if not _is_capacity(one["over"]):
            reading.fail("cost.meter_without_capacity", places.get(f"pools.{number}.over"), meter=excerpt(one["over"]))
        found.append(
            CostPool(
                name=one["name"],
                kind=one["kind"],
                micro_yuan=one["amount"],
                from_s=first_second(one["from"], zone),
                to_s=max(first_second(one["to"], zone), first_second(one["from"], zone) + 1),
                meter=meter_written(one["over"]),
                hosts=tuple(one.get("hosts", ())),
                policy=Policy(one.get("idle", "show")),
            )
        )
    if reading.problems:
        raise refuse(reading.problems)
    return found


def _is_capacity(written: str) -> bool:
    """Tell whether hosts have a capacity of a meter."""
    try:
        meter = meter_of(meter_written(written))
    except Invalid:
        return False
    return meter.counting is Counting.LEVEL and not meter.is_entered and written not in (ADDRESS, MEMORY_MIB)
