"""``docs/openapi.json`` is the description the application gives; every change of the interface shows in a diff.

Write it again with ``ALLOT_REMAKE_OPENAPI=1 .venv/bin/python -m pytest tests/meta/test_openapi_file.py`` and read the diff.
"""

import json
import os
from pathlib import Path

from controller.api import openapi
from controller.identity.policy import RULES
from tests.support.api import service

FILE = Path(__file__).parents[2] / "docs" / "openapi.json"


def test_committed_description_is_the_one_the_application_gives(tmp_path: Path) -> None:
    with service(tmp_path) as found:
        text = openapi.text(found.app)
        assert found.client().get("/openapi.json").json() == json.loads(text)
    if os.environ.get("ALLOT_REMAKE_OPENAPI"):
        FILE.write_text(text, encoding="utf-8")
    assert FILE.read_text(encoding="utf-8") == text, "the interface changed: see the first lines of this file"


def test_every_operation_says_who_may_call_it_and_what_can_go_wrong() -> None:
    described = json.loads(FILE.read_text(encoding="utf-8"))
    seen = set()
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            key = f"{method.upper()} {path}"
            seen.add(key)
            assert operation["summary"]
            assert operation["description"]
            if not RULES[key].is_public:
                assert operation["x-roles"] == sorted(r.value for r in RULES[key].roles)
                assert {"401", "403", "422", "500", "503"} <= operation["responses"].keys()
    assert seen == set(RULES)


def test_no_unused_or_missing_schema() -> None:
    text = FILE.read_text(encoding="utf-8")
    schemas = json.loads(text)["components"]["schemas"]
    for name in schemas:
        assert f'"#/components/schemas/{name}"' in text
