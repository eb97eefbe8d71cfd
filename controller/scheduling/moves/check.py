"""Play a plan on a picture, step by step: is every step feasible at its turn? Asked before a plan runs and by the tests."""

from dataclasses import dataclass

from controller.scheduling.moves.board import Board
from controller.scheduling.moves.cluster import Cluster
from controller.scheduling.moves.plan import Move, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """A step that cannot be made as planned."""

    position: int
    #: ``moves.machine_gone`` | ``moves.not_there`` | ``moves.no_room`` … or the machine's own reason to stay.
    reason: str


def first_stale(cluster: Cluster, plan: Plan) -> Stale | None:
    """Return the first step that is not feasible at its turn."""
    board = Board(cluster)
    for position, move in enumerate(plan.moves):
        reason = why_not(board, move)
        if reason:
            return Stale(position=position, reason=reason)
        board.move(cluster.machine_index[move.machine_id], cluster.host_index[move.target_id])
    return None


def why_not(board: Board, move: Move) -> str:
    """Return why a move cannot be made now, empty where it can."""
    cluster = board.cluster
    machine = cluster.machine_index.get(move.machine_id)
    if machine is None:
        return "moves.machine_gone"
    if cluster.host_index.get(move.source_id) != int(board.where[machine]):
        return "moves.not_there"
    return cluster.stays[machine] or _why_not_there(board, machine, cluster.host_index.get(move.target_id))


def _why_not_there(board: Board, machine: int, target: int | None) -> str:
    cluster = board.cluster
    if target is None or not cluster.takes[target]:
        return "moves.target_closed"
    if not cluster.allowed[cluster.kind[machine], target]:
        return "moves.not_allowed"
    if not cluster.reaches(machine, target):
        return "moves.shares_network"
    if not board.keeps_spread(machine, target) or not board.keeps_reserve(machine, target):
        return "moves.spread"
    return "" if board.fits(machine, target) else "moves.no_room"
