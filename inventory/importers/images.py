"""Take an image into the controller's library: copied once, hashed, inspected, then published under its hash.

Nothing but this module and the inspector reads the bytes before they are judged, and what is judged is our own copy: the
source may change afterwards without effect. A file in the library is complete and safe, or it is not there.
"""

import errno
import hashlib
import os
import re
import tempfile
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from inventory.domain.errors import Invalid, Unavailable
from inventory.domain.progress import UNSEEN, Progress, WorkPhase
from inventory.importers.image_fetching import FetchOptions, fetch
from inventory.importers.image_inspection import InspectedImage, inspect_image, open_regular

__all__ = ["FetchOptions", "ImageLimits", "InspectedImage", "StoredImage", "import_image", "inspect_image", "remove_leftovers"]

_CHUNK_BYTES = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_INCOMING_PREFIX = ".incoming-"
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLimits:
    """How large an image may be."""

    max_file_bytes: int = 256 << 30
    max_virtual_size_bytes: int = 16 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImage:
    """An image in the library."""

    path: Path
    sha256: str
    #: ``qcow2`` | ``raw``.
    disk_format: str
    size_bytes: int
    virtual_size_bytes: int


def import_image(
    source: Path | str,
    expected_sha256: str | None,
    images_dir: Path,
    *,
    fetch_options: FetchOptions | None = None,
    limits: ImageLimits | None = None,
    declared_format: str = "",
    progress: Progress = UNSEEN,
) -> StoredImage:
    """Copy an image from a file or a web address into ``images_dir/<sha256>.<format>``; doing it again changes nothing.

    Raises:
        NotFound: ``image.not_found``.
        Invalid: ``image.*``: not what was expected, not an image, not safe, not from an allowed place.
        Unavailable: ``image.no_space``, ``image.folder_not_writable``, ``image.fetch_failed``, ``image.fetch_timeout``.
    """
    limits = limits or ImageLimits()
    expected = _checked_hash(expected_sha256)
    if isinstance(source, str) and _URL.match(source):
        if not expected:
            raise Invalid("image.hash_required")
        chunks = fetch(source, fetch_options or FetchOptions(), progress=progress)
    else:
        chunks = _file_chunks(Path(source), progress)
    with closing(chunks), _library_errors(images_dir), _incoming(images_dir) as incoming:
        sha256, size_bytes = _copy_hashed(chunks, incoming, limits.max_file_bytes, progress)
        if expected and sha256 != expected:
            raise Invalid("image.hash_mismatch", expected=expected, found=sha256)
        temporary = Path(incoming.name)
        progress.phase(WorkPhase.INSPECTING)
        found = inspect_image(temporary, max_virtual_size_bytes=limits.max_virtual_size_bytes, declared_format=declared_format)
        path = images_dir / f"{sha256}.{found.disk_format}"
        _publish(incoming, path)
    return StoredImage(
        path=path,
        sha256=sha256,
        disk_format=found.disk_format,
        size_bytes=size_bytes,
        virtual_size_bytes=found.virtual_size_bytes,
    )


def remove_leftovers(images_dir: Path) -> int:
    """Remove half-copied images of a process that was killed; call it once, before any import runs."""
    leftovers = list(images_dir.glob(f"{_INCOMING_PREFIX}*"))
    for leftover in leftovers:
        leftover.unlink(missing_ok=True)
    return len(leftovers)


def _checked_hash(sha256: str | None) -> str:
    expected = (sha256 or "").strip().lower().removeprefix("sha256:")
    if expected and not _SHA256.fullmatch(expected):
        raise Invalid("image.hash_malformed", given=expected[:80])
    return expected


def _file_chunks(path: Path, progress: Progress) -> Generator[bytes, None, None]:
    with open_regular(path) as source:
        progress.phase(WorkPhase.COPYING, lambda: os.fstat(source.fileno()).st_size)
        while chunk := _read(source, path):
            yield chunk


def _read(source: BinaryIO, path: Path) -> bytes:
    try:
        return source.read(_CHUNK_BYTES)
    except OSError as error:
        raise Invalid("image.unreadable", path=str(path), internal=str(error)) from error


def _copy_hashed(chunks: Iterable[bytes], incoming: IO[bytes], max_bytes: int, progress: Progress) -> tuple[str, int]:
    digest, size_bytes = hashlib.sha256(), 0
    for chunk in chunks:
        size_bytes += len(chunk)
        if size_bytes > max_bytes:
            raise Invalid("image.too_large", max_bytes=max_bytes)
        digest.update(chunk)
        incoming.write(chunk)
        progress.reached(size_bytes)
    incoming.flush()
    return digest.hexdigest(), size_bytes


@contextmanager
def _incoming(images_dir: Path) -> Iterator[IO[bytes]]:
    """Give a file to write to, in the library so that it can be renamed; whatever happens, nothing of it stays behind."""
    images_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(prefix=_INCOMING_PREFIX, dir=images_dir, delete=False) as incoming:
        try:
            yield incoming.file
        finally:
            Path(incoming.name).unlink(missing_ok=True)


def _publish(incoming: IO[bytes], path: Path) -> None:
    """Make the copy durable and give it its name. What stood there under this hash is replaced: ours was just verified."""
    os.fsync(incoming.fileno())
    Path(incoming.name).replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


@contextmanager
def _library_errors(images_dir: Path) -> Iterator[None]:
    """Say what is wrong with the library; errors of the source never reach this as ``OSError``."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise Unavailable("image.no_space", path=str(images_dir), retry_after_s=60, internal=str(error)) from error
        raise Unavailable("image.folder_not_writable", path=str(images_dir), retry_after_s=60, internal=str(error)) from error
