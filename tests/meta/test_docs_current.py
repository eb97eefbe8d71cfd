"""The generated pages of ``docs/`` are what their sources say today."""

import re

import pytest

from controller.texts.catalogue import all_texts
from tests.support.generate_docs import DOCS, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_current(name: str) -> None:
    assert (DOCS / name).read_text("utf-8") == PAGES[name](), "run: make docs"


def test_the_page_of_errors_names_every_error_once_in_both_languages() -> None:
    page = (DOCS / "errors.md").read_text("utf-8")
    named = re.findall(r"^### `(.+)`$", page, re.MULTILINE)
    assert named == sorted({code for code, text in all_texts().items() if text.actor is not None})
    assert page.count("\n  - 处理：") == page.count("\n  - Cure: ") == len(named)
    assert not re.search(r"处理：\n|Cure: \n", page)


def test_every_subject_of_the_page_has_a_heading_people_understand() -> None:
    page = (DOCS / "errors.md").read_text("utf-8")
    headings = re.findall(r"^## (.+)$", page, re.MULTILINE)
    assert len(headings) > 15
    assert [h for h in headings if " " not in h and h != "HTTP"] == []
