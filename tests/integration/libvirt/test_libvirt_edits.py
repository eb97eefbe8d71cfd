"""What people do with virsh to a machine that runs: seen at the next look, and put right without a stop by the definition."""

from typing import Any
from xml.etree import ElementTree as ET

import libvirt
import pytest

from drivers.libvirt.marks import NAMESPACE
from drivers.libvirt.names import filter_name
from drivers.protocol import ImageSource, MachineRequest, ObservedInstance, ObservedNic
from inventory.domain.resource import Observed
from tests.support.libvirt_host import behind
from tests.support.libvirt_lab import Lab
from tests.support.libvirt_meddling import meddle_card
from tests.support.libvirtd import until

pytestmark = pytest.mark.libvirt


class Edited:
    """A machine that runs, and the hands of somebody with virsh."""

    def __init__(self, lab: Lab, image: ImageSource) -> None:
        self.lab = lab
        self.segment = lab.segment(("edited",))
        self.request: MachineRequest = lab.machine(image, self.segment)
        lab.start(self.request)
        self.before, self.run = self.seen(), self.run_id()

    def run_id(self) -> int:
        """Return libvirt's number of this run: another one after a stop and a start."""
        with behind(self.lab.host.uri) as connection:
            return int(self.domain(connection).ID())

    def seen(self) -> ObservedInstance:
        found = self.lab.driver.observe_instance(self.request.instance_id)
        assert found is not None
        [listed] = self.lab.driver.observe().instances
        assert listed == found, "one look and the whole look agree"
        return found

    def domain(self, connection: Any) -> Any:
        return connection.lookupByName(self.request.instance_id)

    def expect_put_right(self) -> None:
        self.lab.fence += 1
        self.lab.driver.ensure_defined(self.request, self.lab.fence)
        seen = self.seen()
        assert (seen.nics, seen.is_stored) == (self.before.nics, True)
        assert seen.stored is None or (seen.stored.nics, seen.stored.strange_disks) == (self.before.nics, ())
        assert (seen.state, self.run_id()) == (Observed.RUNNING, self.run), "it was never stopped"


@pytest.fixture
def edited(lab: Lab, kernel_image: ImageSource) -> Edited:
    machine = Edited(lab, kernel_image)
    nic = machine.request.nics[0]
    assert machine.before.nics == (ObservedNic(mac=nic.mac, network=nic.segment_id, address=nic.address),)
    assert (machine.before.stored, machine.before.is_stored, machine.before.strange_disks) == (None, True, ())
    return machine


def test_a_packet_filter_that_was_undefined_is_made_again(edited: Edited) -> None:
    name = filter_name(edited.segment.segment_id)
    meddle_card(edited.lab.host.uri, edited.request.instance_id)
    with behind(edited.lab.host.uri) as connection:
        domain = edited.domain(connection)
        root = ET.fromstring(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
        for card in root.iterfind("./devices/interface"):
            for reference in card.findall("filterref"):
                card.remove(reference)
        connection.defineXML(ET.tostring(root, encoding="unicode"))
        connection.nwfilterLookupByName(name).undefine()
        seen = edited.seen()
        assert ([nic.address for nic in seen.nics or ()], seen.stored) == ([""], None), "gone from both alike"
        edited.expect_put_right()
        assert connection.nwfilterLookupByName(name).name() == name


def test_a_card_that_was_unplugged_comes_back(edited: Edited) -> None:
    with behind(edited.lab.host.uri) as connection:
        domain = edited.domain(connection)
        card = ET.fromstring(domain.XMLDesc()).find("./devices/interface")
        assert card is not None
        domain.detachDeviceFlags(ET.tostring(card, encoding="unicode"), libvirt.VIR_DOMAIN_AFFECT_LIVE)
    until(lambda: edited.seen().nics == (), 60, "the guest lets go of its card")
    edited.expect_put_right()


def test_a_definition_that_was_removed_under_a_running_machine_is_made_again(edited: Edited) -> None:
    with behind(edited.lab.host.uri) as connection:
        edited.domain(connection).undefine()
    assert not edited.seen().is_stored
    edited.expect_put_right()


def test_a_mark_that_was_removed_from_the_definition_is_written_again(edited: Edited) -> None:
    with behind(edited.lab.host.uri) as connection:
        kind, flags = libvirt.VIR_DOMAIN_METADATA_ELEMENT, libvirt.VIR_DOMAIN_AFFECT_CONFIG
        edited.domain(connection).setMetadata(kind, None, "allotment", NAMESPACE, flags)
    assert not edited.seen().is_stored, "once stopped it would be a stranger's"
    edited.expect_put_right()


def test_a_disk_somebody_plugged_in_is_told(edited: Edited) -> None:
    path = "/var/lib/libvirt/images/strange.img"
    edited.lab.host.exec_in("truncate", "-s", "1M", path)
    disk = f"<disk type='file' device='disk'><source file='{path}'/><target dev='vdx' bus='virtio'/></disk>"
    with behind(edited.lab.host.uri) as connection:
        edited.domain(connection).attachDeviceFlags(disk, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    assert edited.seen().strange_disks == (path,)
    edited.expect_put_right()
    assert edited.seen().strange_disks == (path,), "what is somebody's is not taken out of a running machine"
    edited.lab.host.exec_in("rm", path)
