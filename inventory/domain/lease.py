"""When a lease calls for a notice: pure."""

from enum import StrEnum

DAY_S = 86_400


class LeaseStage(StrEnum):
    """How near the end of a lease is. Each stage of each lease is told of once."""

    IN_30_DAYS = "30_days"
    IN_7_DAYS = "7_days"
    IN_1_DAY = "1_day"
    OVER = "over"


#: Longest time left in which a stage holds, the nearest stage first.
LEFT_MOST_S = (
    (LeaseStage.OVER, 0),
    (LeaseStage.IN_1_DAY, DAY_S),
    (LeaseStage.IN_7_DAYS, 7 * DAY_S),
    (LeaseStage.IN_30_DAYS, 30 * DAY_S),
)
#: Before this nothing is said.
FIRST_NOTICE_S = LEFT_MOST_S[-1][1]


def lease_stage(lease_end_s: int, now_s: float) -> LeaseStage | None:
    """Return the stage a lease is in, None while its end is far. A lease that was short from the start skips stages."""
    left_s = lease_end_s - now_s
    return next((stage for stage, most_s in LEFT_MOST_S if left_s <= most_s), None)
