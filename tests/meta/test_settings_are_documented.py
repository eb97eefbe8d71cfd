"""``etc/controller.toml`` names every setting with its default, and nothing else."""

import tomllib
from pathlib import Path

import pytest

from controller.paths import data_dir
from controller.settings import Settings, load_settings
from inventory.domain.errors import Invalid

FILE = data_dir("etc") / "controller.toml"


def test_every_key_stands_in_the_file_with_its_default() -> None:
    told = tomllib.loads(FILE.read_text("utf-8"))
    defaults = Settings().model_dump(mode="json", exclude_none=True)
    assert told == {
        name: {k: list(v) if isinstance(v, tuple) else v for k, v in section.items()} for name, section in defaults.items()
    }


def test_every_key_has_a_description_above_it() -> None:
    lines = FILE.read_text("utf-8").splitlines()
    for _, section in Settings():
        for key, field in type(section).model_fields.items():
            places = [i for i, line in enumerate(lines) if line.lstrip("# ").startswith(f"{key} =")]
            assert any(lines[i - 1] == f"# {field.description}" for i in places), key


def test_the_shipped_file_is_accepted() -> None:
    assert load_settings(FILE).model_dump() == Settings().model_dump()


def test_an_unknown_key_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "controller.toml"
    path.write_text("[server]\nprot = 1\n")
    with pytest.raises(Invalid) as caught:
        load_settings(path)
    assert caught.value.problems[0].params["key"] == "server.prot"


def test_listening_beyond_loopback_needs_tls(tmp_path: Path) -> None:
    path = tmp_path / "controller.toml"
    path.write_text('[server]\nhost = "0.0.0.0"\n')
    with pytest.raises(Invalid, match=r"settings\.tls_required"):
        load_settings(path)
