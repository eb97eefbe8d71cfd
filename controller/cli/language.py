"""Which language this run speaks, and the texts of the command line in it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

CHINESE = "zh-CN"
ENGLISH = "en"
#: In the order they are asked, after ``--lang``.
_VARIABLES = ("ALLOT_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
_LANGUAGES = {"zh": CHINESE, "en": ENGLISH}
#: What ends the language in a tag or a locale.
_ENDS = re.compile("[-_.@]")


def chosen_language(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """Return ``en`` or ``zh-CN``: ``--lang``, then the first variable that names one of them, else Chinese."""
    named = [_value_after(arguments, "--lang"), *(environment.get(name, "") for name in _VARIABLES)]
    return next((language for text in named if (language := language_named(text))), CHINESE)


def language_named(text: str) -> str:
    """Return the language a word like ``en``, ``en_GB.UTF-8`` or ``zh-CN`` means; empty where it is none of ours."""
    return _LANGUAGES.get(_ENDS.split(text.strip().lower())[0], "")


def _value_after(arguments: Sequence[str], option: str) -> str:
    for index, argument in enumerate(arguments):
        if argument == option and index + 1 < len(arguments):
            return arguments[index + 1]
        if argument.startswith(f"{option}="):
            return argument.partition("=")[2]
    return ""


def say(code: str, language: str, **params: Any) -> str:
    """Return a sentence of the catalogue."""
    from controller.texts import catalogue

    return catalogue.say(code, params, language)
