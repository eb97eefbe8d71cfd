"""A department's whole story through the command line, against a real service: ticket, machines, bill, change, release."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.samples import change_text
from tests.support.service import ServiceUnderTest, service, ticket


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceUnderTest]:
    """A running service; here it and every command are processes that begin with nothing, as people start them."""
    with service(tmp_path_factory.mktemp("service"), is_warm=False) as found:
        yield found


def test_a_ticket_becomes_machines_and_a_bill_and_is_given_back(running: ServiceUnderTest) -> None:
    file = running.write("portal.yaml", ticket("portal", count=2))
    department = running.token("zhang", "department_admin", "civil-affairs")

    assert "no mistakes" in running.ok("--token-file", department, "check", file).out
    planned = running.allot("--token-file", department, "plan", file)
    assert planned.code == 2, planned.err
    assert "web-2" in planned.out
    assert "Fits: 2 machines on 1 host.\n  host-" in planned.out

    applied = running.ok("--token-file", department, "apply", file, "--yes", "--wait")
    assert "is done" in applied.out
    assert "web-1: machine started" in applied.err
    machines = _machines(running, "portal")
    assert {m["name"]: m["observed"] for m in machines} == {"web-1": "running", "web-2": "running"}
    assert all(m["nics"][0]["address"].startswith("10.96.") for m in machines)

    assert running.ok("plan", file).out.count("No changes") == 1
    again = running.ok("--token-file", department, "apply", file, "--yes", "-o", "json").json
    assert again["state"] == "done"
    assert len(running.ok("get", "tickets", "--system", "portal", "-o", "json").json) == 1

    assert "on host host-" in running.ok("explain", "portal/web-1").out
    long = running.ok("explain", "portal/web-1", "--long")
    assert "it is what is stored" in long.out
    assert "+ host-1: score" in long.out
    assert running.ok("explain", "portal/web-1", "--host", "host-1", "-o", "name").out == "host-1\n"
    assert "active" in running.ok("get", "portal").out
    assert "simulated" in running.ok("console", "portal/web-1").out
    assert running.ok("screen", "portal/web-1").out.startswith("http://screen.simulated/")
    usage = running.ok("usage", "--department", "civil-affairs", "--from", "2020-01-01", "-o", "json").json
    assert {line["meter"] for line in usage["lines"]} >= {"vcpu", "memory_mib", "address"}

    change = running.write("change.yaml", _change("portal", base=1, count=3))
    changed = running.ok("apply", change, "--yes", "--wait")
    assert "web-3: machine started" in changed.err

    portal = running.ok("get", "portal", "-o", "name").out.strip()
    released = running.ok("--token-file", department, "release", "portal", "--confirm", "portal", "--wait")
    assert "is done" in released.out
    assert _machines(running, portal) == []
    assert running.ok("quota", "audit").out.startswith("Every counter equals")
    assert "intact" in running.ok("audit", "verify").out


def _machines(running: ServiceUnderTest, system: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = running.ok("get", "instances", "--system", system, "-o", "json").json
    return found


def _change(name: str, *, base: int, count: int) -> str:
    return change_text(name, f"{{name: web, count: {count}}}", base=base, department="civil-affairs").decode()


def test_a_production_system_is_released_by_two_people(running: ServiceUnderTest) -> None:
    first = running.token("wang", "department_admin", "civil-affairs")
    second = running.token("zhao", "department_admin", "civil-affairs")
    file = running.write("mail.yaml", ticket("mail", environment="production"))
    running.ok("--token-file", first, "apply", file, "--yes", "--wait")

    mail = running.ok("get", "mail", "-o", "name").out.strip()
    asked = running.ok("--token-file", first, "release", "mail", "--confirm", "mail", "-o", "json").json
    assert asked["state"] == "awaiting_approval"
    own = running.allot("--token-file", first, "approve", asked["id"])
    assert own.code == 1
    assert "approval.own_ticket" in own.err
    running.ok("--token-file", second, "approve", asked["id"], "--reason", "agreed")
    assert "is done" in running.ok("--token-file", first, "status", "mail", "--wait").out
    assert _machines(running, mail) == []


def test_a_waiting_release_can_be_turned_down(running: ServiceUnderTest) -> None:
    first = running.token("qian", "department_admin", "civil-affairs")
    second = running.token("sun", "operator")
    file = running.write("forum.yaml", ticket("forum", environment="production"))
    running.ok("--token-file", first, "apply", file, "--yes", "--wait")
    asked = running.ok("--token-file", first, "release", "forum", "--confirm", "forum", "-o", "name").out.strip()
    running.ok("--token-file", second, "reject", asked, "--reason", "still in use")
    told = running.ok("status", asked).out
    assert "refused" in told
    assert "still in use" in told
    assert len(_machines(running, "forum")) == 1


def test_another_departments_system_is_not_found(running: ServiceUnderTest) -> None:
    file = running.write("archive.yaml", ticket("archive"))
    running.ok("apply", file, "--yes", "--wait")
    other = running.token("edu", "department_reader", "education")
    seen = running.allot("--token-file", other, "describe", "system", "archive")
    assert seen.code == 1
    assert "system.not_found" in seen.err
    assert running.ok("--token-file", other, "get", "systems", "-o", "json").json == []


def test_what_fits_nowhere_is_refused_with_the_reason_and_kept(running: ServiceUnderTest) -> None:
    file = running.write("giant.yaml", ticket("giant", size="huge"))
    planned = running.allot("plan", file)
    assert planned.code == 1
    assert "It does not fit" in planned.out
    refused = running.allot("apply", file, "--yes")
    assert refused.code == 1
    assert "placement.no_host_fits" in refused.err
    kept = running.ok("get", "tickets", "--state", "refused", "-o", "json").json
    mine = next(t for t in kept if t["system_name"] == "giant")
    assert "is short of" in running.ok("explain", mine["id"]).out


def test_what_is_over_quota_is_refused_with_every_overrun(running: ServiceUnderTest) -> None:
    text = ticket("school", count=3, department="education", project="P-SCHOOL")
    refused = running.allot("apply", running.write("school.yaml", text), "--yes")
    assert refused.code == 1
    assert "quota.exceeded" in refused.err
    for dimension in ("vcpu", "instances", "addresses", "volumes"):
        assert f"{dimension} of education: limit 1, used 0, 3 afterwards" in refused.err


def test_every_mistake_of_a_ticket_is_told_with_its_place(running: ServiceUnderTest) -> None:
    wrong = ticket("wrong", size="gigantic", project="P-NONE")
    for command in (("check",), ("plan",), ("apply", "--yes")):
        told = running.allot(command[0], running.write("wrong.yaml", wrong), *command[1:])
        assert told.code == 1
        assert "wrong.yaml:5:" in told.err
        assert "wrong.yaml:11:" in told.err
        assert "Traceback" not in told.err
    chinese = running.allot("--lang", "zh-CN", "check", "wrong.yaml")
    assert "处理办法" in chinese.err


def test_a_stopped_machine_is_started_again(running: ServiceUnderTest) -> None:
    running.ok("apply", running.write("queue.yaml", ticket("queue")), "--yes", "--wait")
    running.ok("stop", "queue/web-1")
    _until(running, "queue/web-1", "stopped")
    running.ok("start", "queue/web-1")
    _until(running, "queue/web-1", "running")


def _until(running: ServiceUnderTest, machine: str, state: str) -> None:
    for _ in range(40):
        if running.ok("describe", "instance", machine, "-o", "json").json["observed"] == state:
            return
    pytest.fail(f"{machine} is not {state}")


def test_a_waiting_ticket_is_cancelled_by_its_department_and_only_once(running: ServiceUnderTest) -> None:
    owner = running.token("zhou", "department_admin", "civil-affairs")
    stranger = running.token("wu", "department_admin", "education")
    file = running.write("shop.yaml", ticket("shop", environment="production"))
    running.ok("--token-file", owner, "apply", file, "--yes", "--wait")
    asked = running.ok("--token-file", owner, "release", "shop", "--confirm", "shop", "-o", "name").out.strip()
    unseen = running.allot("--token-file", stranger, "cancel", asked)
    assert (unseen.code, unseen.err.partition(":")[0]) == (1, "ticket.not_found")
    assert running.ok("status", asked, "-o", "json").json["state"] == "awaiting_approval"

    assert asked in running.ok("--token-file", owner, "cancel", asked).out
    assert "cancelled" in running.ok("--token-file", owner, "status", asked).out
    assert "已撤回" in running.ok("--lang", "zh-CN", "status", asked).out
    assert [m["observed"] for m in _machines(running, "shop")] == ["running"]
    for verb in ("cancel", "retry"):
        again = running.allot("--token-file", owner, verb, asked)
        assert again.code == 1
        assert "ticket.state_forbids" in again.err
        assert "what to do" in again.err
    late = running.allot("approve", asked)
    assert (late.code, "ticket.state_forbids" in late.err) == (1, True)
    noted = [e for e in running.ok("audit", "list", "-o", "json").json if e["action"] == "ticket.cancel"]
    assert [(e["actor"], e["result"]) for e in noted] == [("wu", "refused"), ("zhou", "ok"), ("zhou", "refused")]
    # What was withdrawn can be asked for again.
    again = running.ok("--token-file", owner, "release", "shop", "--confirm", "shop", "-o", "json").json
    assert (again["state"], again["id"] != asked) == ("awaiting_approval", True)


@pytest.mark.parametrize(("language", "said"), [("en", "cli.file_unreadable: the file"), ("zh-CN", "cli.file_unreadable：")])
def test_an_import_of_a_file_that_is_not_there_asks_nothing_of_the_service(
    running: ServiceUnderTest, language: str, said: str
) -> None:
    before = running.ok("audit", "verify").out
    for file in ("nowhere.yaml", "no/where.yaml", "."):
        told = running.allot("--lang", language, "import", file, "--yes")
        assert told.code == 1
        assert told.err.startswith(said)
        assert file in told.err
        assert ("what to do" if language == "en" else "处理办法") in told.err
        assert "Traceback" not in told.err
    assert running.ok("audit", "verify").out == before
