"""Files in the storage pools of a host, through libvirt's storage API only: it works the same on a remote host.

The driver calls it inside ``Connection.calling``; libvirt's errors are translated there, except a full pool, which is
told apart here by looking at the pool and not by the text of a message.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import libvirt

from drivers.faults import Permanent, StaleFence, Transient
from drivers.libvirt import names, volume_xml
from drivers.protocol import ImageSource, VolumeRequest
from inventory.domain.host import StorageFacts
from inventory.domain.ids import ResourceId

#: After a failed write a pool with less than this available is called full: an overlay or a log needs about as much.
FULL_BELOW_BYTES = 16 << 20


class StorePool:
    """One active storage pool of directory kind (``dir``, ``fs``, ``netfs``)."""

    def __init__(self, connection: Any, pool: Any, *, has_streams: bool) -> None:
        self._connection = connection
        self._pool = pool
        self._has_streams = has_streams
        self.name: str = pool.name()

    @classmethod
    def named(cls, connection: Any, name: str, *, has_streams: bool) -> "StorePool":
        """Return the pool of a name, started if it was not.

        Raises:
            Permanent: ``driver.storage_pool_missing``.
        """
        try:
            pool = connection.storagePoolLookupByName(name)
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_STORAGE_POOL:
                raise
            raise Permanent("driver.storage_pool_missing", storage_pool=name, internal=str(error)) from error
        if not pool.isActive():
            pool.create()
        return cls(connection, pool, has_streams=has_streams)

    def path(self, name: str) -> str:
        """Return where a file of this pool is on the host."""
        return f"{volume_xml.read_pool_path(self._pool.XMLDesc()).rstrip('/')}/{name}"

    def file_names(self) -> list[str]:
        """Return the names libvirt knows."""
        found: list[str] = self._pool.listVolumes()
        return found

    def refresh(self) -> None:
        """Have libvirt read the directory again, unless it is busy writing into it (then its list is fresh anyway)."""
        try:
            self._pool.refresh()
        except libvirt.libvirtError as error:
            # Busy and broken share this code. A broken pool is inactive afterwards, and the next call says so.
            if error.get_error_code() != libvirt.VIR_ERR_INTERNAL_ERROR:
                raise

    def facts(self) -> StorageFacts:
        """Return size and free space."""
        _state, capacity, _allocation, available = self._pool.info()
        path = volume_xml.read_pool_path(self._pool.XMLDesc())
        gib = volume_xml.GIB
        return StorageFacts(name=self.name, path=path, capacity_gib=capacity // gib, available_gib=available // gib)

    def foreign_gib(self) -> int:
        """Return how much of what is not ours there is, in GiB and rounded up: each file as large as it may grow."""
        others = [v for v in self._pool.listAllVolumes() if not names.is_ours(v.name())]
        return -(-sum(map(_most_bytes, others)) // volume_xml.GIB)

    def find(self, name: str) -> Any:
        """Return a volume, None where there is none."""
        try:
            return self._pool.storageVolLookupByName(name)
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_STORAGE_VOL:
                raise
            return None

    def remove(self, name: str) -> None:
        """Have no such file."""
        volume = self.find(name)
        if volume is not None:
            volume.delete()

    def create(self, text: str) -> Any:
        """Create a volume from its description."""
        with self._watching_space(0):
            return self._pool.createXML(text)

    def touch(self, name: str) -> None:
        """Have an empty file."""
        if self.find(name) is None:
            self.create(volume_xml.file_text(name, 0))

    @contextmanager
    def _watching_space(self, wanted_bytes: int) -> Iterator[None]:
        try:
            yield
        except libvirt.libvirtError as error:
            if not self._connection.isAlive():
                raise
            self.refresh()
            available = self._pool.info()[3]
            if available >= max(wanted_bytes, FULL_BELOW_BYTES):
                raise
            mib = available >> 20
            raise Permanent("driver.storage_full", storage_pool=self.name, available_mib=mib, internal=str(error)) from error

    # --- bytes -------------------------------------------------------------------------------------------------------

    def write(self, name: str, source: BinaryIO, size_bytes: int) -> str:
        """Replace a file by ``size_bytes`` of ``source``; returns the SHA-256 of what was sent."""
        self.remove(name)
        sent = hashlib.sha256()
        with self._watching_space(size_bytes):
            volume = self._pool.createXML(volume_xml.file_text(name, size_bytes))
            if self._has_streams and size_bytes:
                stream = self._connection.newStream()
                volume.upload(stream, 0, size_bytes)

                def give(_stream: Any, count: int, _context: Any) -> bytes:
                    data = source.read(count)
                    sent.update(data)
                    return data

                stream.sendAll(give, None)
                stream.finish()
            else:
                # The test driver keeps names only; the hash is still checked.
                while data := source.read(1 << 20):
                    sent.update(data)
        return sent.hexdigest()

    def read(self, name: str, take: Callable[[bytes], object], *, offset: int = 0) -> None:
        """Give the bytes of a file from ``offset`` on to ``take``."""
        volume = self._pool.storageVolLookupByName(name)
        stream = self._connection.newStream()
        volume.download(stream, offset, 0)

        def receive(_stream: Any, data: bytes, _context: Any) -> int:
            take(data)
            return 0

        stream.recvAll(receive, None)
        stream.finish()

    def size_bytes(self, name: str) -> int:
        """Return how long a plain file is now, 0 where there is none."""
        volume = self.find(name)
        return 0 if volume is None else int(volume.info()[1])

    # --- images ------------------------------------------------------------------------------------------------------

    def ensure_image(self, image: ImageSource) -> None:
        """Have the image and, for direct boot, its kernel; each verified by reading it back, once."""
        self._ensure_file(names.image_name(image.sha256, image.disk_format), image.path, image)
        if image.kernel_path is not None:
            self._ensure_file(names.kernel_name(image.sha256), image.kernel_path)
        if image.initrd_path is not None:
            self._ensure_file(names.initrd_name(image.sha256), image.initrd_path)

    def remove_image(self, sha256: str) -> None:
        """Have no file of an image; the caller knows that no disk stands on it."""
        self.refresh()
        mine = [n for n in self.file_names() if n.startswith(names.image_prefix(sha256))]
        # Markers first: what is half removed is not believed any more.
        for name in sorted(mine, key=lambda n: not n.endswith(names.VERIFIED)):
            self.remove(name)

    def _ensure_file(self, name: str, path: Path, image: ImageSource | None = None) -> None:
        marker = names.verified_name(name)
        if self.find(marker) is not None and self.find(name) is not None:
            return
        sent = self._send(name, path)
        if image is not None and sent != image.sha256:
            self.remove(name)
            raise Permanent("image.corrupt", image_id=image.image_id)
        if self._has_streams:
            self._read_back(name, sent)
        # The marker comes last: a file without one was cut short and is written again.
        self.touch(marker)

    def _send(self, name: str, path: Path) -> str:
        try:
            source = path.open("rb")
        except OSError as error:
            raise Permanent("driver.file_unreadable", file=path.name, internal=str(error)) from error
        with source:
            return self.write(name, source, path.stat().st_size)

    def _read_back(self, name: str, sent: str) -> None:
        stored = hashlib.sha256()
        self.read(name, stored.update)
        if stored.hexdigest() != sent:
            self.remove(name)
            raise Transient("driver.image_damaged", name=name, wanted=sent, found=stored.hexdigest(), storage_pool=self.name)

    # --- disks -------------------------------------------------------------------------------------------------------

    def ensure_disk(self, request: VolumeRequest) -> None:
        """Have the disk, as large as asked; never smaller than it was, never a replaced one."""
        name = names.volume_name(request.volume_id)
        backing = self._backing(request)
        volume = self.find(name)
        if volume is not None and volume_xml.read_format(volume.XMLDesc()) != "qcow2":
            # Cut short before its header was written: there is nothing in it to lose.
            volume.delete()
            volume = None
        if volume is None:
            self.create(volume_xml.disk_text(name, request.size_gib, backing))
            return
        if backing is not None and volume_xml.read_backing(volume.XMLDesc()) != backing[0]:
            raise Permanent("driver.volume_differs", volume_id=request.volume_id, storage_pool=self.name)
        self._grow(volume, request)

    def disk_path(self, volume_id: ResourceId) -> str:
        """Return where an existing disk is on the host.

        Raises:
            Transient: ``driver.volume_missing``.
        """
        name = names.volume_name(volume_id)
        if self.find(name) is None:
            raise Transient("driver.volume_missing", volume_id=volume_id, storage_pool=self.name)
        return self.path(name)

    def _backing(self, request: VolumeRequest) -> tuple[str, str] | None:
        if request.image is None:
            return None
        image = request.image
        name = names.image_name(image.sha256, image.disk_format)
        if self.find(names.verified_name(name)) is None or self.find(name) is None:
            raise Transient("driver.image_missing", image=image.image_id, storage_pool=self.name)
        return self.path(name), image.disk_format

    def _grow(self, volume: Any, request: VolumeRequest) -> None:
        wanted, capacity = request.size_gib * volume_xml.GIB, int(volume.info()[1])
        if wanted < capacity:
            raise Permanent("driver.volume_shrink", volume_id=request.volume_id, size_gib=request.size_gib)
        if wanted > capacity:
            with self._watching_space(0):
                volume.resize(wanted, 0)

    # --- fences ------------------------------------------------------------------------------------------------------

    def take_fence(self, resource_id: ResourceId, fence: int) -> None:
        """Record the fence of a disk.

        Raises:
            StaleFence: a greater one is recorded.
        """
        found = [f for n in self.file_names() if (f := names.fence_in(n, resource_id)) is not None]
        newest = max(found, default=0)
        if newest > fence:
            raise StaleFence(resource_id=resource_id, given=fence, found=newest)
        if fence not in found:
            self.touch(names.fence_name(resource_id, fence))
        for old in found:
            if old != fence:
                self.remove(names.fence_name(resource_id, old))

    def remove_all_of(self, resource_id: ResourceId) -> None:
        """Have no file of an instance or a volume; the fence goes last, so that an interrupted call is repeated under it."""
        self.refresh()
        mine = [n for n in self.file_names() if names.owner_of(n) == resource_id]
        for name in sorted(mine, key=lambda n: names.fence_in(n, resource_id) is not None):
            self.remove(name)

    def write_bytes(self, name: str, data: bytes) -> None:
        """Replace a small file."""
        self.write(name, BytesIO(data), len(data))


def _most_bytes(volume: Any) -> int:
    """Return what a file may come to take; nothing for one that went away since it was listed."""
    try:
        kind, capacity, allocation = volume.info()
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_STORAGE_VOL:
            raise
        return 0
    return 0 if kind == libvirt.VIR_STORAGE_VOL_DIR else int(max(capacity, allocation))
