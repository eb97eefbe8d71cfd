"""What people do with virsh to running machines of ours is found within 60 s, and put right without a stop where that can be."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import libvirt
import pytest

from drivers.libvirt.domain_xml import read_domain
from drivers.libvirt.looks import shape_of
from drivers.libvirt.marks import NAMESPACE
from drivers.protocol import ObservedNic, ObservedShape
from inventory.domain.ids import ResourceId, uuid_of
from tests.support.controller_process import ControllerProcess, controller_process
from tests.support.guest_image import guest_image
from tests.support.libvirt_cloud import DB, WEB, HostUnderTest, assert_clean, create_ticket, site_document
from tests.support.libvirt_host import behind, new_id
from tests.support.libvirt_meddling import edit_stored, meddle_card, unplug_disk
from tests.support.libvirtd import PrivateLibvirtd, until

pytestmark = [pytest.mark.libvirt, pytest.mark.timeout(900)]

BOOT_S = 240
#: Drift is found within this time (the project's promise).
FOUND_S = 60
#: The guest has to answer when a disk is plugged in or out.
PUT_RIGHT_S = 60


@dataclass(frozen=True)
class Shop:
    """Two web machines and a database machine with a data disk, and their controller."""

    controller: ControllerProcess
    host: HostUnderTest
    machines: dict[str, dict[str, Any]]

    def id_of(self, name: str) -> ResourceId:
        return ResourceId(self.machines[name]["id"])

    def shape(self, name: str, flags: int = 0) -> ObservedShape:
        """Return what libvirt says a machine is made of."""
        with behind(self.host.libvirtd.uri) as connection:
            text = connection.lookupByName(self.id_of(name)).XMLDesc(flags)
        return shape_of(self.id_of(name), read_domain(text), has_filters=True)

    def runs(self) -> dict[str, int]:
        """Return libvirt's number of the run of each machine: another one after a stop and a start."""
        with behind(self.host.libvirtd.uri) as connection:
            return {name: connection.lookupByName(m["id"]).ID() for name, m in self.machines.items()}

    def findings(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Return every finding by its kind and state, and what it is about."""
        with self.controller.client() as client:
            items = client.get("/v1/findings")["items"]
        return {(f"{f['kind']} {f['state']}", f["resource_id"] or f["detail"]["resource"]): f["detail"] for f in items}


@pytest.fixture(scope="module")
def shop(libvirtd: PrivateLibvirtd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    guest_image()  # built before the controller starts
    with controller_process(tmp_path_factory.mktemp("edits"), ALLOT_RECONCILE__OBSERVE_INTERVAL_S="30") as controller:
        controller.start()
        controller.ok("import", controller.write("site.yaml", site_document([("shop", "10.133.0.0/16")])), "--yes")
        host = HostUnderTest(controller, libvirtd, "host-1", "standard")
        host.enrol("shop")
        file = controller.write("shop.yaml", create_ticket("shop", "shop", [WEB.format(count=2), DB]))
        controller.ok("apply", file, "--yes", "--wait", "--timeout", "100")
        listed = controller.ok("get", "instances", "--system", "shop", "-o", "json").json
        machines = {str(m["name"]): m for m in listed}
        for machine in machines.values():
            address = machine["nics"][0]["address"]
            until(partial(_is_up, host, address), BOOT_S, "the guest is up")
        yield Shop(controller, host, machines)
        controller.ok("release", "shop", "--confirm", "shop", "--wait", "--timeout", "100")


def _is_up(host: HostUnderTest, address: str) -> bool:
    return "hostname=" in host.http(address)


def card_of(machine: dict[str, Any]) -> ObservedNic:
    nic = machine["nics"][0]
    return ObservedNic(mac=nic["mac"], network=nic["segment_id"], address=nic["address"])


def test_edits_of_running_machines_are_found_and_put_right_without_a_stop(shop: Shop) -> None:
    edited, bared, robbed = (shop.id_of(n) for n in ("web-1", "web-2", "db-1"))
    uri, runs = shop.host.libvirtd.uri, shop.runs()
    [disk] = shop.shape("db-1").volume_ids
    assert shop.findings() == {}
    unplug_disk(uri, robbed, disk)
    edit_stored(uri, edited, 3)
    meddle_card(uri, bared)
    # Each act is an event: what it did may be put right by now, but what was found is written down.
    wanted = {("edited repaired", i) for i in (edited, bared, robbed)}
    until(lambda: wanted <= shop.findings().keys(), FOUND_S, "every edit is found")
    found = shop.findings()
    assert found["edited repaired", edited]["stored"] == {"vcpu_count": 3}
    card = card_of(shop.machines["web-2"])
    assert found["edited repaired", bared]["cards"] == {card.address: {"network": card.network, "filtered": ""}}
    assert found["edited repaired", robbed]["disks_missing"] == ["data"]
    until(lambda: shop.shape("db-1").volume_ids == (disk,), PUT_RIGHT_S, "the disk is back")
    until(lambda: shop.shape("web-2").nics == (card,), PUT_RIGHT_S, "the filter is back")
    until(lambda: shop.shape("web-1", libvirt.VIR_DOMAIN_XML_INACTIVE).vcpu_count == 1, PUT_RIGHT_S, "the definition is back")
    assert "vnet" in shop.host.libvirtd.exec_in("iptables-save"), "and so are its rules"
    address = shop.machines["db-1"]["nics"][0]["address"]
    until(lambda: "/dev/vdc bytes=1073741824" in shop.host.http(address, "/cgi-bin/disks"), PUT_RIGHT_S, "the guest sees it")
    assert shop.runs() == runs, "no machine was stopped for it"
    assert_clean(shop.controller, [shop.host])


def test_a_machine_with_our_mark_that_no_record_knows_is_reported_and_left_alone(shop: Shop) -> None:
    stranger = new_id("instance")
    mark = f"<a:resource xmlns:a='{NAMESPACE}' id='{stranger}' fence='1'/>"
    text = (
        f"<domain type='qemu'><name>{stranger}</name><uuid>{uuid_of(stranger)}</uuid><metadata>{mark}</metadata>"
        "<memory unit='MiB'>32</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='q35'>hvm</type></os></domain>"
    )
    with behind(shop.host.libvirtd.uri) as connection:
        domain = connection.createXML(text)
        run = domain.ID()
        try:
            until(lambda: ("orphan open", stranger) in shop.findings(), FOUND_S, "the orphan is found")
            assert domain.isActive(), "and left alone"
            assert domain.ID() == run
        finally:
            domain.destroy()
    until(lambda: ("orphan closed", stranger) in shop.findings(), FOUND_S, "an orphan that left is closed")
