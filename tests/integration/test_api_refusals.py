"""Refusals of the API, each caused by a real call: code, both languages, a cure, the place in the request; nothing is changed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from controller.identity import tokens
from controller.identity.caller import Role
from controller.scheduling.columns import TRAITS_MAX
from inventory.domain.errors import Invalid
from tests.support.api import YAML, Service, service
from tests.support.samples import change_text, release_text, ticket_text

JSON = {"Content-Type": "application/json"}
ADMIN = (Role.DEPARTMENT_ADMIN, "civil-it")
NOBODY = "0" * 32


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Service]:
    with service(tmp_path) as found:
        yield found


def refused(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Return the one problem an answer tells: in both languages, each with a cure."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    [problem] = body["problems"] or [body]
    for part in ("detail", "cure"):
        assert problem[f"{part}_zh"]
        assert problem[f"{part}_en"]
        assert problem[f"{part}_zh"] != problem[f"{part}_en"]
    found: dict[str, Any] = problem
    return found


def _token(**fields: object) -> dict[str, object]:
    return {"json": {"user_name": "x", "role": "finance", **fields}}


@pytest.mark.parametrize(
    ("method", "path", "options", "code", "pointer"),
    [
        ("POST", "/v1/tokens", {"json": {"user_name": "x"}}, "request.field_missing", "/role"),
        ("POST", "/v1/tokens", _token(more=1), "request.field_unknown", "/more"),
        ("POST", "/v1/tokens", {"content": b"{", "headers": JSON}, "request.not_json", None),
        ("POST", "/v1/tokens", {"content": b'{"user_name": "\xff"}', "headers": JSON}, "request.unreadable", None),
        ("POST", "/v1/tokens", _token(role="king"), "request.field_not_a_choice", "/role"),
        ("POST", "/v1/tokens", _token(days="5"), "request.field_not_a_number", "/days"),
        ("POST", "/v1/tokens", _token(days=0), "request.field_too_small", "/days"),
        ("POST", "/v1/tokens", _token(days=367), "request.field_too_big", "/days"),
        ("POST", "/v1/tokens", _token(user_name=""), "request.field_too_short", "/user_name"),
        ("POST", "/v1/tokens", _token(user_name="x" * 300), "request.field_too_long", "/user_name"),
        ("POST", "/v1/audit/verify", {"json": {"head": {"seq": 1, "hash": "abc"}}}, "request.field_invalid", "/head/hash"),
        ("GET", "/v1/tickets?limit=many", {}, "request.field_not_a_number", None),
        ("GET", "/v1/tickets?limit=0", {}, "request.field_too_small", None),
        ("GET", "/v1/tickets?limit=501", {}, "request.field_too_big", None),
        ("GET", "/v1/tickets?state=asleep", {}, "request.field_not_a_choice", None),
        ("GET", f"/v1/tickets?system={'x' * 201}", {}, "request.field_too_long", None),
    ],
)
def test_a_field_that_does_not_fit_is_named_with_its_place(
    platform: Service, method: str, path: str, options: dict[str, Any], code: str, pointer: str | None
) -> None:
    client = platform.operator()
    before = client.get("/v1/tokens").json()
    problem = refused(client.request(method, path, **options), 422)
    assert problem["code"] == code
    assert (problem.get("pointer") or None) == pointer
    assert client.get("/v1/tokens").json() == before


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", f"/v1/instances/inst_{NOBODY}", None, 404, "instance.not_found"),
        ("POST", f"/v1/instances/inst_{NOBODY}/stop", None, 404, "instance.not_found"),
        ("GET", "/v1/reservations/none", None, 404, "reservation.not_found"),
        ("POST", "/v1/reservations/none/release", None, 404, "reservation.not_found"),
        ("GET", f"/v1/move-plans/plan_{NOBODY}", None, 404, "moves.plan_not_found"),
        ("POST", f"/v1/move-plans/plan_{NOBODY}/run", None, 404, "moves.plan_not_found"),
        ("POST", f"/v1/move-plans/plan_{NOBODY}/cancel", None, 404, "moves.plan_not_found"),
        ("POST", "/v1/move-plans", {"kind": "drain"}, 422, "moves.host_missing"),
        ("POST", "/v1/move-plans", {"kind": "consolidate", "host": "host-1"}, 422, "moves.host_missing"),
        ("POST", "/v1/move-plans", {"kind": "make-room"}, 422, "moves.size_missing"),
        ("POST", "/v1/move-plans", {"kind": "rebalance", "horizon_h": 24}, 422, "moves.bound_not_of_kind"),
        ("POST", "/v1/move-plans", {"kind": "repair", "fill_most_permille": 800}, 422, "moves.bound_not_of_kind"),
        ("POST", "/v1/move-plans", {"kind": "repair", "room": {"size": "tiny"}}, 422, "moves.size_missing"),
        ("POST", "/v1/move-plans", {"kind": "make-room", "room": {"size": "none"}}, 404, "size.not_found"),
    ],
)
def test_what_is_not_there_is_said_not_to_be_there(
    platform: Service, method: str, path: str, body: dict[str, Any] | None, status: int, code: str
) -> None:
    assert refused(platform.operator().request(method, path, json=body), status)["code"] == code


@pytest.mark.parametrize("name", ["a%2Fb", "a%2fb", "..%2Fhosts", "x%2F..%2F..%2Fhosts", "%2E%2E", "%2E"])
@pytest.mark.parametrize(
    ("method", "before", "after", "code"),
    [
        ("GET", "/v1/systems/", "", "system.not_found"),
        ("GET", "/v1/instances/", "", "instance.not_found"),
        ("GET", "/v1/hosts/", "", "host.not_found"),
        ("POST", "/v1/tickets/", "/cancel", "ticket.not_found"),
        ("DELETE", "/v1/tokens/", "", "token.not_found"),
    ],
)
def test_a_name_with_a_slash_or_of_dots_is_not_found_by_its_own_code(
    platform: Service, method: str, before: str, after: str, code: str, name: str
) -> None:
    client = platform.client(*ADMIN) if after else platform.operator()
    assert refused(client.request(method, f"{before}{name}{after}"), 404)["code"] == code


@pytest.mark.parametrize(
    ("method", "path", "body"), [("GET", "/v1/tickets?state=asleep", None), ("POST", "/v1/tokens", _token(role="king")["json"])]
)
def test_choices_are_listed_without_a_word_of_another_language(
    platform: Service, method: str, path: str, body: dict[str, Any] | None
) -> None:
    problem = refused(platform.operator().request(method, path, json=body), 422)
    assert problem["code"] == "request.field_not_a_choice"
    assert problem["params"]["expected"].count(", ") >= 3
    assert " or " not in problem["detail_zh"]
    assert "'" not in problem["detail_zh"]


def test_an_escaped_slash_never_reaches_another_route(platform: Service) -> None:
    ticket = platform.client(*ADMIN).post("/v1/tickets", content=ticket_text("portal"), headers=YAML).json()
    assert platform.client(*ADMIN).post(f"/v1/tickets/{ticket['id']}%2Fcancel").status_code == 405
    assert platform.operator().get(f"/v1/tickets/{ticket['id']}").json()["state"] == ticket["state"]


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        ((b"kind: Ticket", b"kind: [Ticket"), "document.syntax"),
        ((b"environment: test", b"environment: test: test"), "document.syntax"),
        ((b"name: \xe5\xbc\xa0\xe4\xb8\x89", b"name: " + b"x" * 500), "document.bad_line"),
    ],
)
def test_a_document_that_cannot_be_read_is_told_with_its_line(platform: Service, edit: tuple[bytes, bytes], code: str) -> None:
    assert edit[0] in ticket_text("portal")
    answer = platform.client(*ADMIN).post("/v1/checks", content=ticket_text("portal").replace(*edit), headers=YAML)
    assert answer.status_code == 422
    found = next(p for p in answer.json()["problems"] if p["code"] == code)
    assert found["line"] >= 1
    assert found["cure_zh"] != found["cure_en"]


def test_a_list_that_is_too_long_is_told_with_its_bound(platform: Service) -> None:
    disks = b"disks: [" + b", ".join(b"{name: d%d, size: 1GiB, class: standard}" % n for n in range(500)) + b"]"
    text = ticket_text("portal").replace(b"disks: [{name: data, size: 1GiB, class: standard}]", disks)
    answer = platform.client(*ADMIN).post("/v1/checks", content=text, headers=YAML)
    assert answer.status_code == 422
    assert "document.too_many_items" in [p["code"] for p in answer.json()["problems"]]


def test_a_system_on_its_way_out_takes_no_change(platform: Service) -> None:
    client = platform.client(*ADMIN)
    assert client.post("/v1/tickets", content=ticket_text("portal"), headers=YAML).status_code == 202
    released = client.post("/v1/tickets?confirm=portal", content=release_text("portal"), headers=YAML)
    assert released.status_code == 202, released.text
    change = change_text("portal", "{name: web, count: 2}")
    before = client.get("/v1/instances").json()
    assert refused(client.post("/v1/tickets", content=change, headers=YAML), 409)["code"] == "system.releasing"
    assert client.get("/v1/instances").json() == before


def test_an_accepted_ticket_is_neither_approved_nor_withdrawn_nor_tried_again(platform: Service) -> None:
    client = platform.client(*ADMIN)
    made = client.post("/v1/tickets", content=ticket_text("portal"), headers=YAML)
    place = made.headers["Location"]
    for verb in ("approve", "reject", "cancel", "retry"):
        answer = platform.operator().post(f"{place}/{verb}", json={"reason": "r"} if verb in ("approve", "reject") else None)
        assert refused(answer, 409)["code"] == "ticket.state_forbids"
    assert client.get(place).json()["state"] == "accepted"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"dedicated_cpus": "4-x"}, "host.cpus_invalid"),
        ({"shared_cpus": "9-4"}, "host.cpus_invalid"),
        ({"dedicated_cpus": "4-7", "shared_cpus": "7-9"}, "host.cpus_overlap"),
    ],
)
def test_processors_of_a_host_are_a_list_that_shares_none(platform: Service, fields: dict[str, str], code: str) -> None:
    client = platform.operator()
    body = {
        "name": "host-2",
        "pool": "sim",
        "connection": "simulated://world/host-2?cpus=16&memory_mib=65536&disk_gib=500",
        "storage": [{"name": "default", "disk_class": "standard"}],
        **fields,
    }
    assert refused(client.post("/v1/hosts", json=body), 422)["code"] == code
    assert [h["name"] for h in client.get("/v1/hosts").json()["items"]] == ["host-1"]


@pytest.mark.parametrize("name", ["none", "spring"])
def test_a_reservation_of_another_project_or_none_is_not_drawn_on(platform: Service, name: str) -> None:
    client = platform.client(*ADMIN)
    text = ticket_text("portal").replace(b"{code: P-portal}", b"{code: P-portal, reservation: %s}" % name.encode())
    problem = refused(client.post("/v1/tickets", content=text, headers=YAML), 404)
    assert (problem["code"], problem["params"]) == ("ticket.reservation_unknown", {"reservation": name, "project": "P-portal"})
    assert problem["line"] == 5
    assert client.get("/v1/tickets").json()["items"] == []


def test_a_token_lives_a_day_at_least_and_a_year_at_most(platform: Service) -> None:
    operator = platform.operator()
    before = operator.get("/v1/tokens").json()
    for days in (-1, 0, tokens.MAX_DAYS + 1):
        with pytest.raises(Invalid) as caught, platform.platform.db.write() as connection:
            tokens.issue(
                connection,
                new_id=platform.platform.new_id,
                user_name="x",
                role=Role.FINANCE,
                department_id=None,
                now_s=platform.clock(),
                days=days,
            )
        assert (caught.value.code, caught.value.params) == ("token.days_out_of_range", {"days": days, "max": tokens.MAX_DAYS})
    assert operator.get("/v1/tokens").json() == before


def test_a_ticket_turned_down_says_by_whom_and_why(platform: Service) -> None:
    client = platform.client(*ADMIN)
    text = ticket_text("portal").replace(b"environment: test", b"environment: production")
    assert client.post("/v1/tickets", content=text, headers=YAML).status_code == 202
    asked = client.post("/v1/tickets?confirm=portal", content=release_text("portal"), headers=YAML)
    assert asked.json()["state"] == "awaiting_approval", asked.text
    turned = platform.operator().post(f"{asked.headers['Location']}/reject", json={"reason": "still in use"})
    assert turned.json()["state"] == "refused"
    problem = client.get(asked.headers["Location"]).json()["problem"]
    assert problem["code"] == "approval.rejected"
    assert "still in use" in problem["detail"]
    assert {r["desired"] for r in client.get("/v1/instances").json()["items"]} == {"running"}


@pytest.mark.parametrize(
    ("yuan", "reason", "code"),
    [
        ("0", "r", "adjustment.amount_unreadable"),
        ("1.0000001", "r", "adjustment.amount_unreadable"),
        ("--1", "r", "adjustment.amount_unreadable"),
        ("9" * 190, "r", "adjustment.amount_unreadable"),
        ("-1.5", "  ", "adjustment.reason_missing"),
    ],
)
def test_an_adjustment_has_an_amount_and_a_reason(platform: Service, yuan: str, reason: str, code: str) -> None:
    client = platform.client(Role.FINANCE)
    answer = client.post("/v1/adjustments", json={"line": NOBODY, "yuan": yuan, "reason": reason})
    assert refused(answer, 422)["code"] == code
    assert client.get("/v1/adjustments").json()["items"] == []


def test_a_plan_of_moves_runs_once_and_is_cancelled_once(platform: Service) -> None:
    client = platform.operator()
    place = "/v1/move-plans/" + client.post("/v1/move-plans", json={"kind": "drain", "host": "host-1"}).json()["id"]
    assert client.post(f"{place}/cancel").json()["state"] == "cancelled"
    assert refused(client.post(f"{place}/run"), 409)["code"] == "moves.plan_not_planned"
    assert refused(client.post(f"{place}/cancel"), 409)["code"] == "moves.plan_over"
    assert client.get(place).json()["state"] == "cancelled"


def test_a_host_adds_no_more_traits_than_placement_tells_apart(platform: Service) -> None:
    client = platform.operator()
    body = {"name": "host-2", "pool": "sim", "connection": "simulated://world/host-2?cpus=4&memory_mib=4096&disk_gib=10"}
    traits = [f"trait-{n}" for n in range(TRAITS_MAX + 1)]
    problem = refused(client.post("/v1/hosts", json={**body, "traits": traits}), 422)
    assert (problem["code"], problem["params"]["highest"]) == ("host.too_many_traits", TRAITS_MAX)
    assert [h["name"] for h in client.get("/v1/hosts").json()["items"]] == ["host-1"]
    assert client.post("/v1/hosts", json={**body, "traits": traits[:-1]}).status_code == 201
