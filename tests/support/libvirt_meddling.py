"""What somebody may do with virsh to a machine of ours, behind the controller's back."""

from typing import Any
from xml.etree import ElementTree as ET

import libvirt

from drivers.libvirt.names import disk_owner
from inventory.domain.ids import ResourceId
from tests.support.libvirt_host import behind
from tests.support.libvirtd import until

UNPLUG_S = 120


def edit_stored(uri: str, instance_id: ResourceId, vcpu_count: int) -> None:
    """``virsh edit``: other vCPUs, from the next start on."""
    with behind(uri) as connection:
        text = connection.lookupByName(instance_id).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
        root = ET.fromstring(text)
        vcpu = root.find("vcpu")
        assert vcpu is not None
        vcpu.text = str(vcpu_count)
        for topology in root.iterfind("./cpu/topology"):
            topology.set("cores", str(vcpu_count))
        connection.defineXML(ET.tostring(root, encoding="unicode"))


def unplug_disk(uri: str, instance_id: ResourceId, volume_id: ResourceId) -> None:
    """``virsh detach-disk --live``; the guest has to let go of it, and is asked until it does."""
    with behind(uri) as connection:
        domain = connection.lookupByName(instance_id)

        def is_gone() -> bool:
            disk = _disk(domain, volume_id)
            if disk is None:
                return True
            try:
                domain.detachDeviceFlags(disk, libvirt.VIR_DOMAIN_AFFECT_LIVE)
            except libvirt.libvirtError as error:
                # Already asked, and the guest has not answered yet.
                if error.get_error_code() not in (libvirt.VIR_ERR_OPERATION_FAILED, libvirt.VIR_ERR_DEVICE_MISSING):
                    raise
            return False

        until(is_gone, UNPLUG_S, "the guest lets go of its disk")


def _disk(domain: Any, volume_id: ResourceId) -> str | None:
    for disk in ET.fromstring(domain.XMLDesc()).iterfind("./devices/disk"):
        source = disk.find("source")
        if source is not None and disk_owner(source.get("file", "").rpartition("/")[2]) == volume_id:
            return ET.tostring(disk, encoding="unicode")
    return None


def meddle_card(uri: str, instance_id: ResourceId, network: str = "") -> None:
    """``virsh update-device --live``: the first card loses its filter, and is plugged into another network if one is named."""
    with behind(uri) as connection:
        domain = connection.lookupByName(instance_id)
        card = ET.fromstring(domain.XMLDesc()).find("./devices/interface")
        assert card is not None
        source, filter_ = card.find("source"), card.find("filterref")
        assert source is not None
        if filter_ is not None:
            card.remove(filter_)
        if network:
            source.attrib = {"network": network}
        domain.updateDeviceFlags(ET.tostring(card, encoding="unicode"), libvirt.VIR_DOMAIN_AFFECT_LIVE)
