"""Fencing by the operator's own programs: what counts as off, and what never does."""

from pathlib import Path

import pytest

from drivers.faults import DriverFault, Permanent, Transient
from drivers.fencing import FencingPrograms
from tests.support.placement import entry

HOST = entry(7).host


def programs(folder: Path, body: str, *, timeout_s: float = 20.0, mode: int = 0o700) -> FencingPrograms:
    program = folder / "production"
    program.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    program.chmod(mode)
    return FencingPrograms(directory=folder, timeout_s=timeout_s)


def refusal(fencing: FencingPrograms) -> DriverFault:
    with pytest.raises(DriverFault) as refused:
        fencing.power_off("production", HOST)
    return refused.value


def test_a_program_is_told_which_host_and_its_success_means_off(tmp_path: Path) -> None:
    told = tmp_path / "told"
    fencing = programs(tmp_path, f'echo "$@" > {told}')
    assert fencing.has_means("production")
    fencing.power_off("production", HOST)
    assert told.read_text("utf-8").split() == ["off", HOST.name, HOST.connection]


def test_a_program_sees_nothing_of_the_settings_of_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOT_STATE__URL", "postgresql://secret")
    told = tmp_path / "told"
    programs(tmp_path, f"env > {told}").power_off("production", HOST)
    assert "secret" not in told.read_text("utf-8")


def test_any_other_end_means_that_the_host_may_be_on(tmp_path: Path) -> None:
    found = refusal(programs(tmp_path, "echo 'BMC does not answer' >&2; exit 3"))
    assert isinstance(found, Transient)
    assert (found.problem.code, found.problem.params["reason"]) == ("fencing.failed", "BMC does not answer")
    assert refusal(programs(tmp_path, "exit 3")).problem.params["reason"] == "exit 3"
    (tmp_path / "production").write_bytes(b"\x7fnothing that runs")
    assert refusal(FencingPrograms(directory=tmp_path)).problem.code == "fencing.failed"


def test_a_program_that_does_not_end_means_that_the_host_may_be_on(tmp_path: Path) -> None:
    found = refusal(programs(tmp_path, "exec sleep 30", timeout_s=0.1))
    assert found.problem.code == "fencing.timeout"


def test_without_a_program_that_can_be_run_there_are_no_means(tmp_path: Path) -> None:
    for fencing in (FencingPrograms(), FencingPrograms(directory=tmp_path), programs(tmp_path, "exit 0", mode=0o600)):
        assert not fencing.has_means("production")
        found = refusal(fencing)
        assert isinstance(found, Permanent)
        assert found.problem.code == "fencing.missing"
    assert not programs(tmp_path, "exit 0").has_means("another")
