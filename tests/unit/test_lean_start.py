"""The controller's start loads little, and leaves the process as if it had loaded in the usual way."""

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from controller.cli.main import run

_START = """
import gc, sys
from controller.local.lean_start import loading_lean
start = loading_lean()
start.__enter__()
import controller.wiring
"""


def _printed(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_what_the_start_does_not_need_is_not_loaded() -> None:
    unwanted = {"rich", "pygments", "attr", "oslo_utils"}
    assert _printed(f"{_START}print(sorted({unwanted!r} & set(sys.modules)))") == "[]"


def test_what_was_kept_out_can_be_loaded_later() -> None:
    assert _printed(f"{_START}import rich; from inventory.importers import images; print(rich.__name__)") == "rich"


def test_what_is_there_already_stays() -> None:
    code = "import rich, sys; from controller.local.lean_start import without\nwith without('rich'): import rich.box"
    assert _printed(f"{code}\nprint('rich.box' in sys.modules)") == "True"


def test_the_log_tells_a_trace_in_both_forms() -> None:
    for form in ("json", "text"):
        code = f"""{_START}
from controller import logs
logs.set_up("info", {form!r}, sys.stdout)
import structlog
try:
    1 / 0
except ZeroDivisionError:
    structlog.get_logger("x").exception("broken")
"""
        printed = _printed(code)
        assert "broken" in printed
        assert "ZeroDivisionError: division by zero" in printed


def test_dead_cycles_are_looked_for_once_everything_is_loaded() -> None:
    code = f"{_START}print(gc.isenabled()); from controller.local.memory import spare_what_stays; spare_what_stays()"
    assert _printed(f"{code}; print(gc.isenabled())").split() == ["False", "True"]


@pytest.mark.parametrize("settings", ["none.toml", "wrong.toml"])
def test_a_start_that_is_refused_leaves_the_process_as_it_was(tmp_path: Path, settings: str) -> None:
    (tmp_path / "wrong.toml").write_text("[server]\nprot = 1\n")
    assert gc.isenabled()
    assert run(["serve", "--config", str(tmp_path / settings)]) == 1
    assert gc.isenabled()
