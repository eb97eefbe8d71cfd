"""Plans that even out the load, judged by Ganeti's ``hbal`` on the exported state."""

import time
from pathlib import Path

from controller.scheduling.moves.cluster import Cluster
from controller.scheduling.moves.plan import Limits, Plan
from controller.scheduling.moves.rebalance import rebalance
from tests.bench.htools import hbal, judge
from tests.bench.report import Figure, Line, Target
from tests.support.moves import skewed_town

HOSTS, PER_HOST, LARGE = 40, 20, 4000
#: hbal needs half a minute for the large one, two seconds for each small one.
SMALL_CASES = 4


def measure(folder: Path, seed: int) -> Figure:
    """Measure the plan for 40 hosts of 20 machines, small cases on the side, and a plan for 4,000 hosts."""
    scores, moves, ours_s, theirs_s, fewer = [], [], [], [], []
    for number in range(1 + SMALL_CASES):
        hosts = HOSTS if number == 0 else HOSTS // 2
        town = skewed_town(seed + number, hosts, hosts * PER_HOST)
        theirs = hbal(folder, town)
        took_s, plan = _timed(town.cluster, Limits(moves_most=theirs.moves, gain_least_micro=0))
        scores.append(judge(folder, town, plan.moves) / theirs.score_after)
        moves.append(len(plan.moves) / theirs.moves)
        fewer.append(_fewest(town.cluster, theirs.moves, plan, theirs.score_after) / theirs.moves)
        if number == 0:
            ours_s, theirs_s = [took_s], [theirs.took_s]
            counts = (len(plan.moves), theirs.moves, theirs.score_before, theirs.score_after)
    large = skewed_town(seed, LARGE, LARGE * PER_HOST).cluster
    large_s, far = _timed(large, Limits(moves_most=100_000))
    return Figure(
        name="rebalance",
        title="Plans that even out the load",
        size=f"{HOSTS} hosts × {PER_HOST} machines, {SMALL_CASES} cases of {HOSTS // 2} hosts, {LARGE:,} hosts × {PER_HOST}",
        seed=seed,
        lines=(
            Line(
                what="score after our plan ÷ after hbal's, judged by hbal",
                unit="×",
                values=tuple(scores),
                target=Target(limit=1.0, statistic="max"),
            ),
            Line(what="our moves ÷ hbal's", unit="×", values=tuple(moves), target=Target(limit=1.0, statistic="max")),
            Line(what="our moves to hbal's score ÷ hbal's", unit="×", values=tuple(fewer)),
            Line(what="moves, 40 × 20", unit="", values=(counts[0],), baseline="moves of hbal, 40 × 20"),
            Line(what="moves of hbal, 40 × 20", unit="", values=(counts[1],)),
            Line(
                what="plan for 40 × 20, processor time",
                unit="s",
                values=tuple(ours_s),
                target=Target(limit=1.0),
                baseline="hbal, 40 × 20, processor time",
            ),
            Line(what="hbal, 40 × 20, processor time", unit="s", values=tuple(theirs_s)),
            Line(what=f"plan for {LARGE:,} × 20, processor time", unit="s", values=(large_s,)),
            Line(what=f"moves for {LARGE:,} × 20", unit="", values=(len(far.moves),)),
        ),
        notes=(
            (
                f"hbal's score of the first case: {counts[2]:.4f} before, {counts[3]:.4f} after its plan; our own score is"
                f" the same. {LARGE:,} hosts: {far.score_before_micro / 1e6:.4f} before, {far.score_after_micro / 1e6:.4f} after."
            ),
            (
                "hbal plans with its defaults and dynamic utilisation off; ours is given as many moves as hbal made. Machines are"
                " exported with disks any node reaches, so that both may move every machine to every host."
            ),
        ),
    )


def _timed(cluster: Cluster, limits: Limits) -> tuple[float, Plan]:
    start = time.process_time()
    plan = rebalance(cluster, limits)
    return time.process_time() - start, plan


def _fewest(cluster: Cluster, most: int, plan: Plan, score: float) -> int:
    """Return with how few moves we reach that score (in our own measure, which is hbal's)."""
    fewest = len(plan.moves)
    for count in range(most - 1, 0, -1):
        tried = rebalance(cluster, Limits(moves_most=count, gain_least_micro=0))
        if tried.score_after_micro / 1e6 > score:
            break
        fewest = len(tried.moves)
    return fewest
