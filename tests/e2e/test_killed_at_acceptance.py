"""kill -9 inside the transaction that accepts a ticket, and between it and the answer: all or nothing, and once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inventory.domain.errors import Unavailable
from tests.support.controller_process import ControllerProcess, controller_process
from tests.support.service import ticket

STRIKE_S = 60
TEXT = ticket("portal", count=3).encode()


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[ControllerProcess]:
    """A furnished installation whose controller is stopped."""
    with controller_process(tmp_path / "service") as found:
        found.start()
        found.furnish()
        found.stop()
        yield found


def _strikes(controller: ControllerProcess, place: str) -> None:
    """Hand a ticket in to a controller that dies at this place, before it can answer."""
    controller.start_armed(failpoint=place)
    with controller.client() as client, pytest.raises(Unavailable):
        client.post_yaml("/v1/tickets", TEXT)
    controller.wait_killed(STRIKE_S)


def _tickets(controller: ControllerProcess) -> list[dict[str, Any]]:
    with controller.client() as client:
        return client.all("/v1/tickets")


def _is_made_once(controller: ControllerProcess) -> None:
    """Hand the same bytes in again: one ticket, three machines, every counter right."""
    with controller.client() as client:
        again = client.post_yaml("/v1/tickets", TEXT)["id"]
        controller.wait_ticket(again)
        assert client.post_yaml("/v1/tickets", TEXT)["id"] == again, "what is done already is not done twice"
        machines = client.all("/v1/instances")
    assert [t["id"] for t in _tickets(controller)] == [again]
    assert [m["observed"] for m in machines] == ["running"] * 3
    assert len({m["nics"][0]["address"] for m in machines}) == 3
    assert controller.ok("quota", "audit").out.startswith("Every counter equals")
    assert "intact" in controller.ok("audit", "verify").out


def test_killed_before_the_acceptance_is_committed_nothing_was_promised(controller: ControllerProcess) -> None:
    _strikes(controller, "accept.before")
    controller.start()
    assert _tickets(controller) == []
    with controller.client() as client:
        assert client.all("/v1/instances") == []
        assert {q["used"] for q in client.all("/v1/quotas")} == {0}
    _is_made_once(controller)


def test_killed_after_the_acceptance_and_before_the_answer_everything_was_promised_once(controller: ControllerProcess) -> None:
    _strikes(controller, "accept.after")
    controller.start()
    [accepted] = _tickets(controller)
    with controller.client() as client:
        assert client.post_yaml("/v1/tickets", TEXT)["id"] == accepted["id"], "the same bytes again are no new ticket"
    controller.wait_ticket(accepted["id"])
    _is_made_once(controller)
