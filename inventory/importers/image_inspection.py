"""What a disk image says it is, found out before anything that acts on it opens it.

The format is detected by ``oslo.utils`` (never guessed from a name, never believed from a declaration); its safety checks
run first. Only qcow2 and raw are accepted. On top stand checks of our own where that inspector is silent: a header too
short for it or a format it does not know passes there as raw; snapshots, encryption, header extensions, the corrupt mark and
tables that point out of the file pass there as clean qcow2.
"""

import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from inventory.domain.errors import Invalid, NotFound

if TYPE_CHECKING:
    from oslo_utils.imageutils.format_inspector import SafetyCheckFailed

#: What an untouched parser may raise, beside its own error, on bytes made to upset it. Each means: refuse.
_PARSER_TROUBLE = (struct.error, ValueError, LookupError, AttributeError, RuntimeError)
_ACCEPTED = {"qcow2": "qcow2", "raw": "raw", "gpt": "raw"}
_SECTOR_BYTES = 512

#: First bytes of formats QEMU would open as something else than raw, or which no machine boots from.
_FOREIGN_HEADS = {
    b"QFI\xfb": "qcow2",
    b"QED\0": "qed",
    b"KDMV": "vmdk",
    b"COWD": "vmdk",
    b"# Disk DescriptorFile": "vmdk",
    b"conectix": "vhd",
    b"vhdxfile": "vhdx",
    b"<<< ": "vdi",
    b"LUKS\xba\xbe": "luks",
    b"SKUL\xba\xbe": "luks",
    b"OOOM": "cow",
    b"WithoutFreeSpace": "parallels",
    b"WithouFreSpacExt": "parallels",
    b"Bochs Virtual HD Image": "bochs",
    b"#!/bin/sh\n#V2.0 Format\n": "cloop",
    b"MSWIM\0\0\0": "wim",
}
#: First bytes of the last sector.
_FOREIGN_TAILS = {b"conectix": "vhd", b"koly": "dmg"}
_COMPRESSED_HEADS = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
    b"7z\xbc\xaf\x27\x1c": "7z",
}

_QCOW2_HEADER = struct.Struct(">4sIQIIQIIQQIIQ")
_QCOW2_V3_TAIL = struct.Struct(">QQQII")
_EXTENSION = struct.Struct(">II")
_FEATURE_NAME_TABLE = 0x6803F857
_INCOMPATIBLE_COMPRESSION_TYPE = 1 << 3
_AUTOCLEAR_RAW_EXTERNAL = 1 << 1
_L1_MAX_BYTES = 32 << 20
_L1_OFFSET_MASK = 0x00FF_FFFF_FFFF_FE00


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedImage:
    """What was found."""

    #: ``qcow2`` | ``raw``.
    disk_format: str
    virtual_size_bytes: int


def inspect_image(path: Path, *, max_virtual_size_bytes: int = 16 << 40, declared_format: str = "") -> InspectedImage:
    """Find out what a file is and refuse whatever could make QEMU open or write something else.

    Raises:
        NotFound: ``image.not_found``.
        Invalid: ``image.*``, saying what is wrong with it.
    """
    with open_regular(path) as image:
        size_bytes = os.fstat(image.fileno()).st_size
        if size_bytes == 0:
            raise Invalid("image.empty", name=path.name)
        detected = _detect(image)
        check = _check_qcow2 if detected == "qcow2" else _check_raw
        virtual_size_bytes = check(image, size_bytes)
    if declared_format and declared_format != detected:
        raise Invalid("image.format_mismatch", declared=declared_format, found=detected)
    if virtual_size_bytes > max_virtual_size_bytes:
        raise Invalid("image.virtual_size_too_large", virtual_size_bytes=virtual_size_bytes, max_bytes=max_virtual_size_bytes)
    return InspectedImage(disk_format=detected, virtual_size_bytes=virtual_size_bytes)


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading, without waiting for a pipe and without taking a device for a file.

    Raises:
        NotFound: ``image.not_found``.
        Invalid: ``image.unreadable``, ``image.not_a_file``.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound("image.not_found", path=str(path)) from error
    except (OSError, ValueError) as error:
        raise Invalid("image.unreadable", path=str(path), internal=str(error)) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Invalid("image.not_a_file", path=str(path))
    return os.fdopen(descriptor, "rb")


def _detect(image: BinaryIO) -> str:
    """Return the accepted format of the content, after the library's own safety checks."""
    # Loaded when an image comes: the library and what it stands on were a fiftieth of every start.
    from oslo_utils.imageutils import format_inspector

    wrapper = format_inspector.InspectWrapper(os.fdopen(os.dup(image.fileno()), "rb"))  # a file of its own: it closes it
    try:
        while wrapper.formats is None and wrapper.read(1 << 16):
            pass
        wrapper.close()
        formats = wrapper.formats or []
        names = sorted(str(found) for found in formats)
        if len(names) > 1:
            raise Invalid("image.several_formats", formats=", ".join(names))
        if not names or names[0] not in _ACCEPTED:
            raise Invalid("image.format_not_accepted", found=", ".join(names) or "?")
        formats[0].safety_check()
    except format_inspector.SafetyCheckFailed as error:
        raise _unsafe(error) from error
    except (format_inspector.ImageFormatError, *_PARSER_TROUBLE) as error:
        raise Invalid("image.malformed", what="header", internal=repr(error)) from error
    return _ACCEPTED[names[0]]


def _unsafe(error: "SafetyCheckFailed") -> Invalid:
    """Say which safety check failed; the worst one first."""
    own_codes = {
        "backing_file": "image.backing_file",
        "data_file": "image.data_file",
        "unknown_features": "image.unknown_features",
    }
    for check, code in own_codes.items():
        if check in error.failures:
            return Invalid(code, internal=repr(error.failures))
    return Invalid("image.unsafe", check=", ".join(sorted(error.failures)), internal=repr(error.failures))


def _read_at(image: BinaryIO, offset: int, length: int) -> bytes:
    data = os.pread(image.fileno(), length, offset)
    if len(data) < length:
        raise Invalid("image.malformed", what="end of file")
    return data


# --- raw ------------------------------------------------------------------------------------------------------------------


def _check_raw(image: BinaryIO, size_bytes: int) -> int:
    """Refuse what only looks raw because nobody recognised it; return the virtual size."""
    head = os.pread(image.fileno(), _SECTOR_BYTES, 0)
    for magic, tool in _COMPRESSED_HEADS.items():
        if head.startswith(magic):
            raise Invalid("image.compressed", found=tool)
    tail = os.pread(image.fileno(), _SECTOR_BYTES, max(0, size_bytes - _SECTOR_BYTES))
    for data, table in ((head, _FOREIGN_HEADS), (tail, _FOREIGN_TAILS)):
        for magic, name in table.items():
            if data.startswith(magic):
                raise Invalid("image.format_not_accepted", found=name)
    if size_bytes % _SECTOR_BYTES:
        raise Invalid("image.raw_size", size_bytes=size_bytes)
    return size_bytes


# --- qcow2 ----------------------------------------------------------------------------------------------------------------


def _check_qcow2(image: BinaryIO, size_bytes: int) -> int:
    """Refuse qcow2 whose header asks for anything a plain disk has no need of; return the virtual size."""
    header = _QCOW2_HEADER.unpack(_read_at(image, 0, _QCOW2_HEADER.size))
    _magic, version, backing_offset, backing_size, cluster_bits, virtual_size_bytes, encryption, l1_count, l1_offset = header[:9]
    refcount_offset, refcount_clusters, snapshot_count, _snapshots_offset = header[9:]
    if backing_offset or backing_size:
        raise Invalid("image.backing_file")
    if encryption:
        raise Invalid("image.encrypted")
    if snapshot_count:
        raise Invalid("image.has_snapshots", count=snapshot_count)
    _require(9 <= cluster_bits <= 21, "cluster size")
    _require(virtual_size_bytes > 0, "virtual size")
    cluster_bytes = 1 << cluster_bits
    extensions_offset = _QCOW2_HEADER.size if version == 2 else _check_version_3(image, cluster_bytes)
    _check_extensions(image, extensions_offset, min(cluster_bytes, size_bytes))
    _check_table(refcount_offset, refcount_clusters * cluster_bytes, cluster_bytes, size_bytes, "refcount table")
    _check_table(l1_offset, l1_count * 8, cluster_bytes, size_bytes, "L1 table")
    bytes_per_l1_entry = cluster_bytes * (cluster_bytes // 8)
    _require(l1_count * bytes_per_l1_entry >= virtual_size_bytes, "L1 table")
    _check_l1_entries(image, l1_offset, l1_count, cluster_bytes, size_bytes)
    return int(virtual_size_bytes)


def _require(is_so: bool, what: str) -> None:
    if not is_so:
        raise Invalid("image.malformed", what=what)


def _check_version_3(image: BinaryIO, cluster_bytes: int) -> int:
    """Check what version 3 added to the header; return where the extensions begin."""
    tail = _QCOW2_V3_TAIL.unpack(_read_at(image, _QCOW2_HEADER.size, _QCOW2_V3_TAIL.size))
    incompatible, _compatible, autoclear, refcount_order, header_length = tail
    # The library lets dirty and corrupt pass: QEMU would repair the one on opening and refuse to write the other.
    if incompatible & ~_INCOMPATIBLE_COMPRESSION_TYPE:
        raise Invalid("image.unknown_features")
    if autoclear & _AUTOCLEAR_RAW_EXTERNAL:
        raise Invalid("image.data_file")
    _require(refcount_order <= 6, "refcount order")
    _require(104 <= header_length <= cluster_bytes and header_length % 8 == 0, "header length")
    compression = _read_at(image, 104, 1)[0] if header_length > 104 else 0
    _require(compression in {0, 1}, "compression type")
    return int(header_length)


def _check_extensions(image: BinaryIO, offset: int, end: int) -> None:
    """Accept the table of feature names only: data files, bitmaps, key slots and unknown powers are not for images."""
    while offset + _EXTENSION.size <= end:
        kind, length = _EXTENSION.unpack(_read_at(image, offset, _EXTENSION.size))
        if kind == 0:
            return
        if kind != _FEATURE_NAME_TABLE:
            raise Invalid("image.header_extension", extension=f"0x{kind:08x}")
        offset += _EXTENSION.size + (length + 7) // 8 * 8
    # An image may end its extensions by filling the cluster exactly; one that runs past it is broken.
    _require(offset <= end, "header extensions")


def _check_table(offset: int, length: int, cluster_bytes: int, size_bytes: int, what: str) -> None:
    _require(0 < length <= _L1_MAX_BYTES and offset >= cluster_bytes and offset % cluster_bytes == 0, what)
    _require(offset + length <= size_bytes, what)


def _check_l1_entries(image: BinaryIO, l1_offset: int, l1_count: int, cluster_bytes: int, size_bytes: int) -> None:
    """Every second-level table must begin inside the file, behind the header."""
    entries = struct.unpack(f">{l1_count}Q", _read_at(image, l1_offset, l1_count * 8))
    for entry in set(entries):
        offset = entry & _L1_OFFSET_MASK
        _require(offset == 0 or (cluster_bytes <= offset < size_bytes and offset % cluster_bytes == 0), "L1 table entry")
