"""Our mark: the metadata element that every machine of ours carries, with the fence that last acted on it.

Pure. Machines without it are foreign and never touched.
"""

from dataclasses import dataclass
from xml.etree import ElementTree as ET

from drivers.libvirt.xml_tree import Element, add, parse
from inventory.domain.ids import ResourceId

NAMESPACE = "https://allotment.invalid/xmlns/1"
PREFIX = "allotment"
_TAG = f"{{{NAMESPACE}}}resource"
ET.register_namespace(PREFIX, NAMESPACE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What the metadata element says."""

    #: Id of the instance, or ``probe`` for the throw-away machine that tries the virtualisation.
    resource_id: str
    fence: int
    system: str = ""
    department: str = ""
    #: Data disks wanted, in the order of their slots.
    volume_ids: tuple[ResourceId, ...] = ()
    #: Number of the last ordered restart that was carried out.
    reboots: int = 0


def add_mark(metadata: Element, mark: Mark) -> None:
    """Append the mark to a ``<metadata>`` element."""
    element = ET.SubElement(metadata, _TAG, _attributes(mark))
    for volume_id in mark.volume_ids:
        add(element, f"{{{NAMESPACE}}}volume", id=volume_id)


def mark_text(mark: Mark) -> str:
    """Return the element alone, without namespace: libvirt puts its own in when metadata is set."""
    element = Element("resource", _attributes(mark))
    for volume_id in mark.volume_ids:
        add(element, "volume", id=volume_id)
    return ET.tostring(element, encoding="unicode")


def _attributes(mark: Mark) -> dict[str, str]:
    attributes = {"id": mark.resource_id, "fence": str(mark.fence), "system": mark.system, "department": mark.department}
    return {**attributes, "reboots": str(mark.reboots)} if mark.reboots else attributes


def find_mark(domain: Element) -> Mark | None:
    """Return the mark in a domain's XML, None for a machine we did not make."""
    element = domain.find(f"./metadata/{_TAG}")
    return None if element is None else _read(element, f"{{{NAMESPACE}}}volume")


def parse_mark(text: str) -> Mark:
    """Read the element as libvirt returns it (without namespace)."""
    return _read(parse(text), "volume")


def _read(element: Element, volume_tag: str) -> Mark:
    return Mark(
        resource_id=element.get("id", ""),
        fence=_number(element, "fence"),
        reboots=_number(element, "reboots"),
        system=element.get("system", ""),
        department=element.get("department", ""),
        volume_ids=tuple(ResourceId(v.get("id", "")) for v in element.findall(volume_tag)),
    )


def _number(element: Element, name: str) -> int:
    # A mark edited by hand may lack its numbers: 0 then lets the next hold write a good one.
    text = element.get(name, "0")
    return int(text) if text.isdecimal() else 0
