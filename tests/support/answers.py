"""Holds answers of the API against its committed description."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from jsonschema import Draft202012Validator

FILE = Path(__file__).parents[2] / "docs" / "openapi.json"


@cache
def description() -> dict[str, Any]:
    """Return the committed description."""
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


@cache
def _validator(pointer: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": pointer, "components": description()["components"]})


def check(answer: httpx.Response, key: str) -> None:
    """Fail where status, media type or body of an answer to ``METHOD /path`` is not as described."""
    method, _, path = key.partition(" ")
    responses = description()["paths"][path][method.lower()]["responses"]
    described = responses.get(str(answer.status_code))
    assert described is not None, f"{key} answered {answer.status_code}: {answer.text}"
    media_type = answer.headers["Content-Type"].partition(";")[0]
    schema = described["content"][media_type]["schema"]
    if "$ref" in schema:
        errors = [f"{e.json_path}: {e.message}" for e in _validator(schema["$ref"]).iter_errors(answer.json())]
        assert errors == [], f"{key}: {answer.text}"
