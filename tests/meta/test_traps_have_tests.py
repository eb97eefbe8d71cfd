"""The page of traps names tests that exist, for each trap at least one."""

import ast
import re

import pytest

from tests.support.doc_examples import ROOT

PAGE = ROOT / "docs" / "traps.md"
ROWS = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ") and not line.startswith("| trap |")]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def test_the_page_holds_every_trap() -> None:
    assert len(ROWS) == 15


@pytest.mark.parametrize("row", ROWS, ids=[row.split("|")[1].strip()[:30] for row in ROWS])
def test_a_trap_has_tests_that_exist(row: str) -> None:
    cells = row.strip("|").split(" | ")
    assert len(cells) == 3
    named = NAMED.findall(cells[2])
    assert named
    assert NAMED.sub("", cells[2]).strip() == "", "only names of tests stand in the last column"
    for path, name in named:
        tree = ast.parse((ROOT / path).read_text("utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, f"{path}::{name}"


def test_a_test_that_is_gone_would_be_missed() -> None:
    assert NAMED.findall("`tests/unit/test_traps.py::test_x`") == [("tests/unit/test_traps.py", "test_x")]
