"""When the end of a lease calls for a notice."""

import pytest

from inventory.domain.lease import DAY_S, FIRST_NOTICE_S, LeaseStage, lease_stage

NOW_S = 1_780_272_000


@pytest.mark.parametrize(
    ("left_s", "stage"),
    [
        (FIRST_NOTICE_S + 1, None),
        (FIRST_NOTICE_S, LeaseStage.IN_30_DAYS),
        (7 * DAY_S + 1, LeaseStage.IN_30_DAYS),
        (7 * DAY_S, LeaseStage.IN_7_DAYS),
        (DAY_S + 1, LeaseStage.IN_7_DAYS),
        (DAY_S, LeaseStage.IN_1_DAY),
        (1, LeaseStage.IN_1_DAY),
        (0, LeaseStage.OVER),
        (-40 * DAY_S, LeaseStage.OVER),
    ],
)
def test_a_stage_holds_up_to_and_with_its_last_second(left_s: int, stage: LeaseStage | None) -> None:
    assert lease_stage(NOW_S + left_s, NOW_S) is stage
