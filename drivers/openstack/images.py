"""Images in Glance: one for all machines, known by its hash, trusted only when Glance says the hash of what it holds."""

import hashlib
import threading
from functools import partial
from typing import Any

from openstack import exceptions as sdk_errors

from drivers.faults import Permanent, Transient
from drivers.openstack.mapping import oldest_of
from drivers.openstack.region import Region
from drivers.protocol import ImageSource

PREFIX = "allotment-"
HASH = "allotment_sha256"
_CHUNK_BYTES = 1 << 20
#: One upload at a time in a process: two hosts of a region that need one image do not both send it.
_UPLOADING = threading.Lock()


def image_name(sha256: str) -> str:
    """Return the name of an image in the region."""
    return PREFIX + sha256


def find_image(region: Region, sha256: str) -> Any:
    """Return the usable image with this hash, None when there is none."""
    sdk = region.sdk
    found = region.calls.read("image", lambda: list(sdk.image.images(name=image_name(sha256))))
    return oldest_of([i for i in found if i.status == "active"])


def ensure_image(region: Region, image: ImageSource) -> Any:
    """Have the image in the region.

    Raises:
        Permanent: ``image.corrupt``, ``driver.image_unreadable``.
    """
    with _UPLOADING:
        digests = _digests(image)
        found = find_image(region, image.sha256)
        if found is None:
            _remove_unfinished(region, image.sha256)
            found = _upload(region, image)
        if found.hash_algo == "sha512" and found.hash_value != digests:
            region.calls.change("image", lambda: region.sdk.image.delete_image(found.id))
            raise Transient("openstack.image_damaged", image_id=image.image_id)
        return found


def _digests(image: ImageSource) -> str:
    """Return the SHA-512 of the file, after its SHA-256 was found to be the promised one."""
    sha256, sha512 = hashlib.sha256(), hashlib.sha512()
    try:
        with image.path.open("rb") as source:
            while chunk := source.read(_CHUNK_BYTES):
                sha256.update(chunk)
                sha512.update(chunk)
    except OSError as error:
        raise Permanent("driver.image_unreadable", internal=str(error), image_id=image.image_id) from error
    if sha256.hexdigest() != image.sha256:
        raise Permanent("image.corrupt", image_id=image.image_id)
    return sha512.hexdigest()


def _remove_unfinished(region: Region, sha256: str) -> None:
    """Take away what an upload that was cut has left."""
    sdk = region.sdk
    for left in region.calls.read("image", lambda: list(sdk.image.images(name=image_name(sha256)))):
        if left.status in ("queued", "saving", "killed"):
            region.calls.change("image", partial(sdk.image.delete_image, left.id))


def _upload(region: Region, image: ImageSource) -> Any:
    sdk = region.sdk
    body = {
        "name": image_name(image.sha256),
        "disk_format": image.disk_format,
        "container_format": "bare",
        "min_disk": image.virtual_size_gib,
        # Departments' projects use it by its id and do not see it listed.
        "visibility": "community" if region.projects.is_per_department else "private",
        HASH: image.sha256,
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
