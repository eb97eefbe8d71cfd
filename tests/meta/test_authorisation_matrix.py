"""Every route × every role × own and other department, against the real application: the table of rules is what happens.

A new route without an example here fails, as does one without a rule (the application does not start then).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from controller.api.app import create_app, served
from controller.api.auth import GuardedRoute
from controller.identity import policy
from controller.identity.caller import DEPARTMENT_ROLES, Role
from controller.identity.policy import RULES
from tests.support import answers
from tests.support.api import YAML, Service, no_driver, service
from tests.support.samples import ticket_text


@dataclass(frozen=True)
class Example:
    """One good request; ``{name}`` is filled with ids of the department aimed at."""

    path: str
    json: Any = None
    #: A YAML body, with the department's code and project in it.
    is_ticket: bool = False
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Whether the thing asked for belongs to one department.
    is_departmental: bool = False


def _of_ticket(verb: str, json: Any = None) -> Example:
    return Example("/v1/tickets/{ticket}" + verb, json=json, is_departmental=True)


def _of_instance(verb: str) -> Example:
    return Example("/v1/instances/{instance}" + verb, is_departmental=True)


_REASON = {"reason": "because"}
_ENTRY = {"project": "P-portal", "meter": "service:move", "amount": 1, "start": "2026-05-01", "reason": "because"}
#: What is not there is not found, for everybody who may ask.
_NOT_FOUND = {
    "GET /metrics/instances": "metrics.not_offered",
    "GET /metrics/compatibility": "metrics.not_offered",
    "GET /v1/explanations/{explanation_id}": "explanation.not_found",
    "GET /v1/works/{work}": "work.not_found",
    "POST /v1/hosts/{host}/lost": "host.not_found",
    "POST /v1/images/{image}/withdraw": "image.unknown",
    "DELETE /v1/tokens/{token_id}": "token.not_found",
    "GET /v1/price-books/{book}": "book.not_found",
    "POST /v1/price-books/{book}/approve": "book.not_found",
    "POST /v1/price-books/{book}/reject": "book.not_found",
    "POST /v1/usage-entries/{entry}/approve": "entry.not_found",
    "POST /v1/usage-entries/{entry}/reject": "entry.not_found",
    "GET /v1/periods/{period}/statements/{department}": "statement.not_found",
    "GET /v1/lines/{line}": "line.not_found",
    "GET /v1/periods/{period}/efficiency/{system}/draft": "system.not_found",
    "POST /v1/periods/{period}/efficiency/{system}/answer": "system.not_found",
    "GET /v1/capacity/systems/{system}": "system.not_found",
    "GET /v1/pools/{pool}/departments": "pool.not_found",
    "DELETE /v1/pools/{pool}/departments/{department}": "pool.not_found",
    "POST /v1/adoptions": "adoption.machines_unknown",
    "POST /v1/adoptions/{adoption}/let-go": "adoption.not_found",
    "POST /v1/adjustments": "line.not_found",
    "POST /v1/adjustments/{adjustment}/approve": "adjustment.not_found",
    "POST /v1/adjustments/{adjustment}/reject": "adjustment.not_found",
}
_ENROL = {
    "name": "host-2",
    "pool": "sim",
    "connection": "simulated://world/host-2?cpus=4&memory_mib=4096&disk_gib=10&arch=x86_64",
}

_RESERVE = {"name": "r-1", "project": "{project}", "zone": "gov-public", "size": "tiny", "ends_s": 1_790_000_000}
_ADOPT = {"pool": "sim", "project": "{project}", "system": "legacy", "lease_end": "2027-01-01", "machines": ["none"]}

EXAMPLES: Mapping[str, Example] = {
    "GET /v1/whoami": Example("/v1/whoami"),
    "GET /v1/works/{work}": Example("/v1/works/none"),
    "GET /metrics": Example("/metrics"),
    "GET /metrics/instances": Example("/metrics/instances"),
    "GET /metrics/compatibility": Example("/metrics/compatibility"),
    "GET /v1/discovery/hosts": Example("/v1/discovery/hosts"),
    "GET /v1/discovery/instances": Example("/v1/discovery/instances"),
    "POST /v1/checks": Example("/v1/checks", is_ticket=True),
    "POST /v1/plans": Example("/v1/plans", is_ticket=True),
    "POST /v1/tickets": Example("/v1/tickets", is_ticket=True),
    "GET /v1/notices": Example("/v1/notices"),
    "GET /v1/tickets": Example("/v1/tickets"),
    "GET /v1/tickets/{ticket_id}": _of_ticket(""),
    "GET /v1/tickets/{ticket_id}/events": _of_ticket("/events"),
    "GET /v1/events": Example("/v1/events"),
    "GET /v1/tickets/{ticket_id}/explanations": _of_ticket("/explanations"),
    "GET /v1/explanations/{explanation_id}": Example("/v1/explanations/none", query={"form": "long"}),
    "POST /v1/tickets/{ticket_id}/approve": _of_ticket("/approve", _REASON),
    "POST /v1/tickets/{ticket_id}/reject": _of_ticket("/reject", _REASON),
    "POST /v1/tickets/{ticket_id}/cancel": _of_ticket("/cancel"),
    "POST /v1/tickets/{ticket_id}/retry": _of_ticket("/retry"),
    "GET /v1/systems": Example("/v1/systems"),
    "GET /v1/systems/{system}": Example("/v1/systems/{system}", is_departmental=True),
    "GET /v1/instances": Example("/v1/instances"),
    "GET /v1/instances/{instance_id}": _of_instance(""),
    "GET /v1/instances/{instance_id}/explanation": _of_instance("/explanation"),
    "GET /v1/instances/{instance_id}/console": _of_instance("/console"),
    "POST /v1/instances/{instance_id}/screen": _of_instance("/screen"),
    "POST /v1/instances/{instance_id}/start": _of_instance("/start"),
    "POST /v1/instances/{instance_id}/stop": _of_instance("/stop"),
    "POST /v1/instances/{instance_id}/reboot": _of_instance("/reboot"),
    "GET /v1/hosts": Example("/v1/hosts"),
    "POST /v1/hosts": Example("/v1/hosts", json=_ENROL),
    "GET /v1/hosts/{host}": Example("/v1/hosts/host-1"),
    "GET /v1/hosts/{host}/foreign": Example("/v1/hosts/host-1/foreign"),
    "POST /v1/hosts/{host}/state": Example("/v1/hosts/host-1/state", json={"to": "cordoned"}, headers={"If-Match": "*"}),
    "POST /v1/hosts/{host}/lost": Example("/v1/hosts/none/lost", json={"confirm": "none"}),
    "GET /v1/pools/{pool}/foreign": Example("/v1/pools/sim/foreign"),
    "GET /v1/pools/{pool}/departments": Example("/v1/pools/none/departments"),
    "DELETE /v1/pools/{pool}/departments/{department}": Example("/v1/pools/none/departments/civil"),
    "GET /v1/adoptions": Example("/v1/adoptions"),
    "POST /v1/adoptions": Example("/v1/adoptions", json=_ADOPT),
    "POST /v1/adoptions/{adoption}/let-go": Example("/v1/adoptions/none/let-go"),
    "GET /v1/move-plans": Example("/v1/move-plans"),
    "POST /v1/move-plans": Example("/v1/move-plans", json={"kind": "rebalance"}),
    "GET /v1/move-plans/{plan_id}": Example("/v1/move-plans/{plan}"),
    "POST /v1/move-plans/{plan_id}/run": Example("/v1/move-plans/{plan}/run"),
    "POST /v1/move-plans/{plan_id}/cancel": Example("/v1/move-plans/{plan}/cancel"),
    "GET /v1/findings": Example("/v1/findings"),
    "GET /v1/pools": Example("/v1/pools"),
    "GET /v1/zones": Example("/v1/zones"),
    "GET /v1/sizes": Example("/v1/sizes"),
    "GET /v1/images": Example("/v1/images"),
    "POST /v1/images": Example("/v1/images", json={"name": "x", "arch": "x86_64", "source": "/dev/null"}),
    "POST /v1/images/{image}/withdraw": Example("/v1/images/none/withdraw"),
    "GET /v1/departments": Example("/v1/departments"),
    "GET /v1/projects": Example("/v1/projects"),
    "POST /v1/site/plan": Example("/v1/site/plan", is_ticket=True),
    "POST /v1/site/import": Example("/v1/site/import", is_ticket=True),
    "GET /v1/quotas": Example("/v1/quotas"),
    "GET /v1/quotas/{scope}/{dimension}": Example("/v1/quotas/{department}/vcpu", is_departmental=True),
    "PUT /v1/quotas/{scope}/{dimension}": Example(
        "/v1/quotas/civil/vcpu", json={"mode": "limit", "limit": 100}, headers={"If-Match": "*"}
    ),
    "POST /v1/quotas/audit": Example("/v1/quotas/audit", query={"repair": "true"}),
    "POST /v1/cost-pools": Example("/v1/cost-pools", is_ticket=True),
    "GET /v1/cost-pools": Example("/v1/cost-pools"),
    "GET /v1/periods/{period}/costs": Example("/v1/periods/2020-01/costs"),
    "GET /v1/periods/{period}/places": Example("/v1/periods/2020-01/places"),
    "POST /v1/efficiency-rules": Example("/v1/efficiency-rules", is_ticket=True),
    "GET /v1/efficiency-rules": Example("/v1/efficiency-rules"),
    "GET /v1/periods/{period}/efficiency": Example("/v1/periods/2020-01/efficiency"),
    "GET /v1/periods/{period}/efficiency/{system}/draft": Example("/v1/periods/2020-01/efficiency/none/draft"),
    "POST /v1/periods/{period}/efficiency/{system}/answer": Example(
        "/v1/periods/2020-01/efficiency/none/answer", json={"answer": "keep", "reason": "needed in winter"}
    ),
    "POST /v1/budgets": Example("/v1/budgets", is_ticket=True),
    "GET /v1/budgets": Example("/v1/budgets", query={"year": "2026"}),
    "GET /v1/budget-notices": Example("/v1/budget-notices"),
    "GET /v1/usage": Example("/v1/usage", query={"from": "2026-05-01", "to": "2026-06-01"}),
    "GET /v1/meters": Example("/v1/meters"),
    "GET /v1/ledger": Example("/v1/ledger"),
    "POST /v1/price-book-checks": Example("/v1/price-book-checks", is_ticket=True),
    "POST /v1/price-books": Example("/v1/price-books", is_ticket=True),
    "GET /v1/price-books": Example("/v1/price-books"),
    "GET /v1/price-books/{book}": Example("/v1/price-books/book_none"),
    "POST /v1/price-books/{book}/approve": Example("/v1/price-books/book_none/approve", json=_REASON),
    "POST /v1/price-books/{book}/reject": Example("/v1/price-books/book_none/reject", json=_REASON),
    "POST /v1/usage-entries": Example("/v1/usage-entries", json=_ENTRY),
    "GET /v1/usage-entries": Example("/v1/usage-entries"),
    "POST /v1/usage-entries/{entry}/approve": Example("/v1/usage-entries/entry_none/approve"),
    "POST /v1/usage-entries/{entry}/reject": Example("/v1/usage-entries/entry_none/reject"),
    "GET /v1/periods": Example("/v1/periods"),
    "GET /v1/periods/{period}": Example("/v1/periods/2020-01"),
    "POST /v1/periods/{period}/closing": Example("/v1/periods/2020-01/closing"),
    "POST /v1/periods/{period}/review": Example("/v1/periods/2020-01/review"),
    "POST /v1/periods/{period}/close": Example("/v1/periods/2020-01/close"),
    "POST /v1/periods/{period}/reopen": Example("/v1/periods/2020-01/reopen"),
    "POST /v1/periods/{period}/verify": Example("/v1/periods/2020-01/verify"),
    "GET /v1/periods/{period}/statements": Example("/v1/periods/2020-01/statements"),
    "GET /v1/periods/{period}/statements/{department}": Example(
        "/v1/periods/2020-01/statements/{department}", is_departmental=True
    ),
    "GET /v1/periods/{period}/reports/{dataset}": Example(
        "/v1/periods/2020-01/reports/lines", query={"department": "{department}"}, is_departmental=True
    ),
    "GET /v1/periods/{period}/reports/{dataset}/manifest": Example(
        "/v1/periods/2020-01/reports/lines/manifest", query={"department": "{department}"}, is_departmental=True
    ),
    "POST /v1/periods/{period}/statements/{department}/acknowledge": Example(
        "/v1/periods/2020-01/statements/{department}/acknowledge", is_departmental=True
    ),
    "GET /v1/periods/{period}/statements/{department}/lines": Example(
        "/v1/periods/2020-01/statements/{department}/lines", is_departmental=True
    ),
    "GET /v1/lines/{line}": Example("/v1/lines/00"),
    "POST /v1/adjustments": Example("/v1/adjustments", json={"line": "00", "yuan": "1", "reason": "because"}),
    "GET /v1/adjustments": Example("/v1/adjustments"),
    "POST /v1/adjustments/{adjustment}/approve": Example("/v1/adjustments/adj_none/approve"),
    "POST /v1/adjustments/{adjustment}/reject": Example("/v1/adjustments/adj_none/reject"),
    "POST /v1/ledger/compare": Example("/v1/ledger/compare"),
    "GET /v1/ledger/counted": Example("/v1/ledger/counted", query={"pool": "sim", "from": "2026-01-02", "to": "2026-01-01"}),
    "POST /v1/ledger/rebuild": Example("/v1/ledger/rebuild"),
    "GET /v1/capacity": Example("/v1/capacity", query={"size": "tiny"}),
    "GET /v1/capacity/systems/{system}": Example("/v1/capacity/systems/none"),
    "GET /v1/capacity/forecast": Example("/v1/capacity/forecast"),
    "GET /v1/capacity/failure": Example("/v1/capacity/failure", query={"host": "host-1"}),
    "POST /v1/capacity/hosts-needed": Example(
        "/v1/capacity/hosts-needed", json={"tickets": ["kind: Ticket"], "vcpu_count": 8, "memory_mib": 1024}
    ),
    "GET /v1/reservations": Example("/v1/reservations"),
    "POST /v1/reservations": Example("/v1/reservations", json=_RESERVE, is_departmental=True),
    "GET /v1/reservations/{reservation}": Example("/v1/reservations/{reservation}", is_departmental=True),
    "POST /v1/reservations/{reservation}/release": Example("/v1/reservations/{reservation}/release", is_departmental=True),
    "GET /v1/audit": Example("/v1/audit"),
    "POST /v1/audit/verify": Example("/v1/audit/verify", json={}),
    "GET /v1/tokens": Example("/v1/tokens"),
    "POST /v1/tokens": Example("/v1/tokens", json={"user_name": "x", "role": "auditor"}),
    "DELETE /v1/tokens/{token_id}": Example("/v1/tokens/tok_none"),
}
#: Department aimed at -> (its code, its project). Department callers of the matrix stand in ``civil-it``.
PLACES = {"own": ("civil-it", "P-portal"), "other": ("water-it", "P-gauges")}
#: An allowed request may still find the state against it, or the example's thing missing; never a closed door.
OPEN = {200, 201, 202, 409, 422}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("matrix")) as found:
        yield found


@pytest.fixture(scope="module")
def targets(platform: Service) -> Mapping[str, Mapping[str, str]]:
    """Return ids of a ticket, system and machine of each place."""
    found = {}
    for place, (code, project) in PLACES.items():
        body = ticket_text(f"{code}-base", department=code, project=project)
        ticket = platform.operator().post("/v1/tickets", content=body, headers=YAML).json()
        system = platform.operator().get(f"/v1/systems/{code}-base").json()
        wish = {**_RESERVE, "name": "standing", "project": project}
        reservation = platform.operator().post("/v1/reservations", json=wish).json()
        plan = platform.operator().post("/v1/move-plans", json={"kind": "rebalance"}).json()
        found[place] = {
            "ticket": ticket["id"],
            "system": system["id"],
            "instance": system["instances"][0]["id"],
            "reservation": reservation["id"],
            "project": project,
            "department": code,
            "plan": plan["id"],
        }
    return found


def send(platform: Service, client: httpx.Client, key: str, place: str, ids: Mapping[str, str]) -> httpx.Response:
    method, example = key.partition(" ")[0], EXAMPLES[key]
    headers, content, body = dict(example.headers), None, None
    if example.is_ticket:
        code, project = PLACES[place]
        content = ticket_text(f"{code}-{len(key)}", department=code, project=project)
        headers |= YAML
    elif example.json is not None:
        body = {k: v.format(**ids) if isinstance(v, str) else v for k, v in example.json.items()}
    answer = client.request(
        method,
        example.path.format(**ids),
        params={k: v.format(**ids) for k, v in example.query.items()},
        headers=headers,
        content=content,
        json=body,
    )
    answers.check(answer, key)
    return answer


def guarded() -> list[str]:
    return sorted(key for key, rule in RULES.items() if not rule.is_public)


def test_every_guarded_route_has_an_example() -> None:
    assert set(guarded()) == set(EXAMPLES)


@pytest.mark.parametrize("key", guarded())
def test_nobody_passes_without_a_token(platform: Service, targets: Mapping[str, Mapping[str, str]], key: str) -> None:
    for client in (platform.client(), platform.client(language="zh-CN")):
        answer = send(platform, client, key, "own", targets["own"])
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.json()["code"] == "token.missing"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("key", guarded())
def test_rule_is_what_happens(
    platform: Service, targets: Mapping[str, Mapping[str, str]], key: str, role: Role, place: str
) -> None:
    is_departmental = role in DEPARTMENT_ROLES
    answer = send(platform, platform.client(role, "civil-it" if is_departmental else ""), key, place, targets[place])
    if role not in RULES[key].roles:
        assert (answer.status_code, answer.json()["code"]) == (403, "access.role_forbidden")
    elif is_departmental and place == "other" and EXAMPLES[key].is_departmental:
        assert answer.status_code == 404
    elif is_departmental and place == "other" and EXAMPLES[key].is_ticket:
        assert answer.status_code in (404, 422)
    elif key in _NOT_FOUND:
        assert (answer.status_code, answer.json()["code"]) == (404, _NOT_FOUND[key])
    else:
        assert answer.status_code in OPEN, answer.text


LISTS = {
    "/v1/tickets": "department_id",
    "/v1/systems": "department_id",
    "/v1/instances": "department_id",
    "/v1/departments": "id",
    "/v1/projects": "department_id",
    "/v1/audit": "department_id",
    "/v1/events": "department_id",
}


@pytest.mark.parametrize("path", LISTS)
def test_lists_hold_nothing_of_other_departments(platform: Service, targets: Mapping[str, Mapping[str, str]], path: str) -> None:
    departments = platform.city.departments
    seen = platform.client(Role.DEPARTMENT_ADMIN, "civil").get(path, params={}).json()["items"]
    below = {departments["civil"].id, departments["civil-it"].id}
    assert seen
    assert {item[LISTS[path]] for item in seen} <= below
    everything = platform.operator().get(path).json()["items"]
    assert departments["water-it"].id in {item[LISTS[path]] for item in everything}


def test_quotas_and_usage_of_other_departments_are_not_found(platform: Service) -> None:
    client = platform.client(Role.DEPARTMENT_ADMIN, "civil-it")
    for path in ("/v1/quotas", "/v1/budgets", "/v1/systems", "/v1/instances", "/v1/usage"):
        for code in ("water-it", "water", "city", "civil"):
            answer = client.get(path, params={"department": code, "from": "0", "to": "1"})
            assert (answer.status_code, answer.json()["code"]) == (404, "department.not_found")


def test_a_missing_thing_and_anothers_thing_look_the_same(platform: Service, targets: Mapping[str, Mapping[str, str]]) -> None:
    client = platform.client(Role.DEPARTMENT_ADMIN, "civil-it")
    for noun, kind in (
        ("tickets", "ticket"),
        ("systems", "system"),
        ("instances", "instance"),
        ("reservations", "reservation"),
    ):
        others = targets["other"][kind]
        missing = others[:-4] + ("0000" if not others.endswith("0000") else "1111")
        first, second = (client.get(f"/v1/{noun}/{id_}") for id_ in (others, missing))
        assert first.status_code == second.status_code == 404
        assert first.text.replace(others, "ID") == second.text.replace(missing, "ID")


def test_application_with_a_route_that_stands_in_no_rule_does_not_start(
    platform: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    fewer = {key: rule for key, rule in RULES.items() if key != "GET /v1/hosts"}
    monkeypatch.setattr("controller.api.app.RULES", fewer)
    with pytest.raises(RuntimeError, match="GET /v1/hosts"):
        rebuild(platform)


def test_application_with_a_rule_that_speaks_of_no_route_does_not_start(
    platform: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = {**RULES, "GET /v1/ghosts": policy.Rule(policy.EVERYONE)}
    monkeypatch.setattr("controller.api.app.RULES", more)
    with pytest.raises(RuntimeError, match="GET /v1/ghosts"):
        rebuild(platform)


def test_route_without_a_rule_cannot_even_be_made() -> None:
    async def nothing() -> None:
        return None

    with pytest.raises(RuntimeError, match="GET /v1/unruled"):
        GuardedRoute("/v1/unruled", nothing, methods=["GET"])


def test_every_served_route_stands_behind_the_door(platform: Service) -> None:
    assert served(platform.app) == set(RULES)
    assert all(isinstance(route, GuardedRoute) for route in platform.app.routes)


def rebuild(platform: Service) -> FastAPI:
    return create_app(
        platform.platform, metrics=bytes, console=lambda _r, _n: b"", screen=lambda _r: "", drivers=no_driver, ready=list
    )
