"""The shape of one entry of the catalogue."""

from dataclasses import dataclass
from enum import StrEnum


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
