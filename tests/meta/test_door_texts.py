"""Every code the door can give stands in the catalogue, with a cure in both languages and somebody to act on it."""

import ast
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from controller.texts.api import TEXTS
from controller.texts.catalogue import all_texts

ROOT = Path(__file__).parents[2] / "controller"
FILES = sorted([*(ROOT / "api").rglob("*.py"), *(ROOT / "identity").rglob("*.py"), ROOT / "workflows" / "power.py"])
#: What raises or names a problem: each takes its code first.
MAKERS = {
    "Problem",
    "Invalid",
    "NotFound",
    "Conflict",
    "Forbidden",
    "Unauthenticated",
    "Unavailable",
    "PreconditionFailed",
    "PreconditionRequired",
    "TooLarge",
    "UnsupportedMediaType",
    "NoSuchRoute",
    "MethodNotAllowed",
}


def codes(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in MAKERS:
                yield str(node.args[0].value)


def test_codes_are_found_at_all() -> None:
    found = {code for file in FILES for code in codes(file)}
    assert {"token.expired", "request.too_large", "audit.gap", "instance.state_forbids"} <= found


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.relative_to(ROOT).as_posix())
def test_every_code_of_a_module_has_its_text(file: Path) -> None:
    assert {code for code in codes(file) if code not in all_texts()} == set()


@pytest.mark.parametrize("code", TEXTS)
def test_text_is_complete_and_both_languages_speak_of_the_same_things(code: str) -> None:
    text = TEXTS[code]
    assert text.actor is not None
    assert all((text.zh, text.en, text.cure_zh, text.cure_en))
    assert fields(text.zh) == fields(text.en)
    assert any("\u4e00" <= character <= "\u9fff" for character in text.zh)


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}
