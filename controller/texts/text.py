"""The shape of one entry of the catalogue."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Actor(StrEnum):
    """Who must act on an error."""

    DEPARTMENT = "department"
    OPERATOR = "operator"
    FINANCE = "finance"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Text:
    """One text in both languages; ``{name}`` is filled from the problem's parameters.

    ``cure_zh`` and ``cure_en`` say what to do and are required for errors (entries with an actor).
    """

    zh: str
    en: str
    cure_zh: str = ""
    cure_en: str = ""
    actor: Actor | None = None


class MakesError(Protocol):
    """Makes the text of an error: what it is and what to do, in both languages, and who acts."""

    def __call__(self, zh: str, en: str, cure_zh: str, cure_en: str, actor: Actor = ...) -> Text:
        """Return the text."""


def errors_of(usual: Actor) -> MakesError:
    """Return what makes the texts of a subject in which this one usually acts."""

    def error(zh: str, en: str, cure_zh: str, cure_en: str, actor: Actor = usual) -> Text:
        return Text(zh=zh, en=en, cure_zh=cure_zh, cure_en=cure_en, actor=actor)

    return error
