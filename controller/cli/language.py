"""Which language this run speaks, and the texts of the command line in it."""

from collections.abc import Mapping, Sequence
from typing import Any

CHINESE = "zh-CN"
ENGLISH = "en"
#: In the order they are asked, after ``--lang``.
_VARIABLES = ("ALLOT_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


def chosen_language(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """Return ``en`` or ``zh-CN``: ``--lang``, then the environment, Chinese where nothing says English."""
    named = [_value_after(arguments, "--lang"), *(environment.get(name, "") for name in _VARIABLES)]
    first = next((text for text in named if text), "")
    return ENGLISH if first.lower().startswith("en") else CHINESE


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
