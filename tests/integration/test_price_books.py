"""Price books through the API: a draft, two others who agree, in force; never edited, never two at once."""

from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from controller.identity import audit
from controller.identity.caller import Role
from controller.tickets import store as approval_store
from inventory.domain.scope import PLATFORM
from tests.support.api import YAML, Service, service
from tests.support.people import as_person

CPU = '  - {meter: vcpu, unit: vcpu-hour, price: "0.0764"}\n'


@pytest.fixture
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("books")) as found:
        yield found


def book(first: str, last: str = "", *, replaces: str = "", prices: str = CPU, name: str = "city") -> bytes:
    end = f"valid-to: {last}\n" if last else ""
    instead = f"replaces: {replaces}\n" if replaces else ""
    head = f"apiVersion: allotment/v1\nkind: PriceBook\nname: {name}\nvalid-from: {first}\n"
    return f"{head}{end}{instead}prices:\n{prices}".encode()


def submit(platform: Service, data: bytes, who: str = "wang") -> httpx.Response:
    return as_person(platform, who, Role.FINANCE).post("/v1/price-books", content=data, headers=YAML)


def approve(platform: Service, id_: str, who: str) -> httpx.Response:
    return as_person(platform, who, Role.FINANCE).post(f"/v1/price-books/{id_}/approve", json={"reason": "checked"})


def in_force(platform: Service, data: bytes) -> str:
    id_ = submit(platform, data).json()["id"]
    for who in ("li", "zhao"):
        assert approve(platform, id_, who).status_code == 200
    return str(id_)


def test_a_draft_holds_when_two_others_have_agreed_and_everything_is_sealed(platform: Service) -> None:
    draft = submit(platform, book("2020-01-01"))
    assert (draft.status_code, draft.json()["state"]) == (201, "draft")
    id_ = draft.json()["id"]
    assert approve(platform, id_, "wang").json()["code"] == "book.own"
    assert approve(platform, id_, "li").json()["state"] == "draft"
    assert approve(platform, id_, "li").json()["code"] == "book.decided_already"
    found = approve(platform, id_, "zhao").json()
    assert found["state"] == "effective"
    assert [a["decided_by"] for a in found["approvals"]] == ["li", "zhao"]
    assert approve(platform, id_, "chen").json()["code"] == "book.state_forbids"
    with platform.platform.db.read() as connection:
        events = [e["action"] for e in audit.page(connection, PLATFORM, limit=20) if e["target"] == id_ and e["result"] == "ok"]
        assert {a.subject_kind for a in approval_store.approvals(connection, id_)} == {"price_book"}
    assert events == ["book.submit", "book.approve", "book.approve"]


def test_the_same_bytes_again_give_the_same_draft(platform: Service) -> None:
    first, second = (submit(platform, book("2020-01-01")).json() for _ in range(2))
    assert first == second
    assert (first["version"], submit(platform, book("2021-01-01")).json()["version"]) == (1, 2)


def test_a_rejected_draft_stays_rejected_and_may_be_handed_in_anew(platform: Service) -> None:
    id_ = submit(platform, book("2020-01-01")).json()["id"]
    rejected = as_person(platform, "li", Role.FINANCE).post(f"/v1/price-books/{id_}/reject", json={"reason": "too dear"})
    assert rejected.json()["state"] == "rejected"
    assert approve(platform, id_, "zhao").json()["code"] == "book.state_forbids"
    assert submit(platform, book("2020-01-01")).json()["id"] != id_


def test_two_versions_never_hold_at_once(platform: Service) -> None:
    first = in_force(platform, book("2020-01-01", "2030-01-01"))
    refused = submit(platform, book("2029-12-31"))
    assert (refused.status_code, refused.json()["code"]) == (409, "book.overlap")
    second = in_force(platform, book("2030-01-01"))
    states = {b["id"]: b["state"] for b in platform.client(Role.AUDITOR).get("/v1/price-books").json()["items"]}
    assert states == {first: "effective", second: "approved"}


def test_drafts_that_would_overlap_are_told_apart_by_the_last_approval(platform: Service) -> None:
    one, other = (submit(platform, book("2020-01-01", name=n)).json()["id"] for n in ("a", "b"))
    for id_ in (one, other):
        approve(platform, id_, "li")
    assert approve(platform, one, "zhao").json()["state"] == "effective"
    assert approve(platform, other, "zhao").json()["code"] == "book.overlap"


def test_a_version_that_replaces_another_ends_it_where_it_begins(platform: Service) -> None:
    old = in_force(platform, book("2020-01-01"))
    new = in_force(platform, book("2026-01-01", replaces=old))
    found = {b["id"]: b for b in platform.operator().get("/v1/price-books").json()["items"]}
    assert found[old]["to_s"] == found[new]["from_s"]
    assert found[old]["state"] in ("retired", "effective")
    nothing = submit(platform, book("2019-01-01", replaces=old))
    assert nothing.json()["code"] == "book.replaces_nothing"


def test_the_database_refuses_to_edit_or_delete_a_version(platform: Service) -> None:
    in_force(platform, book("2020-01-01"))
    for statement in (
        "UPDATE price_books SET body = '{}'",
        "UPDATE price_books SET from_s = 0",
        "UPDATE price_books SET created_by = 'li'",
        "DELETE FROM price_books",
    ):
        with pytest.raises(DBAPIError, match="never change"), platform.platform.db.write() as connection:
            connection.execute(text(statement))


def test_every_mistake_comes_back_with_line_and_column(platform: Service) -> None:
    data = book("2020-01-01", prices='  - {meter: cpu, unit: x, price: "1"}\n  - {meter: vcpu, unit: GiB, price: "1"}\n')
    answer = as_person(platform, "wang", Role.FINANCE).post("/v1/price-book-checks", content=data, headers=YAML)
    assert answer.status_code == 422
    assert [(p["code"], p["line"]) for p in answer.json()["problems"]] == [("price.meter_unknown", 6), ("book.wrong_unit", 7)]
    assert platform.operator().get("/v1/price-books").json()["items"] == []


def test_a_good_document_is_told_to_be_good_and_not_stored(platform: Service) -> None:
    answer = as_person(platform, "wang", Role.FINANCE).post("/v1/price-book-checks", content=book("2020-01-01"), headers=YAML)
    assert (answer.status_code, answer.json()["rate_count"]) == (200, 2)
    assert platform.operator().get("/v1/price-books").json()["items"] == []


def test_a_service_is_entered_by_one_and_agreed_to_by_another(platform: Service) -> None:
    body = {"project": "P-portal", "meter": "service:move", "amount": 2, "start": "2026-05-01", "reason": "moved two portals"}
    entered = as_person(platform, "wang", Role.FINANCE).post("/v1/usage-entries", json=body)
    assert (entered.status_code, entered.json()["state"]) == (201, "pending")
    path = f"/v1/usage-entries/{entered.json()['id']}/approve"
    assert as_person(platform, "wang", Role.FINANCE).post(path).json()["code"] == "entry.own"
    assert as_person(platform, "li", Role.OPERATOR).post(path).json()["state"] == "approved"
    assert as_person(platform, "zhao", Role.FINANCE).post(path).json()["code"] == "entry.decided"
    own = platform.client(Role.DEPARTMENT_READER, "civil-it").get("/v1/usage-entries").json()["items"]
    assert [e["reason"] for e in own] == ["moved two portals"]
    assert platform.client(Role.DEPARTMENT_READER, "water").get("/v1/usage-entries").json()["items"] == []
    with pytest.raises(DBAPIError, match="never change"), platform.platform.db.write() as connection:
        connection.execute(text("UPDATE usage_entries SET amount = 3"))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"meter": "vcpu"}, "entry.meter_is_measured"),
        ({"meter": "service"}, "price.meter_unknown"),
        ({"reason": " "}, "entry.reason_missing"),
        ({"project": "P-none"}, "entry.project_unknown"),
        ({"end": "2026-05-01"}, "entry.window_empty"),
        ({"start": "yesterday"}, "usage.moment_unreadable"),
    ],
)
def test_a_bad_entry_is_refused(platform: Service, change: dict[str, str], code: str) -> None:
    body = {"project": "P-portal", "meter": "service:move", "amount": 2, "start": "2026-05-01", "reason": "moved", **change}
    assert as_person(platform, "wang", Role.FINANCE).post("/v1/usage-entries", json=body).json()["code"] == code
