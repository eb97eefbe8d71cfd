"""``allot doctor``: says of a sound installation that it is one, and finds what is wrong with one that is not."""

import json
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from controller.cli.main import run
from controller.local import checks


class Installation:
    """A state of its own, and what the doctor says of it."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory, self.capsys = directory, capsys
        self.state = directory / "state"
        self.config = directory / "controller.toml"
        self.settings()
        assert run(["init", "--config", str(self.config)]) == 0
        capsys.readouterr()

    def settings(self, more: str = "") -> None:
        """Write the settings file."""
        self.config.write_text(f'[state]\ndirectory = "{self.state}"\n{more}', encoding="utf-8")

    def told(self, verdict: str) -> dict[str, Any]:
        """Return what was found with a verdict, by code."""
        code = run(["-o", "json", "doctor", "--config", str(self.config)])
        found = json.loads(self.capsys.readouterr().out)
        assert code == any(f["verdict"] == "failed" for f in found)
        return {f["code"]: f["params"] for f in found if f["verdict"] == verdict}


@pytest.fixture
def installed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Installation:
    return Installation(tmp_path, capsys)


def test_a_sound_installation_is_called_sound(installed: Installation) -> None:
    assert installed.told("failed") == {}
    sound = installed.told("ok")
    assert {"doctor.sqlite", "doctor.state", "doctor.zone", "doctor.no_tls", "doctor.state_private"} <= set(sound)


def damage(installed: Installation) -> None:
    file = installed.state / "state.sqlite"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] + b"\xff" * (len(whole) // 2))


def older(installed: Installation) -> None:
    with closing(sqlite3.connect(installed.state / "state.sqlite")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")


@pytest.mark.parametrize(
    ("harm", "code"),
    [
        (lambda i: shutil.rmtree(i.state), "serve.not_initialised"),
        (older, "serve.schema_old"),
        (lambda i: i.settings('[time]\nzone = "Mars/Olympus"\n'), "doctor.zone_unknown"),
        (
            lambda i: i.settings('[server]\ntls_certificate = "/nowhere/a.pem"\ntls_key = "/nowhere/b.pem"\n'),
            "doctor.tls_unreadable",
        ),
    ],
)
def test_what_must_be_put_right_is_named_with_its_cure(
    installed: Installation, harm: Callable[[Installation], None], code: str
) -> None:
    harm(installed)
    assert code in installed.told("failed")
    for language, cure in (("en", "what to do: "), ("zh-CN", "处理办法：")):
        assert run(["--lang", language, "doctor", "--config", str(installed.config)]) == 1
        assert cure in installed.capsys.readouterr().out


def test_a_damaged_state_is_found(installed: Installation) -> None:
    damage(installed)
    assert "state.corrupt" in installed.told("failed")


def test_a_state_others_can_read_is_a_warning(installed: Installation) -> None:
    installed.state.chmod(0o755)
    assert installed.told("warning")["doctor.state_open"]["mode"] == "755"


def test_where_ansible_is_not_installed_that_is_a_warning(installed: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOT_ANSIBLE_BIN", "/nowhere")
    assert "doctor.no_ansible" in installed.told("warning")


@pytest.mark.parametrize("kind", ["missing", "a file", "another device"])
def test_a_device_that_makes_no_machines_is_not_called_usable(
    installed: Installation, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = tmp_path / "kvm"
    if kind == "a file":
        device.touch()
    elif kind == "another device":
        os.mknod(device, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    monkeypatch.setattr(checks, "_KVM", device)
    assert "doctor.no_kvm" in installed.told("warning")
    assert "doctor.kvm" not in installed.told("ok")
