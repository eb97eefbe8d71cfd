"""Errors as RFC 9457 problems: one table of kinds and statuses, looked up along the class's ancestry.

Below the API nobody knows HTTP. Both languages always travel; ``detail`` is the one the reader asked for.
"""

import json
import re
import secrets
import traceback
from collections.abc import Mapping
from typing import Any

import structlog
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from controller.texts import catalogue
from drivers import faults
from inventory.domain import errors
from inventory.domain.errors import AllotError, Problem

MEDIA_TYPE = "application/problem+json"
#: Languages by the header's primary tag; Chinese where nothing (or nothing we speak) is asked for.
DEFAULT_LANGUAGE = "zh-CN"
_LOG = structlog.get_logger(__name__)


class PreconditionFailed(errors.Conflict):
    """The thing was changed since the caller read it (``If-Match``)."""


class PreconditionRequired(errors.Invalid):
    """The caller must say which revision it read (``If-Match``)."""


class TooLarge(errors.Invalid):
    """The body is larger than anything the platform reads."""


class HeadTooLarge(errors.Invalid):
    """Request line and headers are larger than anything the platform reads."""


class UnsupportedMediaType(errors.Invalid):
    """The body is of a type this route does not read."""


class NoSuchRoute(errors.NotFound):
    """The address itself does not exist."""


class MethodNotAllowed(errors.Invalid):
    """The address exists, the verb does not."""


#: Kind -> status. The nearest ancestor of an error counts.
STATUS: Mapping[type[Exception], int] = {
    errors.Invalid: 422,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Forbidden: 403,
    errors.Unauthenticated: 401,
    errors.QuotaExceeded: 403,
    errors.Unplaceable: 409,
    errors.CapabilityMissing: 409,
    errors.Unavailable: 503,
    faults.Transient: 503,
    faults.OutcomeUnknown: 503,
    faults.Permanent: 409,
    faults.StaleFence: 409,
    faults.DriverFault: 503,
    PreconditionFailed: 412,
    PreconditionRequired: 428,
    TooLarge: 413,
    HeadTooLarge: 431,
    UnsupportedMediaType: 415,
    MethodNotAllowed: 405,
}

#: RFC 9457 ``title``: the same for every problem of a status.
TITLES: Mapping[int, str] = {
    401: "Unauthenticated",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    412: "Precondition failed",
    413: "Too large",
    415: "Unsupported media type",
    422: "Invalid",
    428: "Precondition required",
    431: "Head too large",
    500: "Internal error",
    503: "Unavailable",
}

#: Types of pydantic errors -> our codes; the rest is ``request.field_invalid``.
_FIELD_CODES: Mapping[str, str] = {
    "missing": "request.field_missing",
    "extra_forbidden": "request.field_unknown",
    "json_invalid": "request.not_json",
    "int_parsing": "request.field_not_a_number",
    "int_type": "request.field_not_a_number",
    "float_parsing": "request.field_not_a_number",
    "enum": "request.field_not_a_choice",
    "literal_error": "request.field_not_a_choice",
    "string_too_long": "request.field_too_long",
    "string_too_short": "request.field_too_short",
    "greater_than_equal": "request.field_too_small",
    "greater_than": "request.field_too_small",
    "less_than_equal": "request.field_too_big",
    "less_than": "request.field_too_big",
}


#: A choice in a list of pydantic's.
_CHOICE = re.compile(r"'([^']*)'")


def language_of(request: Request) -> str:
    """Return the language of the answer: ``zh-CN`` or ``en``, by ``Accept-Language``."""
    best, best_quality = DEFAULT_LANGUAGE, 0.0
    for part in request.headers.get("accept-language", "").split(","):
        tag, _, parameter = part.strip().partition(";")
        primary = tag.strip().lower().partition("-")[0]
        if primary not in ("zh", "en"):
            continue
        quality = _quality(parameter)
        if quality > best_quality:
            best, best_quality = ("en" if primary == "en" else DEFAULT_LANGUAGE), quality
    return best


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def status_of(error: Exception) -> int:
    """Return the HTTP status of an error; 500 for what is a bug of ours."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def describe(problem: Problem, language: str) -> dict[str, Any]:
    """Return one problem as it is sent: sentences, cure, and its place in the document."""
    texts = both(problem.code, problem.params)
    mine = "en" if language == "en" else "zh"
    where = problem.where
    return {
        "code": problem.code,
        "params": dict(problem.params),
        "detail": texts[f"detail_{mine}"],
        "cure": texts[f"cure_{mine}"],
        **texts,
        "line": where.line if where else None,
        "column": where.column if where else None,
        "pointer": where.pointer if where else "",
    }


def told(found: Problem, language: str) -> dict[str, Any]:
    """Return what a look found as it is sent: there is no error, and who looks decides what to do."""
    whole = describe(found, language)
    return {name: whole[name] for name in ("code", "params", "detail", "detail_zh", "detail_en")}


def both(code: str, params: Mapping[str, Any]) -> dict[str, str]:
    """Return sentence and cure of a code in both languages."""
    return {
        "detail_zh": catalogue.say(code, params, "zh-CN"),
        "detail_en": catalogue.say(code, params, "en"),
        "cure_zh": catalogue.cure(code, params, "zh-CN"),
        "cure_en": catalogue.cure(code, params, "en"),
    }


def body_of(error: AllotError, language: str, status: int) -> dict[str, Any]:
    """Return the members of the answer to an error."""
    first = describe(Problem(error.code, error.params), language)
    for member in ("params", "line", "column", "pointer"):
        del first[member]
    return {
        **{name: value for name, value in error.details.items() if name not in first},
        "type": f"urn:allotment:problem:{error.code}",
        "title": TITLES[status],
        "status": status,
        **first,
        "problems": [describe(p, language) for p in error.problems],
    }


def respond(request: Request, error: AllotError) -> Response:
    """Return the answer to an error a user may see."""
    status = status_of(error)
    headers = {"Content-Language": language_of(request), "Cache-Control": "no-store"}
    if isinstance(error, errors.Unavailable):
        headers["Retry-After"] = str(error.retry_after_s)
    elif "retry_after_s" in error.details:
        headers["Retry-After"] = str(error.details["retry_after_s"])
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="allotment"'
    if error.internal:
        _LOG.warning("request refused", code=error.code, status=status, internal=error.internal)
    body = body_of(error, language_of(request), status)
    return Response(dump(body), status_code=status, media_type=MEDIA_TYPE, headers=headers)


def dump(value: Any) -> bytes:
    """Return JSON bytes; a value JSON does not know (a path, a date) is written as text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str).encode("utf-8", "replace")


def normalise(error: Exception) -> AllotError | None:
    """Return the error as one of our family, or None for a bug of ours."""
    if isinstance(error, AllotError):
        return error
    if isinstance(error, faults.DriverFault):
        return _of_driver(error)
    if isinstance(error, RequestValidationError):
        return _of_fields(error)
    if isinstance(error, HTTPException):
        return _of_http(error)
    return None


def _of_driver(fault: faults.DriverFault) -> AllotError:
    problem = fault.problem
    if status_of(fault) == 503:
        delay_s = fault.delay_s if isinstance(fault, faults.Transient) else 5
        return errors.Unavailable(problem.code, retry_after_s=max(1, round(delay_s)), internal=fault.internal, **problem.params)
    return errors.Conflict(problem.code, internal=fault.internal, **problem.params)


def _of_fields(error: RequestValidationError) -> AllotError:
    problems = []
    for found in error.errors()[:50]:
        place, *path = [str(step) for step in found["loc"]] or [""]
        if found["type"] == "json_invalid":
            # Where JSON breaks off is a number of characters and no field.
            path = []
        name = ".".join(path) or place
        context = {k: v for k, v in found.get("ctx", {}).items() if isinstance(v, str | int | float)}
        if "expected" in context:
            # Pydantic says “'a', 'b' or 'c'”, in English.
            context["expected"] = ", ".join(_CHOICE.findall(str(context["expected"])))
        code = _FIELD_CODES.get(found["type"], "request.field_invalid")
        params = {**context, "field": name, "place": place, "reason": found["msg"]}
        pointer = "/" + "/".join(path) if place == "body" and path else ""
        problems.append(Problem(code, params, errors.Where(pointer=pointer)))
    return errors.Invalid("request.invalid", problems=problems, count=len(problems))


def _of_http(error: HTTPException) -> AllotError:
    if error.status_code == 405:
        return MethodNotAllowed("http.method_not_allowed")
    if error.status_code == 413:
        return TooLarge("request.too_large")
    if error.status_code == 404:
        return NoSuchRoute("http.not_found")
    return errors.Invalid("request.unreadable")


def incident(request: Request, error: Exception) -> Response:
    """Return the answer to a bug of ours: a number to quote, and the whole story in the log only."""
    number = f"inc_{secrets.token_hex(6)}"
    # Formatted here: a pretty renderer would print local variables, and with them the caller's token.
    story = "".join(traceback.format_exception(error))
    _LOG.error("request failed", incident=number, method=request.method, path=request.url.path, traceback=story)
    language = language_of(request)
    texts = both("internal.error", {"incident": number})
    mine = "en" if language == "en" else "zh"
    body = {
        "type": "urn:allotment:problem:internal.error",
        "title": TITLES[500],
        "status": 500,
        "code": "internal.error",
        "incident": number,
        "detail": texts[f"detail_{mine}"],
        "cure": texts[f"cure_{mine}"],
        **texts,
        "problems": [],
    }
    headers = {"Content-Language": language, "Cache-Control": "no-store"}
    return Response(dump(body), status_code=500, media_type=MEDIA_TYPE, headers=headers)


def answer(request: Request, error: Exception) -> Response:
    """Return the answer to any exception; registered for all of them."""
    known = normalise(error)
    if known is None:
        return incident(request, error)
    response = respond(request, known)
    if isinstance(known, MethodNotAllowed):
        response.headers["Allow"] = ", ".join(_methods_of(request))
    return response


def _methods_of(request: Request) -> list[str]:
    """Return every method this address answers; the framework names those of its first route only."""
    routes = (r for r in request.app.routes if isinstance(r, Route) and r.path_regex.match(request.scope["path"]))
    return sorted({method for route in routes for method in route.methods or ()})
