"""Prometheus' own tool asks the running service what to scrape, and takes every answer."""

import json
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from tests.support.service import ServiceUnderTest, ticket

PROMTOOL = shutil.which("promtool")
pytestmark = pytest.mark.skipif(PROMTOOL is None, reason="needs promtool (Debian package prometheus)")


def told(service: ServiceUnderTest, job: str) -> list[dict[str, Any]]:
    """Return what ``promtool check service-discovery`` made of the answers to one job; it ends with 0, or the test fails."""
    jobs = [
        {"job_name": name, "http_sd_configs": [{"url": f"{service.url}/v1/discovery/{name}?port=9177"}],
         "relabel_configs": [{"source_labels": ["__meta_allot_host"], "target_label": "host"}]}
        for name in ("hosts", "instances")
    ]  # fmt: skip
    (service.directory / "prometheus.yml").write_text(yaml.safe_dump({"scrape_configs": jobs}), "utf-8")
    done = subprocess.run(
        [str(PROMTOOL), "check", "service-discovery", "--timeout=10s", "prometheus.yml", job],
        cwd=service.directory, capture_output=True, text=True, check=False, timeout=60,
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
