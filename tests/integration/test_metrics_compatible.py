"""Queries of published dashboards for other exporters, on what our compatibility endpoint tells a real Prometheus.

Origin: the queries of the OpenStack mixin of grafana/jsonnet-libs (Apache-2.0), files openstack-mixin/signals/nova.libsonnet,
neutron.libsonnet, cinder.libsonnet and placement.libsonnet, with their selector of job and instance written out; and of the
README of the libvirt exporter of Tinkoff (the names) as dashboards for it take rates of them.
"""

import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from controller.metrics import compatibility
from controller.metrics.snapshot import Extras
from inventory.store.engine import Database
from tests.support.database import sqlite_database
from tests.support.metrics import served, watch
from tests.support.prometheus import PROMETHEUS, prometheus, settled
from tests.support.published_exporters import OURS_TOO, PUBLISHED, SERVER_STATUS_NUMBERS, VOLUME_STATUSES

PROMTOOL = shutil.which("promtool")
#: What promtool has against their names: ours on the other endpoints have nothing of it.
KNOWN_FINDINGS = {
    "metric names should not contain abbreviated units", 'non-counter metrics should not have "_total" suffix',
    'counter metrics should have "_total" suffix', "label names should be written in 'snake_case' not 'camelCase'",
    "metric name should not include type 'counter'",
}  # fmt: skip
_S = 'job=~"allotment",instance=~".*"'
#: Panels with a figure; a dashboard's other panels ask for what the platform does not have (docs/metrics.md).
_PANELS = (
    f"openstack_nova_up{{{_S}}}",
    f"openstack_nova_total_vms{{{_S}}}",
    f"openstack_nova_agent_state{{{_S}}}",
    f"openstack_nova_limits_instances_used{{{_S}}} / clamp_min(openstack_nova_limits_instances_max{{{_S}}}, 1)",
    f"openstack_nova_limits_vcpus_used{{{_S}}} / clamp_min(openstack_nova_limits_vcpus_max{{{_S}}}, 1)",
    f"openstack_nova_limits_memory_used{{{_S}}} / clamp_min(openstack_nova_limits_memory_max{{{_S}}}, 1)",
    f"openstack_neutron_up{{{_S}}}",
    f"openstack_neutron_networks{{{_S}}}",
    f"openstack_neutron_subnets{{{_S}}}",
    f"openstack_neutron_ports{{{_S}}}",
    (
        f'openstack_neutron_network_ip_availabilities_total{{{_S},network_name=~".*"}}'
        f'-openstack_neutron_network_ip_availabilities_used{{{_S},network_name=~".*"}}'
    ),
    (
        f"sum by (job, instance, ip_version, subnet_name) (openstack_neutron_network_ip_availabilities_used{{{_S}}})"
        f" / sum by (job, instance, ip_version, subnet_name)(openstack_neutron_network_ip_availabilities_total{{{_S}}})"
    ),
    f"openstack_cinder_up{{{_S}}}",
    f"openstack_cinder_volumes{{{_S}}}",
    f'topk(5, openstack_cinder_volume_status_counter{{{_S}, status!~"error|error_backing-up|error_deleting"}}) > 0',
    f"openstack_cinder_limits_volume_used_gb{{{_S}}} / clamp_min(openstack_cinder_limits_volume_max_gb{{{_S}}}, 1)",
    (
        f"(openstack_cinder_pool_capacity_total_gb{{{_S}}} - openstack_cinder_pool_capacity_free_gb{{{_S}}})"
        f" / clamp_min(openstack_cinder_pool_capacity_total_gb{{{_S}}}, 1)"
    ),
    f"openstack_placement_up{{{_S}}}",
    *(
        f'openstack_placement_resource_{figure}{{{_S}, resourcetype="{kind}"}}'
        for figure in ("total", "usage")
        for kind in ("DISK_GB", "MEMORY_MB", "VCPU")
    ),
    *(
        f'100 * openstack_placement_resource_usage{{{_S}, resourcetype="{kind}"}}'
        f' / (openstack_placement_resource_total{{{_S}, resourcetype="{kind}"}}'
        f' * openstack_placement_resource_allocation_ratio{{{_S}, resourcetype="{kind}"}} > 0)'
        for kind in ("MEMORY_MB", "VCPU")
    ),
    f"rate(libvirt_domain_info_cpu_time_seconds_total{{{_S}}}[10s]) * 100",
    f"libvirt_domain_info_memory_usage_bytes{{{_S}}} / 1024 / 1024",
    f"rate(libvirt_domain_interface_stats_receive_bytes_total{{{_S}}}[10s])",
    f"libvirt_domain_info_vstate{{{_S}}} == 1",
    # Where names are joined, hosts grouped and disks added up.
    f"sum by (aggregates, availability_zone) (openstack_nova_vcpus_available{{{_S}}})",
    f"sum by (tenant_id) (openstack_cinder_volume_gb{{{_S}}})",
    (
        f"sum by (project_name, instance_name) (rate(libvirt_domain_info_cpu_time_seconds_total{{{_S}}}[10s])"
        f" * on (domain) group_left (project_name, instance_name) libvirt_domain_info_meta{{{_S}}})"
    ),
    (
        f"libvirt_domain_info_memory_usage_bytes{{{_S}}} * on (domain) group_left (name, status)"
        f' label_replace(openstack_nova_server_status{{{_S}}} == 0, "domain", "$1", "instance_libvirt", "(.*)") + 1'
    ),
)


def test_names_types_and_labels_are_those_the_exporters_declare() -> None:
    told = {m.name: (m.kind.value, frozenset(m.labels) - OURS_TOO) for m in compatibility.ALL}
    assert told == PUBLISHED
    beyond = {m.name for m in compatibility.ALL if OURS_TOO & set(m.labels)}
    assert {name for name in beyond if not name.startswith("libvirt_domain_")} == set()


@pytest.mark.skipif(PROMETHEUS is None, reason="needs prometheus (Debian package prometheus)")
def test_panels_of_published_dashboards_have_figures_on_our_endpoint(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        watched = watch(database, tmp_path, world="published", extras=Extras(is_compatible=True))
        for dimension in ("instances", "disk_gib"):
            watched.furnished.limit("civil", dimension, 100)
        watched.apply("portal")
        watched.work()
        watched.bill()
        watched.text()
        path = "/metrics/compatibility"
        with (
            served(watched.snapshot, {path: watched.snapshot.compatibility}) as target,
            prometheus(tmp_path, target, path) as api,
        ):
            # Rates need a counter that grows while it is scraped.
            assert settled(api, [p for p in _PANELS if "rate(" not in p], deadline_s=60) == []
            watched.furnished.clock.now_s += 3600.0
            watched.sample(use_s=600)
            watched.text()
            assert settled(api, [p for p in _PANELS if "rate(" in p], deadline_s=60) == []


def test_what_machines_were_seen_to_use_is_told_under_the_names_of_libvirt(database: Database, tmp_path: Path) -> None:
    watched = watch(database, tmp_path, world=f"libvirt-names-{database.engine.dialect.name}", extras=Extras(is_compatible=True))
    watched.apply("portal", count=1)
    watched.work()
    watched.bill()
    watched.text()
    told = {f.name: f.samples for f in text_string_to_metric_families(watched.snapshot.compatibility().decode())}
    assert [s.value for s in told["libvirt_domain_info_cpu_time_seconds"]] == [300 * 0.25]
    assert [s.value for s in told["libvirt_domain_interface_stats_receive_bytes"]] == [300 << 20]
    quota = {(s.labels["type"], s.labels["tenant"]): s.value for s in told["openstack_nova_quota_cores"]}
    assert quota == {("in_use", "civil"): 1, ("limit", "civil"): 40, ("reserved", "civil"): 0}
    assert {s.labels["status"]: s.value for s in told["openstack_cinder_volume_status_counter"]}["in-use"] == 1
    counted = {s.labels["status"]: s.value for s in told["openstack_cinder_volume_status_counter"]}
    assert counted.keys() == VOLUME_STATUSES
    assert sum(counted.values()) == 1
    [server], [meta], [disk] = (
        told[name] for name in ("openstack_nova_server_status", "libvirt_domain_info_meta", "openstack_cinder_volume_gb")
    )
    assert server.value == SERVER_STATUS_NUMBERS[server.labels["status"]]
    assert server.labels["id"] == server.labels["uuid"] == server.labels["instance_libvirt"] == meta.labels["domain"]
    assert server.labels["address_ipv4"].startswith("10.96.")
    assert (meta.labels["instance_name"], meta.labels["project_name"]) == (server.labels["name"], server.labels["tenant_id"])
    assert (disk.value, disk.labels["volume_type"], disk.labels["server_id"]) == (1, "standard", server.labels["id"])


@pytest.mark.skipif(PROMTOOL is None, reason="needs promtool (Debian package prometheus)")
def test_promtool_finds_nothing_but_what_is_wrong_with_the_names_of_others(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        watched = watch(database, tmp_path, world="published-lint", extras=Extras(is_compatible=True))
        watched.apply("portal")
        watched.work()
        watched.bill()
        watched.text()
        text = watched.snapshot.compatibility().decode()
    done = subprocess.run(
        [str(PROMTOOL), "check", "metrics"], input=text, capture_output=True, text=True, check=False, timeout=60
    )
    # 3: read whole, and some names are not as they should be; 1 would be a text that is no exposition.
    assert done.returncode == 3
    found = {tuple(line.split(" ", 1)) for line in (done.stdout + done.stderr).splitlines()}
    assert {name for name, _ in found} <= PUBLISHED.keys()
    assert {what for _, what in found} == KNOWN_FINDINGS


def test_a_machine_on_its_way_or_failed_is_told_by_novas_names(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        watched = watch(database, tmp_path, world="libvirt-names-early", extras=Extras(is_compatible=True))
        watched.apply("portal", count=2)
        watched.text()
        told = {f.name: f.samples for f in text_string_to_metric_families(watched.snapshot.compatibility().decode())}
    statuses = {(s.labels["status"], s.value) for s in told["openstack_nova_server_status"]}
    assert statuses == {("BUILD", SERVER_STATUS_NUMBERS["BUILD"])}
    assert {s.labels["status"] for s in told["openstack_cinder_volume_gb"]} == {"creating"}
