"""Look a text up by code and fill it in. Modules of this package each bring a ``TEXTS`` table; a code stands in one only."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from string import Formatter
from typing import Any

import controller.texts
from controller.texts.text import Text

LANGUAGES = ("zh-CN", "en")
_NOT_SUBJECTS = {"text", "catalogue"}


class _Gentle(Formatter):
    """Fills what is given and shows ``{name}`` for what is not: a missing parameter must never hide an error."""

    def get_value(self, key: int | str, args: Any, kwargs: Any) -> Any:
        try:
            return super().get_value(key, args, kwargs)
        except (KeyError, IndexError):
            return "{" + str(key) + "}"


_GENTLE = _Gentle()


@cache
def all_texts() -> Mapping[str, Text]:
    """Return the whole catalogue.

    Raises:
        AssertionError: two modules define one code.
    """
    texts: dict[str, Text] = {}
    for module in iter_modules(controller.texts.__path__):
        if module.name in _NOT_SUBJECTS:
            continue
        table: Mapping[str, Text] = import_module(f"controller.texts.{module.name}").TEXTS
        twice = texts.keys() & table.keys()
        assert not twice, f"defined twice: {sorted(twice)}"
        texts |= table
    return texts


def say(code: str, params: Mapping[str, Any], language: str) -> str:
    """Return the sentence of ``code`` in ``language`` (``zh-CN`` or ``en``)."""
    text = all_texts().get(code)
    if text is None:
        return code
    return _GENTLE.vformat(text.zh if language.startswith("zh") else text.en, (), params)


def cure(code: str, params: Mapping[str, Any], language: str) -> str:
    """Return what to do about ``code``, empty where the catalogue has no cure."""
    text = all_texts().get(code)
    if text is None:
        return ""
    return _GENTLE.vformat(text.cure_zh if language.startswith("zh") else text.cure_en, (), params)
