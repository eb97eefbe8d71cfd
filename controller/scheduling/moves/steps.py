"""Steps of a plan by index: put in an order that can be played, and played."""

from collections.abc import Sequence
from typing import Any

from controller.scheduling.moves.board import Board
from controller.scheduling.moves.cluster import Cluster
from controller.scheduling.moves.plan import Move, Plan, PlanKind
from controller.scheduling.moves.score import score_micro

#: (machine, source, target)
Step = tuple[int, int, int]


def ordered(cluster: Cluster, steps: Sequence[Step]) -> list[Step] | None:
    """Return the moves in an order in which each is feasible at its turn; None where there is none."""
    board = Board(cluster)
    left, done = list(steps), list[Step]()
    while left:
        chosen = next((step for step in left if board.fits(step[0], step[2])), None)
        if chosen is None:
            return None
        board.move(chosen[0], chosen[2])
        left.remove(chosen)
        done.append(chosen)
    return done


def played(cluster: Cluster, steps: Sequence[Step]) -> tuple[list[Move], Board]:
    """Make the moves on a board of their own; returns them with their storage pools, and the board."""
    board = Board(cluster)
    moves = []
    for machine, source, target in steps:
        board.move(machine, target)
        moves.append(board.described(machine, source, target))
    return moves, board


def plan_of(kind: PlanKind, cluster: Cluster, steps: Sequence[Step], **more: Any) -> tuple[Plan, Board, Board]:
    """Return a plan of these steps, judged before and after, with the two boards; ``more`` are further fields of it."""
    moves, after = played(cluster, steps)
    before = Board(cluster)
    plan = Plan(
        kind=kind,
        moves=tuple(moves),
        score_before_micro=score_micro(before),
        score_after_micro=score_micro(after),
        broken_before=before.broken_count(),
        broken_after=after.broken_count(),
        **more,
    )
    return plan, before, after
