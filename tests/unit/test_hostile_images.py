"""No image made to harm gets past the inspection; ordinary ones do."""

import os
import random
import socket
from pathlib import Path

import pytest

from controller.texts.images import TEXTS
from inventory.domain.errors import AllotError, Invalid, NotFound
from inventory.importers.images import InspectedImage, import_image, inspect_image
from tests.support.hostile_images import MIB, clean_gpt_disk, disk_beginning, extension, hostile_images, qcow2

HOSTILE = hostile_images()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_image_is_refused_with_its_reason(name: str, tmp_path: Path) -> None:
    content, code = HOSTILE[name]
    path = tmp_path / "image"
    path.write_bytes(content)
    with pytest.raises(Invalid) as refused:
        inspect_image(path)
    assert refused.value.code == code


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_image_leaves_nothing_in_the_library(name: str, tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(HOSTILE[name][0])
    with pytest.raises(Invalid):
        import_image(path, None, tmp_path / "library")
    assert list((tmp_path / "library").iterdir()) == []


def test_the_corpus_is_large_enough_to_mean_something() -> None:
    assert len(HOSTILE) >= 30
    assert len({content for content, _ in HOSTILE.values()}) == len(HOSTILE)


@pytest.mark.parametrize(
    ("content", "disk_format", "virtual_size_bytes"),
    [
        (qcow2(), "qcow2", 64 * MIB),
        (qcow2(version=2), "qcow2", 64 * MIB),
        (qcow2(extensions=extension(0x6803F857, bytes(48))), "qcow2", 64 * MIB),
        (qcow2(incompatible=8, header_length=112, at={104: b"\x01"}), "qcow2", 64 * MIB),
        (qcow2(l1=(1 << 63 | 4 * 65536,), clusters=5), "qcow2", 64 * MIB),
        (clean_gpt_disk(), "raw", MIB),
        (disk_beginning(b""), "raw", MIB),
        (disk_beginning(b"\xeb\x3c\x90MSDOS5.0"), "raw", MIB),
    ],
)
def test_an_ordinary_image_is_accepted(content: bytes, disk_format: str, virtual_size_bytes: int, tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(content)
    assert inspect_image(path) == InspectedImage(disk_format=disk_format, virtual_size_bytes=virtual_size_bytes)


def test_a_qcow2_declared_raw_is_refused_and_the_other_way_round(tmp_path: Path) -> None:
    path = tmp_path / "image"
    for content, declared in ((qcow2(), "raw"), (clean_gpt_disk(), "qcow2")):
        path.write_bytes(content)
        with pytest.raises(Invalid) as refused:
            inspect_image(path, declared_format=declared)
        assert refused.value.code == "image.format_mismatch"


def test_the_name_of_a_file_says_nothing_about_its_format(tmp_path: Path) -> None:
    path = tmp_path / "disk.raw"
    path.write_bytes(qcow2())
    assert inspect_image(path).disk_format == "qcow2"


def test_what_is_not_a_regular_file_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        for path, code in (
            (tmp_path / "pipe", "image.not_a_file"),
            (tmp_path, "image.not_a_file"),
            (Path("/dev/zero"), "image.not_a_file"),
            (tmp_path / "socket", "image.unreadable"),
        ):
            with pytest.raises(Invalid) as refused:
                inspect_image(path)
            assert refused.value.code == code
    with pytest.raises(NotFound):
        inspect_image(tmp_path / "absent")


def outcome(path: Path) -> str:
    try:
        return inspect_image(path).disk_format
    except AllotError as refused:
        return refused.code


def test_random_damage_never_does_more_than_refuse(tmp_path: Path) -> None:
    """Every mutant is accepted as what it is or refused; nothing else comes out of the parser."""
    chance = random.Random(20260229)
    seeds = [bytearray(content[: 4 * 65536]) for content, _ in HOSTILE.values() if content] + [bytearray(qcow2())]
    path, outcomes = tmp_path / "image", set[str]()
    for _ in range(600):
        mutant = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 8)):
            mutant[chance.randrange(min(len(mutant), chance.choice((128, 1024, 40000))))] = chance.randrange(256)
        path.write_bytes(mutant[: chance.choice((len(mutant), chance.randint(1, len(mutant))))])
        outcomes.add(outcome(path))
    assert outcomes <= {"qcow2", "raw"} | TEXTS.keys()
    assert len(outcomes) > 10
