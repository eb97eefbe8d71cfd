"""Why a step of a plan of moves cannot be made: each reason on a small town, by the code a person reads."""

from dataclasses import replace

import pytest

from controller.scheduling.moves.board import Board
from controller.scheduling.moves.check import why_not
from controller.scheduling.moves.cluster import MachineEntry
from controller.scheduling.moves.plan import Move
from inventory.domain.host import AdminState
from inventory.domain.ids import HostId, ResourceId
from inventory.domain.resources import MEMORY_MIB, VCPU, Resources
from tests.support.moves import ZONES, Town, used_by
from tests.support.placement import entry

HOSTS = [entry(n, vcpu=8, memory_mib=8, storage=[("standard", 20, 0)], in_zone=ZONES[0]) for n in range(2)]
CLOSED = entry(2, vcpu=8, memory_mib=8, storage=[("standard", 20, 0)], in_zone=ZONES[0], admin_state=AdminState.CORDONED)
FIRST, SECOND, THIRD = (h.host.id for h in (*HOSTS, CLOSED))


def machine(number: int, host_id: HostId, vcpu: int) -> MachineEntry:
    return MachineEntry(
        id=ResourceId(f"inst_{number}"),
        name=f"m{number}",
        host_id=host_id,
        compute=Resources.of({VCPU: vcpu, MEMORY_MIB: 1}),
        disks=(),
        zone_id=str(ZONES[0].id),
        mlps_level=1,
    )


def move(**changes: object) -> Move:
    whole = Move(
        machine_id=ResourceId("inst_1"),
        machine="m1",
        source_id=FIRST,
        target_id=SECOND,
        storage_pool_ids=(),
        memory_mib=1,
        disk_gib=0,
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (move(), ""),
        (move(machine_id=ResourceId("inst_9")), "moves.machine_gone"),
        (move(source_id=SECOND, target_id=FIRST), "moves.not_there"),
        (move(target_id=THIRD), "moves.target_closed"),
        (move(machine_id=ResourceId("inst_2")), "moves.no_room"),
        (move(machine_id=ResourceId("inst_3")), "moves.cooling"),
    ],
)
def test_a_step_says_why_it_cannot_be_made(wanted: Move, reason: str) -> None:
    machines = (
        machine(1, FIRST, 2),
        machine(2, FIRST, 6),
        replace(machine(3, FIRST, 1), stays="moves.cooling"),
        machine(4, SECOND, 3),
    )
    hosts = [*HOSTS, CLOSED]
    assert why_not(Board(Town(used_by(hosts, machines), machines).cluster), wanted) == reason
