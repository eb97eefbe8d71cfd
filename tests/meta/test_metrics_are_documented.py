"""Metrics, their page, the alerts and the dashboard speak of the same names."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from controller.metrics import machines
from controller.metrics.declared import ALL, Kind
from controller.paths import data_dir

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text("utf-8")
PROMETHEUS = data_dir("etc") / "prometheus"
DASHBOARDS = {f.stem: json.loads(f.read_text("utf-8")) for f in sorted((data_dir("etc") / "grafana").glob("*.json"))}
GROUPS = yaml.safe_load((PROMETHEUS / "rules.yml").read_text("utf-8"))["groups"]
RULES: list[dict[str, Any]] = GROUPS[0]["rules"]
RECORDED: list[dict[str, Any]] = GROUPS[1]["rules"]
TESTS = [test for file in PROMETHEUS.glob("rules*_test.yml") for test in yaml.safe_load(file.read_text("utf-8"))["tests"]]
PANELS = [(name, panel) for name, board in DASHBOARDS.items() for panel in board["panels"]]


def test_the_table_of_the_page_is_the_table_of_the_code() -> None:
    rows = re.findall(r"^\| `(allot_\w+)` \| (\w+) \| (.*?) \| (.*) \|$", PAGE, re.MULTILINE)
    declared = [
        (m.name, m.kind.value, ", ".join(f"`{label}`" for label in m.labels) or "-", m.help) for m in (*ALL, *machines.ALL)
    ]
    assert rows == declared


def test_names_are_unique_and_end_as_their_type_asks() -> None:
    assert len({m.name for m in ALL}) == len(ALL) > 50
    for metric in ALL:
        assert metric.name.startswith("allot_")
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER), metric.name
        assert metric.help.endswith("."), metric.name


def test_no_label_can_name_a_ticket_a_machine_or_a_system() -> None:
    assert not {"ticket", "ticket_id", "instance", "resource", "system", "project", "user"} & {x for m in ALL for x in m.labels}


def test_every_alert_has_two_languages_a_severity_and_a_place_on_the_page() -> None:
    anchors = {heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)}
    for rule in RULES:
        notes = rule["annotations"]
        assert re.search(r"[一-鿿]", notes["summary_zh"]), rule["alert"]
        assert re.fullmatch(r"[\x20-\x7e]+", notes["summary_en"]), rule["alert"]
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        page, _, anchor = notes["runbook"].partition("#")
        assert page == "docs/metrics.md"
        assert anchor in anchors, rule["alert"]
        assert f"`{rule['expr']}` for {rule['for']}, severity `{rule['labels']['severity']}`" in PAGE, rule["alert"]


def test_every_alert_is_tested_silent_and_firing() -> None:
    seen: dict[str, set[bool]] = {}
    for case in (case for test in TESTS for case in test.get("alert_rule_test", ())):
        seen.setdefault(case["alertname"], set()).add(bool(case["exp_alerts"]))
    assert seen == {rule["alert"]: {True, False} for rule in RULES}


def test_every_recorded_figure_is_tested_with_a_value() -> None:
    cases = [case for test in TESTS for case in test.get("promql_expr_test", ())]
    assert {case["expr"] for case in cases if case["exp_samples"]} == {rule["record"] for rule in RECORDED}


def test_dashboards_are_of_those_who_look_at_them() -> None:
    assert set(DASHBOARDS) == {"allotment", "controller", "department", "finance"}
    assert len({board["uid"] for board in DASHBOARDS.values()}) == len(DASHBOARDS)
    for board in DASHBOARDS.values():
        assert board["templating"]["list"][0]["name"] == "datasource"
        assert "id" not in board


def test_alerts_and_panels_use_declared_metrics_and_labels_only() -> None:
    exposed = {m.name for m in ALL}
    exposed |= {m.name + end for m in ALL if m.kind is Kind.HISTOGRAM for end in ("_bucket", "_sum", "_count")}
    recorded = {rule["record"] for rule in RECORDED}
    panels = [target["expr"] for _, panel in PANELS for target in panel["targets"]]
    for expression in [rule["expr"] for rule in (*RULES, *RECORDED)] + panels:
        named = set(re.findall(r"\b(?:\w+:)?allot_\w+(?::\w+)?", expression))
        assert named <= exposed | recorded, expression


def test_every_recorded_series_is_tested_with_a_figure() -> None:
    told = {case["expr"] for test in TESTS for case in test.get("promql_expr_test", ()) if case["exp_samples"]}
    assert told >= {rule["record"] for rule in RECORDED}


def test_panels_lie_side_by_side_without_overlap() -> None:
    for board in DASHBOARDS.values():
        cells: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            place = panel["gridPos"]
            own = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
            assert not own & cells, panel["title"]
            assert max(x for x, _ in own) < 24
            cells |= own
