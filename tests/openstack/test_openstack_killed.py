"""kill -9 of the controller at one boundary after the other of a create and a release on a region: nothing doubled or left."""

from pathlib import Path

import pytest

from inventory.domain.errors import Unavailable
from tests.openstack.cloud import City, city
from tests.openstack.harness import Behind
from tests.openstack.region.region import Region
from tests.support.libvirtd import until

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(1500)]

STRIKE_S = 150
SETTLE_S = 300
CREATE_PLACES = ("step.segment.after", "step.volume.after", "step.root_disk.after", "step.define.before", "step.define.after")
RELEASE_PLACES = ("step.stop.after", "step.remove.after", "step.volume_drop.after", "step.segment_drop.after")

TICKET = """\
apiVersion: allotment/v1
kind: Ticket
metadata: {name: killed, action: create}
applicant: {department: civil-affairs, contact: {name: 张三, phone: "020-81234567"}}
project: {code: GZ2026-MZJ-017}
system: {mlps: {level: 2}, network: gov-public}
lease: {end: 12个月}
environment: test
resources:
  servers:
    - {name: web, count: 2, size: tiny, image: demo-linux, spread: none, disks: [{name: data, size: 1GiB, class: standard}]}
"""
RELEASE = """\
apiVersion: allotment/v1
kind: Ticket
metadata: {name: killed, action: release}
applicant: {department: civil-affairs}
"""


def test_a_controller_killed_at_every_boundary_doubles_and_leaves_nothing(region: Region, behind: Behind, tmp_path: Path) -> None:
    with city(tmp_path / "town", region, behind) as town:
        town.furnish("hv-005", cloud="region")
        town.controller.stop()
        ticket = _killed_along(town, TICKET, CREATE_PLACES)
        town.controller.wait_ticket(ticket, SETTLE_S)
        assert len(town.servers()) == 2
        assert {s.status for s in town.servers().values()} == {"ACTIVE"}
        made = town.made()
        # Two servers, two root disks, two data disks, two ports, a network and its group.
        assert len(made) == 10, made
        town.check()
        town.controller.stop()
        ticket = _killed_along(town, RELEASE, RELEASE_PLACES, confirm="killed")
        town.controller.wait_ticket(ticket, SETTLE_S)
        until(lambda: town.made() == [], SETTLE_S, "nothing of it is left in the region")
        town.check()


def _killed_along(town: City, text: str, places: tuple[str, ...], confirm: str = "") -> str:
    """Hand a ticket in and kill the controller at each place; the last one started lives. Returns the ticket."""
    controller, ticket = town.controller, ""
    for place in places:
        controller.start_armed(failpoint=place)
        ticket = ticket or _hand_in(town, text, confirm)
        controller.wait_killed(STRIKE_S)
    controller.start()
    return ticket or _hand_in(town, text, confirm)


def _hand_in(town: City, text: str, confirm: str) -> str:
    try:
        with town.controller.client() as client:
            return str(client.post_yaml("/v1/tickets", text.encode(), confirm=confirm)["id"])
    except Unavailable:
        return ""
