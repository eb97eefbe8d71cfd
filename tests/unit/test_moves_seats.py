"""Plans of moves know the cells of targets: a machine goes where it can lie as it asks; a step undone gives its seat back."""

from controller.scheduling.moves.board import Board
from controller.scheduling.moves.cluster import Cluster, MachineEntry, cluster_of
from controller.scheduling.moves.drain import drain
from inventory.domain.ids import HostId, ResourceId
from inventory.domain.layout import Cell, NodeSeat, Seat, compute_of
from tests.support.placement import entry

#: Two processors in the first cell, one in each of the others: four dedicated ones, and one seat for two.
SPLIT = (
    Cell(id=0, memory_mib=8, cores="0 1"),
    Cell(id=1, memory_mib=8, cores="2"),
    Cell(id=2, memory_mib=8, cores="3"),
)
WHOLE = (Cell(id=0, memory_mib=16, cores="0 1 2 3"),)


def town() -> Cluster:
    seats = [Seat(page_kib=0, nodes=(NodeSeat(cell=0, vcpu_count=2, memory_mib=2, cpus=cpus),)) for cpus in ((0, 1), (2, 3))]
    used: dict[str, int] = {"pcpu": 4, "memory_mib": 4, "cell:0:memory_mib": 4} | {f"cpu:{n}": 1 for n in range(4)}
    hosts = [
        entry(0, cells=WHOLE, dedicated_cpus="0-3", used=used),
        entry(1, cells=SPLIT, dedicated_cpus="0-3"),
        entry(2, cells=SPLIT, dedicated_cpus="0-3"),
    ]
    machines = [
        MachineEntry(
            id=ResourceId(f"inst_{n}"),
            name=f"m{n}",
            host_id=HostId("host_00000"),
            compute=compute_of(2, 2, seat.layout),
            zone_id="zone_a",
            seat=seat,
        )
        for n, seat in enumerate(seats)
    ]
    return cluster_of(hosts, machines)


def test_the_second_machine_does_not_fit_where_only_sums_are_left() -> None:
    board = Board(town())
    assert board.fits(0, 1)
    board.move(0, 1)
    assert board.free[1, board.cluster.dimensions.index("pcpu")] == 2
    assert not board.fits(1, 1)
    assert board.room(1).tolist() == [False, False, True]


def test_a_step_that_is_undone_gives_its_seat_back() -> None:
    board = Board(town())
    board.move(0, 1)
    board.put(0, 0, board.cluster.disk_pools[0])
    assert board.fits(1, 1)
    seat = board.seat_for(1, 1)
    assert seat is not None
    assert seat.nodes[0].cpus == (0, 1)
    assert board.seat_for(0, 0) is None, "what it has there is taken, by itself"


def test_a_drain_spreads_pinned_machines_over_the_cells_there_are() -> None:
    plan = drain(town(), [HostId("host_00000")])
    assert sorted(move.target_id for move in plan.moves) == ["host_00001", "host_00002"]
