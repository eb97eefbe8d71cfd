"""Rows of a machine, a disk and a network as the pure parts of the reconciler are handed them."""

from dataclasses import replace
from typing import Any

from controller.reconcile.outcomes import Outcome
from controller.workflows.engine import Done, Ending, Flow, Seen, StepResult
from inventory.domain.ids import DepartmentId, HostId, ProjectId, ResourceId, SystemId, TicketId
from inventory.domain.resource import (
    AttachedDisk,
    Desired,
    InstanceSpec,
    Observed,
    Phase,
    Resource,
    ResourceKind,
    SegmentSpec,
    VolumeSpec,
)
from inventory.store.resources import HeldRow

HOST = HostId("host_" + "1" * 32)
MACHINE = ResourceId("inst_" + "1" * 32)
VOLUME = ResourceId("vol_" + "1" * 32)
NOW_S = 1000.0


def machine(**changes: Any) -> Resource:
    spec = InstanceSpec(
        vcpu_count=2,
        memory_mib=1024,
        image_id="img",
        root_disk_gib=5,
        root_disk_class="standard",
        storage_pool_id="stor",
        disks=(AttachedDisk(volume_id=VOLUME, name="data", slot=0),),
    )
    base = Resource(
        id=MACHINE,
        kind=ResourceKind.INSTANCE,
        name="web-1",
        department_id=DepartmentId("dept"),
        project_id=ProjectId("proj"),
        system_id=SystemId("sys"),
        host_id=HOST,
        desired=Desired.RUNNING,
        observed=Observed.UNKNOWN,
        phase=Phase.WORKING,
        spec=spec,
        ticket_id=TicketId("tick"),
        fence=3,
        owner="me",
        revision=1,
    )
    return replace(base, **changes)


def settled(**changes: Any) -> Resource:
    return replace(machine(observed=Observed.RUNNING, phase=Phase.SETTLED, settled_generation=1), **changes)


def volume(**changes: Any) -> Resource:
    spec = VolumeSpec(size_gib=1, disk_class="standard", storage_pool_id="stor", instance_id=MACHINE)
    base = replace(machine(), id=VOLUME, kind=ResourceKind.VOLUME, desired=Desired.PRESENT, spec=spec)
    return replace(base, **changes)


def segment(**changes: Any) -> Resource:
    spec = SegmentSpec(network="default", zone="z", cidr="10.0.0.0/26", gateway="10.0.0.1")
    return replace(replace(machine(), kind=ResourceKind.SEGMENT, desired=Desired.PRESENT, spec=spec), **changes)


def held(**changes: Any) -> HeldRow:
    row = HeldRow(
        id=MACHINE,
        generation=1,
        revision=1,
        is_woken=False,
        problem=None,
        last_state="allocated",
        last_amounts={"vcpu": 2},
        last_host_id=HOST,
        last_occurred_at_s=900,
    )
    return replace(row, **changes)


def outcome(resource: Resource, flow: Flow, *seen: Seen, step: str = "start") -> Outcome:
    return Outcome(resource, [StepResult(step=step, flow=flow, took_s=0.1, seen=seen)])


SETTLED = Done(ending=Ending.SETTLED)
