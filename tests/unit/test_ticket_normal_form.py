"""``plan --full``: the completed document means the same spec, and every default says where it came from."""

import json

import pytest

from controller.tickets.normal_form import FullLine, Origin, full_document, full_lines
from controller.tickets.resolve import resolve_change, resolve_create
from tests.support.tickets import DIRECTORY, change, created, parse, portal, stored

DETAILS = """      networks: [b, a]
      arch: any
      root-disk: {size: 9GiB}
      user-data: |
        #!/bin/sh
        echo 1"""
EDITS = [
    (),
    (("spread: none", "spread: soft-rack"), ("size: tiny", "size: {cpu: 3, memory: 1.5GiB}")),
    (("environment: test\n", ""), ("title: 市民政局门户网站", "title: 门户（一期），新"), ("{batch: 2026-first}", "{}")),
    (("      spread: none", DETAILS),),
    (("spread: none", "spread: soft-room\n      spread-max: 3"),),
    (("spread: none", "spread: same-site"),),
]


@pytest.mark.parametrize("edits", EDITS)
def test_the_completed_document_means_the_same(edits: tuple[tuple[str, str], ...]) -> None:
    spec = created(*edits)
    again = resolve_create(parse(json.dumps(full_document(spec), ensure_ascii=False)), DIRECTORY)
    assert again == spec


def lines(*edits: tuple[str, str]) -> dict[str, FullLine]:
    document = parse(portal(*edits))
    return {line.path: line for line in full_lines(resolve_create(document, DIRECTORY), document)}


def test_what_stands_in_the_ticket_comes_from_the_ticket() -> None:
    found = lines()
    for path in (
        "metadata.name",
        "metadata.title",
        "lease.end",
        "environment",
        "resources.servers.web.count",
        "resources.servers.db.disks.data.class",
    ):
        assert found[path].origin is Origin.TICKET


@pytest.mark.parametrize(
    ("path", "value", "origin"),
    [
        ("resources.servers.db.count", 1, Origin.LANGUAGE),
        ("resources.servers.db.spread", "none", Origin.LANGUAGE),
        ("resources.servers.db.arch", "x86_64", Origin.IMAGE),
        ("resources.servers.db.root-disk.size", "1GiB", Origin.SIZE),
        ("resources.servers.db.root-disk.class", "standard", Origin.PLATFORM),
        ("resources.servers.db.networks", ["default"], Origin.PLATFORM),
        ("resources.servers.db.disks.data.class", "standard", Origin.PLATFORM),
        ("applicant.owner", "张三", Origin.CONTACT),
        ("metadata.title", "civil-affairs-portal", Origin.NAME),
        ("environment", "production", Origin.PLATFORM),
    ],
)
def test_every_default_says_where_it_came_from(path: str, value: object, origin: Origin) -> None:
    found = lines((", class: standard", ""), ("  title: 市民政局门户网站\n", ""), ("environment: test\n", ""))
    assert (found[path].value, found[path].origin) == (value, origin)


def test_in_a_change_the_rest_comes_from_the_system() -> None:
    document = change("{name: web, count: 3}")
    spec = resolve_change(document, stored(created()), DIRECTORY)
    found = {line.path: line.origin for line in full_lines(spec, document)}
    assert found["resources.servers.web.count"] is Origin.TICKET
    assert found["resources.servers.web.size"] is Origin.SYSTEM
    assert found["resources.servers.db.count"] is Origin.SYSTEM
