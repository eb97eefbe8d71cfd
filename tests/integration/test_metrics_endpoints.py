"""Endpoints beside ``/metrics``: machines one by one within a budget, the names of other exporters, and what to scrape."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from controller.api.app import create_app
from controller.identity.caller import Role
from controller.metrics import compatibility, machines
from controller.metrics.declared import Kind
from controller.metrics.snapshot import Extras
from inventory.domain.errors import NotFound
from inventory.store import estate
from inventory.store.engine import Database
from tests.support.api import no_driver, service
from tests.support.database import sqlite_database
from tests.support.metrics import Watched, watch
from tests.support.samples import ticket_text

PROMTOOL = shutil.which("promtool")
requires_promtool = pytest.mark.skipif(PROMTOOL is None, reason="needs promtool (Debian package prometheus)")


def worked(database: Database, directory: Path, world: str, extras: Extras) -> Watched:
    watched = watch(database, directory, world=world, extras=extras)
    watched.apply("portal")
    watched.work()
    watched.text()
    return watched


def values(text: str) -> dict[str, float]:
    return {f"{s.name}{sorted(s.labels.items())}": s.value for f in text_string_to_metric_families(text) for s in f.samples}


@requires_promtool
def test_machines_are_told_one_by_one_and_promtool_finds_nothing(database: Database, tmp_path: Path) -> None:
    watched = worked(database, tmp_path, f"machines-{database.engine.dialect.name}", Extras(instance_series_max=100))
    text = watched.snapshot.machines().decode()
    done = subprocess.run(
        [str(PROMTOOL), "check", "metrics"], input=text, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    families = {f.name: f for f in text_string_to_metric_families(text)}
    assert set(families) == {m.name for m in machines.ALL}
    infos = [s.labels for s in families["allot_instance_info"].samples]
    assert sorted((i["name"], i["department"], i["system"], i["pool"]) for i in infos) == [
        ("web-1", "civil-it", "portal", "sim"), ("web-2", "civil-it", "portal", "sim"),
    ]  # fmt: skip
    assert {s.value for s in families["allot_instance_running"].samples} == {1}
    assert sum(s.value for s in families["allot_instance_vcpu"].samples) == 2
    assert families["allot_instance_series_wanted"].samples[0].value == 2 * machines.SERIES_PER_MACHINE
    assert sum(len(families[n.name].samples) for n in machines.ALL[2:]) == 2 * machines.SERIES_PER_MACHINE


def test_above_the_budget_none_is_told_and_it_is_said(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        watched = worked(database, tmp_path, "budget", Extras(instance_series_max=7))
    found = {f.name: f.samples for f in text_string_to_metric_families(watched.snapshot.machines().decode())}
    assert found["allot_instance_info"] == []
    assert found["allot_instance_series_budget"][0].value == 7
    assert found["allot_instance_series_wanted"][0].value == 8


def test_dashboards_of_other_exporters_find_their_names(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        watched = worked(database, tmp_path, "compatible", Extras(is_compatible=True))
        with database.read() as connection:
            hosts = estate.hosts(connection)
    text = watched.snapshot.compatibility().decode()
    families = {f.name: f.samples for f in text_string_to_metric_families(text)}
    assert set(families) == {m.name.removesuffix("_total") if m.kind is Kind.COUNTER else m.name for m in compatibility.ALL}
    # Nobody was sampled here, and no limit is on machines or disks.
    assert {name for name, samples in families.items() if not samples} == {
        "libvirt_domain_info_cpu_time_seconds", "libvirt_domain_interface_stats_receive_bytes",
        "libvirt_domain_interface_stats_transmit_bytes", "openstack_nova_limits_instances_max",
        "openstack_nova_limits_instances_used", "openstack_nova_quota_instances", "openstack_cinder_limits_volume_max_gb",
        "openstack_cinder_limits_volume_used_gb",
    }  # fmt: skip
    told = values(text)
    assert told["openstack_nova_total_vms[]"] == 2
    assert sum(s.value for s in families["openstack_nova_running_vms"]) == 2
    assert sum(s.value for s in families["openstack_nova_vcpus_used"]) == 2
    assert sum(s.value for s in families["openstack_nova_vcpus_available"]) == sum(h.rooms["vcpu"][0] for h in hosts)
    assert {s.labels["status"] for s in families["openstack_nova_server_status"]} == {"ACTIVE"}
    assert {s.value for s in families["libvirt_domain_info_vstate"]} == {1}
    limit = [s for s in families["openstack_nova_limits_vcpus_max"] if s.labels["tenant"] == "civil"]
    assert [s.value for s in limit] == [40]


def test_nobody_is_told_what_nobody_asked_for(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        watched = worked(database, tmp_path, "silent", Extras())
    for told in (watched.snapshot.machines, watched.snapshot.compatibility):
        with pytest.raises(NotFound, match=r"metrics\.not_offered"):
            told()


def test_the_api_serves_them_and_says_what_to_scrape(tmp_path: Path) -> None:
    with service(tmp_path) as running:
        operator = running.operator()
        assert operator.get("/v1/discovery/instances").json() == []
        [host] = operator.get("/v1/discovery/hosts", params={"port": 9177}).json()
        assert host["targets"] == ["world:9177"]
        assert host["labels"]["__meta_allot_host"] == "host-1"
        body = ticket_text("portal", department="civil-it", project="P-portal")
        assert operator.post("/v1/tickets", content=body, headers={"Content-Type": "application/yaml"}).status_code == 202
        found = operator.get("/v1/discovery/instances").json()
        assert {t["labels"]["__meta_allot_system"] for t in found} == {"portal"}
        assert all(t["targets"][0].startswith("10.96.") and t["targets"][0].endswith(":9100") for t in found)
        assert operator.get("/v1/discovery/hosts", params={"port": 0}).status_code == 422
        app = create_app(
            running.platform, metrics=bytes, more_metrics={"instances": lambda: b"a 1\n"}, console=lambda _r, _n: b"",
            screen=lambda _r: "", drivers=no_driver, ready=list,
        )  # fmt: skip
        from tests.support.asgi import client_of

        headers = {"Authorization": f"Bearer {running.secrets[Role.AUDITOR, '']}"}
        with client_of(app, running.runner, headers=headers, address="192.0.2.9") as client:
            assert client.get("/metrics/instances").content == b"a 1\n"
            assert client.get("/metrics/compatibility").status_code == 404


@requires_promtool
def test_prometheus_takes_our_word_for_what_to_scrape(tmp_path: Path) -> None:
    """The answer is what ``http_sd`` asks for: a list of targets with labels, all of them texts."""
    with service(tmp_path) as running:
        answer = running.operator().get("/v1/discovery/hosts")
    assert answer.headers["content-type"] == "application/json"
    (tmp_path / "targets.json").write_bytes(answer.content)
    config = {"scrape_configs": [{"job_name": "hosts", "file_sd_configs": [{"files": ["targets.json"]}]}]}
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))
    command = [str(PROMTOOL), "check", "config", "prometheus.yml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
