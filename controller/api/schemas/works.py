"""How far long requests are."""

from typing import Literal

from controller.api.schemas.base import Out


class Work(Out):
    """A long request; `done` of `total` of what its phase counts, `total` null where it counts nothing."""

    id: str
    state: Literal["running", "done", "failed"]
    #: Dotted code, empty before the first phase.
    phase: str
    text_zh: str
    text_en: str
    done: int
    total: int | None
    began_at_s: float
    phase_began_at_s: float
    ended_at_s: float | None
