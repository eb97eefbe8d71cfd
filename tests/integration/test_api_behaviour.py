"""What every client of the API may rely on: problems, languages, pages, keys, tags, bounds, and the chain of audit."""

import asyncio
import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from controller.api.app import MAX_BODY_BYTES
from controller.identity import audit
from controller.identity.caller import Role
from controller.identity.policy import RULES
from controller.tickets.model import Ticket
from controller.workflows import tickets
from inventory.domain.resource import Phase
from inventory.domain.scope import PLATFORM
from inventory.store import tables as t
from tests.support.api import YAML, Service, service, without_ready
from tests.support.audit_chain import codes
from tests.support.hostile_images import clean_gpt_disk
from tests.support.samples import release_text, ticket_text

ADMIN = (Role.DEPARTMENT_ADMIN, "civil-it")


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Service]:
    with service(tmp_path) as found:
        yield found


def submit(client: httpx.Client, name: str = "portal", **headers: str) -> httpx.Response:
    return client.post("/v1/tickets", content=ticket_text(name), headers={**YAML, **headers})


# -- tickets over HTTP ------------------------------------------------------------------------------------------------


def test_ticket_is_accepted_with_its_address(platform: Service) -> None:
    client = platform.client(*ADMIN)
    answer = submit(client)
    assert answer.status_code == 202
    shown = client.get(answer.headers["Location"])
    assert (shown.json()["id"], shown.json()["state"]) == (answer.json()["id"], "accepted")
    assert shown.headers["ETag"] == f'"{shown.json()["revision"]}"'
    events = client.get(f"{answer.headers['Location']}/events").json()["items"]
    assert [e["code"] for e in events] == ["step.accepted"]
    explained = client.get(f"{answer.headers['Location']}/explanations").json()["items"]
    assert [x["kind"] for x in explained] == ["placement"]


def test_plan_changes_nothing(platform: Service) -> None:
    client = platform.client(*ADMIN)
    plan = client.post("/v1/plans", content=ticket_text("portal"), headers=YAML)
    assert plan.status_code == 200
    assert plan.json()["changes"]
    assert client.get("/v1/tickets").json() == {"items": [], "next": None}
    assert client.get("/v1/audit").json()["items"] == []


def test_plan_that_was_looked_at_is_the_one_that_is_accepted(platform: Service) -> None:
    client = platform.client(*ADMIN)
    digest = client.post("/v1/plans", content=ticket_text("portal"), headers=YAML).json()["digest"]
    other = client.post("/v1/tickets", params={"plan_digest": "0" * 64}, content=ticket_text("portal"), headers=YAML)
    assert (other.status_code, other.json()["code"]) == (409, "plan.changed")
    good = client.post("/v1/tickets", params={"plan_digest": digest}, content=ticket_text("portal"), headers=YAML)
    assert good.status_code == 202


def test_same_ticket_again_is_the_same_ticket(platform: Service) -> None:
    client = platform.client(*ADMIN)
    assert submit(client).json()["id"] == submit(client).json()["id"]


# -- problems ---------------------------------------------------------------------------------------------------------


def test_problem_says_it_in_chinese_unless_english_is_asked_for(platform: Service) -> None:
    for language, expected in (
        ("", "zh"),
        ("zh-CN", "zh"),
        ("fr, en;q=0.4", "en"),
        ("en;q=0.1, zh;q=0.9", "zh"),
        ("en-GB", "en"),
        ("x;q=y", "zh"),
    ):
        answer = platform.client(language=language).get("/v1/whoami")
        body = answer.json()
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert body["detail"] == body[f"detail_{expected}"]
        assert body["cure"] == body[f"cure_{expected}"]
        assert body["detail_zh"] != body["detail_en"]


def test_problem_of_a_ticket_says_line_and_column(platform: Service) -> None:
    broken = ticket_text("portal").replace(b"count: 1", b"count: many")
    answer = platform.client(*ADMIN).post("/v1/checks", content=broken, headers=YAML)
    (problem,) = answer.json()["problems"]
    lines = broken.decode().splitlines()
    assert answer.status_code == 422
    assert lines[problem["line"] - 1][problem["column"] - 1 :].startswith("many")
    assert problem["pointer"]


def _token(role: str, department: str | None = None) -> dict[str, object]:
    return {"json": {"user_name": "x", "role": role, "department": department}}


def _cordon(if_match: str | None) -> dict[str, object]:
    return {"json": {"to": "cordoned"}, "headers": {"If-Match": if_match} if if_match else {}}


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "code"),
    [
        ("GET", "/v1/nowhere", {}, 404, "http.not_found"),
        ("GET", "/v1/tickets/", {}, 404, "http.not_found"),
        ("PATCH", "/v1/tickets", {}, 405, "http.method_not_allowed"),
        ("GET", "/v1/tickets?limit=0", {}, 422, "request.invalid"),
        ("GET", "/v1/tickets?limit=501", {}, 422, "request.invalid"),
        ("GET", "/v1/tickets?limit=x", {}, 422, "request.invalid"),
        ("GET", "/v1/tickets?state=asleep", {}, 422, "request.invalid"),
        ("GET", "/v1/tickets?after=a%00b", {}, 422, "request.null_character"),
        ("GET", "/v1/tickets/tick_%00", {}, 422, "request.null_character"),
        ("GET", "/v1/usage?from=soon&to=later", {}, 422, "usage.moment_unreadable"),
        ("GET", "/v1/usage?from=0001-01-01&to=2026-01-01", {}, 422, "usage.moment_unreadable"),
        ("GET", "/v1/usage?from=2&to=1", {}, 422, "usage.window_empty"),
        ("POST", "/v1/checks", {"content": b"x", "headers": {"Content-Type": "application/json"}}, 415, "request.not_yaml"),
        ("POST", "/v1/checks", {"content": b"\xff\xfe", "headers": YAML}, 422, None),
        ("POST", "/v1/tokens", {"content": b"{", "headers": {"Content-Type": "application/json"}}, 422, "request.invalid"),
        ("POST", "/v1/tokens", {"json": {"user_name": "x", "role": "king"}}, 422, "request.invalid"),
        ("POST", "/v1/tokens", {"json": {"user_name": "x", "role": "finance", "more": 1}}, 422, "request.invalid"),
        ("POST", "/v1/tokens", _token("department_admin"), 422, "token.department_required"),
        ("POST", "/v1/tokens", _token("finance", "civil"), 422, "token.department_not_allowed"),
        ("POST", "/v1/tokens", _token("department_reader", "none"), 404, "department.not_found"),
        ("POST", "/v1/hosts/host-1/state", _cordon(None), 428, "request.if_match_required"),
        ("POST", "/v1/hosts/host-1/state", _cordon('"77"'), 412, "request.if_match_failed"),
        ("POST", "/v1/hosts/host-9/state", _cordon("*"), 404, "host.not_found"),
    ],
)  # fmt: skip
def test_wrong_request_gets_a_problem(
    platform: Service, method: str, path: str, options: dict[str, Any], status: int, code: str | None
) -> None:
    answer = platform.operator().request(method, path, **options)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert code is None or body["code"] == code
    assert body["title"]
    assert all(p["detail_zh"] and p["detail_en"] for p in body["problems"])


def test_method_not_allowed_names_the_allowed_ones(platform: Service) -> None:
    assert "GET" in platform.operator().patch("/v1/whoami").headers["Allow"]


def test_a_plan_of_moves_that_is_only_tried_answers_as_the_description_says(platform: Service) -> None:
    operator = platform.operator()
    described = operator.get("/openapi.json").json()["paths"]["/v1/move-plans"]["post"]["responses"]
    for is_dry_run, status in ((True, 200), (False, 201)):
        answer = operator.post("/v1/move-plans", json={"kind": "consolidate", "dry_run": is_dry_run})
        assert answer.status_code == status, answer.text
        assert str(status) in described


def test_body_has_a_bound_announced_or_not(platform: Service) -> None:
    def unannounced() -> Iterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 65_536 + 1):
            yield b"#" * 65_536

    client = platform.client(*ADMIN)
    for content in (b"#" * (MAX_BODY_BYTES + 1), unannounced()):
        for path in ("/v1/checks", "/v1/tickets"):
            answer = client.post(path, content=content if isinstance(content, bytes) else unannounced(), headers=YAML)
            assert (answer.status_code, answer.json()["code"]) == (413, "request.too_large")
    assert client.post("/v1/checks", content=b"#" * MAX_BODY_BYTES, headers=YAML).status_code == 422


def test_a_bug_of_ours_gets_an_incident_number_and_no_traceback(
    platform: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def explode(*_: object, **__: object) -> None:
        raise ZeroDivisionError("the secret inside")

    monkeypatch.setattr("controller.api.routes.systems.systems.page", explode)
    answer = platform.client(*ADMIN).get("/v1/systems")
    body = answer.json()
    assert (answer.status_code, body["code"]) == (500, "internal.error")
    assert body["incident"].startswith("inc_")
    assert body["incident"] in body["detail"]
    assert "secret inside" not in answer.text
    log = capsys.readouterr().out
    assert body["incident"] in log
    assert "ZeroDivisionError" in log
    assert platform.secrets[ADMIN] not in log


def test_database_that_cannot_be_used_is_unavailable_with_a_delay(platform: Service) -> None:
    client = platform.client(*ADMIN)
    with platform.platform.db.write() as connection:
        connection.exec_driver_sql("DROP TABLE idempotency_keys")
    assert submit(client, "portal", **{"Idempotency-Key": "k"}).status_code == 500
    platform.platform.db.engine.dispose()
    path = Path(str(platform.platform.db.engine.url.database))
    path.write_bytes(b"not a database at all, not even nearly" * 200)
    answer = client.get("/v1/whoami")
    assert (answer.status_code, answer.json()["code"]) == (503, "state.corrupt")
    assert int(answer.headers["Retry-After"]) >= 1


# -- tokens -----------------------------------------------------------------------------------------------------------


def test_token_lives_until_it_ends_or_is_revoked(platform: Service) -> None:
    operator = platform.operator()
    made = operator.post("/v1/tokens", json={"user_name": "李娜", "role": "department_reader", "department": "civil", "days": 2})
    assert made.status_code == 201
    assert made.headers["Cache-Control"] == "no-store"
    secret = made.json()["token"]
    assert secret.startswith("allot_")
    assert len(secret) == len("allot_") + 43

    def me() -> httpx.Response:
        return platform.client().get("/v1/whoami", headers={"Authorization": f"Bearer {secret}"})

    assert (me().json()["user_name"], me().json()["department"], me().json()["source"]) == ("李娜", "civil", "192.0.2.9")
    platform.clock.now_s += 2 * 86_400
    assert (me().status_code, me().json()["code"]) == (401, "token.expired")
    platform.clock.now_s -= 1
    assert me().status_code == 200
    assert operator.delete(f"/v1/tokens/{made.json()['id']}").json()["revoked_at_s"] == platform.clock.now_s
    assert (me().status_code, me().json()["code"]) == (401, "token.revoked")


def test_secret_of_a_token_is_stored_nowhere(platform: Service) -> None:
    operator, body = platform.operator(), {"user_name": "x", "role": "finance"}
    keyed = operator.post("/v1/tokens", json=body, headers={"Idempotency-Key": "once"})
    assert (keyed.status_code, keyed.json()["code"]) == (422, "idempotency.not_here")
    secret = operator.post("/v1/tokens", json=body).json()["token"]
    assert secret not in operator.get("/v1/tokens").text
    with platform.platform.db.read() as connection:
        dump = "\n".join(str(row) for table in t.METADATA.sorted_tables for row in connection.execute(table.select()))
    assert "operator@platform" in dump
    assert secret not in dump


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "Bearer allot_wrong", "Bearer \xff", "allot_x"])
def test_wrong_authorization_is_refused(platform: Service, header: str) -> None:
    answer = platform.client().get("/v1/whoami", headers={b"Authorization": header.encode("latin-1")})
    assert answer.status_code == 401
    assert answer.json()["code"] in ("token.missing", "token.unknown")


# -- idempotency keys -------------------------------------------------------------------------------------------------


def test_same_key_and_request_get_the_same_answer(platform: Service) -> None:
    client = platform.client(*ADMIN)
    first = submit(client, "portal", **{"Idempotency-Key": "k1"})
    second = submit(client, "portal", **{"Idempotency-Key": "k1"})
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert second.headers["Location"] == first.headers["Location"]
    assert second.headers["ETag"] == first.headers["ETag"]
    assert second.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers


def test_same_key_with_another_request_is_refused(platform: Service) -> None:
    client = platform.client(*ADMIN)
    submit(client, "portal", **{"Idempotency-Key": "k1"})
    answer = submit(client, "mail", **{"Idempotency-Key": "k1"})
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency.key_reused")
    assert submit(platform.client(Role.DEPARTMENT_ADMIN, "civil"), "mail", **{"Idempotency-Key": "k1"}).status_code == 202


def test_key_of_a_refused_request_may_be_used_again(platform: Service) -> None:
    client = platform.client(*ADMIN)
    broken = client.post("/v1/tickets", content=b"kind: Ticket", headers={**YAML, "Idempotency-Key": "k1"})
    assert broken.status_code == 422
    assert submit(client, "portal", **{"Idempotency-Key": "k1"}).status_code == 202


def test_key_may_be_used_again_after_a_day(platform: Service) -> None:
    client = platform.client(*ADMIN)
    submit(client, "portal", **{"Idempotency-Key": "k1"})
    platform.clock.now_s += 86_401
    assert submit(client, "mail", **{"Idempotency-Key": "k1"}).status_code == 202


def test_malformed_key_is_refused(platform: Service) -> None:
    for key in ("", "has space", "x" * 129):
        answer = submit(platform.client(*ADMIN), "portal", **{"Idempotency-Key": key})
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency.key_malformed")


def test_key_of_a_request_still_running_says_come_again(platform: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, leave = threading.Event(), threading.Event()
    real = tickets.submit

    def slow(*args: Any, **kwargs: Any) -> Ticket:
        entered.set()
        assert leave.wait(30)
        return real(*args, **kwargs)

    monkeypatch.setattr("controller.api.routes.tickets.tickets.submit", slow)
    answers: list[httpx.Response] = []

    def first() -> None:
        with asyncio.Runner() as runner:
            other = dataclasses.replace(platform, runner=runner)
            answers.append(submit(other.client(*ADMIN), "portal", **{"Idempotency-Key": "k1"}))

    thread = threading.Thread(target=first)
    thread.start()
    try:
        assert entered.wait(30)
        busy = submit(platform.client(*ADMIN), "portal", **{"Idempotency-Key": "k1"})
        assert (busy.status_code, busy.json()["code"]) == (409, "idempotency.in_flight")
        assert int(busy.headers["Retry-After"]) >= 1
    finally:
        leave.set()
        thread.join(30)
    assert answers[0].status_code == 202
    assert submit(platform.client(*ADMIN), "portal", **{"Idempotency-Key": "k1"}).content == answers[0].content


def test_key_abandoned_by_a_dead_process_is_taken_over(platform: Service) -> None:
    client = platform.client(*ADMIN)
    first = submit(client, "portal", **{"Idempotency-Key": "k1"})
    with platform.platform.db.write() as connection:
        connection.exec_driver_sql("UPDATE idempotency_keys SET status = NULL, body = NULL")
    assert submit(client, "portal", **{"Idempotency-Key": "k1"}).status_code == 409
    platform.clock.now_s += 121
    again = submit(client, "portal", **{"Idempotency-Key": "k1"})
    assert again.json()["id"] == first.json()["id"]


# -- pages and tags ---------------------------------------------------------------------------------------------------


def test_pages_hold_everything_once(platform: Service) -> None:
    client = platform.client(*ADMIN)
    client.post("/v1/tickets", content=ticket_text("portal", count=7), headers=YAML)
    seen: list[str] = []
    after: str | None = ""
    sizes = []
    while after is not None:
        page = client.get("/v1/instances", params={"limit": 3, "after": after}).json()
        seen += [item["id"] for item in page["items"]]
        sizes.append(len(page["items"]))
        after = page["next"]
    assert sizes == [3, 3, 1]
    assert seen == sorted(set(seen))


def test_page_that_ends_exactly_has_no_next(platform: Service) -> None:
    client = platform.client(*ADMIN)
    client.post("/v1/tickets", content=ticket_text("portal", count=3), headers=YAML)
    assert client.get("/v1/instances", params={"limit": 3}).json()["next"] is None


def test_host_is_changed_only_on_the_revision_that_was_read(platform: Service) -> None:
    operator = platform.operator()
    tag = operator.get("/v1/hosts/host-1").headers["ETag"]
    change = {"to": "cordoned", "reason": "风扇故障"}
    done = operator.post("/v1/hosts/host-1/state", json=change, headers={"If-Match": tag})
    assert (done.status_code, done.json()["admin_state"], done.json()["state_by"]) == (200, "cordoned", "operator@platform")
    late = operator.post("/v1/hosts/host-1/state", json={"to": "maintenance"}, headers={"If-Match": tag})
    assert late.status_code == 412


# -- the service itself -----------------------------------------------------------------------------------------------


def test_health_needs_no_token_and_readiness_says_what_is_missing(platform: Service) -> None:
    assert platform.client().get("/healthz").json() == {"status": "ok", "waiting_for": []}
    assert platform.client().get("/readyz").status_code == 200
    waiting = without_ready(platform, ["migrations"]).client().get("/readyz")
    assert (waiting.status_code, waiting.json()["waiting_for"]) == (503, ["migrations"])


def test_metrics_are_open_to_this_machine_only(platform: Service) -> None:
    assert platform.client(address="127.0.0.1").get("/metrics").text.endswith("allot_up 1\n")
    assert platform.client(address="::1").get("/metrics").status_code == 200
    assert platform.client(address="192.0.2.9").get("/metrics").status_code == 401
    proxied = platform.client(address="127.0.0.1").get("/metrics", headers={"X-Forwarded-For": "192.0.2.9"})
    assert proxied.status_code == 401
    assert platform.client(Role.AUDITOR).get("/metrics").status_code == 200
    assert platform.client(Role.FINANCE).get("/metrics").status_code == 403
    closed = without_ready(platform, [])
    assert closed.client(address="127.0.0.1").get("/metrics").status_code == 401


# -- audit ------------------------------------------------------------------------------------------------------------


#: Writes whose events other tests look for: ``test_audited_writes``, ``test_budgets``, ``test_price_books``, ``test_ledger_api``,
#: ``test_loss``.
SEEN_ELSEWHERE = frozenset(
    f"{noun}.{verb}"
    for noun, verbs in {
        "adjustment": ("add", "approve", "reject"),
        "adoption": ("let_go", "take"),
        "book": ("approve", "reject", "submit"),
        "budget": ("set",),
        "cost": ("set",),
        "department": ("leave",),
        "efficiency": ("answer", "set_rules"),
        "entry": ("add", "approve", "reject"),
        "host": ("lose",),
        "ledger": ("rebuild",),
        "moves": ("cancel", "plan", "run"),
        "period": ("close", "closing", "reopen", "review"),
        "reservation": ("create", "release"),
        "statement": ("acknowledge",),
    }.items()
    for verb in verbs
)


def test_every_write_leaves_an_event_of_who_did_it(platform: Service) -> None:
    admin, operator = platform.client(*ADMIN), platform.operator()
    production = ticket_text("mail").replace(b"environment: test", b"environment: production")
    submit(admin)
    (machine,) = admin.get("/v1/instances").json()["items"]
    operator.post(f"/v1/instances/{machine['id']}/stop")
    operator.post(f"/v1/instances/{machine['id']}/start")
    operator.post(f"/v1/instances/{machine['id']}/reboot")
    operator.post(f"/v1/instances/{machine['id']}/screen")
    admin.post("/v1/tickets", content=production, headers=YAML)
    waiting = [
        admin.post("/v1/tickets", params={"confirm": "mail"}, content=release_text("mail") + mark, headers=YAML)
        for mark in (b"notes: one\n", b"notes: two\n", b"notes: three\n")
    ]
    decide_all(platform, waiting)
    with platform.platform.db.write() as connection:
        ticket = machine["ticket_id"]
        connection.execute(t.resources.update().where(t.resources.c.ticket_id == ticket).values(phase=Phase.FAILED.value))
        connection.exec_driver_sql("UPDATE tickets SET state = 'failed' WHERE id = ?", (ticket,))
    assert admin.post(f"/v1/tickets/{ticket}/retry").status_code == 200
    tag = operator.get("/v1/hosts/host-1").headers["ETag"]
    operator.post("/v1/hosts/host-1/state", json={"to": "cordoned"}, headers={"If-Match": tag})
    connection_text = "simulated://world/host-2?cpus=4&memory_mib=4096&disk_gib=10&arch=x86_64"
    assert operator.post("/v1/hosts", json={"name": "host-2", "pool": "sim", "connection": connection_text}).status_code == 201
    operator.put("/v1/quotas/civil/vcpu", json={"mode": "limit", "limit": 99}, headers={"If-Match": "*"})
    operator.post("/v1/quotas/audit", params={"repair": "true"})
    token = operator.post("/v1/tokens", json={"user_name": "x", "role": "auditor"}).json()
    operator.delete(f"/v1/tokens/{token['id']}")
    site = b"apiVersion: allotment/v1\nkind: Site\ndepartments:\n  - {code: parks, name: parks, parent: city}\n"
    assert operator.post("/v1/site/import", content=site, headers=YAML).status_code == 200
    image = platform.platform.images_dir / "small.raw"
    image.write_bytes(clean_gpt_disk())
    made = operator.post("/v1/images", json={"name": "small", "arch": "x86_64", "source": str(image)})
    assert made.status_code == 201, made.text
    assert operator.post("/v1/images/small/withdraw").json()["state"] == "withdrawn"
    with platform.platform.db.read() as connection:
        events = audit.page(connection, PLATFORM, limit=500)
        assert audit.verify(connection).is_intact
    done = {e["action"] for e in events if e["result"] == "ok"}
    asked = {rule.action for rule in RULES.values() if rule.action}
    assert done == asked - SEEN_ELSEWHERE
    assert asked >= SEEN_ELSEWHERE
    own = platform.city.departments["civil-it"].id
    by_action = {e["action"]: e for e in events}
    assert {by_action[a]["department_id"] for a in ("ticket.submit", "instance.stop", "ticket.retry")} == {own}
    assert by_action["instance.stop"]["actor"] == "operator@platform"


def decide_all(platform: Service, waiting: list[httpx.Response]) -> None:
    """Reject one release, cancel one, approve one; each waits anew, because one system has one open release."""
    second = platform.client(Role.DEPARTMENT_ADMIN, "civil")
    first = waiting[0].json()["id"]
    assert waiting[0].json()["state"] == "awaiting_approval"
    assert second.post(f"/v1/tickets/{first}/reject", json={"reason": "not yet"}).json()["state"] == "refused"
    admin = platform.client(*ADMIN)

    def release(mark: bytes) -> str:
        answer = admin.post("/v1/tickets", params={"confirm": "mail"}, content=release_text("mail") + mark, headers=YAML)
        return str(answer.json()["id"])

    assert admin.post(f"/v1/tickets/{release(b'notes: four')}/cancel").json()["state"] == "cancelled"
    third = release(b"notes: five")
    own = admin.post(f"/v1/tickets/{third}/approve", json={"reason": "mine"})
    assert (own.status_code, own.json()["code"]) == (403, "approval.own_ticket")
    assert second.post(f"/v1/tickets/{third}/approve", json={"reason": "agreed"}).status_code == 200


def test_every_refused_write_leaves_an_event_too(platform: Service) -> None:
    reader = platform.client(Role.DEPARTMENT_READER, "civil-it")
    assert submit(reader).status_code == 403
    admin = platform.client(*ADMIN)
    assert admin.post("/v1/tickets", content=b"kind: Ticket", headers=YAML).status_code == 422
    assert admin.post("/v1/instances/inst_x/stop").status_code == 404
    refused = admin.post("/v1/tickets", content=ticket_text("portal", count=65), headers=YAML)
    assert (refused.status_code, refused.json()["code"]) == (409, "placement.no_host_fits")
    assert admin.get(f"/v1/tickets/{refused.json()['ticket_id']}").json()["state"] == "refused"
    with platform.platform.db.read() as connection:
        events = audit.page(connection, PLATFORM, limit=50)
        assert codes(audit.verify(connection)) == []
    told = [(e["actor"], e["action"], e["result"], e["detail"]["code"].partition(".")[0]) for e in events]
    assert told == [
        ("department_reader@civil-it", "ticket.submit", "refused", "access"),
        ("department_admin@civil-it", "ticket.submit", "refused", "document"),
        ("department_admin@civil-it", "instance.stop", "refused", "instance"),
        ("department_admin@civil-it", "ticket.submit", "refused", "placement"),
    ]
    assert all(e["source"] == "192.0.2.9" for e in events)


def test_a_caller_without_a_token_cannot_fill_the_chain(platform: Service) -> None:
    for _ in range(3):
        assert submit(platform.client()).status_code == 401
    assert platform.client(Role.AUDITOR).get("/v1/audit").json()["items"] == []


def test_auditor_checks_the_chain_against_a_head_kept_elsewhere(platform: Service) -> None:
    auditor = platform.client(Role.AUDITOR)
    submit(platform.client(*ADMIN))
    kept = auditor.post("/v1/audit/verify", json={}).json()["head"]
    good = auditor.post("/v1/audit/verify", json={"head": kept}).json()
    assert (good["is_intact"], good["was_head_given"], good["breaks"]) == (True, True, [])
    missing = auditor.post("/v1/audit/verify", json={"head": {"seq": kept["seq"] + 1, "hash": kept["hash"]}}).json()
    assert [b["code"] for b in missing["breaks"]] == ["audit.truncated"]
    assert missing["breaks"][0]["detail"]
