"""Every route that answers a list gives it page by page (``limit``, ``after``), or is known to be short, with its reason."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[2] / "docs" / "openapi.json"
#: Lists that come whole, each with what bounds it.
BOUNDED = {
    "/v1/zones": "as many as the site document has",
    "/v1/pools": "as many as the site document has",
    "/v1/sizes": "as many as the site document has",
    "/v1/images": "what the operator put into the library",
    "/v1/pools/{pool}/departments": "one for each department at most",
    "/v1/meters": "fixed in the program",
    "/v1/cost-pools": "one document that finance wrote",
    "/v1/budgets": "one for each project and year, written in one document",
    "/v1/periods": "one a month",
    "/v1/periods/{period}/statements": "one for each department",
    "/v1/discovery/hosts": "what Prometheus asks for has no pages",
    "/v1/discovery/instances": "what Prometheus asks for has no pages",
}


def _lists() -> dict[str, set[str]]:
    """Return the query parameters of every reading route that answers a list."""
    described = json.loads(FILE.read_text(encoding="utf-8"))
    schemas = described["components"]["schemas"]
    found = {}
    for path, operations in described["paths"].items():
        content = operations.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        if _is_list(content.get("application/json", {}).get("schema", {}), schemas):
            found[path] = {p["name"] for p in operations["get"].get("parameters", ()) if p["in"] == "query"}
    return found


def _is_list(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> bool:
    whole = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return whole.get("type") == "array" or bool({"items", "next"} & whole.get("properties", {}).keys())


def test_lists_are_found_at_all() -> None:
    assert _lists().keys() >= {"/v1/tickets", "/v1/zones", "/v1/usage", "/v1/discovery/hosts"}


def test_every_list_comes_in_pages_or_is_short_by_nature() -> None:
    whole = {path for path, asked in _lists().items() if not asked >= {"limit", "after"}}
    assert whole == BOUNDED.keys()
