"""The shipped Prometheus files in a real Prometheus, and every panel of the dashboard on what it scraped."""

import json
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from controller.paths import data_dir
from controller.workflows import ledger
from tests.support.database import sqlite_database
from tests.support.metrics import ask_something, lose_a_host, served, watch

FILES = data_dir("etc") / "prometheus"
RULE_TESTS = tuple(sorted(file.name for file in FILES.glob("rules*_test.yml")))
DASHBOARDS = sorted((data_dir("etc") / "grafana").glob("*.json"))
PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
#: What is nought where all is well and no work is left: faults, delays, others' guests, months to close.
_WELL = re.compile(
    "allot_(vcpu_foreign|memory_foreign|tickets|ticket_oldest|journal_lag|findings|leases|driver_faults|driver_breaker|invariant"
    "|holds|periods_unclosed|period_closed|ledger_differences|metering_price_gap)"
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


@requires_promtool
def test_the_tests_of_the_alerts_notice_one_that_never_fires(tmp_path: Path) -> None:
    shutil.copytree(FILES, tmp_path / "files")
    rules = (FILES / "rules.yml").read_text("utf-8")
    unnoticed = []
    for rule in yaml.safe_load(rules)["groups"][0]["rules"]:
        expression = rule["expr"]
        broken = rules.replace(f"expr: '{expression}'", f"expr: '({expression}) and vector(1) == 2'")
        assert broken != rules, rule["alert"]
        (tmp_path / "files" / "rules.yml").write_text(broken, "utf-8")
        if _promtool(tmp_path / "files", "test", "rules", *RULE_TESTS).returncode == 0:
            unnoticed.append(rule["alert"])
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
            with served(watched.snapshot) as target, _prometheus(tmp_path, target) as api:
                assert _still_empty(api, _panel_queries(), deadline_s=60) == []
                # More work while it is watched: what rates and slopes are taken of grows, and what is free falls.
                watched.apply("mail", count=12)
                watched.work()
                watched.furnished.clock.now_s += 3600.0
                ledger.catch_up(watched.furnished.platform)
                ask_something(watched.counters)
                parts = [part for query in _panel_queries() for part in _alternatives(query)]
                assert _still_empty(api, [p for p in parts if not _WELL.search(p)], deadline_s=60, found=_nonzero) == []
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


def _nonzero(api: httpx.Client, query: str) -> bool:
    """Tell whether a query finds a figure that is not nought."""
    return any(float(series["value"][1]) != 0 for series in _result(api, query) if series["value"][1] != "NaN")


def _found(api: httpx.Client, query: str) -> bool:
    return bool(_result(api, query))


def _still_empty(
    api: httpx.Client, queries: list[str], *, deadline_s: float, found: Callable[[httpx.Client, str], bool] = _found
) -> list[str]:
    """Return the queries without a result; a rate needs a few scrapes, so ask again until the deadline."""
    deadline = time.monotonic() + deadline_s
    while (queries := [q for q in queries if not found(api, q)]) and time.monotonic() < deadline:
        time.sleep(0.3)
    return queries


def _result(api: httpx.Client, query: str) -> list[Any]:
    answer = api.get("/api/v1/query", params={"query": query}).json()
    assert answer["status"] == "success", (query, answer)
    found: list[Any] = answer["data"]["result"]
    return found


@contextmanager
def _prometheus(folder: Path, target: int) -> Iterator[httpx.Client]:
    """Run the shipped configuration against ``target`` (a loopback port), faster and on a port of its own."""
    config = yaml.safe_load((FILES / "scrape.yml").read_text("utf-8"))
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{target}"]}]
    shutil.copy(FILES / "rules.yml", folder / "rules.yml")
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), "utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        str(PROMETHEUS),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "prometheus.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as api:
                _wait_until_ready(api, process, folder / "prometheus.log")
                yield api
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_until_ready(api: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if api.get("/-/ready").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(log.read_text("utf-8", "replace")[-2000:])
