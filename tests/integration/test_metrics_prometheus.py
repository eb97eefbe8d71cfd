"""The shipped Prometheus files in a real Prometheus, and every panel of the dashboard on what it scraped."""

import json
import re
import shutil
import subprocess
import threading
import time
from pathlib import Path

import httpx
import pytest
import yaml

from controller.paths import data_dir
from controller.workflows import ledger
from tests.support.database import sqlite_database
from tests.support.metrics import ask_something, lose_a_host, served, watch
from tests.support.prometheus import FILES, PROMETHEUS, prometheus, result, settled

RULE_TESTS = tuple(sorted(file.name for file in FILES.glob("rules*_test.yml")))
DASHBOARDS = sorted((data_dir("etc") / "grafana").glob("*.json"))
PROMTOOL = shutil.which("promtool")
#: What is nought where all is well and no work is left: faults, delays, others' guests, what is held or over, months to close.
_WELL = re.compile(
    "allot_(vcpu_foreign|memory_foreign|tickets|ticket_oldest|journal_lag|findings|leases|driver_faults|driver_breaker|invariant"
    "|holds|ledger_due|ledger_oldest_due|periods_unclosed|period_closed|ledger_differences|ledger_seal_faults|metering_price_gap"
    "|metering_unexplained|vcpu_held|memory_held|vcpu_over|memory_over|disk_over|vcpu_stranded|memory_stranded"
    "|reserve_uncovered|size_fragmentation)"
)
requires_promtool = pytest.mark.skipif(PROMTOOL is None, reason="needs promtool (Debian package prometheus)")
requires_prometheus = pytest.mark.skipif(PROMETHEUS is None, reason="needs prometheus (Debian package prometheus)")


@requires_promtool
@pytest.mark.parametrize(
    "command", [("check", "rules", "rules.yml"), ("test", "rules", *RULE_TESTS), ("check", "config", "scrape.yml")]
)
def test_promtool_accepts_what_we_ship(command: tuple[str, ...]) -> None:
    done = _promtool(FILES, *command)
    assert done.returncode == 0, done.stdout + done.stderr


# It runs promtool for each rule and each figure: a minute and a half on two free cores.
@pytest.mark.timeout(1200)
@requires_promtool
def test_the_tests_of_the_rules_notice_an_alert_that_never_fires_and_a_figure_that_is_wrong(tmp_path: Path) -> None:
    shutil.copytree(FILES, tmp_path / "files")
    rules = (FILES / "rules.yml").read_text("utf-8")
    unnoticed = []
    alerts, recorded = (group["rules"] for group in yaml.safe_load(rules)["groups"])
    broken_by = [(r["alert"], r["expr"], "({}) and vector(1) == 2") for r in alerts]
    broken_by += [(r["record"], r["expr"], "({}) * 2") for r in recorded]
    for name, expression, how in broken_by:
        broken = rules.replace(f"expr: '{expression}'", f"expr: '{how.format(expression)}'")
        assert broken != rules, name
        (tmp_path / "files" / "rules.yml").write_text(broken, "utf-8")
        own = [file for file in RULE_TESTS if name in (FILES / file).read_text("utf-8")]
        if _promtool(tmp_path / "files", "test", "rules", *own).returncode == 0:
            unnoticed.append(name)
    assert unnoticed == []


@requires_prometheus
def test_every_panel_and_alert_works_on_a_real_scrape(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        watched = watch(database, tmp_path, world="prometheus")
        watched.apply("portal")
        watched.work()
        watched.bill()
        lose_a_host(watched)
        ask_something(watched.counters)
        stop = threading.Event()
        collector = threading.Thread(target=watched.snapshot.run, args=(stop,))
        collector.start()
        try:
            with served(watched.snapshot) as target, prometheus(tmp_path, target) as api:
                assert _still_empty(api, _panel_queries(), deadline_s=60) == []
                # More work while it is watched: what rates and slopes are taken of grows, and what is free falls.
                watched.apply("mail", count=12)
                watched.work()
                watched.furnished.clock.now_s += 3600.0
                ledger.catch_up(watched.furnished.platform)
                ask_something(watched.counters)
                parts = [part for query in _panel_queries() for part in _alternatives(query)]
                assert settled(api, [p for p in parts if not _WELL.search(p)], deadline_s=60) == []
                assert _still_empty(api, ['ALERTS{alertname="AllotHostUnreachable", host="host-0002"}'], deadline_s=60) == []
                loaded = api.get("/api/v1/rules").json()["data"]["groups"][0]["rules"]
        finally:
            stop.set()
            collector.join()
    assert {rule["name"]: (rule["health"], rule.get("lastError", "")) for rule in loaded} == {
        rule["alert"]: ("ok", "") for rule in yaml.safe_load((FILES / "rules.yml").read_text("utf-8"))["groups"][0]["rules"]
    }


def _promtool(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(PROMTOOL), *command], cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def _panel_queries() -> list[str]:
    panels = [panel for board in DASHBOARDS for panel in json.loads(board.read_text("utf-8"))["panels"]]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    assert len(queries) > 20
    return [q.replace("$__rate_interval", "10s").replace("$pool", ".*").replace("$department", ".*") for q in queries]


def _alternatives(query: str) -> list[str]:
    """Return the parts of a query that stand for each other, without one that is only there to say that there is none."""
    return [part for part in query.split(" or ") if "* 0" not in part]


def _still_empty(api: httpx.Client, queries: list[str], *, deadline_s: float) -> list[str]:
    """Return the queries without a result; a rate needs a few scrapes, so ask again until the deadline."""
    deadline = time.monotonic() + deadline_s
    while (queries := [q for q in queries if not result(api, q)]) and time.monotonic() < deadline:
        time.sleep(0.3)
    return queries
