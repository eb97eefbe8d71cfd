"""Prometheus' own tool asks the running service what to scrape, and takes every answer; Prometheus follows it."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import yaml

from tests.support.prometheus import FILES, PROMETHEUS, prometheus_of, result
from tests.support.service import ServiceUnderTest, service, ticket

PROMTOOL = shutil.which("promtool")
pytestmark = pytest.mark.skipif(PROMTOOL is None, reason="needs promtool (Debian package prometheus)")


def told(running: ServiceUnderTest, job: str) -> list[dict[str, Any]]:
    """Return what ``promtool check service-discovery`` made of the answers to one job; it ends with 0, or the test fails."""
    jobs = [
        {"job_name": name, "http_sd_configs": [{"url": f"{running.url}/v1/discovery/{name}?port=9177"}],
         "relabel_configs": [{"source_labels": ["__meta_allot_host"], "target_label": "host"}]}
        for name in ("hosts", "instances")
    ]  # fmt: skip
    (running.directory / "prometheus.yml").write_text(yaml.safe_dump({"scrape_configs": jobs}), "utf-8")
    done = subprocess.run(
        [str(PROMTOOL), "check", "service-discovery", "--timeout=10s", "prometheus.yml", job],
        cwd=running.directory, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_promtool_finds_the_hosts_the_service_tells_of(running: ServiceUnderTest) -> None:
    found = told(running, "hosts")
    assert {one["labels"]["host"] for one in found} == {"host-1", "host-2"}
    assert {one["labels"]["__address__"] for one in found} == {"world:9177"}
    assert {one["discoveredLabels"]["__meta_allot_admin_state"] for one in found} == {"active"}
    assert [one["error"] for one in found if one.get("error")] == []


def test_promtool_finds_a_machine_once_it_has_an_address_and_none_before(running: ServiceUnderTest) -> None:
    assert told(running, "instances") == []
    running.ok("apply", running.write("ticket.yaml", ticket("scraped", count=2)), "--wait", "--yes")
    found = told(running, "instances")
    assert {one["discoveredLabels"]["__meta_allot_system"] for one in found} == {"scraped"}
    assert {one["discoveredLabels"]["__meta_allot_name"] for one in found} == {"web-1", "web-2"}
    assert all(one["labels"]["__address__"].startswith("10.96.") for one in found)


@contextmanager
def exporters() -> Iterator[tuple[int, set[str]]]:
    """Stand for every exporter there is; yields the port, and the addresses that were asked for."""
    asked: set[str] = set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.update(parse_qs(urlsplit(self.path).query)["target"])
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(b"node_boot_time_seconds 1\n")

        def log_request(self, *args: object) -> None:
            """Say nothing: the test tells what failed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1], asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def shipped_jobs() -> list[dict[str, Any]]:
    """Return the jobs that stand as comments in the shipped configuration."""
    lines = (FILES / "scrape.yml").read_text("utf-8").splitlines()
    commented = [line.removeprefix("  # ") for line in lines if line.startswith(("  # - ", "  #   "))]
    found: list[dict[str, Any]] = yaml.safe_load("\n".join(commented))
    return found


def followed(running: ServiceUnderTest, exporter: int) -> dict[str, Any]:
    """Return the shipped jobs, quicker, with one exporter in the place of all: it is told which it stands for."""
    jobs = shipped_jobs()
    for job in jobs:
        [discovery] = job["http_sd_configs"]
        discovery["url"] = discovery["url"].replace("http://127.0.0.1:8470", running.url)
        discovery["refresh_interval"] = "1s"
        job["relabel_configs"] += [
            {"source_labels": ["__address__"], "target_label": "__param_target"},
            {"source_labels": ["__address__"], "target_label": "instance"},
            {"target_label": "__address__", "replacement": f"127.0.0.1:{exporter}"},
        ]
    return {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": jobs}


def labels(api: httpx.Client, job: str, *names: str) -> set[tuple[str, ...]]:
    """Return what Prometheus says of the targets of a job it scrapes with success now."""
    return {tuple(s["metric"].get(n, "") for n in names) for s in result(api, f'node_boot_time_seconds{{job="{job}"}}')}


def soon(found: Callable[[], object], wanted: object, deadline_s: float = 60) -> None:
    """Wait until something is as wanted."""
    deadline = time.monotonic() + deadline_s
    while found() != wanted and time.monotonic() < deadline:
        time.sleep(0.2)
    assert found() == wanted


@pytest.mark.skipif(PROMETHEUS is None, reason="needs prometheus (Debian package prometheus)")
def test_prometheus_scrapes_what_it_is_told_of_and_follows_what_comes_and_goes(tmp_path: Path) -> None:
    with (
        service(tmp_path / "followed") as running,
        exporters() as (port, asked),
        prometheus_of(tmp_path, followed(running, port)) as api,
    ):
        hosts = {("host-1", "sim", "gov-public", "active"), ("host-2", "sim", "gov-public", "active")}
        soon(lambda: labels(api, "hosts", "host", "pool", "zone", "admin_state"), hosts)
        running.ok("apply", running.write("ticket.yaml", ticket("followed", count=2)), "--wait", "--yes")
        own = ("followed", "civil-affairs")
        soon(
            lambda: {m for m in labels(api, "instances", "system", "department", "name") if m[0] == "followed"},
            {(*own, "web-1"), (*own, "web-2")},
        )
        told_of = {one["instance"] for one in map(dict, _targets(api, "followed"))}
        assert told_of == {a for a in asked if a in told_of}, "each was asked at the address that was told"
        assert all(address.startswith("10.96.") and address.endswith(":9100") for address in told_of)
        running.ok("release", "followed", "--confirm", "followed", "--wait")
        soon(lambda: _targets(api, "followed"), [])
        running.ok("host", "cordon", "host-2", "--reason", "to be seen from afar")
        now = {("host-1", "active"), ("host-2", "cordoned")}
        soon(lambda: labels(api, "hosts", "host", "admin_state") & now, now)
        # What is told lasts while nobody answers.
        running.kill()
        soon(lambda: bool(_failures(api)), True)
        assert {one["host"] for one in _targets(api, "", job="hosts")} == {"host-1", "host-2"}


def _targets(api: httpx.Client, system: str, job: str = "instances") -> list[dict[str, str]]:
    active = api.get("/api/v1/targets", params={"state": "active"}).json()["data"]["activeTargets"]
    return [t["labels"] for t in active if t["labels"]["job"] == job and (not system or t["labels"].get("system") == system)]


def _failures(api: httpx.Client) -> float:
    """Return how often asking what to scrape failed, as Prometheus counts it."""
    lines = api.get("/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("prometheus_sd_http_failures_total"))


@pytest.mark.skipif(PROMETHEUS is None, reason="needs prometheus (Debian package prometheus)")
def test_the_jobs_that_stand_as_comments_are_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump({"scrape_configs": shipped_jobs()}), "utf-8")
    command = [str(PROMTOOL), "check", "config", "prometheus.yml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [job["job_name"] for job in shipped_jobs()] == ["hosts", "instances"]
