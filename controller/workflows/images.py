"""Images on record: taken into the library, named, withdrawn. The bytes are judged by ``inventory.importers.images``."""

import hashlib
import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection

from controller.identity.caller import Caller
from controller.workflows.platform import Platform
from controller.workflows.sealing import seal
from inventory.domain.catalogue import Image, ImageState
from inventory.domain.errors import Conflict, Invalid, NotFound
from inventory.domain.ids import ImageId
from inventory.domain.progress import UNSEEN, Progress
from inventory.importers.image_inspection import open_regular
from inventory.importers.images import FetchOptions, import_image
from inventory.store import directory

_GIB = 1 << 30
_CHUNK_BYTES = 1 << 20
#: What stays as it was where a name is taken in again without it: machines may boot by it.
_KEPT = ("title", "kernel_path", "initrd_path", "kernel_arguments")
#: Kernels and initial ram disks; anything larger is something else.
_BOOT_FILE_MAX_BYTES = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """An image to register."""

    name: str
    arch: str
    #: A path on the controller, or a URL (then with ``sha256``).
    source: Path | str
    sha256: str = ""
    title: str = ""
    #: Direct kernel boot, for images that do not boot by themselves.
    kernel: Path | None = None
    initrd: Path | None = None
    kernel_arguments: str = ""


def register(
    platform: Platform,
    request: ImageRequest,
    caller: Caller,
    *,
    fetch_options: FetchOptions | None = None,
    progress: Progress = UNSEEN,
) -> Image:
    """Take an image into the library and the catalogue; the same content under the same name again is offered again.

    Title, kernel, initial ram disk and kernel arguments that are not given stay as they were.

    Raises:
        Invalid, NotFound, Unavailable: ``image.*``, from the importer.
        Conflict: ``image.name_taken``: the name stands for other content, and machines may be built on it.
    """
    with platform.db.read() as connection:
        known = directory.image_by_name(connection, request.name)
    if known is not None and request.sha256:
        check_same(known, request.sha256)
    image = take_in(platform, request, fetch_options=fetch_options, progress=progress)

    def unit(connection: Connection) -> Image:
        directory.lock_for_edit(connection)
        saved = record(connection, image)
        seal(connection, platform, caller, "image.import", saved.id, {"name": saved.name, "sha256": saved.sha256})
        return saved

    return platform.db.run(unit)


def withdraw(platform: Platform, name: str, caller: Caller) -> Image:
    """Offer an image no more; machines that have it keep it.

    Raises:
        NotFound: ``image.unknown``.
    """

    def unit(connection: Connection) -> Image:
        image = directory.image_by_name(connection, name)
        if image is None:
            raise NotFound("image.unknown", image=name)
        withdrawn = replace(image, state=ImageState.WITHDRAWN)
        directory.save_image(connection, withdrawn)
        seal(connection, platform, caller, "image.withdraw", withdrawn.id, {"name": image.name})
        return withdrawn

    return platform.db.run(unit)


def take_in(
    platform: Platform, request: ImageRequest, *, fetch_options: FetchOptions | None = None, progress: Progress = UNSEEN
) -> Image:
    """Copy, hash and inspect the files of an image; returns its record, not yet written. No database work.

    Raises:
        Invalid, NotFound, Unavailable: ``image.*``.
    """
    sha256 = request.sha256 or None
    stored = import_image(request.source, sha256, platform.images_dir, fetch_options=fetch_options, progress=progress)
    return Image(
        id=ImageId(platform.new_id("image")),
        name=request.name,
        title=request.title,
        arch=request.arch,
        disk_format=stored.disk_format,
        sha256=stored.sha256,
        size_bytes=stored.size_bytes,
        virtual_size_gib=-(-stored.virtual_size_bytes // _GIB),
        path=str(stored.path),
        kernel_path=_boot_file(request.kernel, platform.images_dir, "kernel"),
        initrd_path=_boot_file(request.initrd, platform.images_dir, "initrd"),
        kernel_arguments=request.kernel_arguments,
    )


def record(connection: Connection, image: Image) -> Image:
    """Write an image that was taken in, under the id its name has already.

    Raises:
        Conflict: ``image.name_taken``.
    """
    known = directory.image_by_name(connection, image.name)
    if known is not None:
        check_same(known, image.sha256)
        kept = {name: getattr(image, name) or getattr(known, name) for name in _KEPT}
        image = replace(image, id=known.id, **kept)
    directory.save_image(connection, image)
    return image


def check_same(known: Image, sha256: str) -> None:
    """Refuse other content under a name that is taken.

    Raises:
        Conflict: ``image.name_taken``.
    """
    if known.sha256 != sha256.strip().lower().removeprefix("sha256:"):
        raise Conflict("image.name_taken", image=known.name, sha256=known.sha256)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file.

    Raises:
        NotFound, Invalid: ``image.*``, when it cannot be read.
    """
    digest = hashlib.sha256()
    with open_regular(path) as source:
        while chunk := source.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _boot_file(source: Path | None, images_dir: Path, kind: str) -> str:
    """Copy a kernel or initial ram disk into the library under its hash, complete or not at all."""
    if source is None:
        return ""
    digest, size_bytes = hashlib.sha256(), 0
    with open_regular(source) as reader, tempfile.NamedTemporaryFile(prefix=".incoming-", dir=images_dir) as copy:
        while chunk := reader.read(_CHUNK_BYTES):
            size_bytes += len(chunk)
            if size_bytes > _BOOT_FILE_MAX_BYTES:
                raise Invalid("image.too_large", max_bytes=_BOOT_FILE_MAX_BYTES)
            digest.update(chunk)
            copy.write(chunk)
        copy.flush()
        os.fsync(copy.fileno())
        path = images_dir / f"{digest.hexdigest()}.{kind}"
        if not path.exists():
            os.link(copy.name, path)
    return str(path)
