"""Efficiency through the API: from samples to what is found, the ticket that is drafted, and what the department answers."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import yaml

from controller.identity import audit
from controller.identity.caller import Role
from controller.workflows import ledger, sampled
from inventory.domain.resource import Resource, ResourceKind
from inventory.domain.scope import PLATFORM
from inventory.store import journal, resources
from inventory.store import systems as system_store
from metering.reports import efficiency_book
from metering.sample_store import Taken
from metering.samples import Sample, packed
from tests.support.api import YAML, Service, service
from tests.support.billing import BOOK
from tests.support.people import as_person
from tests.support.samples import ticket_text

ROOT = Path(__file__).parents[2]
MONTH = "2026-06"
PATH = f"/v1/periods/{MONTH}/efficiency"
STEP_S, STEPS = 300, 24
#: Idle, too large, and busy: processor in percent, memory in MiB, bytes a step.
LOADS = {"mail": (0, 1500, 0), "forms": (10, 900, 1 << 30), "maps": (80, 3900, 1 << 30)}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("efficiency")) as found:
        _priced(found)
        for name in LOADS:
            text = ticket_text(name, count=2).replace(b"size: tiny", b"size: {cpu: 4, memory: 4GiB}")
            answer = as_person(found, "zhang", Role.DEPARTMENT_ADMIN, "civil-it").post("/v1/tickets", content=text, headers=YAML)
            assert answer.is_success, answer.text
        _run(found)
        _sample(found)
        yield found


def _priced(found: Service) -> None:
    id_ = as_person(found, "wang", Role.FINANCE).post("/v1/price-books", content=BOOK.encode(), headers=YAML).json()["id"]
    for who in ("li", "zhao"):
        as_person(found, who, Role.FINANCE).post(f"/v1/price-books/{id_}/approve", json={"reason": "checked"})


def _instances(found: Service) -> list[Resource]:
    with found.platform.db.read() as connection:
        rows = resources.of_host(connection, found.host.id)
    return [r for r in rows if r.kind is ResourceKind.INSTANCE]


def _run(found: Service) -> None:
    """Have every machine seen running."""
    found.clock.now_s += 60
    with found.platform.db.write() as connection:
        for machine in _instances(found):
            last = journal.of_resource(connection, machine.id)[-1]
            now = int(found.clock.now_s)
            journal.append(connection, [replace(last, revision=last.revision + 1, state="running", occurred_at_s=now)])
    ledger.catch_up(found.platform)


def _sample(found: Service) -> None:
    for n in range(STEPS + 1):
        samples = []
        for machine in _instances(found):
            assert machine.system_id is not None
            with found.platform.db.read() as connection:
                name = system_store.by_ids(connection, [machine.system_id])[machine.system_id].spec.name
            cpu, memory, moved = LOADS[name]
            samples.append(Sample(machine.id, n * STEP_S * 4 * cpu * 10**7, memory, n * moved, n * moved))
        at_ms = int((found.clock.now_s + n * STEP_S) * 1000)
        sampled.keep(found.platform, [Taken(found.host.id, at_ms, packed(samples))])
    found.clock.now_s += STEPS * STEP_S + 60
    assert sampled.work_in(found.platform, STEP_S, wait_s=0).ignored_count == 0


def test_every_system_is_told_with_what_it_uses_costs_and_would_save(platform: Service) -> None:
    found = platform.client(Role.FINANCE).get(PATH).json()
    systems = {s["system"]: s for s in found["systems"]}
    assert {name: s["finding"] for name, s in systems.items()} == {"mail": "idle", "forms": "oversized", "maps": "fit"}
    forms = systems["forms"]
    assert (forms["machines"], forms["vcpu"], forms["memory_mib"]) == (2, 8, 8192)
    assert (forms["cpu_average_percent"], forms["cpu_p95_percent"], forms["cpu_peak_percent"]) == ("10.0", "10.0", "10.0")
    assert forms["memory_peak_percent"] == "21.9"
    assert forms["network_class"] == "gov-public"
    assert float(forms["coverage_percent"]) > 95
    # 10 % of 4 at a load of 60 % is 1; 22 % of 4 GiB at 60 % are 1.5 GiB: 3 vCPU and 2.5 GiB less on each of two machines.
    vcpu, memory = 0.0764 * (1 - 0.1237), 0.0389
    assert float(forms["saving_yuan_per_year"]) == pytest.approx(2 * (3 * vcpu + 2.5 * memory) * 8760, abs=0.01)
    assert float(systems["mail"]["saving_yuan_per_year"]) > float(forms["saving_yuan_per_year"])
    assert float(systems["maps"]["saving_yuan_per_year"]) == 0
    assert float(forms["charged_yuan"]) > 0
    assert float(forms["yuan_per_used_vcpu_hour"]) == pytest.approx(10 * float(forms["yuan_per_vcpu_hour"]), rel=0.001)
    [kind] = found["classes"]
    assert (kind["idle_machines"], kind["oversized_machines"], kind["fit_machines"]) == (2, 2, 2)
    assert kind["cpu_average_percent"] == "30.0"
    assert kind["target_met"] is None


def test_declared_targets_are_compared(platform: Service) -> None:
    rules = (ROOT / "etc/examples/finance/efficiency-rules.yaml").read_bytes()
    who = as_person(platform, "wang", Role.FINANCE)
    assert who.post("/v1/efficiency-rules", content=rules, headers=YAML).json()["targets"][0]["cpu_percent"] == 20
    [kind] = platform.client(Role.FINANCE).get(PATH).json()["classes"]
    assert (kind["target_cpu_percent"], kind["target_memory_percent"], kind["target_met"]) == (20, 40, "yes")
    refused = who.post("/v1/efficiency-rules", content=rules.replace(b"idle:", b"idel:"), headers=YAML)
    assert (refused.status_code, refused.json()["code"]) == (422, "efficiency.unknown_field")
    with platform.platform.db.read() as connection:
        events = audit.page(connection, PLATFORM, limit=5, action="efficiency.set_rules")
    assert sorted(e["result"] for e in events) == ["ok", "refused"]


def test_a_drafted_ticket_is_one_the_department_can_hand_in(platform: Service) -> None:
    who = platform.client(Role.DEPARTMENT_ADMIN, "civil-it")
    smaller = who.get(f"{PATH}/forms/draft").json()
    assert yaml.safe_load(smaller["ticket"])["resources"] == {
        "servers": [{"name": "web", "size": {"cpu": 1, "memory": "1536MiB"}}]
    }
    plan = who.post("/v1/plans", content=smaller["ticket"].encode(), headers=YAML).json()
    assert plan["action"] == "change", plan
    release = who.get(f"{PATH}/mail/draft").json()
    assert "action: release" in release["ticket"]
    assert float(release["saving_yuan_per_year"]) > 0
    # Nothing was handed in for it.
    assert len(who.get("/v1/tickets").json()["items"]) == len(LOADS)
    none = who.get(f"{PATH}/maps/draft")
    assert (none.status_code, none.json()["code"]) == (409, "efficiency.nothing_to_draft")


def test_a_department_answers_and_the_answer_stands_beside_the_finding(platform: Service) -> None:
    who = as_person(platform, "zhang", Role.DEPARTMENT_ADMIN, "civil-it")
    body = {"answer": "keep", "reason": "the floods come in July"}
    assert who.post(f"{PATH}/mail/answer", json=body).json()["answered_by"] == "zhang"
    assert who.post(f"{PATH}/mail/answer", json={**body, "reason": " "}).json()["code"] == "efficiency.reason_missing"
    mail = next(s for s in platform.client(Role.FINANCE).get(PATH).json()["systems"] if s["system"] == "mail")
    assert (mail["answer"], mail["answer_reason"]) == ("keep", "the floods come in July")
    with platform.platform.db.read() as connection:
        events = audit.page(connection, PLATFORM, limit=5, action="efficiency.answer")
    [event] = [e for e in events if e["result"] == "ok"]
    assert (event["actor"], event["detail"]["answer"]) == ("zhang", "keep")


def test_another_department_sees_and_answers_nothing_of_it(platform: Service) -> None:
    water = platform.client(Role.DEPARTMENT_ADMIN, "water")
    assert water.get(PATH).json()["systems"] == []
    for answer in (water.get(f"{PATH}/mail/draft"), water.post(f"{PATH}/mail/answer", json={"answer": "keep", "reason": "x"})):
        assert (answer.status_code, answer.json()["code"]) == (404, "system.not_found")
    hidden = water.get(PATH, params={"department": "civil-it"})
    assert (hidden.status_code, hidden.json()["code"]) == (404, "department.not_found")
    rows = _csv(water.get(f"/v1/periods/{MONTH}/reports/efficiency-machines").content)
    assert rows == []


def _csv(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


@pytest.mark.parametrize("dataset", ["efficiency", "efficiency-classes", "efficiency-machines", "assessment"])
def test_every_table_is_a_file_in_every_format(platform: Service, dataset: str) -> None:
    client = platform.client(Role.FINANCE)
    path = f"/v1/periods/{MONTH}/reports/{dataset}"
    manifest = client.get(f"{path}/manifest").json()
    rows = _csv(client.get(path).content)
    as_json = json.loads(client.get(path, params={"format": "json"}).content)
    assert len(rows) == len(as_json) == manifest["rows"] > 0
    assert list(rows[0]) == list(as_json[0])
    assert client.get(path, params={"format": "parquet"}).content[:4] == b"PAR1"
    as_book = client.get(path, params={"format": "xlsx"})
    if dataset in ("efficiency", "assessment"):
        assert as_book.content[:2] == b"PK"
    else:
        assert (as_book.status_code, as_book.json()["code"]) == (422, "report.format_unknown")


def _book(platform: Service, dataset: str, language: str, who: Role = Role.FINANCE) -> openpyxl.Workbook:
    client = platform.client(who, *(["civil-it"] if who is Role.DEPARTMENT_READER else []))
    found = client.get(f"/v1/periods/{MONTH}/reports/{dataset}", params={"format": "xlsx"}, headers={"Accept-Language": language})
    assert found.status_code == 200, found.text
    return openpyxl.load_workbook(io.BytesIO(found.content))


def _cells(sheet: Any) -> list[list[Any]]:
    return [list(row) for row in sheet.iter_rows(values_only=True)]


def test_a_department_reads_its_efficiency_in_a_workbook_of_its_language(platform: Service) -> None:
    who = as_person(platform, "zhang", Role.DEPARTMENT_ADMIN, "civil-it")
    who.post(f"{PATH}/maps/answer", json={"answer": "keep", "reason": "=HYPERLINK(floods)"})
    rows = _csv(platform.client(Role.FINANCE).get(f"/v1/periods/{MONTH}/reports/efficiency").content)
    for language, sheets, finding in (
        ("zh-CN", ["系统", "可节省前列", "网络类别", "云主机"], {"闲置", "过大", "合适"}),
        ("en", ["Systems", "Most to save", "Classes of zones", "Machines"], {"idle", "too large", "fit"}),
    ):
        book = _book(platform, "efficiency", language, Role.DEPARTMENT_READER)
        assert book.sheetnames == sheets
        assert [len(s._charts) for s in book] == [0, 1, 1, 0]
        head, *systems = _cells(book[sheets[0]])
        place = list(rows[0])
        assert {s[place.index("finding")] for s in systems} == finding
        for name in ("vcpu", "cpu_p95_percent", "memory_peak_percent", "charged_yuan", "saving_yuan_per_year"):
            assert [Decimal(str(s[place.index(name)])) for s in systems] == [Decimal(r[name]) for r in rows], name
        assert not [h for h in head if h in place and h not in ("machines", "system", "finding", "answer")], "words, not names"
        assert "'=HYPERLINK(floods)" in {s[-1] for s in systems}
        savings = [row[3] for row in _cells(book[sheets[1]])[1:]]
        assert len(savings) == 2
        assert savings == sorted(savings, reverse=True)
        assert not [c.coordinate for s in book for row in s.iter_rows() for c in row if c.data_type == "f"]


def test_more_machines_than_a_workbook_holds_are_told_where_to_find(platform: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficiency_book, "_MACHINES_MAX", 5)
    for file in (platform.platform.images_dir / ".reports").glob("*"):
        file.unlink()
    sheet = _book(platform, "efficiency", "en")["Machines"]
    assert [row[0] for row in _cells(sheet)[1:]] == [
        "Too many machines for a workbook: ask for efficiency-machines as CSV or Parquet."
    ]
    monkeypatch.setattr(efficiency_book, "_MACHINES_MAX", 6)
    for file in (platform.platform.images_dir / ".reports").glob("*"):
        file.unlink()
    assert len(_cells(_book(platform, "efficiency", "en")["Machines"])) == 7


def test_the_assessment_is_a_pack_of_four_sheets_and_a_trend(platform: Service) -> None:
    rows = _csv(platform.client(Role.FINANCE).get(f"/v1/periods/{MONTH}/reports/assessment").content)
    book = _book(platform, "assessment", "zh-CN")
    assert book.sheetnames == ["利用率", "费用", "趋势", "能力", "质量"]
    assert sum(len(_cells(book[name])) - 1 for name in book.sheetnames if name != "趋势") == len(rows)
    known = {row[2] for name in book.sheetnames if name != "趋势" for row in _cells(book[name])[1:]}
    assert {"CPU 均值 %", "闲置系统", "主机数", "vCPU 容量"} <= known
    assert not [word for word in known if "_" in word], "a figure without a word"
    own = _book(platform, "assessment", "zh-CN", Role.DEPARTMENT_READER)
    assert len(_cells(own["能力"])) == 1, "capability is the platform's"


def test_the_same_workbook_has_the_same_bytes(platform: Service) -> None:
    path = platform.platform.images_dir / ".reports"
    found = []
    for _ in range(2):
        client = platform.client(Role.FINANCE)
        as_of = str(int(platform.clock.now_s) - 60)
        asked = {"format": "xlsx", "as_of": as_of}
        answers = [client.get(f"/v1/periods/{MONTH}/reports/{d}", params=asked) for d in ("efficiency", "assessment")]
        assert [a.status_code for a in answers] == [200, 200]
        found.append([a.content for a in answers])
        for file in path.glob("*"):
            file.unlink()
    assert found[0] == found[1]


def test_the_assessment_has_use_fees_capability_and_quality(platform: Service) -> None:
    rows = _csv(platform.client(Role.FINANCE).get(f"/v1/periods/{MONTH}/reports/assessment").content)
    found = {(r["section"], r["subject"], r["figure"]): r["value"] for r in rows}
    assert found["utilisation", "gov-public", "cpu_average_percent"] == "30.0"
    assert found["utilisation", "civil-it", "idle_systems"] == "1"
    assert {r["year_to"] for r in rows} == {MONTH}
    own = _csv(platform.client(Role.DEPARTMENT_READER, "civil-it").get(f"/v1/periods/{MONTH}/reports/assessment").content)
    assert "capability" not in {r["section"] for r in own}
