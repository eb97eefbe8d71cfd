"""Volumes of a storage pool as libvirt XML. Pure; ``storage.py`` creates what is described here."""

from drivers.libvirt.xml_tree import Element, add, attribute, parse, to_text

GIB = 1 << 30


def file_text(name: str, size_bytes: int) -> str:
    """Return a plain file whose bytes are uploaded next (images, seeds) or written by the host (logs)."""
    root = Element("volume", type="file")
    add(root, "name", name)
    add(root, "capacity", str(size_bytes), unit="bytes")
    add(root, "allocation", "0", unit="bytes")
    add(add(root, "target"), "format", type_="raw")
    return to_text(root)


def disk_text(name: str, size_gib: int, backing: tuple[str, str] | None = None) -> str:
    """Return a qcow2 disk; ``backing`` is path and format of the image it is an overlay of."""
    root = Element("volume", type="file")
    add(root, "name", name)
    add(root, "capacity", str(size_gib * GIB), unit="bytes")
    add(root, "allocation", "0", unit="bytes")
    add(add(root, "target"), "format", type_="qcow2")
    if backing is not None:
        store = add(root, "backingStore")
        add(store, "path", backing[0])
        # Always said, never guessed: a guessed format lets a guest's bytes choose the host's files.
        add(store, "format", type_=backing[1])
    return to_text(root)


def read_format(text: str) -> str:
    """Return the format of an existing volume."""
    return attribute(parse(text), "./target/format", "type")


def read_backing(text: str) -> str:
    """Return the path of the image under an existing volume, empty where there is none."""
    return parse(text).findtext("./backingStore/path", "")


def read_pool_path(text: str) -> str:
    """Return the directory of a storage pool."""
    return parse(text).findtext("./target/path", "")
