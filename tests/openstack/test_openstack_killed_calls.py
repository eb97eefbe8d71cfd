"""kill -9 of the controller at every kind of call that changes a region, after the region has acted and before it could answer.

That is deeper than the boundaries of steps: in the middle of a resize between its two halves, of an upload, of a network whose
subnet is not there yet. The next controller knows nothing of the call, and finds what it has done.
"""

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.openstack.settings import PER_DEPARTMENT
from inventory.domain.organisation import place_name
from tests.openstack.cloud import City, city
from tests.openstack.harness import Behind, new_id
from tests.openstack.killing import BODIES, Life, start_though_killed
from tests.openstack.proxy import Asked, Cut, Lose, Pass, Proxies, Treatment, proxied_clouds
from tests.openstack.region.region import Region
from tests.support.empty_image import qcow2

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(3600)]

HYPERVISOR = "hv-005"
#: What must be among the calls it was killed at, by service, method and the end of the path.
STRUCK = {
    ("neutron", "POST", "networks"), ("neutron", "POST", "subnets"), ("neutron", "POST", "security-groups"),
    ("neutron", "POST", "security-group-rules"), ("neutron", "POST", "ports"), ("glance", "POST", "images"),
    ("glance", "PUT", "file"), ("cinder", "POST", "volumes"), ("nova", "POST", "servers"),
    ("nova", "POST", "os-stop"), ("nova", "POST", "resize"), ("nova", "POST", "confirmResize"), ("nova", "POST", "os-start"),
    ("nova", "POST", "os-volume_attachments"),
    ("nova", "DELETE", "servers"), ("cinder", "DELETE", "volumes"), ("neutron", "DELETE", "networks"),
    ("neutron", "DELETE", "security-groups"),
    # The department's project, and what it is allowed.
    ("keystone", "POST", "tokens"), ("keystone", "POST", "projects"), ("keystone", "PUT", "roles"),
    ("nova", "PUT", "os-quota-sets"), ("cinder", "PUT", "os-quota-sets"), ("neutron", "PUT", "quotas"),
}  # fmt: skip


class Killer:
    """Kills a city's controller at the first call of each kind that changes something; an upload first in its middle."""

    def __init__(self, town: City) -> None:
        self.town = town
        self.struck: list[tuple[str, str, str]] = []
        self._is_upload_cut = False
        self._lock = threading.Lock()

    def treat(self, asked: Asked) -> Treatment:
        """Decide about a request."""
        with self._lock:
            service, method, path = asked.kind
            kind = (service, method, path.rpartition("/")[2])
            if method in ("GET", "HEAD") or kind in self.struck:
                return Pass()
            if kind == ("glance", "PUT", "file") and not self._is_upload_cut:
                self._is_upload_cut = True
                return Cut(then=self._kill)
            self.struck.append(kind)
            return Lose(then=self._kill)

    def _kill(self) -> None:
        process = self.town.controller.process
        # One killed before may have asked for this.
        if process is not None:
            process.kill()


@pytest.fixture
def domain(behind: Behind) -> Iterator[str]:
    """A domain of Keystone without a project: those of departments are made in it, whatever other tests have made."""
    identity = behind.cloud.identity
    found = identity.create_domain(name=new_id("host"))
    yield found.id
    identity.update_domain(found, is_enabled=False)
    # With whatever is in it.
    identity.delete_domain(found)


@pytest.fixture
def proxies(region: Region, domain: str, tmp_path: Path) -> Iterator[Proxies]:
    """Proxies in front of the region's services, where each department has a project."""
    settings: dict[str, Any] = {"projects": PER_DEPARTMENT, "project_role": "admin", "project_domain": domain}
    with proxied_clouds(region.layout, tmp_path, **settings) as found:
        yield found


def test_a_controller_killed_at_every_kind_of_call_doubles_and_leaves_nothing(
    region: Region, behind: Behind, domain: str, proxies: Proxies, tmp_path: Path
) -> None:
    # An image of its own: that of the other tests may be there already. What stands behind the end belongs to no cluster.
    image = qcow2() + new_id("image").encode().ljust(1 << 16, b"\0")
    with city(tmp_path / "town", region, behind, tmp_path / "clouds.yaml") as town:
        town.furnish(HYPERVISOR, cloud="proxied", image=image)
        town.controller.stop()
        killer = Killer(town)
        life = Life(town, "killed")
        for action in BODIES:
            proxies.treat = killer.treat
            ticket = carried_through(life, action)
            proxies.treat = lambda _asked: Pass()
            life.check(action, ticket)
            town.controller.stop()
    assert set(killer.struck) >= STRUCK
    assert [p.name for p in behind.cloud.identity.projects(domain_id=domain)] == [place_name("civil-affairs")]
    images = behind.cloud.image.images(visibility="all")
    (kept,) = [i for i in images if i.name.endswith(hashlib.sha256(image).hexdigest())]
    assert (kept.status, kept.size) == ("active", len(image))
    behind.cloud.image.delete_image(kept)


def carried_through(life: Life, action: str) -> str:
    """Start the controller as often as it dies, until nothing is left to be done; returns the ticket."""
    controller, ticket = life.town.controller, ""
    while True:
        start_though_killed(controller.start, life.town)
        ticket = ticket or life.hand_in(action)
        if not life.dies_or_ends(ticket):
            return ticket
