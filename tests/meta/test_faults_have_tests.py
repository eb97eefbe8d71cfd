"""The page of faults names, for each, codes that people are told with a cure in both languages, and tests that exist."""

import re

import pytest

from controller.texts.catalogue import all_texts
from tests.support import codes
from tests.support.doc_examples import ROOT
from tests.support.named_tests import assert_names_tests

PAGE = (ROOT / "docs" / "faults.md").read_text("utf-8")
ROWS = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| what |")]
CODE = re.compile(r"`([a-z_]+\.[a-z_]+)`")


def test_the_page_holds_every_fault_once() -> None:
    assert len({row[0] for row in ROWS}) == len(ROWS) == 18


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:30])
def test_a_fault_has_a_code_with_its_cure_in_both_languages(row: list[str]) -> None:
    raised = {literal for literal, _ in codes.literals()}
    named = CODE.findall(row[1])
    assert named
    assert CODE.sub("", row[1]).strip() == "", "only codes stand in the second column"
    for code in named:
        text = all_texts()[code]
        assert code in raised
        assert all((text.zh, text.en, text.cure_zh, text.cure_en, text.actor)), code


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:30])
def test_a_fault_has_tests_that_exist(row: list[str]) -> None:
    assert_names_tests(row[2])
