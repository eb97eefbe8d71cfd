"""What a system could still get, as the API answers it and as the command shows it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from controller.cli.capacity import show_groups
from controller.cli.output import Out
from controller.cli.session import Format
from controller.identity.caller import Role
from tests.support.answers import check
from tests.support.api import Service, service
from tests.support.samples import release_text, ticket_text

YAML = {"Content-Type": "application/yaml"}
PATH = "/v1/capacity/systems/{system}"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Service]:
    with service(tmp_path) as found:
        yield found


def submit(here: Service, text: bytes, department: str = "civil-it", **query: str) -> None:
    answer = here.client(Role.DEPARTMENT_ADMIN, department).post("/v1/tickets", params=query, content=text, headers=YAML)
    assert answer.status_code == 202, answer.text


def asked(here: Service, name: str, **query: str) -> dict[str, Any]:
    answer = here.operator().get(f"/v1/capacity/systems/{name}", params=query)
    assert answer.status_code == 200, answer.text
    check(answer, f"GET {PATH}")
    found: dict[str, Any] = answer.json()
    return found


def test_each_group_of_a_system_has_a_count_and_a_reason(here: Service, capsys: pytest.CaptureFixture[str]) -> None:
    submit(here, ticket_text("portal", count=2, more=", spread: host, spread-max: 3"))
    found = asked(here, "portal")
    assert (found["system"], found["department"], found["zone"]) == ("portal", "civil-it", "gov-public")
    [group] = found["servers"]
    assert {k: v for k, v in group.items() if k != "explanation"} == {
        "server": "web", "spread": "host", "spread_max": 3, "networks": ["default"], "have": 2, "count": 1,
    }  # fmt: skip
    assert "spread" in {miss[1] for miss in group["explanation"]["misses"]}
    for language, said in (("en", "2 more of web do not fit:"), ("zh-CN", "web 再增加 2 台放不下：")):
        show_groups(Out(language, Format.TABLE, ZoneInfo("Asia/Shanghai")), found)
        told = capsys.readouterr().out
        assert said in told
        assert "host ≤ 3" in told


def test_hosts_that_survive_a_loss_are_counted_with_those_that_stand_by(here: Service) -> None:
    asked = {
        "tickets": [ticket_text("portal", count=2).decode()],
        "vcpu_count": 2,
        "memory_mib": 1024,
        "disks_gib": {"standard": 9},
    }
    for reserve, counts in (
        ({}, (1, 0)),
        ({"reserve": {"survive": "host"}}, (2, 1)),
        ({"reserve": {"survive": "rack", "count": 2}}, (3, 2)),
    ):
        answer = here.operator().post("/v1/capacity/hosts-needed", json=asked | reserve)
        assert answer.status_code == 200, answer.text
        check(answer, "POST /v1/capacity/hosts-needed")
        [zone] = answer.json()["zones"]
        assert (zone["host_count"], zone["standby_count"]) == counts
    for wrong in ({"survive": "room"}, {"survive": "host", "count": 0}, {"survive": "host", "count": 9}):
        assert here.operator().post("/v1/capacity/hosts-needed", json=asked | {"reserve": wrong}).status_code == 422


def test_a_system_that_two_departments_have_is_told_apart_and_one_that_goes_is_refused(here: Service) -> None:
    submit(here, ticket_text("portal"))
    submit(here, ticket_text("portal", department="water-it", project="P-gauges"), department="water")
    ambiguous = here.operator().get("/v1/capacity/systems/portal")
    assert (ambiguous.status_code, ambiguous.json()["code"]) == (409, "system.name_ambiguous")
    assert asked(here, "portal", department="water-it")["department"] == "water-it"
    submit(here, release_text("portal"), confirm="portal")
    going = here.operator().get("/v1/capacity/systems/portal", params={"department": "civil-it"})
    assert (going.status_code, going.json()["code"]) == (409, "system.releasing")
