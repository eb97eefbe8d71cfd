"""A host is emptied through the service: planned, run, and every machine seen running elsewhere."""

from pathlib import Path

from tests.support.libvirtd import until
from tests.support.service import service, ticket


def test_a_drained_host_is_empty_and_its_machine_runs_on_the_other(tmp_path: Path) -> None:
    with service(tmp_path / "service") as found:
        found.ok("apply", found.write("one.yaml", ticket("one")), "--yes", "--wait")
        [before] = found.ok("get", "instances", "-o", "json").json
        drained = before["host"]
        plan = found.ok("plan-moves", "drain", drained, "-o", "json").json
        assert [step["target"] for step in plan["steps"]] == [{"host-1": "host-2", "host-2": "host-1"}[drained]]
        found.ok("plan-moves", "run", plan["id"])
        until(lambda: found.ok("plan-moves", "show", plan["id"], "-o", "json").json["state"] == "done", 60, "the plan is done")
        [after] = found.ok("get", "instances", "-o", "json").json
        assert (after["id"], after["host"], after["observed"]) == (before["id"], plan["steps"][0]["target"], "running")
        why = found.ok("explain", "one/web-1").out
        assert f"on host {before['host']} (of 2" in why
        assert f"web-1 was moved since: it is on host {after['host']} now." in why
        assert found.ok("get", "findings", "-o", "json").json == []
