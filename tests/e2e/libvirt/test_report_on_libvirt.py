"""With ``report`` a machine stopped with virsh on a real host stays stopped until a person starts it; the pool says so."""

from collections.abc import Iterator
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
        site = site.replace(pool, f"{pool}drift: {{stopped: report}}, ")
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


def test_a_machine_stopped_with_virsh_is_reported_and_started_by_a_person(host: HostUnderTest) -> None:
    controller, instance_id = host.controller, ResourceId(machine(host.controller)["id"])

    def state() -> str:
        return "running" if host.domains()[instance_id].startswith("running") else "off"

    def finding() -> list[tuple[str, str]]:
        with controller.client() as client:
            return [(f["kind"], f["state"]) for f in client.get("/v1/findings")["items"] if f["resource_id"] == instance_id]

    def looks() -> float:
        with controller.client() as client:
            return float(client.get("/v1/hosts/host-1")["observed_at_s"])

    assert state() == "running"
    with behind(host.libvirtd.uri) as connection:
        connection.lookupByName(instance_id).destroy()
    until(lambda: finding() == [("stopped", "open")], FOUND_S, "it is reported")
    until(lambda: machine(controller)["observed"] == "stopped", FOUND_S, "and shown as stopped")
    seen_at_s = looks()
    until(lambda: looks() > seen_at_s + 10, FOUND_S, "the host is looked at again and again")
    assert (state(), finding()) == ("off", [("stopped", "open")])
    controller.ok("start", instance_id)
    until(lambda: state() == "running", FOUND_S, "a person's word starts it")
    until(lambda: finding() in ([("stopped", "closed")], [("stopped", "repaired")]), FOUND_S, "and that is the end of it")
