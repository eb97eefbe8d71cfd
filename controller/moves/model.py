"""Stored plans of moves and their steps as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from inventory.domain.errors import Problem
from inventory.domain.ids import HostId, MovePlanId, ResourceId, StoragePoolId
from inventory.domain.resource import InstanceSpec


class PlanState(StrEnum):
    """Life of a plan. Only a planned one can be run; what is over stays over."""

    PLANNED = "planned"
    RUNNING = "running"
    DONE = "done"
    #: A step could not be made as planned: nothing is forced, the rest is left.
    STOPPED = "stopped"
    CANCELLED = "cancelled"


class StepState(StrEnum):
    """Life of a step."""

    PLANNED = "planned"
    #: Room is held on the target; the machine may be on its way.
    RUNNING = "running"
    #: Seen on the target.
    DONE = "done"
    #: Known to have stayed.
    FAILED = "failed"
    #: Nothing to do any more: the machine is gone, or somewhere else.
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveStep:
    """One machine from one host to another."""

    plan_id: MovePlanId
    position: int
    machine_id: ResourceId
    machine: str
    source_id: HostId
    target_id: HostId
    storage_pool_ids: tuple[StoragePoolId, ...]
    memory_mib: int
    disk_gib: int
    state: StepState = StepState.PLANNED
    problem: Problem | None = None
    target_spec: InstanceSpec | None = None
    started_at_s: float | None = None
    ended_at_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MovePlan:
    """A stored plan without its steps."""

    id: MovePlanId
    kind: str
    state: PlanState
    host_id: HostId | None
    summary: Mapping[str, Any]
    stays: Sequence[Mapping[str, Any]]
    problem: Problem | None
    created_by: str
    created_at_s: float
    ended_at_s: float | None = None
