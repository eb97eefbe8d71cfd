"""Bad input at the door of a real service: a status, a code, both languages, a cure, and nothing stored half."""

import sqlite3
from collections.abc import Iterator

import pytest

from tests.support.database import open_for_test
from tests.support.door import Door, nothing_half_done, refusal
from tests.support.hostile_images import hostile_images
from tests.support.service import ServiceUnderTest, ticket


@pytest.fixture(scope="module")
def department(running: ServiceUnderTest) -> Iterator[Door]:
    """The administrator of one department."""
    file = running.token("zhang", "department_admin", "civil-affairs")
    with Door(running.url, (running.directory / file).read_text().strip()) as door:
        yield door


@pytest.fixture(scope="module")
def other(running: ServiceUnderTest) -> Iterator[Door]:
    """The administrator of another department."""
    file = running.token("li", "department_admin", "education")
    with Door(running.url, (running.directory / file).read_text().strip()) as door:
        yield door


@pytest.fixture(autouse=True)
def _recount_afterwards(running: ServiceUnderTest) -> Iterator[None]:
    yield
    with open_for_test(f"sqlite:///{running.state / 'state.sqlite'}") as database:
        nothing_half_done(database)


def _rows(running: ServiceUnderTest) -> dict[str, int]:
    with sqlite3.connect(running.state / "state.sqlite", timeout=20) as connection:
        tables = ("tickets", "systems", "resources", "claims", "addresses", "journal")
        return {t: connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in tables}


WRONG = {
    "YAML that does not close": ("resources:\n", "resources: [\n", "document.syntax"),
    "a tab for indentation": ("  servers:", "\tservers:", "document.tab"),
    "an anchor": ("environment: test", "environment: &e test", "document.feature_refused"),
    "a key twice": ("environment: test", "environment: test\nenvironment: test", "document.duplicate_key"),
    "text for a number": ("count: 1", "count: two", "document.not_a_number"),
    "a list for a mapping": ("lease: {end: 12个月}", "lease: [12个月]", "document.wrong_type"),
    "an unknown key": ("environment: test", "enviroment: test", "ticket.unknown_field"),
    "an unknown size": ("size: tiny", "size: gigantic", "ticket.unknown_name"),
    "an unknown image": ("image: demo-linux", "image: no-such-image", "ticket.unknown_name"),
    "an unknown project": ("P-PORTAL", "P-NONE", "ticket.unknown_name"),
    "an unknown zone": ("network: gov-public", "network: moon", "ticket.unknown_name"),
    "a capability that is not offered": ("count: 1", "count: 1, software: [nginx]", "ticket.not_offered"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_document_is_refused_with_its_place_and_stores_nothing(
    running: ServiceUnderTest, department: Door, name: str
) -> None:
    old, new, code = WRONG[name]
    text = ticket("wrong")
    assert old in text
    before = _rows(running)
    answer = department.submit(text.replace(old, new))
    assert answer.status_code == 422, answer.text
    body = refusal(answer, 422, answer.json()["code"])
    assert any(p["code"] == code for p in body["problems"]), body
    assert all(p["line"] for p in body["problems"]), body
    assert _rows(running) == before


def test_every_mistake_is_told_at_once(department: Door) -> None:
    text = ticket("wrong", size="gigantic").replace("count: 1", "count: two").replace("level: 2", "level: 9")
    body = refusal(answer := department.submit(text), 422, answer.json()["code"])
    assert len({(p["line"], p["column"]) for p in body["problems"]}) >= 2


def test_bytes_that_are_no_text_are_refused(running: ServiceUnderTest, department: Door) -> None:
    before = _rows(running)
    body = refusal(answer := department.submit(b"\x00\xff\xfe" * 100), 422, answer.json()["code"])
    assert {p["code"] for p in body["problems"]} == {"document.encoding"}
    assert _rows(running) == before


def test_a_body_of_megabytes_is_refused_before_it_is_read(department: Door) -> None:
    refusal(department.submit(ticket("big") + "#" * (2 << 20)), 413, "request.too_large")


def test_a_body_of_another_type_is_refused(department: Door) -> None:
    answer = department.client.post("/v1/tickets", content=b"{}", headers={"Content-Type": "image/png"})
    refusal(answer, 415, "request.not_yaml")


def test_over_quota_lists_every_limit_and_promises_nothing(running: ServiceUnderTest, other: Door) -> None:
    before = _rows(running)
    text = ticket("school", count=3, department="education", project="P-SCHOOL")
    body = refusal(other.submit(text), 403, "quota.exceeded")
    assert {o["dimension"] for o in body["overruns"]} >= {"vcpu", "instances", "addresses", "volumes"}
    assert len(body["problems"]) == len(body["overruns"])
    assert "市教委" in body["detail_zh"]
    kept = other.get(f"/v1/tickets/{body['ticket_id']}").json()
    assert (kept["state"], kept["problem"]["code"]) == ("refused", "quota.exceeded")
    after = _rows(running)
    assert after == before | {"tickets": before["tickets"] + 1}


def test_what_fits_on_no_host_is_refused_with_the_explanation(running: ServiceUnderTest, department: Door) -> None:
    before = _rows(running)
    body = refusal(department.submit(ticket("giant", size="huge")), 409, "placement.no_host_fits")
    explained = department.items(f"/v1/tickets/{body['ticket_id']}/explanations")
    assert [e["kind"] for e in explained] == ["refusal"]
    after = _rows(running)
    assert after == before | {"tickets": before["tickets"] + 1}


def test_another_departments_things_are_not_found_like_things_that_are_not_there(department: Door, other: Door) -> None:
    accepted = department.submit(ticket("private"))
    assert accepted.status_code == 202, accepted.text
    system = next(s for s in department.items("/v1/systems") if s["name"] == "private")
    machine = department.items("/v1/instances")[0]
    for path, missing in (
        (f"/v1/systems/{system['id']}", "/v1/systems/system_none"),
        (f"/v1/tickets/{accepted.json()['id']}", "/v1/tickets/ticket_none"),
        (f"/v1/instances/{machine['id']}", "/v1/instances/inst_none"),
    ):
        code = other.get(missing).json()["code"]
        refusal(other.get(missing), 404, code)
        refusal(other.get(path), 404, code)
    release = "apiVersion: allotment/v1\nkind: Ticket\nmetadata: {name: private, action: release}\n"
    answer = other.submit(release + "applicant: {department: education}\n", confirm="private")
    refusal(answer, 404, "system.not_found")
    foreign = other.submit(release + "applicant: {department: civil-affairs}\n", confirm="private")
    assert foreign.status_code in (404, 422)
    refusal(foreign, foreign.status_code, foreign.json()["code"])
    assert other.items("/v1/instances") == []


def test_no_token_a_wrong_token_and_an_expired_token_are_told_apart(running: ServiceUnderTest) -> None:
    file = running.token("brief-visit", "department_admin", "civil-affairs")
    secret = (running.directory / file).read_text().strip()
    with sqlite3.connect(running.state / "state.sqlite", timeout=20) as connection:
        connection.execute("UPDATE tokens SET expires_at_s = 1 WHERE user_name = 'brief-visit'")
    before = _rows(running)
    with Door(running.url, secret) as late, Door(running.url, "allot_" + "x" * 43) as wrong:
        refusal(late.submit(ticket("late")), 401, "token.expired")
        refusal(wrong.submit(ticket("wrong")), 401, wrong.submit(ticket("wrong")).json()["code"])
    assert _rows(running) == before


def _files(running: ServiceUnderTest) -> list[str]:
    """Return the files of the state; SQLite's journal comes and goes with every commit."""
    return sorted(p.name for p in running.state.rglob("*") if p.is_file() and not p.name.endswith("-journal"))


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("leak", *hostile_images()["qcow2 v3 with a backing file"]),
        ("two", *hostile_images()["qcow2 that is an ISO too"]),
        ("script", b"#!/bin/sh\nrm -rf /\n" * 40, "image."),
    ],
    ids=["backing file", "two formats", "script"],
)
def test_a_hostile_image_is_refused_and_not_kept(running: ServiceUnderTest, name: str, data: bytes, code: str) -> None:
    (running.directory / f"{name}.qcow2").write_bytes(data)
    kept = _files(running)
    for language, cure in (("en", "what to do"), ("zh-CN", "处理办法")):
        told = running.allot("--lang", language, "image", "import", f"{name}.qcow2", "--name", name)
        assert told.code == 1
        assert code in told.err
        assert cure in told.err
        assert "{" not in told.err
    images = running.ok("get", "images", "-o", "json").json
    assert name not in {i["name"] for i in images}
    assert _files(running) == kept


def test_an_image_that_is_not_there_is_named(running: ServiceUnderTest) -> None:
    told = running.allot("image", "import", "nowhere.qcow2", "--name", "nowhere")
    assert told.code == 1
    assert "image.not_found" in told.err
    assert "nowhere.qcow2" in told.err
