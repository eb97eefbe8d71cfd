"""Places where a test may kill the real process: each step and transaction has one on either side."""

import pytest

from controller.workflows.failpoints import FAILPOINTS, Armed, parse
from controller.workflows.steps import STEPS


def test_every_step_and_commit_has_a_failpoint_before_and_after() -> None:
    sides = ("before", "after")
    transactions = {f"{what}.{side}" for what in ("accept", "commit") for side in sides}
    of_steps = {f"{what}.{s}.{side}" for what in ("claim", "record", "step") for s in STEPS for side in sides}
    assert set(FAILPOINTS) == of_steps | transactions


def test_a_failpoint_is_read_with_its_turn_and_action() -> None:
    assert parse("") is None
    assert parse("commit.after") == Armed("commit.after", 1, "kill")
    assert parse("step.start.before:3:stop") == Armed("step.start.before", 3, "stop")


@pytest.mark.parametrize("text", ["nowhere", "commit.before:2:explode"])
def test_an_unknown_failpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="ALLOT_FAILPOINT"):
        parse(text)
