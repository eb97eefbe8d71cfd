"""The stories of all tickets in one list: in order, page by page, and nothing of other departments."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from controller.identity.caller import Role
from controller.tickets import store
from controller.workflows import tickets
from inventory.domain.errors import Invalid
from inventory.domain.scope import PLATFORM, Scope
from inventory.store.engine import Database
from tests.support.api import YAML, Service, service
from tests.support.platform import Furnished, furnish
from tests.support.samples import ticket_text


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Furnished:
    return furnish(database, tmp_path)


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Service]:
    with service(tmp_path) as found:
        yield found


def _told(here: Furnished) -> list[str]:
    """Write stories whose lines interleave and partly share a moment; return their texts in order."""
    first, second = (tickets.submit(here.platform, ticket_text(name), here.caller()) for name in ("one", "two"))
    with here.platform.db.write() as connection:
        for at_s, ticket, subject in (
            (2_000_000_000.25, second, "a"), (2_000_000_000.25, first, "b"), (2_000_000_001.0, first, "c"),
            (2_000_000_001.5, second, "d"),
        ):  # fmt: skip
            store.add_events(connection, ticket.id, [(subject, "step.ticket_done", {})], at_s)
    return ["b", "a", "c", "d"] if first.id < second.id else ["a", "b", "c", "d"]


def test_every_line_is_told_once_in_the_order_it_happened(here: Furnished) -> None:
    wanted = _told(here)
    found: list[str] = []
    after = ""
    for _ in range(20):
        with here.platform.db.read() as connection:
            page = store.events_page(connection, PLATFORM, limit=1, after=after, since_s=2_000_000_000)
        if not page:
            break
        found += [line.event.subject for line in page]
        after = page[-1].cursor
    assert found == wanted


def test_lines_of_one_system_are_told_alone(here: Furnished) -> None:
    _told(here)
    with here.platform.db.read() as connection:
        found = store.events_page(connection, PLATFORM, limit=100, system="two")
    assert {line.system_name for line in found} == {"two"}
    assert found[0].event.code == "step.accepted"


def test_lines_of_other_departments_are_not_told(here: Furnished) -> None:
    _told(here)
    with here.platform.db.read() as connection:
        everything = store.events_page(connection, PLATFORM, limit=100)
        own = Scope(frozenset({everything[0].department_id}))
        assert store.events_page(connection, own, limit=100) == everything
        assert store.events_page(connection, Scope(frozenset()), limit=100) == []


@pytest.mark.parametrize("cursor", ["x", "1,ticket", "nan,ticket_1,1", "1e400,t,1", "1,t,99999999999", "1,,1", "١,t,1"])
def test_a_cursor_of_somebody_elses_making_is_refused(here: Furnished, cursor: str) -> None:
    with here.platform.db.read() as connection, pytest.raises(Invalid, match=r"request\.cursor_unreadable"):
        store.events_page(connection, PLATFORM, limit=1, after=cursor)


def _pages(client: httpx.Client) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    query: dict[str, str | int] = {"limit": 1}
    for _ in range(20):
        page = client.get("/v1/events", params=query).json()
        found += page["items"]
        if page["next"] is None:
            break
        query = {"limit": 1, "after": page["next"]}
    return found


def test_events_are_read_over_http_page_by_page_in_both_languages(platform: Service) -> None:
    client = platform.client(Role.DEPARTMENT_ADMIN, "civil-it")
    made = [client.post("/v1/tickets", content=ticket_text(name), headers=YAML).json()["id"] for name in ("one", "two")]
    found = _pages(client)
    assert [e["ticket_id"] for e in found] == made
    assert {e["code"] for e in found} == {"step.accepted"}
    assert all(e["text"] == e["text_en"] != e["text_zh"] for e in found)
    assert _pages(platform.client(Role.DEPARTMENT_ADMIN, "water")) == []
    assert len(_pages(platform.operator())) == 2


def test_a_cursor_nobody_gave_is_a_problem_with_its_cure(platform: Service) -> None:
    answer = platform.operator().get("/v1/events", params={"after": "yesterday"})
    assert (answer.status_code, answer.json()["code"]) == (422, "request.cursor_unreadable")
