"""What-if: questions to the capacity of the platform; nothing is changed."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query
from starlette.responses import Response

from controller.api import schemas
from controller.api.auth import GuardedRoute
from controller.api.context import TheCall
from controller.api.paging import json_answer
from controller.scheduling.trend import HISTORY_DAYS_MIN
from controller.workflows.capacity.failure import what_if_hosts_fail
from controller.workflows.capacity.fit import FitAnswer, FitQuestion, how_many_more
from controller.workflows.capacity.hosts_needed import HostShape, hosts_needed
from controller.workflows.capacity.system_fit import how_many_more_of
from controller.workflows.capacity.trend import PoolTrend, when_full
from inventory.domain.host import NO_RESERVE, Reserve, ReserveLevel
from inventory.domain.resources import MEMORY_MIB, VCPU, counted_as
from inventory.domain.system import SpreadLevel

router = APIRouter(route_class=GuardedRoute, tags=["capacity"])

_Text = Annotated[str, Query(max_length=64)]
_Amount = Annotated[int, Query(ge=-(2**31), lt=2**31)]


@router.get("/v1/capacity", response_model=schemas.Fit)
def how_many(
    call: TheCall,
    size: _Text = "",
    vcpu_count: _Amount = 0,
    memory_mib: _Amount = 0,
    disk_gib: Annotated[int | None, Query(ge=-(2**31), lt=2**31)] = None,
    disk_class: _Text = "standard",
    arch: Literal["any", "x86_64", "aarch64"] = "any",
    pool: _Text = "",
    zone: _Text = "",
    spread: SpreadLevel = SpreadLevel.NONE,
    department: _Text = "",
    network: _Text = "default",
) -> Response:
    """Count how many more machines of a size (or of amounts) fit, per pool, zone and MLPS level, each a system by itself.

    With a department: on its network of that name. Without: on networks that begin with new segments.
    """
    question = FitQuestion(
        size=size,
        vcpu_count=vcpu_count,
        memory_mib=memory_mib,
        disk_gib=disk_gib,
        disk_class=disk_class,
        arch=arch,
        pool=pool,
        zone=zone,
        spread=spread,
        department=department,
        network=network,
    )
    with call.platform.db.read() as connection:
        return json_answer(_fit(how_many_more(connection, question, call.platform.clock())))


@router.get("/v1/capacity/systems/{system}", response_model=schemas.SystemFit)
def how_many_of_a_system(call: TheCall, system: str, department: _Text = "") -> Response:
    """Count how many more machines each server group of a system could get: its spread and its networks count, quotas do not.

    The system by id or by name; `department` tells two of one name apart.
    """
    with call.platform.db.read() as connection:
        found, groups = how_many_more_of(connection, call.platform, system, department)
        body = {"system": found.name, "department": found.spec.department, "zone": found.spec.zone}
    return json_answer({**body, "servers": [asdict(group) for group in groups]})


@router.get("/v1/capacity/forecast", response_model=schemas.Forecast)
def forecast(call: TheCall, pool: _Text = "") -> Response:
    """Say when pools are full at the present trend: the 10th, 50th and 90th percentile of many possible futures."""
    with call.platform.db.read() as connection:
        return json_answer({"pools": [_trend(t) for t in when_full(connection, call.platform, pool)]})


@router.get("/v1/capacity/failure", response_model=schemas.Failure)
def failure(
    call: TheCall,
    host: Annotated[list[str], Query(max_length=64, description="Name or id of a host; may be repeated.")],
) -> Response:
    """Say which machines could be placed elsewhere if these hosts failed, where, and why the others could not.

    What is reserved on these hosts is told too; what is reserved on others is given to none of them.
    """
    with call.platform.db.read() as connection:
        return json_answer(asdict(what_if_hosts_fail(connection, call.platform, host)))


@router.post("/v1/capacity/hosts-needed", response_model=schemas.HostsNeeded)
def how_many_hosts(call: TheCall, body: Annotated[schemas.HostsNeededIn, Body()]) -> Response:
    """Say how many empty hosts of one shape a list of tickets needs, those that stand by for a loss included."""
    values = body.model_dump(exclude={"tickets", "reserve"})
    documents = [text.encode() for text in body.tickets]
    asked = body.reserve
    reserve = Reserve(level=ReserveLevel(asked.survive), count=asked.count) if asked else NO_RESERVE
    found = hosts_needed(call.platform, documents, HostShape(**values, reserve=reserve), call.caller)
    return json_answer({"zones": [asdict(z) for z in found]})


def _fit(answer: FitAnswer) -> dict[str, Any]:
    ask = {counted_as(dimension): amount for dimension, amount in answer.shape.ask}
    return {
        "vcpu_count": ask[VCPU],
        "memory_mib": ask[MEMORY_MIB],
        "disk_gib": answer.shape.disk_gib,
        "disk_class": answer.shape.disk_class,
        "department": answer.department,
        "network": answer.network,
        "pools": [asdict(line) for line in answer.pools],
        "levels": [{"zone": zone, "mlps_level": level, "count": count} for zone, level, count in answer.levels],
    }


def _trend(found: PoolTrend) -> dict[str, Any]:
    return {
        "pool": found.pool,
        "zone": found.zone,
        "free": dict(found.free),
        "history_days": found.trend.history_days,
        "history_days_needed": HISTORY_DAYS_MIN,
        "is_enough": found.trend.is_enough,
        "is_full": found.trend.is_full,
        "growth_per_day": dict(found.trend.growth_per_day),
        "dimension": found.trend.dimension,
        "p10": found.p10,
        "p50": found.p50,
        "p90": found.p90,
    }
