"""Small helpers over ElementTree for the builders and readers of libvirt's XML."""

from xml.etree import ElementTree as ET

Element = ET.Element


def add(parent: Element, tag: str, text: str | None = None, /, **attributes: str | int) -> Element:
    """Append ``<tag …>text</tag>`` to ``parent`` and return it; ``type_`` and the like lose their underscore."""
    child = ET.SubElement(parent, tag, {k.rstrip("_"): str(v) for k, v in attributes.items()})
    child.text = text
    return child


def to_text(root: Element) -> str:
    """Return the document, indented, ending in a newline."""
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def parse(text: str) -> Element:
    """Read a document that libvirtd wrote."""
    return ET.fromstring(text)  # noqa: S314  the daemon rules the host and writes this itself: no third party's XML


def attribute(root: Element, path: str, name: str) -> str:
    """Return an attribute of the first element at ``path``, empty where there is none."""
    found = root.find(path)
    return "" if found is None else found.get(name, "")


#: KiB in the units libvirt writes amounts of memory in.
_KIB = {"KiB": 1, "MiB": 1024, "GiB": 1024 * 1024, "k": 1, "M": 1024, "G": 1024 * 1024}


def kib(element: Element, amount: str | None) -> int:
    """Return an amount of memory in the unit the element names."""
    return int(amount or 0) * _KIB.get(element.get("unit", "KiB"), 1)
