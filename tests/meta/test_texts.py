"""The catalogue: both languages everywhere, the same parameters in both, and a cure wherever somebody must act."""

import re
from string import Formatter

import pytest

from controller.texts.catalogue import all_texts, cure, say
from controller.texts.text import Text

TEXTS = all_texts()
ERRORS = {code: text for code, text in TEXTS.items() if text.actor is not None}
CHINESE = re.compile("[\u4e00-\u9fff]")
#: Texts that are empty on purpose: the heading of a column that needs none.
_EMPTY = {"cli.column.blank"}


def fields(text: str) -> set[str]:
    """Return the names in braces; ``kind_zh`` and ``kind`` are one parameter in two languages."""
    return {name.removesuffix("_zh").removesuffix("_en") for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_the_catalogue_is_there() -> None:
    assert len(TEXTS) > 300
    assert len(ERRORS) > 200


@pytest.mark.parametrize("code", sorted(TEXTS))
def test_a_text_speaks_both_languages(code: str) -> None:
    text = TEXTS[code]
    assert bool(text.zh) == bool(text.en) == (code not in _EMPTY)
    assert not CHINESE.search(text.en + text.cure_en), "Chinese characters in the English text"
    assert fields(text.zh) == fields(text.en)
    assert fields(text.cure_zh) | fields(text.cure_en) <= fields(text.zh) | fields(text.cure_zh) & fields(text.cure_en)


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_an_error_is_in_chinese_too_and_says_what_to_do(code: str) -> None:
    text = ERRORS[code]
    assert CHINESE.search(text.zh)
    assert CHINESE.search(text.cure_zh)
    assert text.cure_en
    assert text.actor is not None


@pytest.mark.parametrize("code", sorted(TEXTS.keys() - ERRORS.keys()))
def test_only_errors_have_a_cure(code: str) -> None:
    assert (TEXTS[code].cure_zh, TEXTS[code].cure_en) == ("", "")


def test_a_code_is_dotted_lower_case() -> None:
    assert [code for code in TEXTS if not re.fullmatch(r"[a-z_]+(\.[a-z0-9_-]+)+", code)] == []


def test_what_is_missing_is_shown_in_braces_and_hides_nothing() -> None:
    code = "driver.storage_full"
    assert say(code, {"storage_pool": "default"}, "en") == "Storage pool default is full ({available_mib} MiB available)."
    assert "default" in say(code, {"storage_pool": "default"}, "zh-CN")
    assert cure(code, {}, "en")
    assert say("no.such_code", {}, "en") == "no.such_code"


def test_the_judge_of_parameters_is_no_rubber_stamp() -> None:
    torn = Text(zh="{a} 与 {b}", en="{a}")
    assert fields(torn.zh) != fields(torn.en)
