"""The page of traps names tests that exist, for each trap at least one."""

import pytest

from tests.support.doc_examples import ROOT
from tests.support.named_tests import assert_names_tests

PAGE = ROOT / "docs" / "traps.md"
ROWS = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ") and not line.startswith("| trap |")]


def test_the_page_holds_every_trap() -> None:
    assert len(ROWS) == 15


@pytest.mark.parametrize("row", ROWS, ids=[row.split("|")[1].strip()[:30] for row in ROWS])
def test_a_trap_has_tests_that_exist(row: str) -> None:
    cells = row.strip("|").split(" | ")
    assert len(cells) == 3
    assert_names_tests(cells[2])
