"""The description of the API: FastAPI's own, with what the door and the problems add to every operation.

``docs/openapi.json`` is this description; ``tests/meta/test_openapi_file.py`` compares the two and says how to write it again.
"""

import json
from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from controller.api import problems
from controller.api.schemas import ProblemDocument
from controller.identity.policy import RULES, Rule

if TYPE_CHECKING:
    from fastapi import FastAPI

#: Of the interface, not of the package: changes with what clients can see.
VERSION = "1.0.0"
DESCRIPTION = """\
Allotment allots virtual machines, disks and networks to departments.

Every call but the public ones carries `Authorization: Bearer allot_…`. Errors are `application/problem+json` (RFC 9457)
in Chinese and English. Lists come in pages: `limit` and `after` ask, `items` and `next` answer. Writes may carry an
`Idempotency-Key`: the same key with the same request gets the same answer for 24 hours. Only `POST /v1/tokens` takes
none, because its answer is stored nowhere.
"""
_SCHEMA = "#/components/schemas/"
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "1 to 128 printable ASCII characters; the same key and request get the same answer.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"},
}
_STATUS_TEXTS = {
    401: "No valid token.",
    403: "The role (or a quota) does not allow it.",
    404: "No such thing, or not for this caller to know of.",
    409: "The state does not allow it now; read again and decide.",
    412: "Changed since it was read.",
    413: "The body is too large.",
    415: "The body is of another type.",
    422: "The request itself is wrong; every problem is listed.",
    428: "`If-Match` is missing.",
    500: "A bug of ours, with an incident number to quote.",
    503: "Something the platform needs does not answer; `Retry-After` says when to ask again.",
}


def document(app: "FastAPI") -> dict[str, Any]:
    """Return the whole description; built once."""
    if app.openapi_schema is None:
        app.openapi_schema = _build(app)
    return app.openapi_schema


def _build(app: "FastAPI") -> dict[str, Any]:
    found = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    schemas = found["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    own = ProblemDocument.model_json_schema(ref_template=_SCHEMA + "{model}")
    schemas |= own.pop("$defs")
    schemas["ProblemDocument"] = own
    found["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "An opaque token, `allot_…`."}
    }
    for route in app.routes:
        assert isinstance(route, APIRoute)
        for method in route.methods or ():
            operation = found["paths"][route.path][method.lower()]
            _complete(operation, RULES[f"{method} {route.path}"])
    return found


def _complete(operation: dict[str, Any], rule: Rule) -> None:
    """Add to one operation what the door may answer."""
    responses = operation["responses"]
    for status in sorted(_statuses(operation, rule)):
        answer = {
            "description": _STATUS_TEXTS[status],
            "content": {problems.MEDIA_TYPE: {"schema": {"$ref": f"{_SCHEMA}ProblemDocument"}}},
        }
        if status == 503 and "503" in responses:
            # Readiness has an answer of its own, beside the problem.
            responses["503"]["content"] |= answer["content"]
            continue
        responses[str(status)] = answer
    if not rule.is_public:
        operation["security"] = [{"token": []}]
        roles = ", ".join(sorted(r.value for r in rule.roles))
        operation["description"] = f"{operation.get('description', '')}\n\nRoles: {roles}.".strip()
        operation["x-roles"] = sorted(r.value for r in rule.roles)
    if rule.is_open_to_loopback:
        operation["security"].append({})
    if rule.action and not rule.is_answer_secret:
        operation.setdefault("parameters", []).append(_KEY)


def _statuses(operation: dict[str, Any], rule: Rule) -> set[int]:
    statuses = {422, 500}
    if rule.is_public:
        return statuses
    statuses |= {401, 403, 404, 409, 503}
    if rule.action or "requestBody" in operation:
        statuses |= {413}
    if "application/yaml" in operation.get("requestBody", {}).get("content", {}):
        statuses |= {415}
    if any(p["name"].lower() == "if-match" for p in operation.get("parameters", ())):
        statuses |= {412, 428}
    return statuses


def text(app: "FastAPI") -> str:
    """Return the description as the file in ``docs/`` holds it."""
    return json.dumps(document(app), ensure_ascii=False, indent=1, sort_keys=True) + "\n"
