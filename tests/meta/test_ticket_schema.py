"""The published JSON Schema: generated from the field table, valid, and of one mind with the reader."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from controller.texts.catalogue import all_texts
from controller.tickets.normal_form import Origin
from controller.tickets.schema import TICKET, json_schema, schema_text
from inventory.domain.errors import Invalid
from inventory.importers.shapes import ListOf, Record, Shape, TextOr
from tests.support.tickets import EXAMPLES, PORTAL, parse, portal

PUBLISHED = Path(__file__).parents[2] / "docs" / "schema" / "allotment-v1.schema.json"
VALIDATOR = Draft202012Validator(json_schema())
TICKETS = [p for p in sorted(EXAMPLES.glob("*.yaml")) if b"kind: Site" not in p.read_bytes()]


def test_the_published_schema_is_the_generated_one() -> None:
    assert PUBLISHED.read_text(encoding="utf-8") == schema_text(), (
        "run: python -m controller.tickets.schema > docs/schema/allotment-v1.schema.json"
    )


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("path", TICKETS, ids=lambda p: p.name)
def test_every_example_is_valid_and_read(path: Path) -> None:
    assert [e.message for e in VALIDATOR.iter_errors(yaml.safe_load(path.read_text(encoding="utf-8")))] == []
    assert parse(path.read_bytes()).name


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("action: create", "action: 创建"),
        ("action: create", "action: adopt"),
        ("name: civil-affairs-portal", "name: 门户"),
        ("      count: 2", "      cuont: 2"),
        ("      count: 2", "      count: 1001"),
        ("      count: 2", "      count: 2\n      数量: 2"),
        ("      count: 2", "      software: [nginx]"),
        ("size: 1GiB", "size: lots"),
        ("level: 2", "level: 6"),
        ("lease:\n  end: 12个月", "notes: x"),
        ("project:\n  code: GZ2026-MZJ-017\n", ""),
        ("environment: test", "environment: prod"),
        ("environment: test", "environment: test\nbase: 1"),
        ("kind: Ticket", "kind: Site"),
        ('phone: "020-81234567"', "phone: 电话"),
    ],
)
def test_what_the_schema_refuses_the_reader_refuses_too(old: str, new: str) -> None:
    text = portal((old, new)).replace("notes: 春节前完成上线。", "")
    assert list(VALIDATOR.iter_errors(yaml.safe_load(text)))
    with pytest.raises(Invalid):
        parse(text)


def test_the_schema_asks_for_what_an_action_needs_in_chinese_too() -> None:
    text = (EXAMPLES / "minimal-zh.yaml").read_text(encoding="utf-8")
    for gone in ("申请:", "项目:", "系统:", "租期:"):
        cut = "\n".join(line for line in text.splitlines() if not line.startswith(gone))
        assert list(VALIDATOR.iter_errors(yaml.safe_load(cut))), gone


def _fields(shape: Shape | None) -> list[Any]:
    if isinstance(shape, ListOf):
        return _fields(shape.item)
    if isinstance(shape, TextOr):
        return _fields(shape.record)
    if not isinstance(shape, Record):
        return []
    return [f for field in shape.fields for f in (field, *_fields(field.shape))]


def test_every_offered_field_is_described_in_both_languages() -> None:
    fields = [f for f in _fields(TICKET) if f.shape is not None]
    assert fields
    assert [f.name for f in fields if not (f.zh and f.doc_zh and f.doc_en)] == []


def test_every_reference_in_the_schema_leads_somewhere() -> None:
    text = json.dumps(json_schema())
    assert text.count('"$ref"') == len([f for f in _fields(TICKET) if f.zh])
    assert not [e.message for e in VALIDATOR.iter_errors(yaml.safe_load(PORTAL))]


def test_every_code_of_reader_language_plan_and_site_has_both_texts_and_a_cure() -> None:
    texts = {c: t for c, t in all_texts().items() if c.split(".")[0] in ("document", "ticket", "plan", "site")}
    silent = {c for c, t in texts.items() if t.actor is None}
    assert silent >= {"document.read_as_gb18030", "document.unit_assumed", "ticket.lease_resolved"}
    assert [c for c, t in texts.items() if not (t.zh and t.en)] == []
    assert [c for c, t in texts.items() if t.actor and not (t.cure_zh and t.cure_en)] == []


def test_every_origin_of_a_value_has_its_words() -> None:
    assert {f"plan.origin_{origin.value}" for origin in Origin} <= all_texts().keys()


def test_every_code_these_modules_raise_is_in_the_catalogue() -> None:
    root = Path(__file__).parents[2]
    readers = ("document", "shapes", "site", "site_fields", "site_checks")
    modules = [root / "inventory" / "importers" / f"{name}.py" for name in readers] + [
        root / "controller" / "tickets" / f"{name}.py" for name in ("language", "secrets", "resolve", "plan")
    ]
    raised = {c for m in modules for c in re.findall(r'"((?:document|ticket|plan|site)\.[a-z_0-9]+)"', m.read_text("utf-8"))}
    assert len(raised) > 80
    assert raised - all_texts().keys() == set()
