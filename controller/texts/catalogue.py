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
    """Fills what is given and shows ``{name}`` for what is not: a missing parameter must never hide an error.

    ``{used:amounts}`` tells amounts by dimension in the words of the language.
    """

    def __init__(self, language: str) -> None:
        super().__init__()
        self._language = language

    def get_value(self, key: int | str, args: Any, kwargs: Any) -> Any:
        try:
            return super().get_value(key, args, kwargs)
        except (KeyError, IndexError):
            return "{" + str(key) + "}"

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec != "amounts":
            return str(super().format_field(value, format_spec))
        if not isinstance(value, Mapping):
            return str(value)
        amounts = (f"{dimension(name, self._language)} {amount}" for name, amount in sorted(value.items()))
        return (", " if self._language == "en" else "、").join(amounts)


_GENTLE = {language: _Gentle(language) for language in LANGUAGES}


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
    return _filled(text.zh, text.en, params, language)


def cure(code: str, params: Mapping[str, Any], language: str) -> str:
    """Return what to do about ``code``, empty where the catalogue has no cure."""
    text = all_texts().get(code)
    if text is None:
        return ""
    return _filled(text.cure_zh, text.cure_en, params, language)


def dimension(name: str, language: str) -> str:
    """Return a dimension (``disk_gib:fast``) in the words of a language; one without words stays as it is."""
    base, _, kind = name.partition(":")
    text = all_texts().get(f"cli.dimension.{base}")
    label = base if text is None else _filled(text.zh, text.en, {}, language)
    return f"{label} ({kind})" if kind else label


def _filled(zh: str, en: str, params: Mapping[str, Any], language: str) -> str:
    is_chinese = language.startswith("zh")
    return _GENTLE["zh-CN" if is_chinese else "en"].vformat(zh if is_chinese else en, (), params)
