"""Images of a region, one answer at a time, over HTTP: read through once, sent once, and the uploads of others left alone."""

import hashlib
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drivers.faults import Permanent, Transient
from drivers.openstack.driver import OpenStackDriver
from drivers.openstack.images import EXPECTED, OWNER
from drivers.openstack.uploads import UPLOAD_LIMIT_S, Uploads
from drivers.protocol import ImageSource
from tests.support.region_answers import Answers
from tests.support.told_things import new_id

LATELY, LONG_AGO = "2027-01-15T07:50:00Z", "2027-01-15T06:50:00Z"
LEFT, MADE = (kind * 8 + "-0000-4000-8000-" + kind * 12 for kind in "de")
IMAGES = "/image/v2/images"


@pytest.fixture
def image(tmp_path: Path) -> ImageSource:
    path = tmp_path / "small.raw"
    path.write_bytes(b"here" * 1000)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return ImageSource(image_id=new_id("image"), sha256=sha256, disk_format="raw", virtual_size_gib=1, path=path)


def there(image: ImageSource, status: str = "active", image_id: str = LEFT, **more: Any) -> dict[str, Any]:
    return {"id": image_id, "name": f"allotment-{image.sha256}", "status": status, "created_at": LATELY, **more}


def sha512_of(image: ImageSource) -> str:
    return hashlib.sha512(image.path.read_bytes()).hexdigest()


def give_upload(region: Answers, image: ImageSource) -> None:
    """Answer an upload, well."""
    region.give(f"POST {IMAGES}", there(image, "queued", MADE), status=201)
    region.give(f"PUT {IMAGES}/{MADE}/file", None, status=204)
    region.give(f"GET {IMAGES}/{MADE}", there(image, "active", MADE, os_hash_algo="sha512", os_hash_value=sha512_of(image)))


def deleted(region: Answers) -> list[str]:
    return [a for a in region.asked if a.startswith("DELETE")]


def test_an_image_that_is_not_in_the_region_as_it_is_here_is_taken_away_and_told(
    region: Answers, driver: OpenStackDriver, image: ImageSource
) -> None:
    region.give(f"DELETE {IMAGES}/{LEFT}", None, status=204)
    # Sent by this release, which wrote what it must be, and by one that did not.
    for more in ({EXPECTED: sha512_of(image)}, {}):
        region.asked.clear()
        region.give(f"GET {IMAGES}", {"images": [there(image, os_hash_algo="sha512", os_hash_value="ab" * 64, **more)]})
        with pytest.raises(Transient) as damaged:
            driver.ensure_image(image, "standard")
        assert damaged.value.problem.code == "openstack.image_damaged"
        assert damaged.value.problem.params == {"image_id": image.image_id}
        assert deleted(region) == [f"DELETE {IMAGES}/{LEFT}"]
    # The same bytes there as here: nothing is taken away.
    region.asked.clear()
    region.give(f"GET {IMAGES}", {"images": [there(image, os_hash_algo="sha512", os_hash_value=sha512_of(image))]})
    driver.ensure_image(replace(image, image_id=new_id("image")), "standard")
    assert deleted(region) == []


def test_what_the_region_has_is_not_read_here(region: Answers, driver: OpenStackDriver, image: ImageSource) -> None:
    right = sha512_of(image)
    region.give(f"GET {IMAGES}", {"images": [there(image, os_hash_algo="sha512", os_hash_value=right, **{EXPECTED: right})]})
    driver.ensure_image(replace(image, path=image.path.with_name("gone.raw")), "standard")


def test_a_file_is_read_through_once_and_again_when_it_was_written(
    region: Answers, driver: OpenStackDriver, image: ImageSource
) -> None:
    region.give(f"GET {IMAGES}", {"images": []})
    give_upload(region, image)
    driver.ensure_image(image, "standard")
    seen = image.path.stat()
    # Other bytes of the same size, written at the same moment as far as the file says: not read again.
    image.path.write_bytes(b"gone" * 1000)
    os.utime(image.path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    driver.ensure_image(image, "standard")
    os.utime(image.path, ns=(seen.st_atime_ns, seen.st_mtime_ns + 1))
    with pytest.raises(Permanent) as corrupt:
        driver.ensure_image(image, "standard")
    assert corrupt.value.problem.code == "image.corrupt"


def test_an_upload_keeps_no_other_image_waiting(region: Answers, driver: OpenStackDriver, image: ImageSource) -> None:
    region.give(f"GET {IMAGES}", {"images": []})
    give_upload(region, image)
    with driver._region.uploads.of("0" * 64):
        driver.ensure_image(image, "standard")
    assert f"PUT {IMAGES}/{MADE}/file" in region.asked


@pytest.mark.parametrize(
    ("status", "owner", "created_at", "is_removed"),
    [
        ("queued", "another", LATELY, False),
        ("saving", "another", LATELY, False),
        ("saving", "another", LONG_AGO, True),
        ("killed", "another", LATELY, True),
        ("saving", "ours", LATELY, True),
        ("saving", "", LATELY, False),
        ("saving", "", LONG_AGO, True),
    ],
)
def test_only_an_upload_that_nobody_goes_on_with_is_taken_away(
    region: Answers, driver: OpenStackDriver, image: ImageSource, status: str, owner: str, created_at: str, is_removed: bool
) -> None:
    # Another controller on another machine, one of this machine being there as well.
    owners = {"ours": driver._region.uploads.owner, "another": f"elsewhere/{os.getpid()}/1", "": ""}
    left = there(image, status, **{OWNER: owners[owner]} if owner else {})
    region.give(f"GET {IMAGES}", {"images": [{**left, "created_at": created_at}]})
    region.give(f"DELETE {IMAGES}/{LEFT}", None, status=204)
    give_upload(region, image)
    driver.ensure_image(image, "standard")
    assert deleted(region) == ([f"DELETE {IMAGES}/{LEFT}"] if is_removed else [])
    assert f"PUT {IMAGES}/{MADE}/file" in region.asked


def test_two_controllers_leave_the_uploads_of_each_other_alone_until_one_is_gone() -> None:
    first, second = Uploads(), Uploads()
    assert not second.is_cut(first.owner, UPLOAD_LIMIT_S)
    assert second.is_cut(first.owner, UPLOAD_LIMIT_S + 1)
    with first.of("a"), second.of("a"):
        assert first.of("a") is first.of("a")
    gone = subprocess.Popen(["true"])
    gone.wait()
    place, _, connection = first.owner.split("/")
    assert second.is_cut(f"{place}/{gone.pid}/{connection}", 0.0), "a process of this machine that is gone"
    assert not second.is_cut(f"elsewhere/{gone.pid}/{connection}", 0.0), "of another machine nobody knows"
