"""The page of invariants names tests that exist: for each of the eighteen, and for each kind of bad input, at least one."""

import pytest

from tests.support.doc_examples import ROOT
from tests.support.named_tests import NAMED, assert_names_tests, drawn_in, named_in

PAGE = (ROOT / "docs" / "invariants.md").read_text("utf-8")


def rows(title: str) -> list[list[str]]:
    """Return the rows of the table below a heading, without its head."""
    lines = [line for line in PAGE.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0].splitlines() if line.startswith("|")]
    return [line.strip("| ").split(" | ") for line in lines[2:]]


INVARIANTS, BAD_INPUT = rows("Invariants"), rows("Bad input")


def test_the_page_holds_every_invariant_in_its_order_and_every_bad_input() -> None:
    assert [row[0] for row in INVARIANTS] == [str(n) for n in range(1, 19)]
    assert len({row[0] for row in BAD_INPUT}) == len(BAD_INPUT) == 9


@pytest.mark.parametrize("row", [*INVARIANTS, *BAD_INPUT], ids=lambda row: row[0][:30])
def test_each_is_held_by_tests_that_exist(row: list[str]) -> None:
    assert len(row) == 3
    assert_names_tests(row[2])


@pytest.mark.parametrize("row", INVARIANTS, ids=lambda row: row[0])
def test_each_invariant_is_held_against_what_hypothesis_draws(row: list[str]) -> None:
    drawn = [f"{path}::{name}" for path, name in NAMED.findall(row[2]) if name in drawn_in(path)]
    # What is killed dies at each statement there is, one after the other: there is nothing to draw.
    assert drawn or "tests/integration/test_ledger_killed.py::test_a_taker_killed_before_any_of_its_statements" in row[2]


def test_a_test_that_is_gone_would_be_missed() -> None:
    assert "test_that_never_was" not in named_in("tests/meta/test_invariants_have_tests.py")
    assert "TestLedger" in named_in("tests/property/test_ledger_machine.py")
    for cell in ("", "`tests/meta/test_invariants_have_tests.py::test_that_never_was`", "some day"):
        with pytest.raises(AssertionError):
            assert_names_tests(cell)
