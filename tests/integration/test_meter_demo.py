"""``allot meter demo``: three closed months with all that is promised of them, the same for a seed, readable by programs."""

import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from controller.cli.output import Out
from controller.cli.session import Format
from controller.local import meter_demo
from inventory.domain.errors import Conflict, Unavailable
from inventory.store.engine import open_database
from metering import book_store, period_store
from metering.lines import Kind, Line

ZONE = ZoneInfo("Asia/Shanghai")


def played(capsys: pytest.CaptureFixture[str], to: str = "", *, seed: int = 1) -> dict[str, Any]:
    """Play the demonstration and return what a program reads of it."""
    meter_demo.run(Out("zh-CN", Format.JSON, ZONE), seed, to)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_months_hold_everything_that_is_promised_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = played(capsys, str(tmp_path / "kept"))
    statements = {m["period_id"]: {s["department_code"]: s for s in m["statements"]} for m in found["months"]}
    assert list(statements) == ["2026-03", "2026-04", "2026-05"]
    assert len(statements["2026-03"]) == len(statements["2026-04"]) == 12
    assert statements["2026-03"].keys() - statements["2026-05"].keys() == {"industry"}, "it became one with another"
    assert statements["2026-04"]["archive"]["billing"] == "showback"
    kinds = {row["kind"] for told in found["told"] for row in told["rows"]}
    assert {Kind.USAGE, Kind.ENTRY, Kind.ADJUSTMENT, Kind.CORRECTION} <= kinds
    database = open_database(f"sqlite:///{tmp_path / 'kept' / 'state.sqlite'}")
    try:
        with database.read() as connection:
            april = [line for _, line in period_store.lines(connection, "2026-04")]
            march = [line for _, line in period_store.lines(connection, "2026-03")]
            assert len(book_store.approved(connection)) == 2
    finally:
        database.dispose()
    assert {Kind.COMMITMENT_USED, Kind.COMMITMENT_UNUSED} <= {line.kind for line in april}
    assert {line.micro_yuan_per_unit for line in april if _is_running_vcpu(line)} >= {80_000, 70_000}, "the price changed"
    assert {"running", "stopped"} <= {line.state for line in march}
    assert {line.amount for line in march if line.resource_id == "inst_civil-1" and line.meter == "vcpu"} == {4, 8}, "resized"


def _is_running_vcpu(line: Line) -> bool:
    return line.kind == Kind.USAGE and line.meter == "vcpu" and line.state == "running"


def test_the_same_seed_gives_the_same_statements_and_another_gives_others(capsys: pytest.CaptureFixture[str]) -> None:
    first = played(capsys)
    assert played(capsys) == first
    assert played(capsys, seed=2)["yuan"] != first["yuan"]


def test_a_place_that_is_taken_or_cannot_be_made_is_refused_with_a_cure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state.sqlite").write_text("somebody's")
    with pytest.raises(Conflict, match=r"cli\.demo_place_taken"):
        played(capsys, str(tmp_path))
    assert (tmp_path / "state.sqlite").read_text() == "somebody's"
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match=r"cli\.file_not_written"):
        played(capsys, str(tmp_path / "file" / "below"))
