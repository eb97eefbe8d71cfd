"""A real Prometheus with the shipped configuration, on a port of its own, for the time of a test."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from controller.paths import data_dir
from tests.support.processes import end

FILES = data_dir("etc") / "prometheus"
PROMETHEUS = shutil.which("prometheus")


def result(api: httpx.Client, query: str) -> list[Any]:
    """Return what a query finds."""
    answer = api.get("/api/v1/query", params={"query": query}).json()
    assert answer["status"] == "success", (query, answer)
    found: list[Any] = answer["data"]["result"]
    return found


@contextmanager
def prometheus(folder: Path, target: int, path: str = "/metrics") -> Iterator[httpx.Client]:
    """Run the shipped configuration against ``target`` (a loopback port), faster and on a port of its own."""
    config = yaml.safe_load((FILES / "scrape.yml").read_text("utf-8"))
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config["scrape_configs"][0]["metrics_path"] = path
    config["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{target}"]}]
    shutil.copy(FILES / "rules.yml", folder / "rules.yml")
    with prometheus_of(folder, config) as api:
        yield api


@contextmanager
def prometheus_of(folder: Path, config: dict[str, Any]) -> Iterator[httpx.Client]:
    """Run a configuration on a port of its own; its files are in ``folder``."""
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
            end(process, 20)


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


def settled(api: httpx.Client, queries: list[str], *, deadline_s: float) -> list[str]:
    """Return the queries that find no figure but nought, or none, until the deadline."""
    deadline = time.monotonic() + deadline_s
    while (queries := [q for q in queries if not nonzero(api, q)]) and time.monotonic() < deadline:
        time.sleep(0.3)
    return queries


def nonzero(api: httpx.Client, query: str) -> bool:
    """Tell whether a query finds a figure that is not nought."""
    return any(float(series["value"][1]) != 0 for series in result(api, query) if series["value"][1] != "NaN")
