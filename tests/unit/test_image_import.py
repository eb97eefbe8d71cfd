"""An image reaches the library whole, hashed and inspected, or not at all."""

import hashlib
import re
from pathlib import Path

import pytest

from controller.texts.images import TEXTS
from inventory.domain.errors import AllotError, Invalid, NotFound, Unavailable
from inventory.domain.progress import WorkPhase
from inventory.importers.images import FetchOptions, ImageLimits, StoredImage, import_image, remove_leftovers
from tests.support.heard import Heard
from tests.support.hostile_images import MIB, disk_beginning, qcow2

CLEAN = qcow2()
SHA256 = hashlib.sha256(CLEAN).hexdigest()


def source_file(folder: Path, content: bytes = CLEAN, name: str = "source.img") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def library_names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "library").iterdir())


def test_a_clean_image_is_stored_under_its_hash(tmp_path: Path) -> None:
    stored = import_image(source_file(tmp_path), SHA256, tmp_path / "library")
    path = tmp_path / "library" / f"{SHA256}.qcow2"
    assert stored == StoredImage(
        path=path, sha256=SHA256, disk_format="qcow2", size_bytes=len(CLEAN), virtual_size_bytes=64 * MIB
    )
    assert path.read_bytes() == CLEAN
    assert path.stat().st_mode & 0o777 == 0o600


def test_how_much_of_a_file_is_copied_is_told(tmp_path: Path) -> None:
    heard = Heard()
    import_image(source_file(tmp_path), SHA256, tmp_path / "library", progress=heard)
    assert heard.phases == [WorkPhase.COPYING, WorkPhase.INSPECTING]
    total, reached = heard.of(WorkPhase.COPYING)
    assert total == len(CLEAN) == reached[-1]


def test_importing_twice_gives_the_same_and_repairs_a_rotten_copy(tmp_path: Path) -> None:
    first = import_image(source_file(tmp_path), SHA256, tmp_path / "library")
    first.path.write_bytes(b"rotten")
    assert import_image(source_file(tmp_path), f"sha256:{SHA256.upper()}", tmp_path / "library") == first
    assert first.path.read_bytes() == CLEAN
    assert library_names(tmp_path) == [first.path.name]


def test_a_raw_image_is_stored_as_raw(tmp_path: Path) -> None:
    stored = import_image(str(source_file(tmp_path, disk_beginning(b""))), None, tmp_path / "library")
    assert stored.path.name == f"{stored.sha256}.raw"


def test_a_wrong_hash_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as refused:
        import_image(source_file(tmp_path), "0" * 64, tmp_path / "library")
    assert refused.value.code == "image.hash_mismatch"
    assert refused.value.params == {"expected": "0" * 64, "found": SHA256}
    assert library_names(tmp_path) == []


@pytest.mark.parametrize("given", ["abc", "0" * 63, "g" * 64, "sha512:" + "0" * 64, "../" + "0" * 61])
def test_what_is_no_hash_is_refused_before_anything_is_copied(given: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid) as refused:
        import_image(source_file(tmp_path), given, tmp_path / "library")
    assert refused.value.code == "image.hash_malformed"
    assert not (tmp_path / "library").exists()


def test_a_file_over_the_limit_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as refused:
        import_image(source_file(tmp_path), None, tmp_path / "library", limits=ImageLimits(max_file_bytes=len(CLEAN) - 1))
    assert refused.value.code == "image.too_large"
    assert library_names(tmp_path) == []


def test_a_virtual_disk_over_the_limit_is_refused(tmp_path: Path) -> None:
    limits = ImageLimits(max_virtual_size_bytes=64 * MIB - 1)
    with pytest.raises(Invalid) as refused:
        import_image(source_file(tmp_path), None, tmp_path / "library", limits=limits)
    assert refused.value.code == "image.virtual_size_too_large"
    assert library_names(tmp_path) == []


@pytest.mark.parametrize("name", ["; rm -rf $HOME;.qcow2", "a\nb", "-o", "%s{{x}}", "镜像 一.qcow2", "fd:3", "json:{}"])
def test_the_name_of_the_source_never_reaches_the_library(name: str, tmp_path: Path) -> None:
    stored = import_image(source_file(tmp_path, name=name), SHA256, tmp_path / "library")
    assert library_names(tmp_path) == [f"{SHA256}.qcow2"]
    assert stored.path.parent == tmp_path / "library"


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as refused:
        import_image(tmp_path / "absent", None, tmp_path / "library")
    assert refused.value.code == "image.not_found"
    assert library_names(tmp_path) == []


def test_a_library_that_is_no_directory_is_said_to_be_the_trouble(tmp_path: Path) -> None:
    (tmp_path / "library").write_text("in the way")
    with pytest.raises(Unavailable) as refused:
        import_image(source_file(tmp_path), None, tmp_path / "library")
    assert refused.value.code == "image.folder_not_writable"


def test_what_a_killed_import_left_is_removed_and_images_stay(tmp_path: Path) -> None:
    stored = import_image(source_file(tmp_path), SHA256, tmp_path / "library")
    (tmp_path / "library" / ".incoming-abc").write_bytes(b"half")
    assert remove_leftovers(tmp_path / "library") == 1
    assert library_names(tmp_path) == [stored.path.name]


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("file:///etc/shadow", "image.url_scheme"),
        ("ftp://mirror.example/a.qcow2", "image.url_scheme"),
        ("nbd://127.0.0.1/disk", "image.url_scheme"),
        ('json:{"driver":"file","filename":"/etc/shadow"}', "image.url_scheme"),
        ("https://other.example/a.qcow2", "image.url_host_not_allowed"),
        ("https://mirror.example@other.example/a.qcow2", "image.url_malformed"),
        ("https://user:secret@mirror.example/a.qcow2", "image.url_malformed"),
        ("https:///a.qcow2", "image.url_malformed"),
        ("https://mirror.example:99999999/a", "image.url_malformed"),
        ("https://mirror.example.other.example/a", "image.url_host_not_allowed"),
        ("https://mirror.example\\@other.example/a", "image.url_malformed"),
        ("http://127.0.0.1/a", "image.url_address_not_allowed"),
        ("http://localhost/a", "image.url_address_not_allowed"),
        ("http://[::1]/a", "image.url_address_not_allowed"),
        ("http://[::ffff:127.0.0.1]/a", "image.url_address_not_allowed"),
        ("http://[64:ff9b::7f00:1]/a", "image.url_address_not_allowed"),
        ("http://169.254.169.254/latest/meta-data", "image.url_address_not_allowed"),
        ("http://10.1.2.3/a", "image.url_address_not_allowed"),
        ("http://2130706433/a", "image.url_address_not_allowed"),
        ("http://0/a", "image.url_address_not_allowed"),
        ("http://224.0.0.1/a", "image.url_address_not_allowed"),
    ],
)
def test_an_address_that_is_not_allowed_is_refused_without_connecting(url: str, code: str, tmp_path: Path) -> None:
    literal = {"127.0.0.1", "localhost", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "169.254.169.254", "10.1.2.3"}
    options = FetchOptions(allowed_hosts=frozenset({"mirror.example", "2130706433", "0", "224.0.0.1"} | literal))
    with pytest.raises(Invalid) as refused:
        import_image(url, SHA256, tmp_path / "library", fetch_options=options)
    assert refused.value.code == code
    assert library_names(tmp_path) == []


def test_a_web_address_needs_a_hash(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as refused:
        import_image("https://mirror.example/a.qcow2", None, tmp_path / "library")
    assert refused.value.code == "image.hash_required"


def test_every_code_the_importers_raise_has_its_text() -> None:
    folder = Path(__file__).parents[2] / "inventory" / "importers"
    raised = {code for path in folder.glob("image*.py") for code in re.findall(r'"(image\.[a-z0-9_]+)"', path.read_text())}
    assert raised == set(TEXTS)
    assert all(text.cure_zh and text.cure_en and text.actor for text in TEXTS.values())
    assert issubclass(Invalid, AllotError)
