"""A restart by order on a real guest: once per order, in place, and once too when the controller is killed around it."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import select

from inventory.store import tables as t
from tests.support.controller_process import ControllerProcess, controller_process
from tests.support.guest_image import guest_image
from tests.support.libvirt_cloud import WEB, HostUnderTest, assert_clean, create_ticket, site_document
from tests.support.libvirt_host import behind
from tests.support.libvirtd import PrivateLibvirtd, until

pytestmark = [pytest.mark.libvirt, pytest.mark.timeout(900)]

BOOT_S = 240
#: A guest that does not obey is reset after the 30 s it is asked for.
RESTART_S = 180
#: Where the controller is killed: before the order reaches the back end, after it was carried out, and before that is recorded.
PLACES = ("step.reboot.before", "step.reboot.after", "step.look.after")


@dataclass(frozen=True)
class Shop:
    """One machine that answers, and its controller."""

    controller: ControllerProcess
    host: HostUnderTest
    machine_id: str

    def boots(self) -> int:
        """Return how often the guest has said that it is up."""
        with self.controller.client() as client:
            return client.get_bytes(f"/v1/instances/{self.machine_id}/console", max_bytes=1 << 20).count(b"ALLOT-GUEST READY")

    def is_due(self) -> bool:
        """Tell whether a restart is still to come."""
        with self.controller.client() as client:
            return bool(client.get(f"/v1/instances/{self.machine_id}")["is_reboot_due"])

    def run_id(self) -> int:
        """Return libvirt's number of this run of the machine: another one after a stop and a start."""
        with behind(self.host.libvirtd.uri) as connection:
            return int(connection.lookupByName(self.machine_id).ID())

    def journal(self) -> list[str]:
        """Return the states of the machine's journal."""
        j = t.journal.c
        with self.controller.read() as connection:
            rows = connection.execute(select(j.state).where(j.resource_id == self.machine_id).order_by(j.revision))
            return list(rows.scalars())

    def wait_restarted(self, boots: int) -> None:
        """Wait until nothing is due and the guest has come up so often, and no more often."""
        until(lambda: not self.is_due(), RESTART_S, "the restart was carried out")
        until(lambda: self.boots() >= boots, BOOT_S, "the guest is up again")
        assert self.boots() == boots


@pytest.fixture(scope="module")
def shop(libvirtd: PrivateLibvirtd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    guest_image()  # built before the controller starts
    with controller_process(tmp_path_factory.mktemp("shop")) as controller:
        controller.start()
        controller.ok("import", controller.write("site.yaml", site_document([("shop", "10.131.0.0/16")])), "--yes")
        host = HostUnderTest(controller, libvirtd, "host-1", "standard")
        host.enrol("shop")
        file = controller.write("shop.yaml", create_ticket("shop", "shop", [WEB.format(count=1)]))
        controller.ok("apply", file, "--yes", "--wait", "--timeout", "100")
        [machine] = controller.ok("get", "instances", "--system", "shop", "-o", "json").json
        found = Shop(controller, host, str(machine["id"]))
        until(lambda: found.boots() == 1, BOOT_S, "the guest is up")
        yield found
        if controller.process is None:
            controller.start()
        controller.ok("release", "shop", "--confirm", "shop", "--wait", "--timeout", "100")


def test_each_order_restarts_the_guest_once_in_place_and_no_journal_hears_of_it(shop: Shop) -> None:
    controller, run_id, journal, before = shop.controller, shop.run_id(), shop.journal(), shop.boots()
    said = controller.ok("reboot", "shop/web-1").out
    assert "restarted once" in said
    controller.ok("reboot", "shop/web-1")  # still to come: adds none
    shop.wait_restarted(before + 1)
    boots = before + 1
    for place in PLACES:
        controller.stop()
        controller.start_armed(failpoint=place)
        controller.allot("reboot", "shop/web-1")
        controller.wait_killed(RESTART_S)
        controller.start()
        boots += 1
        shop.wait_restarted(boots)
    assert shop.run_id() == run_id, "the machine was never stopped"
    assert shop.journal() == journal == ["allocated", "running"]
    assert_clean(controller, [shop.host])
