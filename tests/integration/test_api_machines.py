"""Orders to one machine over HTTP: start, stop, restart, console; what is refused, and what never leaves."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from controller.identity.caller import Role
from inventory.domain.resource import Desired
from inventory.domain.scope import PLATFORM
from inventory.store import resources
from tests.support.api import YAML, Service, service
from tests.support.samples import ticket_text

ADMIN = (Role.DEPARTMENT_ADMIN, "civil-it")


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Service]:
    with service(tmp_path) as found:
        yield found


def submit(client: httpx.Client) -> None:
    assert client.post("/v1/tickets", content=ticket_text("portal"), headers=YAML).status_code == 202


def test_machine_is_explained_stopped_and_started(platform: Service) -> None:
    client = platform.client(*ADMIN)
    submit(client)
    (machine,) = client.get("/v1/instances", params={"system": "portal"}).json()["items"]
    assert machine["host"] == "host-1"
    path = f"/v1/instances/{machine['id']}"
    assert client.get(f"{path}/explanation").json()["kind"] == "placement"
    assert client.get(f"{path}/console", params={"max_bytes": 7}).text == "console"
    stopped = client.post(f"{path}/stop")
    assert (stopped.status_code, stopped.json()["desired"], stopped.json()["phase"]) == (202, "stopped", "pending")
    assert stopped.json()["generation"] == machine["generation"] + 1
    again = client.post(f"{path}/stop")
    assert again.json()["generation"] == stopped.json()["generation"]
    assert client.post(f"{path}/start").json()["desired"] == "running"


def test_a_screen_is_shown_of_a_machine_that_runs_to_who_may_use_it_and_the_chain_says_so(platform: Service) -> None:
    client = platform.client(*ADMIN)
    submit(client)
    (machine,) = client.get("/v1/instances", params={"system": "portal"}).json()["items"]
    path = f"/v1/instances/{machine['id']}"
    shown = client.post(f"{path}/screen")
    assert (shown.status_code, shown.json()) == (200, {"url": f"http://screen.example/{machine['name']}"})
    assert shown.headers["Cache-Control"] == "no-store", "who has the address has the screen"
    assert platform.client(Role.DEPARTMENT_READER, "civil-it").post(f"{path}/screen").status_code == 403
    events = platform.operator().get("/v1/audit").json()["items"]
    (seen,) = [e for e in events if (e["action"], e["result"]) == ("instance.screen", "ok")]
    assert (seen["target"], "screen.example" in str(seen)) == (machine["id"], False)
    client.post(f"{path}/stop")
    assert client.post(f"{path}/screen").json()["code"] == "instance.not_running"


def test_an_explanation_names_every_host_page_by_page_to_the_platforms_people(platform: Service) -> None:
    client = platform.client(*ADMIN)
    submit(client)
    (machine,) = client.get("/v1/instances", params={"system": "portal"}).json()["items"]
    explained = client.get(f"/v1/instances/{machine['id']}/explanation").json()
    path = f"/v1/explanations/{explained['id']}"
    # Other departments have machines on these hosts: what is free there is for the platform's people.
    assert client.get(path, params={"form": "long"}).json()["code"] == "access.role_forbidden"
    operator = platform.operator()
    short = operator.get(path).json()
    assert (short["explanation"], short["items"], short["next"]) == (explained, [], None)
    hosts = [row["name"] for row in operator.get("/v1/hosts").json()["items"]]
    found: list[Any] = []
    page: dict[str, Any] = {"next": "0"}
    while page["next"] is not None:
        page = operator.get(path, params={"form": "long", "limit": 1, "after": page["next"]}).json()
        assert page["mismatches"] == []
        found += page["items"]
    assert sorted(v["host"] for v in found) == sorted(hosts)
    winner = explained["body"]["winner"]
    assert {name: found[0][name] for name in ("host", "score", "parts", "filter")} == {**winner, "filter": None}
    (one,) = operator.get(path, params={"form": "long", "host": winner["host"]}).json()["items"]
    assert one == found[0]
    assert operator.get("/v1/explanations/none").json()["code"] == "explanation.not_found"


def test_machine_is_restarted_once_however_often_that_is_ordered(platform: Service) -> None:
    client = platform.client(*ADMIN)
    submit(client)
    (machine,) = client.get("/v1/instances", params={"system": "portal"}).json()["items"]
    path = f"/v1/instances/{machine['id']}"
    ordered = client.post(f"{path}/reboot")
    assert (ordered.status_code, ordered.json()["is_reboot_due"], ordered.json()["desired"]) == (202, True, "running")
    assert client.post(f"{path}/reboot").status_code == 202
    with platform.platform.db.read() as connection:
        row = resources.get(connection, machine["id"], PLATFORM)
    assert (row.reboots_wanted, row.reboots_done, row.generation) == (1, 0, machine["generation"])
    events = [e for e in client.get("/v1/audit").json()["items"] if e["action"] == "instance.reboot"]
    assert [e["detail"]["is_new"] for e in events] == [True, False]
    assert {e["target"] for e in events} == {machine["id"]}


def test_machine_that_shall_be_off_is_not_restarted(platform: Service) -> None:
    client = platform.client(*ADMIN)
    submit(client)
    (machine,) = client.get("/v1/instances", params={"system": "portal"}).json()["items"]
    client.post(f"/v1/instances/{machine['id']}/stop")
    refused = client.post(f"/v1/instances/{machine['id']}/reboot")
    assert (refused.status_code, refused.json()["code"]) == (409, "instance.not_running")
    assert client.get(f"/v1/instances/{machine['id']}").json()["is_reboot_due"] is False


def test_machine_that_is_being_released_is_not_started(platform: Service) -> None:
    client = platform.client(*ADMIN)
    submit(client)
    (machine,) = client.get("/v1/instances").json()["items"]
    with platform.platform.db.write() as connection:
        resources.wish(connection, [machine["id"]], desired=Desired.ABSENT, ticket_id=machine["ticket_id"], now_s=1.0)
    refused = client.post(f"/v1/instances/{machine['id']}/start")
    assert (refused.status_code, refused.json()["code"]) == (409, "instance.state_forbids")


def test_user_data_never_leaves_through_the_list_of_machines(platform: Service) -> None:
    client = platform.client(*ADMIN)
    secretive = ticket_text("portal").replace(b"image: demo-linux", b'image: demo-linux, user-data: "hunter2"')
    assert client.post("/v1/tickets", content=secretive, headers=YAML).status_code == 202
    (machine,) = client.get("/v1/instances").json()["items"]
    for path in ("/v1/instances", f"/v1/instances/{machine['id']}"):
        assert "hunter2" not in client.get(path).text


def test_a_name_that_two_departments_use_is_not_guessed_at(tmp_path: Path) -> None:
    with service(tmp_path) as platform:
        operator = platform.operator()
        for department, project in (("civil-it", "P-portal"), ("water-it", "P-gauges")):
            text = ticket_text("portal", department=department, project=project)
            assert operator.post("/v1/tickets", content=text, headers=YAML).status_code == 202
        told = operator.get("/v1/systems/portal")
        assert (told.status_code, told.json()["code"]) == (409, "system.name_ambiguous")
        assert operator.get("/v1/systems/portal", params={"department": "water-it"}).status_code == 200
