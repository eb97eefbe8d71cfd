"""Every error the program raises is named by a test.

An error is a raised code whose text says who acts; that each has a cure in both languages stands in the tests of texts.
"""

import re
from pathlib import Path

from controller.texts.catalogue import all_texts
from tests.support import codes

TESTS = Path(__file__).parents[1]
#: A code as it stands in a test: as it is, or in a pattern.
WRITTEN = re.compile(r"[a-z][a-z_]*(?:\\?\.[a-z0-9_]+)+")


def _named() -> set[str]:
    texts = (path.read_text(encoding="utf-8") for path in sorted(TESTS.rglob("*.py")) if path != Path(__file__))
    return {found.replace("\\", "") for text in texts for found in WRITTEN.findall(text)}


def _raised() -> set[str]:
    texts = all_texts()
    return {use.code for use in codes.scan().uses if use.code in texts and texts[use.code].actor is not None}


def test_codes_in_tests_are_found_at_all() -> None:
    assert _named() >= {"quota.exceeded", "host.not_empty", "state.file_gone"}


def test_no_error_is_without_a_test_that_names_it() -> None:
    assert sorted(_raised() - _named()) == []
