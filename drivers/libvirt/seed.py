"""The NoCloud seed of a machine: a small ISO image, the same bytes for the same wishes.

Pure. cloud-init finds it by its label ``cidata`` and reads ``meta-data``, ``user-data`` and ``network-config``.
Source: https://cloudinit.readthedocs.io/en/latest/reference/datasources/nocloud.html
"""

import hashlib
import io
import json

import pycdlib

from drivers.protocol import MachineRequest

EMPTY_USER_DATA = "#cloud-config\n{}\n"
_SECTOR = 2048
_FIRST_DESCRIPTOR = 16
#: ISO 9660 §8.4.26: four moments of 17 bytes from here in each volume descriptor.
_DESCRIPTOR_TIMES = slice(813, 881)
_NO_TIME = (b"0" * 16 + b"\0") * 4
#: ISO 9660 §9.1.5: the moment in a directory record; 1970-01-01 00:00:00 UTC.
_RECORD_TIME = slice(18, 25)
_EPOCH = bytes((70, 1, 1, 0, 0, 0, 0))


def seed_files(request: MachineRequest) -> dict[str, bytes]:
    """Return the files of the seed by name."""
    meta = [f"instance-id: {request.instance_id}", f"local-hostname: {json.dumps(request.hostname)}"]
    if request.ssh_keys:
        meta += ["public-keys:", *(f"  - {json.dumps(key)}" for key in request.ssh_keys)]
    cards = {f"nic{i}": {"match": {"macaddress": nic.mac}, "dhcp4": True} for i, nic in enumerate(request.nics)}
    return {
        "meta-data": ("\n".join(meta) + "\n").encode(),
        "network-config": (json.dumps({"version": 2, "ethernets": cards}) + "\n").encode(),
        "user-data": (request.user_data or EMPTY_USER_DATA).encode(),
    }


def seed_digest(request: MachineRequest) -> str:
    """Return the SHA-256 of what the seed says."""
    parts = hashlib.sha256()
    for name, data in seed_files(request).items():
        parts.update(f"{name}:{len(data)}:".encode() + data)
    return parts.hexdigest()


def seed_image(request: MachineRequest) -> bytes:
    """Return the bytes of the seed."""
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, joliet=3, vol_ident="cidata", sys_ident="", app_ident_str="")
    for number, (name, data) in enumerate(seed_files(request).items()):
        iso.add_fp(io.BytesIO(data), len(data), f"/FILE{number}.;1", joliet_path=f"/{name}")
    out = io.BytesIO()
    iso.write_fp(out)
    iso.close()
    return _without_times(bytearray(out.getvalue()))


def _without_times(image: bytearray) -> bytes:
    """Replace the moments the library stamps everywhere with fixed ones."""
    position = _FIRST_DESCRIPTOR * _SECTOR
    while (kind := image[position]) != 0xFF:
        if kind in (1, 2):
            times = slice(position + _DESCRIPTOR_TIMES.start, position + _DESCRIPTOR_TIMES.stop)
            image[times] = _NO_TIME
            root = position + 156
            _fix_record(image, root)
            extent, size = _u32(image, root + 2), _u32(image, root + 10)
            _fix_directory(image, extent * _SECTOR, size)
        position += _SECTOR
    return bytes(image)


def _fix_directory(image: bytearray, start: int, size: int) -> None:
    position = start
    while position < start + size and image[position]:
        _fix_record(image, position)
        position += image[position]


def _fix_record(image: bytearray, position: int) -> None:
    image[position + _RECORD_TIME.start : position + _RECORD_TIME.stop] = _EPOCH


def _u32(image: bytearray, position: int) -> int:
    return int.from_bytes(image[position : position + 4], "little")
