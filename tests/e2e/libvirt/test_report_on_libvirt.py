"""With ``report`` a machine stopped or started with virsh on a real host stays so until a person says; the pool says so."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from inventory.domain.ids import ResourceId
from tests.support.controller_process import ControllerProcess, controller_process
from tests.support.guest_image import guest_image
from tests.support.libvirt_cloud import WEB, HostUnderTest, create_ticket, site_document
from tests.support.libvirt_host import behind
from tests.support.libvirtd import PrivateLibvirtd, until

pytestmark = [pytest.mark.libvirt, pytest.mark.timeout(600)]

#: Drift is found within this time (the project's promise).
FOUND_S = 60
TICKET_S = 150


@pytest.fixture
def host(libvirtd: PrivateLibvirtd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostUnderTest]:
    guest_image()  # built before the controller starts
    with controller_process(tmp_path_factory.mktemp("report"), ALLOT_RECONCILE__OBSERVE_INTERVAL_S="2") as controller:
        controller.start()
        site = site_document([("kiosk", "10.134.0.0/16")])
        pool = "driver: libvirt, "
        assert site.count(pool) == 1
        site = site.replace(pool, f"{pool}drift: {{stopped: report, started: report}}, ")
        controller.ok("import", controller.write("site.yaml", site), "--yes")
        found = HostUnderTest(controller, libvirtd, "host-1", "standard")
        found.enrol("kiosk")
        file = controller.write("kiosk.yaml", create_ticket("kiosk", "kiosk", [WEB.format(count=1)]))
        controller.ok("apply", file, "--yes", "--wait", "--timeout", str(TICKET_S))
        yield found
        controller.ok("release", "kiosk", "--confirm", "kiosk", "--wait", "--timeout", str(TICKET_S))


def machine(controller: ControllerProcess) -> dict[str, Any]:
    [found] = controller.ok("get", "instances", "--system", "kiosk", "-o", "json").json
    return dict(found)


@dataclass(frozen=True)
class Kiosk:
    """The machine, as libvirt and as the controller see it."""

    host: HostUnderTest
    id: ResourceId

    @property
    def controller(self) -> ControllerProcess:
        """Return the controller."""
        return self.host.controller

    def state(self) -> str:
        """Return what libvirt says."""
        return "running" if self.host.domains()[self.id].startswith("running") else "off"

    def findings(self) -> dict[str, str]:
        """Return the state of each finding about it, by kind."""
        with self.controller.client() as client:
            found = client.get("/v1/findings")["items"]
        return {f["kind"]: f["state"] for f in found if f["resource_id"] == self.id}

    def observed(self) -> str:
        """Return what the controller shows."""
        return str(machine(self.controller)["observed"])

    def looks(self) -> float:
        """Return when its host was looked at last."""
        with self.controller.client() as client:
            return float(client.get("/v1/hosts/host-1")["observed_at_s"])

    def wait_looked_at(self) -> None:
        """Wait until the host was looked at several times more."""
        seen_at_s = self.looks()
        until(lambda: self.looks() > seen_at_s + 10, FOUND_S, "the host is looked at again and again")


@pytest.fixture
def kiosk(host: HostUnderTest) -> Kiosk:
    return Kiosk(host, ResourceId(machine(host.controller)["id"]))


def test_a_machine_stopped_and_one_started_with_virsh_is_reported_and_put_right_by_a_person(kiosk: Kiosk) -> None:
    assert kiosk.state() == "running"
    with behind(kiosk.host.libvirtd.uri) as connection:
        connection.lookupByName(kiosk.id).destroy()
    until(lambda: kiosk.findings() == {"stopped": "open"}, FOUND_S, "it is reported")
    until(lambda: kiosk.observed() == "stopped", FOUND_S, "and shown as stopped")
    kiosk.wait_looked_at()
    assert (kiosk.state(), kiosk.findings()) == ("off", {"stopped": "open"})
    kiosk.controller.ok("start", kiosk.id)
    until(lambda: kiosk.state() == "running", FOUND_S, "a person's word starts it")
    until(lambda: kiosk.findings()["stopped"] in ("closed", "repaired"), FOUND_S, "and that is the end of it")

    kiosk.controller.ok("stop", kiosk.id)
    until(lambda: kiosk.observed() == "stopped", FOUND_S, "a person stopped it")
    with behind(kiosk.host.libvirtd.uri) as connection:
        connection.lookupByName(kiosk.id).create()
    until(lambda: kiosk.findings().get("started") == "open", FOUND_S, "it is reported")
    until(lambda: kiosk.observed() == "running", FOUND_S, "and shown as running")
    kiosk.wait_looked_at()
    assert (kiosk.state(), kiosk.findings()["started"]) == ("running", "open")
    kiosk.controller.ok("stop", kiosk.id)
    until(lambda: kiosk.state() == "off", FOUND_S, "a person's word stops it")
    until(lambda: kiosk.findings()["started"] in ("closed", "repaired"), FOUND_S, "and that is the end of it")
