"""Pages: ``?limit=100&after=<cursor>`` asks, ``{"items": […], "next": "<cursor>" | null}`` answers."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Query
from starlette.responses import Response

from controller.api.problems import PreconditionFailed, PreconditionRequired, dump

T = TypeVar("T")
#: What FastAPI wants to be told of further answers, by status.
Answers = dict[int | str, dict[str, Any]]
MAX_LIMIT = 500

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Most items of one page.")]
After = Annotated[str, Query(max_length=64, description="The `next` of the page before.")]


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


def whole_answer(items: Sequence[dict[str, Any]]) -> Response:
    """Return a short list whole, in the shape of a page."""
    return json_answer({"items": items, "next": None})


def etag(revision: int) -> str:
    """Return the entity tag of a revision."""
    return f'"{revision}"'


def check_revision(if_match: str | None, revision: int, target: str) -> None:
    """Let a change through that was decided on the newest revision.

    Raises:
        PreconditionRequired: ``request.if_match_required``.
        PreconditionFailed: ``request.if_match_failed``.
    """
    if if_match is None:
        raise PreconditionRequired("request.if_match_required", target=target)
    given = {tag.strip().removeprefix("W/") for tag in if_match.split(",")}
    if not given & {etag(revision), "*"}:
        raise PreconditionFailed("request.if_match_failed", target=target, revision=revision)
