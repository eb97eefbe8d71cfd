"""The smallest honest disk image, made in memory."""

import struct

GIB = 1 << 30


def qcow2() -> bytes:
    """Return an empty qcow2 image of one GiB."""
    header = struct.pack(">4sIQIIQIIQQIIQQQQII", b"QFI\xfb", 3, 0, 0, 16, GIB, 0, 2, 0x30000, 0x10000, 1, 0, 0, 0, 0, 0, 4, 104)
    image = bytearray(4 * 65536)
    image[: len(header)] = header
    struct.pack_into(">Q", image, 0x10000, 0x20000)
    for cluster in range(4):
        struct.pack_into(">H", image, 0x20000 + 2 * cluster, 1)
    return bytes(image)
