"""Every list the API gives page by page: read one by one it is what it is in one piece, in the same order. On both engines."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlalchemy import select

from controller.cli.client import Client, Json
from controller.cli.contexts import Target
from controller.cli.usage import whole_report
from controller.identity.caller import Role
from controller.tickets import store, tables
from inventory.domain.host import ForeignDomain
from inventory.store import foreign, journal
from inventory.store.engine import Database
from tests.support.api import YAML, Service, service_on
from tests.support.journal import row
from tests.support.samples import ticket_text

PROJECTS = ("P-portal", "P-gauges")
WINDOW = {"from": "2026-05-01", "to": "2026-05-02"}
USED_S = round(datetime(2026, 5, 1, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp()) + 60
UUIDS = [f"0000000{n}-aaaa-4bbb-8ccc-dddddddddddd" for n in range(3)]


@pytest.fixture
def town(database: Database, tmp_path: Path) -> Iterator[Service]:
    with service_on(database, tmp_path) as platform:
        host = platform.host.id
        standing = [
            ForeignDomain(host_id=host, uuid=uuid, name="mail", vcpu_count=1, memory_mib=64, is_running=True) for uuid in UUIDS
        ]
        homes = [platform.city.projects[code] for code in PROJECTS]
        amounts = {"vcpu": 1, "memory_mib": 64}
        used = [
            row(1, resource=f"inst_{n}", occurred_at_s=USED_S, amounts=amounts, department=home.department_id, project=home.id)
            for n, home in enumerate([*homes, homes[0]])
        ]
        with platform.platform.db.write() as connection:
            foreign.save_foreign(connection, host, standing, platform.clock())
            journal.append(connection, used)
        wish = {"pool": "sim", "project": "P-portal", "system": "old", "lease_end": "2027-02-28", "machines": UUIDS}
        taken = platform.operator().post("/v1/adoptions", json=wish)
        assert taken.is_success, taken.text
        yield platform


def explanations(town: Service) -> str:
    """Return the list of the explanations of a ticket that was decided on three times."""
    made = town.operator().post("/v1/tickets", content=ticket_text("web"), headers=YAML)
    assert made.is_success, made.text
    with town.platform.db.write() as connection:
        first = dict(connection.execute(select(tables.explanations)).one()._mapping)
        store.add_explanations(connection, [{**first, "id": town.platform.new_id("explanation")} for _ in range(2)])
    return f"{made.headers['Location']}/explanations"


def pages(client: httpx.Client, path: str, field: str, limit: int, **query: str) -> list[list[dict[str, Any]]]:
    """Return the pages of a list."""
    found, after = [], ""
    while True:
        answer = client.get(path, params={**query, "limit": limit, "after": after})
        assert answer.status_code == 200, answer.text
        found.append(answer.json()[field])
        after = answer.json()["next"]
        if after is None:
            return found
        assert len(found) < 1000


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/v1/departments", ("code",)),
        ("/v1/projects", ("code",)),
        ("/v1/quotas", ("scope_id", "dimension")),
        ("/v1/hosts/host-1/foreign", ("host_id", "uuid")),
        ("/v1/pools/sim/foreign", ("host_id", "uuid")),
        ("/v1/adoptions", ("id",)),
    ],
)
def test_a_list_read_one_by_one_is_the_list(town: Service, path: str, key: tuple[str, ...]) -> None:
    client = town.operator()
    [whole] = pages(client, path, "items", 500)
    assert len(whole) > 2
    single = pages(client, path, "items", 1)
    assert all(len(page) == 1 for page in single)
    assert [page[0] for page in single] == whole
    [*full, _last] = pages(client, path, "items", 2)
    assert all(len(page) == 2 for page in full)
    keys = [tuple(item[name] for name in key) for item in whole]
    assert len(set(keys)) == len(keys)


def test_explanations_of_a_ticket_come_in_pages(town: Service) -> None:
    client = town.operator()
    path = explanations(town)
    [whole] = pages(client, path, "items", 500)
    assert len(whole) == 3
    assert [page[0] for page in pages(client, path, "items", 1)] == whole


@pytest.mark.parametrize("path", ["/v1/departments", "/v1/projects", "/v1/quotas", "/v1/adoptions"])
def test_pages_of_a_department_are_full_of_what_is_its_own(town: Service, path: str) -> None:
    everything = [item for page in pages(town.operator(), path, "items", 500) for item in page]
    own = pages(town.client(Role.DEPARTMENT_READER, "civil-it"), path, "items", 1)
    assert all(len(page) == 1 for page in own)
    assert [page[0] for page in own] == [item for item in everything if item in [page[0] for page in own]]
    assert 0 < len(own) <= len(everything)


def test_usage_comes_by_resource_and_its_totals_are_of_everything(town: Service) -> None:
    client = town.operator()
    whole = client.get("/v1/usage", params=WINDOW).json()
    assert len(whole["lines"]) == 6
    first = client.get("/v1/usage", params={**WINDOW, "limit": 1}).json()
    assert {line["resource_id"] for line in first["lines"]} == {"inst_0"}
    assert (first["totals"], first["price_yuan"]) == (whole["totals"], whole["price_yuan"])
    second = client.get("/v1/usage", params={**WINDOW, "limit": 1, "after": first["next"]}).json()
    assert (second["totals"], second["price_yuan"]) == (None, None)
    lines = [line for page in pages(client, "/v1/usage", "lines", 1, **WINDOW) for line in page]
    key = ("resource_id", "meter")
    assert lines == sorted(whole["lines"], key=lambda line: [line[name] for name in key])


class _Asked(Client):
    """The command line's client on the service of the test."""

    def __init__(self, client: httpx.Client) -> None:
        super().__init__(Target(server="http://none", token=""), "en")
        self._client = client

    def get(self, path: str, **query: Any) -> Json:
        asked = {name: value for name, value in query.items() if value != ""}
        found: Json = self._client.get(path, params=asked).raise_for_status().json()
        return found


def test_the_command_line_reads_usage_to_its_end(town: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _Asked(town.operator())
    whole = whole_report(asked, "", WINDOW["from"], WINDOW["to"])
    monkeypatch.setattr("controller.cli.client.PAGE_SIZE", 1)
    assert whole_report(asked, "", WINDOW["from"], WINDOW["to"]) == whole
    assert len(whole["lines"]) == 6


def test_a_cursor_that_is_none_of_ours_is_a_place_like_any_other(town: Service) -> None:
    for path in ("/v1/quotas", "/v1/hosts/host-1/foreign", "/v1/pools/sim/foreign", "/v1/departments"):
        answer = town.operator().get(path, params={"after": "zzzz"})
        assert (answer.status_code, answer.json()) == (200, {"items": [], "next": None})
