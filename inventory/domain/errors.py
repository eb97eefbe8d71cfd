"""Root of the error family: kinds (what a caller can do about it) and dotted codes (which text is shown).

An error carries a code and named parameters, never a sentence: the sentences in Chinese and English live in
``controller.texts``. ``internal`` is for the log only and is never shown to a user.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a submitted document: 1-based line and column, and a JSON pointer to the value."""

    line: int | None = None
    column: int | None = None
    pointer: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, as data: code, parameters of its text, and where."""

    code: str
    params: Mapping[str, Any] = field(default_factory=dict)
    where: Where | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the form that is stored and sent."""
        out: dict[str, Any] = {"code": self.code, "params": dict(self.params)}
        if self.where is not None:
            out |= {"line": self.where.line, "column": self.where.column, "pointer": self.where.pointer}
        return out

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Problem":
        """Read the stored form back."""
        has_place = any(data.get(k) for k in ("line", "column", "pointer"))
        where = Where(line=data.get("line"), column=data.get("column"), pointer=data.get("pointer") or "") if has_place else None
        return cls(data["code"], dict(data.get("params", {})), where)


class AllotError(Exception):
    """An error a user may see. ``problems`` holds all of them; the first gives the code."""

    def __init__(
        self,
        code: str,
        /,
        *,
        problems: Sequence[Problem] = (),
        internal: str = "",
        details: Mapping[str, Any] | None = None,
        **params: Any,
    ) -> None:
        self.code = code
        self.params = params
        self.problems: tuple[Problem, ...] = tuple(problems) or (Problem(code, params),)
        #: For the log only.
        self.internal = internal
        #: Extra members of the answer (an explanation, the overruns of a quota).
        self.details = dict(details or {})
        super().__init__(code, params, internal)


class Invalid(AllotError):
    """The request itself is wrong; sending it again changes nothing."""


class NotFound(AllotError):
    """No such thing, or the caller may not know of it."""


class Conflict(AllotError):
    """The state does not allow it now; read again and decide."""


class Forbidden(AllotError):
    """The caller is known and may not do this with a thing it may see."""


class Unauthenticated(AllotError):
    """No token, or one that is not valid any more."""


class QuotaExceeded(AllotError):
    """A limit would be passed; ``details["overruns"]`` lists every one, sorted."""


class Unplaceable(AllotError):
    """No host fits; ``details["explanation"]`` says why."""


class CapabilityMissing(AllotError):
    """The back end cannot do this at all."""


class Unavailable(AllotError):
    """Something we need does not answer; the same request may succeed later."""

    def __init__(self, code: str, /, *, retry_after_s: int = 5, internal: str = "", **params: Any) -> None:
        super().__init__(code, internal=internal, **params)
        self.retry_after_s = retry_after_s
