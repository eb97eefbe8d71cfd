"""Images in Glance: one for all machines, known by its hash, trusted only when Glance says the hash of what it holds."""

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from openstack import exceptions as sdk_errors

from drivers.faults import Permanent, Transient
from drivers.openstack.mapping import moment_s, oldest_of
from drivers.openstack.region import Region
from drivers.protocol import ImageSource

PREFIX = "allotment-"
HASH = "allotment_sha256"
#: What Glance must say of the bytes it holds, written before they are sent.
EXPECTED = "allotment_sha512"
OWNER = "allotment_upload"
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Digests:
    size: int
    mtime_ns: int
    sha256: str
    sha512: str


#: Of files as they were when they were last read through; a file that was not written since is not read again.
_KNOWN: dict[Path, _Digests] = {}


def image_name(sha256: str) -> str:
    """Return the name of an image in the region."""
    return PREFIX + sha256


def find_image(region: Region, sha256: str) -> Any:
    """Return the usable image with this hash, None when there is none."""
    sdk = region.sdk
    found = region.calls.read("image", lambda: list(sdk.image.images(name=image_name(sha256))))
    return oldest_of([i for i in found if i.status == "active"])


def require_image(region: Region, image: ImageSource, storage_pool: str) -> str:
    """Return the region's id of an image that is there.

    Raises:
        Transient: ``driver.image_missing``.
    """
    found = find_image(region, image.sha256)
    if found is None:
        raise Transient("driver.image_missing", storage_pool=storage_pool, image=image.image_id)
    return str(found.id)


def ensure_image(region: Region, image: ImageSource) -> Any:
    """Have the image in the region.

    Raises:
        Permanent: ``image.corrupt``, ``driver.image_unreadable``.
    """
    with region.uploads.of(image.sha256):
        found = find_image(region, image.sha256)
        if found is None:
            sha512 = _promised(image)
            _remove_cut(region, image.sha256)
            found = _upload(region, image, sha512)
        if not _is_whole(found, image):
            region.calls.change("image", lambda: region.sdk.image.delete_image(found.id))
            raise Transient("openstack.image_damaged", image_id=image.image_id)
        return found


def _is_whole(found: Any, image: ImageSource) -> bool:
    """Tell whether Glance holds the right bytes, by its own word; the file here is only read where the image does not say."""
    if found.hash_algo != "sha512":
        return True
    return bool(found.hash_value == ((found.properties or {}).get(EXPECTED) or _promised(image)))


def _promised(image: ImageSource) -> str:
    """Return the SHA-512 of the file, whose SHA-256 is the promised one.

    Raises:
        Permanent: ``image.corrupt``, ``driver.image_unreadable``.
    """
    try:
        digests = _digests(image.path)
    except OSError as error:
        raise Permanent("driver.image_unreadable", internal=str(error), image_id=image.image_id) from error
    if digests.sha256 != image.sha256:
        raise Permanent("image.corrupt", image_id=image.image_id)
    return digests.sha512


def _digests(path: Path) -> _Digests:
    now, known = path.stat(), _KNOWN.get(path)
    if known is not None and (known.size, known.mtime_ns) == (now.st_size, now.st_mtime_ns):
        return known
    sha256, sha512 = hashlib.sha256(), hashlib.sha512()
    with path.open("rb") as source:
        while chunk := source.read(_CHUNK_BYTES):
            sha256.update(chunk)
            sha512.update(chunk)
    # The size and time of before: a file that is written meanwhile is read again.
    found = _Digests(size=now.st_size, mtime_ns=now.st_mtime_ns, sha256=sha256.hexdigest(), sha512=sha512.hexdigest())
    _KNOWN[path] = found
    return found


def _remove_cut(region: Region, sha256: str) -> None:
    """Take away what uploads that were cut have left; what another controller sends at this moment stays."""
    sdk, now_s = region.sdk, region.clock()
    for left in region.calls.read("image", lambda: list(sdk.image.images(name=image_name(sha256)))):
        owner, age_s = str((left.properties or {}).get(OWNER, "")), now_s - moment_s(left.created_at or "", now_s)
        is_open = left.status in ("queued", "saving") and region.uploads.is_cut(owner, age_s)
        if is_open or left.status == "killed":
            region.calls.change("image", partial(sdk.image.delete_image, left.id))


def _upload(region: Region, image: ImageSource, sha512: str) -> Any:
    sdk = region.sdk
    body = {
        "name": image_name(image.sha256),
        "disk_format": image.disk_format,
        "container_format": "bare",
        "min_disk": image.virtual_size_gib,
        # Departments' projects use it by its id and do not see it listed.
        "visibility": "community" if region.projects.is_per_department else "private",
        HASH: image.sha256,
        EXPECTED: sha512,
        OWNER: region.uploads.owner,
    }
    made = region.calls.change("image", lambda: sdk.image.create_image(**body, allow_duplicates=True))

    def send() -> None:
        with image.path.open("rb") as source:
            made.data = source
            answer = made.upload(sdk.image)
            made.data = None
            sdk_errors.raise_from_response(answer)

    region.calls.change("image", send)
    return region.calls.read("image", lambda: sdk.image.get_image(made.id))
