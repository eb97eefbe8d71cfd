"""Moves that empty a host, against the fewest there can be (proven by trying every end on small cases)."""

import random
import time
from pathlib import Path

from controller.scheduling.moves.board import Board
from controller.scheduling.moves.drain import drain
from inventory.domain.ids import HostId
from tests.bench.report import Figure, Line, Target
from tests.support.moves import Town, fewest_moves, random_town, skewed_town

CASES, OTHERS_MOST = 120, 2


def measure(folder: Path, seed: int) -> Figure:
    """Measure small cases, a part of which needs other machines to make room, and a host of a large platform."""
    ours, best, greedy_gave_up, with_room = 0, 0, 0, 0
    for case in cases(seed):
        town, host_id, fewest, leaving = case
        plan = drain(town.cluster, [host_id])
        ours += len(plan.moves) if host_id in plan.freed else fewest * 2
        best += fewest
        with_room += fewest > leaving
        greedy_gave_up += _first_fit_fails(town, host_id)
    large = skewed_town(seed, 4000, 60_000).cluster
    start = time.process_time()
    plan = drain(large, [large.host_ids[0]])
    took_ms = (time.process_time() - start) * 1000
    assert plan.freed, "a host of a platform with room was not emptied"
    return Figure(
        name="drain",
        title="Plans that empty a host",
        size=f"{CASES} cases of up to 6 hosts and 16 machines; 4,000 hosts × 15 machines",
        seed=seed,
        lines=(
            Line(what="moves ÷ proven fewest, all cases together", unit="×", values=(ours / best,), target=Target(limit=1.05)),
            Line(what="cases in which others must make room", unit="", values=(with_room,)),
            Line(what="cases a first fit cannot empty", unit="", values=(greedy_gave_up,)),
            Line(what="one host of 4,000, processor time", unit="ms", values=(took_ms,)),
            Line(what="its moves", unit="", values=(len(plan.moves),)),
        ),
        notes=(
            (
                "Cases that can be emptied with at most two other machines making room. The fewest moves are found by trying"
                " every end, without asking for an order: a lower bound. A case we do not empty counts twice its fewest."
            ),
        ),
    )


def cases(seed: int) -> list[tuple[Town, HostId, int, int]]:
    """Return towns with the host to empty, the fewest moves and the machines on it."""
    source = random.Random(seed)
    found: list[tuple[Town, HostId, int, int]] = []
    while len(found) < CASES:
        town = random_town(source, is_wild=False, machines_most=16)
        host_id = source.choice(town.hosts).host.id
        leaving = sum(1 for m in town.machines if m.host_id == host_id)
        fewest = fewest_moves(town, host_id, OTHERS_MOST) if leaving else None
        # Every second case must be a hard one: most towns are emptied by anything.
        if fewest is not None and (fewest > leaving or len(found) % 2 == 0 or _first_fit_fails(town, host_id)):
            found.append((town, host_id, fewest, leaving))
    return found


def _first_fit_fails(town: Town, host_id: HostId) -> bool:
    """Tell whether taking machines one by one to the first host with room leaves some behind: the baseline."""
    board = Board(town.cluster)
    host = board.cluster.host_index[host_id]
    for machine in board.on(host):
        room = board.room(machine)
        if not room.any():
            return True
        board.move(machine, int(room.argmax()))
    return False
