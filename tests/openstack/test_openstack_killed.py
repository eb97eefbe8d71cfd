"""kill -9 of the controller at every boundary of a create, a change and a release on a region: nothing doubled, nothing left.

A first life of a system records which places its tickets pass. Then a system is carried through its life by a controller that
is killed at one place after the other. Its resources go side by side, so that one may have passed a place for good before the
controller is to die there: such places have their turn with the next system, first among them.
"""

from pathlib import Path

import pytest

from tests.openstack.cloud import City, city
from tests.openstack.harness import Behind
from tests.openstack.killing import BODIES, SETTLE_S, Life
from tests.openstack.region.region import Region
from tests.support.libvirtd import until

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(3600)]

HYPERVISOR = "hv-005"
#: What must be among the places found, or the recording is not what it should be.
STEPS = {
    "create": {"segment", "volume", "image", "parts", "root_disk", "define", "start"},
    "change": {"look", "volume", "resize_stop", "parts", "root_disk", "define", "start"},
    "release": {"leave", "stop", "remove", "confirm", "volume_drop", "segment_drop"},
}
#: Steps that come when a look at the host happens to ask for them, and not with every ticket.
INCIDENTAL = {"volume_look", "reap"}
ROUNDS = 6


def test_a_controller_killed_at_every_boundary_doubles_and_leaves_nothing(region: Region, behind: Behind, tmp_path: Path) -> None:
    with city(tmp_path / "town", region, behind) as town:
        town.furnish(HYPERVISOR, cloud="region")
        town.controller.stop()
        left = recorded(town, tmp_path / "passed")
        for action, places in left.items():
            assert {p.split(".")[1] for p in places} >= STEPS[action]
        for number in range(ROUNDS):
            if any(left.values()):
                life = Life(town, f"killed-{number}")
                left = {action: killed_along(life, action, places) for action, places in left.items()}
        assert not any(left.values()), f"never struck in {ROUNDS} rounds: {left}"


def recorded(town: City, path: Path) -> dict[str, list[str]]:
    """Let a system live once and return which places each of its tickets passes, in the order of the first time."""
    controller, life = town.controller, Life(town, "recorded")
    path.touch()
    controller.start_armed(record=path)
    found = {}
    for action in BODIES:
        before = len(path.read_text(encoding="ascii").split())
        ticket = life.hand_in(action)
        life.check(action, ticket)
        passed = path.read_text(encoding="ascii").split()[before:]
        steps = [p for p in dict.fromkeys(passed) if p.startswith("step.") and p.split(".")[1] not in INCIDENTAL]
        # Nothing that lasts happens between the end of a step and the beginning of the next: one side of a boundary is enough.
        found[action] = [steps[0], *(p for p in steps if p.endswith(".after"))]
    controller.stop()
    return found


def killed_along(life: Life, action: str, places: list[str]) -> list[str]:
    """Carry a ticket through a controller that dies at each place; returns those it could not die at any more."""
    controller, ticket = life.town.controller, ""
    left = list(places)
    for place in places:
        controller.start_armed(failpoint=place)
        ticket = ticket or life.hand_in(action)
        if not life.dies_or_ends(ticket):
            controller.stop()
            break
        left.remove(place)
    controller.start()
    ticket = ticket or life.hand_in(action)
    life.check(action, ticket)
    until(lambda: life.is_over(ticket), SETTLE_S, "nothing is left to be done")
    controller.stop()
    return left
