"""What-if questions to the capacity."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from controller.api.schemas.base import NO_CONTROL, In, JsonObject, Out, Whole
from inventory.domain.host import RESERVE_COUNT_MAX

_Amount = Annotated[Whole, Field(ge=-(2**31), lt=2**31)]
_Code = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=NO_CONTROL)]


class FitLine(Out):
    """How many more fit in one pool; `pooled_count`: if it were one large host; `limit`: what there is not enough of for more."""

    pool: str
    zone: str
    mlps_max: int
    count: int
    pooled_count: int
    limit: str


class FitLevel(Out):
    """How many more machines of systems of one MLPS level fit in one zone."""

    zone: str
    mlps_level: int
    count: int


class Fit(Out):
    """How many more machines of one shape fit.

    `department` and `network`: whose addresses were counted; empty: of networks that begin with new segments.
    """

    vcpu_count: int
    memory_mib: int
    disk_gib: int
    disk_class: str
    department: str
    network: str
    pools: list[FitLine]
    levels: list[FitLevel]


class GroupFit(Out):
    """How many more machines of one server group fit; `explanation`: why not one more, null where a ticket cannot name more."""

    server: str
    spread: str
    spread_max: int
    networks: list[str]
    have: int
    count: int
    explanation: JsonObject | None


class SystemFit(Out):
    """How many more machines each server group of a system could get, each asked for by itself."""

    system: str
    department: str
    zone: str
    servers: list[GroupFit]


class PoolTrend(Out):
    """When a pool is full; dates are null where it is not within the horizon, or the history is too short.

    `is_full`: it is full now, of `dimension`, however short the history is.
    """

    pool: str
    zone: str
    free: dict[str, int]
    history_days: int
    history_days_needed: int
    is_enough: bool
    is_full: bool
    growth_per_day: dict[str, float]
    dimension: str
    p10: str | None
    p50: str | None
    p90: str | None


class Forecast(Out):
    """When pools are full at the present trend."""

    pools: list[PoolTrend]


class Fate(Out):
    """What becomes of one machine when its host fails; `to_host` is empty where it could be placed nowhere."""

    system: str
    machine: str
    from_host: str
    to_host: str
    explanation: JsonObject | None


class SlotFate(Out):
    """What becomes of room for `count` machines of a reservation; `left_count`: for so many none would be held any more."""

    reservation: str
    project: str
    count: int
    from_hosts: list[str]
    to_hosts: list[str]
    left_count: int
    explanation: JsonObject | None


class Failure(Out):
    """What happens if hosts fail."""

    machines: list[Fate]
    reservations: list[SlotFate]


class ReserveIn(In):
    """The loss that is to be survived: of so many hosts, or racks."""

    survive: Literal["host", "rack"]
    count: Annotated[Whole, Field(ge=1, le=RESERVE_COUNT_MAX)] = 1


class HostsNeededIn(In):
    """Tickets, what may be promised on one host of the shape, and what loss the hosts are to survive."""

    tickets: list[Annotated[str, StringConstraints(max_length=1024 * 1024)]] = Field(max_length=500)
    vcpu_count: _Amount
    memory_mib: _Amount
    disks_gib: dict[_Code, _Amount] = Field(default={}, max_length=16)
    arch: Literal["x86_64", "aarch64"] = "x86_64"
    per_rack: _Amount = 1
    reserve: ReserveIn | None = None


class ZoneNeed(Out):
    """Hosts of one zone: enough for everything, how many of them stand by, and what no packing can do without."""

    zone: str
    host_count: int
    standby_count: int
    lower_bound: int
    machine_count: int


class HostsNeeded(Out):
    """How many hosts a list of tickets needs."""

    zones: list[ZoneNeed]
