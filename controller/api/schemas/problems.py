"""What is wrong, in both languages."""

from pydantic import BaseModel

from controller.api.schemas.base import JsonObject, Out


class ProblemOut(Out):
    """One thing that is wrong, in both languages, with its place in the document."""

    code: str
    params: JsonObject
    detail: str
    cure: str
    detail_zh: str
    detail_en: str
    cure_zh: str
    cure_en: str
    line: int | None
    column: int | None
    pointer: str


class ProblemDocument(BaseModel):
    """RFC 9457; further members belong to the code (the overruns of a quota, the explanation of a refusal)."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    cure: str
    detail_zh: str
    detail_en: str
    cure_zh: str
    cure_en: str
    problems: list[ProblemOut]


class StoredProblem(ProblemOut):
    """Why something failed."""
