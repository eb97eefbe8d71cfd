"""Pages: ``?limit=100&after=<cursor>`` asks, ``{"items": […], "next": "<cursor>" | null}`` answers."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Header, Query
from starlette.responses import Response

from controller.api.problems import PreconditionFailed, PreconditionRequired, dump

T = TypeVar("T")
#: What FastAPI wants to be told of further answers, by status.
Answers = dict[int | str, dict[str, Any]]
MAX_LIMIT = 500

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Most items of one page.")]
IfMatch = Annotated[str | None, Header(max_length=200, description="The `ETag` of what this replaces, as it was read.")]
After = Annotated[str, Query(max_length=64, description="The `next` of the page before.")]
#: Where two keys together say where a page ends.
AfterPair = Annotated[str, Query(max_length=200, description="The `next` of the page before.")]


def json_answer(value: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON answer from plain values: no model is built for what our own stores gave us."""
    # What one caller may see is for no cache to keep.
    own = {"Cache-Control": "no-store", **(headers or {})}
    return Response(dump(value), status_code=status, media_type="application/json", headers=own)


def page_answer(rows: Sequence[T], limit: int, serialise: Callable[[T], dict[str, Any]], cursor: Callable[[T], str]) -> Response:
    """Return a page. ``rows`` holds up to one more than ``limit``: the one that tells there is a next page."""
    shown = rows[:limit]
    following = cursor(shown[-1]) if len(rows) > limit else None
    return json_answer({"items": [serialise(r) for r in shown], "next": following})


def whole_answer(items: Sequence[dict[str, Any]], *, headers: dict[str, str] | None = None) -> Response:
    """Return a short list whole, in the shape of a page."""
    return json_answer({"items": items, "next": None}, headers=headers)


def etag(revision: int) -> str:
    """Return the entity tag of a revision."""
    return f'"{revision}"'


def content_tag(value: Any) -> str:
    """Return the entity tag of what has no revision: the same content is the same thing, whoever wrote it."""
    return f'"{hashlib.sha256(dump(value)).hexdigest()[:32]}"'


def as_read(if_match: str | None, target: str, what: Callable[[Any], Any] = lambda value: value) -> Callable[[Any], None]:
    """Return what refuses to replace a thing that is another than the caller read; it is asked inside the transaction.

    ``what`` returns the part of the thing that its tag is of. Without ``If-Match`` anything may be replaced.
    """

    def check(current: Any) -> None:
        if if_match is not None and not _tags(if_match) & {content_tag(what(current)), "*"}:
            raise PreconditionFailed("request.if_match_stale", target=target)

    return check


def required(if_match: str | None, target: str) -> str:
    """Return the header, which must be there.

    Raises:
        PreconditionRequired: ``request.if_match_required``.
    """
    if if_match is None:
        raise PreconditionRequired("request.if_match_required", target=target)
    return if_match


def _tags(if_match: str) -> set[str]:
    return {tag.strip().removeprefix("W/") for tag in if_match.split(",")}


def check_revision(if_match: str | None, revision: int, target: str) -> None:
    """Let a change through that was decided on the newest revision.

    Raises:
        PreconditionRequired: ``request.if_match_required``.
        PreconditionFailed: ``request.if_match_failed``.
    """
    if not _tags(required(if_match, target)) & {etag(revision), "*"}:
        raise PreconditionFailed("request.if_match_failed", target=target, revision=revision)
