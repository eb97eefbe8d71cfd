"""Writes of finance, of reservations and of move plans through the API: each answered, and in the audit chain with who did it."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from controller.identity import audit
from controller.identity.caller import Role
from inventory.domain.scope import PLATFORM
from tests.support.api import YAML, Service, service
from tests.support.billing import BOOK, GRACE_S, JUNE_S
from tests.support.people import as_person
from tests.support.spending import priced, used_since_may

DAY_S = 86_400


@pytest.fixture
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("audited")) as found:
        yield found


def post(platform: Service, who: str, path: str, body: dict[str, Any] | None = None, *, role: Role = Role.FINANCE) -> Any:
    """Have a person write; return the answer, which must be a success."""
    department = "civil-it" if role is Role.DEPARTMENT_ADMIN else ""
    answer = as_person(platform, who, role, department).post(path, json=body)
    assert answer.is_success, answer.text
    return answer.json()


def told(platform: Service, family: str) -> list[tuple[str, str, str]]:
    """Return who did what to what, oldest first, of the actions that begin so."""
    with platform.platform.db.read() as connection:
        assert audit.verify(connection).is_intact
        events = audit.page(connection, PLATFORM, limit=500)
    assert all(e["result"] == "ok" for e in events if e["action"].startswith(family))
    return [(e["actor"], e["action"], e["target"]) for e in events if e["action"].startswith(family)]


def submit_book(platform: Service, text: str) -> httpx.Response:
    return as_person(platform, "wang", Role.FINANCE).post("/v1/price-books", content=text.encode(), headers=YAML)


def test_a_rejected_price_book(platform: Service) -> None:
    id_ = submit_book(platform, BOOK).json()["id"]
    post(platform, "li", f"/v1/price-books/{id_}/reject", {"reason": "too dear"})
    assert told(platform, "book.") == [("wang", "book.submit", id_), ("li", "book.reject", id_)]


def test_the_way_of_a_month_with_a_correction_and_a_nod(platform: Service) -> None:
    priced(platform)
    used_since_may(platform, {"vcpu": 4})
    post(platform, "wang", "/v1/periods/2026-05/closing")
    platform.clock.now_s = JUNE_S + GRACE_S + 60
    post(platform, "wang", "/v1/periods/2026-05/review")
    post(platform, "li", "/v1/periods/2026-05/close")
    expected = [("wang", "period.closing", "2026-05"), ("wang", "period.review", "2026-05"), ("li", "period.close", "2026-05")]
    assert told(platform, "period.") == expected
    nod = "/v1/periods/2026-05/statements/civil-it/acknowledge"
    assert post(platform, "chen", nod, role=Role.DEPARTMENT_ADMIN)["acknowledged_by"] == "chen"
    assert told(platform, "statement.") == [("chen", "statement.acknowledge", "2026-05")]
    lines = platform.client(Role.FINANCE).get("/v1/periods/2026-05/statements/civil-it/lines").json()["items"]
    wish = {"line": lines[0]["id"], "yuan": "-1.5", "reason": "was down for a day"}
    first, second = (post(platform, "wang", "/v1/adjustments", wish)["id"] for _ in range(2))
    assert post(platform, "li", f"/v1/adjustments/{first}/approve")["state"] == "approved"
    assert post(platform, "li", f"/v1/adjustments/{second}/reject")["state"] == "rejected"
    added = [("wang", "adjustment.add", first), ("wang", "adjustment.add", second)]
    assert told(platform, "adjustment.") == [*added, ("li", "adjustment.approve", first), ("li", "adjustment.reject", second)]


def test_a_correction_of_a_month_that_is_not_closed(platform: Service) -> None:
    priced(platform)
    used_since_may(platform, {"vcpu": 4})
    post(platform, "wang", "/v1/periods/2026-05/closing")
    platform.clock.now_s = JUNE_S + GRACE_S + 60
    post(platform, "wang", "/v1/periods/2026-05/review")
    [line, *_] = platform.client(Role.FINANCE).get("/v1/periods/2026-05/statements/civil-it/lines").json()["items"]
    early = {"line": line["id"], "yuan": "-1.5", "reason": "was down for a day"}
    refused = as_person(platform, "wang", Role.FINANCE).post("/v1/adjustments", json=early)
    assert (refused.status_code, refused.json()["code"]) == (409, "adjustment.period_not_closed")
    with platform.platform.db.read() as connection:
        [event] = audit.page(connection, PLATFORM, limit=5, action="adjustment.add")
    assert (event["actor"], event["result"], event["detail"]["code"]) == ("wang", "refused", "adjustment.period_not_closed")


def test_a_month_that_somebody_wanted_opened_again(platform: Service) -> None:
    refused = as_person(platform, "wang", Role.FINANCE).post("/v1/periods/2026-05/reopen")
    assert (refused.status_code, refused.json()["code"]) == (409, "period.never_reopens")
    with platform.platform.db.read() as connection:
        [event] = audit.page(connection, PLATFORM, limit=5, action="period.reopen")
    assert (event["actor"], event["result"], event["detail"]["code"]) == ("wang", "refused", "period.never_reopens")


def test_services_entered_by_hand(platform: Service) -> None:
    wish = {"project": "P-portal", "meter": "service:move", "amount": 2, "start": "2026-06-01", "reason": "moved two systems"}
    first, second = (post(platform, "wang", "/v1/usage-entries", wish | {"amount": n})["id"] for n in (2, 3))
    assert post(platform, "li", f"/v1/usage-entries/{first}/approve", {"reason": "seen"})["state"] == "approved"
    assert post(platform, "li", f"/v1/usage-entries/{second}/reject", {"reason": "one only"})["state"] == "rejected"
    added = [("wang", "entry.add", first), ("wang", "entry.add", second)]
    assert told(platform, "entry.") == [*added, ("li", "entry.approve", first), ("li", "entry.reject", second)]


def test_a_reservation_made_and_given_up(platform: Service) -> None:
    ends_s = int(platform.clock()) + 10 * DAY_S
    wish = {"name": "spring", "project": "P-portal", "zone": "gov-public", "size": "tiny", "count": 2, "ends_s": ends_s}
    made = post(platform, "chen", "/v1/reservations", wish, role=Role.DEPARTMENT_ADMIN)
    given_up = post(platform, "chen", f"/v1/reservations/{made['id']}/release", role=Role.DEPARTMENT_ADMIN)
    assert (made["state"], given_up["state"]) == ("held", "released")
    assert told(platform, "reservation.") == [
        ("chen", "reservation.create", made["id"]),
        ("chen", "reservation.release", made["id"]),
    ]


def test_plans_of_moves_made_run_and_cancelled(platform: Service) -> None:
    run, cancelled = (
        post(platform, "ops", "/v1/move-plans", {"kind": "drain", "host": "host-1"}, role=Role.OPERATOR)["id"] for _ in range(2)
    )
    post(platform, "ops", f"/v1/move-plans/{run}/run", role=Role.OPERATOR)
    assert post(platform, "ops", f"/v1/move-plans/{cancelled}/cancel", role=Role.OPERATOR)["state"] == "cancelled"
    made = [("ops", "moves.plan", run), ("ops", "moves.plan", cancelled)]
    assert told(platform, "moves.") == [*made, ("ops", "moves.run", run), ("ops", "moves.cancel", cancelled)]
