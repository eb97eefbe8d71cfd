"""Words, names and whole numbers as JSON has them; what every body and every page has in common."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

NO_CONTROL = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
Words = Annotated[str, StringConstraints(max_length=500, pattern=NO_CONTROL)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NO_CONTROL)]
JsonObject = dict[str, Any]
#: A whole number as JSON has it: neither ``true`` nor ``"1"``.
Whole = Annotated[int, Field(strict=True)]


class In(BaseModel):
    """A body that comes in: unknown members are mistakes."""

    model_config = ConfigDict(extra="forbid")


class Out(BaseModel):
    """An answer: nothing undocumented leaves."""

    model_config = ConfigDict(extra="forbid")


class Told(Out):
    """What a look found, in both languages; ``detail`` is in the caller's."""

    code: str
    params: JsonObject
    detail: str
    detail_zh: str
    detail_en: str


class Page(Out):
    """A page; ``next`` is the ``after`` of the following one, null at the end."""

    next: str | None
