"""Disk images made to harm, written from scratch so that no tool has to be talked into making them."""

import struct
from collections.abc import Mapping

CLUSTER = 65536
MIB = 1 << 20


def qcow2(
    *,
    version: int = 3,
    backing_offset: int = 0,
    backing_size: int = 0,
    cluster_bits: int = 16,
    virtual_size: int = 64 * MIB,
    encryption: int = 0,
    l1_count: int = 1,
    l1_offset: int = 3 * CLUSTER,
    refcount_offset: int = CLUSTER,
    refcount_clusters: int = 1,
    snapshots: int = 0,
    snapshots_offset: int = 0,
    incompatible: int = 0,
    autoclear: int = 0,
    refcount_order: int = 4,
    header_length: int = 104,
    extensions: bytes = b"",
    l1: tuple[int, ...] = (),
    clusters: int = 4,
    at: Mapping[int, bytes] | None = None,
) -> bytes:
    """Return a small qcow2; with nothing asked for it is a clean empty disk of 64 MiB."""
    header = struct.pack(
        ">4sIQIIQIIQQIIQ",
        b"QFI\xfb",
        version,
        backing_offset,
        backing_size,
        cluster_bits,
        virtual_size,
        encryption,
        l1_count,
        l1_offset,
        refcount_offset,
        refcount_clusters,
        snapshots,
        snapshots_offset,
    )
    if version >= 3:
        header += struct.pack(">QQQII", incompatible, 0, autoclear, refcount_order, header_length)
    image = bytearray(clusters * CLUSTER)
    image[: len(header)] = header
    image[len(header) : len(header) + len(extensions)] = extensions
    struct.pack_into(">Q", image, CLUSTER, 2 * CLUSTER)
    struct.pack_into(">4H", image, 2 * CLUSTER, 1, 1, 1, 1)
    for index, entry in enumerate(l1):
        struct.pack_into(">Q", image, 3 * CLUSTER + 8 * index, entry)
    for offset, data in (at or {}).items():
        image[offset : offset + len(data)] = data
    return bytes(image)


def extension(kind: int, data: bytes) -> bytes:
    """Return one header extension of qcow2, padded."""
    return struct.pack(">II", kind, len(data)) + data + bytes(-len(data) % 8)


def vmdk(create_type: str, extents: str, *, embedded: bool = True) -> bytes:
    """Return a VMDK with its descriptor inside a sparse header, or as the bare text file."""
    text = (
        "# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\n"
        f'createType="{create_type}"\n# Extent description\n{extents}\n# The Disk Data Base\n#DDB\nddb.adapterType = "ide"\n'
    ).encode()
    if not embedded:
        return text + bytes(-len(text) % 512)
    header = struct.pack("<4sIIQQQQIQQQ", b"KDMV", 1, 3, 2048, 128, 1, 20, 512, 21, 26, 128)
    return header.ljust(512, b"\0") + text.ljust(20 * 512, b"\0") + bytes(MIB)


def _mbr(*entries: bytes, signature: bytes = b"\x55\xaa") -> bytes:
    return (bytes(446) + b"".join(entries)).ljust(510, b"\0") + signature


def _entry(kind: int, *, boot: int = 0, start: int = 2048, chs: bytes = b"\0\x02\0") -> bytes:
    return struct.pack("<B3sB3sII", boot, chs, kind, b"\xff\xff\xff", start, 2048)


def clean_gpt_disk() -> bytes:
    """Return the first sectors of an ordinary partitioned raw disk."""
    return _mbr(_entry(0xEE, start=1)) + b"EFI PART".ljust(512, b"\0") + bytes(MIB - 1024)


def vhd() -> bytes:
    """Return a dynamic VHD: the copy of the footer first."""
    footer = struct.pack(">8sIIQI4sI4sQQ", b"conectix", 2, 0x10000, 512, 0, b"evil", 0x50003, b"Wi2k", MIB, MIB).ljust(512, b"\0")
    return footer + bytes(MIB) + footer


def vhdx() -> bytes:
    """Return something that begins like VHDX."""
    return b"vhdxfile" + "evil".encode("utf-16-le").ljust(65528, b"\0") + b"head".ljust(2 * MIB, b"\0")


def vdi() -> bytes:
    """Return something that begins like VDI."""
    head = b"<<< Oracle VM VirtualBox Disk Image >>>\n".ljust(64, b"\0") + struct.pack("<II", 0xBEDA107F, 0x10001)
    return head.ljust(MIB, b"\0")


def iso(*, bootable_as_disk: bool = False) -> bytes:
    """Return an ISO 9660 volume; a hybrid one has a partition table too."""
    image = bytearray(MIB)
    image[32768:32774] = b"\x01CD001"
    struct.pack_into("<I", image, 32768 + 80, 512)
    struct.pack_into("<H", image, 32768 + 128, 2048)
    if bootable_as_disk:
        image[:512] = _mbr(_entry(0x17, boot=0x80))
    return bytes(image)


def luks(version: int = 1) -> bytes:
    """Return an encrypted volume's header."""
    return (b"LUKS\xba\xbe" + struct.pack(">H", version) + b"aes".ljust(32, b"\0") + b"xts-plain64".ljust(32, b"\0")).ljust(
        MIB, b"\0"
    )


def disk_beginning(head: bytes) -> bytes:
    """Return one MiB of nothing behind ``head``."""
    return head.ljust(MIB, b"\0")


def disk_ending(tail: bytes) -> bytes:
    """Return one MiB of nothing whose last sector is ``tail``."""
    return bytes(MIB - 512) + tail.ljust(512, b"\0")


_SECRET = b"/etc/shadow"
_RW = 'RW 2048 {kind} "{name}"{rest}'


def hostile_images() -> dict[str, tuple[bytes, str]]:
    """Return name -> (content, code it must be refused with)."""
    named = {CLUSTER // 2: _SECRET}
    flat = _RW.format(kind="FLAT", name="/etc/shadow", rest=" 0")
    sparse = _RW.format(kind="SPARSE", name="disk.vmdk", rest="")
    format_ = "image.format_not_accepted"
    return {
        "qcow2 v3 with a backing file": (qcow2(backing_offset=CLUSTER // 2, backing_size=11, at=named), "image.backing_file"),
        "qcow2 v2 with a backing file": (
            qcow2(version=2, backing_offset=512, backing_size=11, at={512: _SECRET}),
            "image.backing_file",
        ),
        "qcow2 with a backing json": (
            qcow2(backing_offset=512, backing_size=60, at={512: b'json:{"driver":"file","filename":"/etc/shadow"}'}),
            "image.backing_file",
        ),
        "qcow2 with a backing name but no offset": (qcow2(backing_size=11, at=named), "image.backing_file"),
        "qcow2 with an external data file": (qcow2(incompatible=4, extensions=extension(0x44415441, _SECRET)), "image.data_file"),
        "qcow2 naming a data file without the feature bit": (
            qcow2(extensions=extension(0x44415441, _SECRET)),
            "image.header_extension",
        ),
        "qcow2 with the raw external bit": (qcow2(autoclear=2), "image.data_file"),
        "qcow2 naming a backing format": (qcow2(extensions=extension(0xE2792ACA, b"raw")), "image.header_extension"),
        "qcow2 with persistent bitmaps": (
            qcow2(autoclear=1, extensions=extension(0x23852875, bytes(24))),
            "image.header_extension",
        ),
        "qcow2 with a key header": (qcow2(extensions=extension(0x0537BE77, bytes(16))), "image.header_extension"),
        "qcow2 with an unknown extension": (qcow2(extensions=extension(0xDEADBEEF, b"boo")), "image.header_extension"),
        "qcow2 with an endless extension": (qcow2(extensions=struct.pack(">II", 0x6803F857, 0xFFFFFFF0)), "image.malformed"),
        "qcow2 with extended L2 entries": (qcow2(incompatible=1 << 4), "image.unknown_features"),
        "qcow2 with a feature bit of the future": (qcow2(incompatible=1 << 5), "image.unknown_features"),
        "qcow2 with the highest feature bit": (qcow2(incompatible=1 << 63), "image.unknown_features"),
        "qcow2 marked dirty": (qcow2(incompatible=1), "image.unknown_features"),
        "qcow2 marked corrupt": (qcow2(incompatible=2), "image.unknown_features"),
        "qcow of version 1": (qcow2(version=1), "image.unknown_features"),
        "qcow2 of version 4": (qcow2(version=4), "image.unknown_features"),
        "qcow2 encrypted with AES": (qcow2(encryption=1), "image.encrypted"),
        "qcow2 encrypted with LUKS": (qcow2(encryption=2), "image.encrypted"),
        "qcow2 with a snapshot table": (qcow2(snapshots=1, snapshots_offset=2 * CLUSTER), "image.has_snapshots"),
        "qcow2 with snapshots out of the file": (qcow2(snapshots=65536, snapshots_offset=1 << 60), "image.has_snapshots"),
        "qcow2 of 1 EiB": (qcow2(virtual_size=1 << 60), "image.malformed"),
        "qcow2 of 32 TiB in few bytes": (
            qcow2(cluster_bits=21, virtual_size=32 << 40, l1_count=64, l1_offset=2 * MIB, refcount_offset=MIB * 4, clusters=128),
            "image.virtual_size_too_large",
        ),
        "qcow2 of no size": (qcow2(virtual_size=0), "image.malformed"),
        "qcow2 with a huge L1 table": (qcow2(l1_count=0xFFFFFFFF), "image.malformed"),
        "qcow2 with its L1 table out of the file": (qcow2(l1_offset=1 << 40), "image.malformed"),
        "qcow2 with its L1 table over the header": (qcow2(l1_offset=0), "image.malformed"),
        "qcow2 with its L1 table not aligned": (qcow2(l1_offset=3 * CLUSTER + 8), "image.malformed"),
        "qcow2 with an L1 entry out of the file": (qcow2(l1=(1 << 63 | 1 << 40,)), "image.malformed"),
        "qcow2 with an L1 entry on the header": (qcow2(l1=(1 << 63 | 512,)), "image.malformed"),
        "qcow2 with refcounts out of the file": (qcow2(refcount_offset=1 << 40), "image.malformed"),
        "qcow2 with a refcount table of terabytes": (qcow2(refcount_clusters=0xFFFFFFFF), "image.malformed"),
        "qcow2 with clusters of 1 byte": (qcow2(cluster_bits=0), "image.malformed"),
        "qcow2 with clusters of 2 GiB": (qcow2(cluster_bits=31), "image.malformed"),
        "qcow2 with refcounts of 2^40 bits": (qcow2(refcount_order=40), "image.malformed"),
        "qcow2 with a header of no length": (qcow2(header_length=0), "image.malformed"),
        "qcow2 with a header longer than a cluster": (qcow2(header_length=CLUSTER * 2), "image.malformed"),
        "qcow2 with an unknown compression": (qcow2(incompatible=8, header_length=112, at={104: b"\x07"}), "image.malformed"),
        "qcow2 cut off in its header": (qcow2()[:100], format_),
        "qcow2 cut off at one sector": (qcow2()[:512], "image.malformed"),
        "qcow2 cut off before its tables": (qcow2()[: CLUSTER + 512], "image.malformed"),
        "qcow2 that is a partitioned disk too": (qcow2(at={510: b"\x55\xaa"}), "image.several_formats"),
        "qcow2 that is an ISO too": (qcow2(at={32768: iso()[32768:34816]}), "image.several_formats"),
        "VMDK monolithicFlat": (vmdk("monolithicFlat", flat), format_),
        "VMDK twoGbMaxExtentFlat": (vmdk("twoGbMaxExtentFlat", flat), format_),
        "VMDK monolithicSparse": (vmdk("monolithicSparse", sparse), format_),
        "VMDK streamOptimized": (vmdk("streamOptimized", sparse), format_),
        "VMDK fullDevice": (vmdk("fullDevice", 'RW 2048 FLAT "/dev/vda" 0'), format_),
        "VMDK with path injection": (vmdk("monolithicSparse", 'RW 2048 SPARSE "../../../../etc/passwd"'), format_),
        "VMDK descriptor as text": (vmdk("monolithicFlat", flat, embedded=False), format_),
        "VMDK descriptor as text without a type": (vmdk('x" y="', flat, embedded=False), format_),
        "VMDK of a version of the future": (disk_beginning(b"KDMV" + struct.pack("<I", 9)), format_),
        "VMDK of ESX": (disk_beginning(b"COWD" + bytes(60)), format_),
        "VHD dynamic": (vhd(), format_),
        "VHD fixed, told by its footer": (disk_ending(b"conectix"), format_),
        "VHDX": (vhdx(), format_),
        "VDI": (vdi(), format_),
        "VDI without its signature": (disk_beginning(b"<<< QEMU VM Virtual Disk Image >>>\n"), format_),
        "ISO": (iso(), format_),
        "ISO that is a partitioned disk too": (iso(bootable_as_disk=True), "image.several_formats"),
        "LUKS 1": (luks(), format_),
        "LUKS 2": (luks(2), format_),
        "LUKS 2 second header": (disk_beginning(b"SKUL\xba\xbe\0\2"), format_),
        "QED": (disk_beginning(b"QED\0" + struct.pack("<III", CLUSTER, 4, 1)), format_),
        "QED with a backing file": (disk_beginning(b"QED\0" + struct.pack("<IIIQ", CLUSTER, 4, 1, 1)), format_),
        "cow": (disk_beginning(b"OOOM\0\0\0\2/etc/shadow"), format_),
        "parallels": (disk_beginning(b"WithoutFreeSpace"), format_),
        "parallels extended": (disk_beginning(b"WithouFreSpacExt"), format_),
        "bochs": (disk_beginning(b"Bochs Virtual HD Image"), format_),
        "dmg, told by its footer": (disk_ending(b"koly"), format_),
        "GPT with a partition beside the protective one": (
            _mbr(_entry(0xEE, start=1), _entry(0x83)) + bytes(MIB),
            "image.unsafe",
        ),
        "GPT that begins somewhere else": (_mbr(_entry(0xEE, start=77)) + bytes(MIB), "image.unsafe"),
        "MBR with a wrong boot flag": (_mbr(_entry(0x83, boot=0x42)) + bytes(MIB), "image.unsafe"),
        "MBR with no partition": (_mbr() + bytes(MIB), "image.unsafe"),
        "gzip of a disk": (disk_beginning(b"\x1f\x8b\x08"), "image.compressed"),
        "xz of a disk": (disk_beginning(b"\xfd7zXZ\0"), "image.compressed"),
        "zstd of a disk": (disk_beginning(b"\x28\xb5\x2f\xfd"), "image.compressed"),
        "zip of a disk": (disk_beginning(b"PK\x03\x04"), "image.compressed"),
        "half a sector": (bytes(256), "image.raw_size"),
        "a shell script": (b"#!/bin/sh\nrm -rf /\n", "image.raw_size"),
        "nothing": (b"", "image.empty"),
    }
