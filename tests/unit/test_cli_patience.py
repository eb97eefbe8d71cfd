"""How commands that follow wait for a service: said once, pauses that grow to a bound, an end, and only what passes by itself."""

import pytest

from controller.cli.client import Refused
from controller.cli.patience import Patience
from inventory.domain.errors import AllotError, Unavailable

AWAY = Unavailable("cli.server_away", server="http://x", reason="refused")


class _Told:
    def __init__(self) -> None:
        self.now_s = 0.0
        self.codes: list[str] = []
        self.patience = Patience(self.codes.append, most_s=100, clock=lambda: self.now_s)

    def wait(self, error: Refused | AllotError = AWAY) -> float:
        pause_s = self.patience.pause_s(error)
        self.now_s += pause_s
        return pause_s


def test_pauses_grow_to_a_bound_and_the_last_one_ends_with_the_patience() -> None:
    told = _Told()
    told.patience.answered()
    pauses = [told.wait() for _ in range(14)]
    assert pauses == [0.5, 1, 2, 4, 8, *[10] * 8, 4.5]
    with pytest.raises(Unavailable) as over:
        told.wait()
    assert over.value is AWAY


def test_going_and_coming_back_are_said_once_each_time() -> None:
    told = _Told()
    told.patience.answered()
    for _ in range(3):
        told.wait()
    told.patience.answered()
    told.patience.answered()
    assert told.codes == ["cli.say.service_away", "cli.say.service_back"]
    assert told.wait() == 0.5, "patience begins anew"
    assert told.codes[2:] == ["cli.say.service_away"]


def test_a_service_that_never_answered_is_not_waited_for() -> None:
    told = _Told()
    with pytest.raises(Unavailable):
        told.wait()
    assert told.codes == []


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_a_starting_service_or_a_proxy_answers_is_waited_for(status: int) -> None:
    told = _Told()
    told.patience.answered()
    assert told.wait(Refused(status, {"code": "cli.not_allotment"})) == 0.5


@pytest.mark.parametrize(
    "error",
    [
        Refused(401, {"code": "token.expired"}),
        Refused(404, {"code": "ticket.not_found"}),
        Refused(500, {"code": "internal.unexpected"}),
        Unavailable("cli.tls_failed", server="https://x", reason="expired"),
        Unavailable("cli.wait_too_long", ticket="t"),
    ],
)
def test_what_waiting_does_not_mend_is_told_at_once(error: Refused | AllotError) -> None:
    told = _Told()
    told.patience.answered()
    with pytest.raises(type(error)):
        told.wait(error)
    assert told.codes == []
