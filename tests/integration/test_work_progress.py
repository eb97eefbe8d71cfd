"""Long finance work says how far it is: seen moving over the API by who sent it, and by nobody else."""

import asyncio
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Connection

from controller.identity import audit
from controller.identity.caller import Role
from controller.workflows import ledger, periods
from controller.workflows.reports import Wanted, make
from inventory.domain.progress import WorkPhase
from inventory.domain.scope import PLATFORM
from inventory.store.engine import Database
from metering import ledger_store
from metering.reports.tables import TextOptions
from tests.support.api import YAML, Service, service
from tests.support.billing import MAY_S, finance
from tests.support.database import sqlite_database
from tests.support.heard import Heard
from tests.support.hostile_images import qcow2
from tests.support.large_month import LINES, MACHINES, MONTH, PATIENCE_S, held_at_writing, large_month
from tests.support.report_city import busy_city

ID = "5f" * 16
WORK = f"/v1/works/{ID}"


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Service]:
    with service(tmp_path) as found:
        large_month(found)
        yield found


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("reviewed")) as found:
        large_month(found)
        periods.review(found.platform, MONTH, finance("wang"))
        yield found


def sent(platform: Service, path: str) -> tuple[threading.Thread, list[httpx.Response]]:
    """Send a long request from a thread of its own."""
    answers: list[httpx.Response] = []

    def send() -> None:
        with asyncio.Runner() as runner:
            client = platform.beside(runner).client(Role.FINANCE)
            answers.append(client.post(path, headers={"Allot-Work": ID}))

    thread = threading.Thread(target=send)
    thread.start()
    return thread, answers


def test_a_review_is_seen_to_move_by_who_sent_it_and_by_nobody_else(platform: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    finance_, seen = platform.client(Role.FINANCE), []
    assert finance_.get(WORK).json()["code"] == "work.not_found"
    with held_at_writing(monkeypatch) as gate:
        thread, answers = sent(platform, f"/v1/periods/{MONTH}/review")
        for _ in MACHINES:
            gate.wait()
            seen.append(finance_.get(WORK).json())
            for other in (platform.operator(), platform.client(Role.AUDITOR), platform.client(Role.DEPARTMENT_ADMIN, "civil")):
                refused = other.get(WORK)
                assert (refused.status_code, refused.json()["code"]) == (404, "work.not_found")
            gate.let_on()
        thread.join(PATIENCE_S)
    assert answers[0].json()["line_count"] == LINES
    assert {(s["id"], s["state"], s["phase"], s["total"], s["ended_at_s"]) for s in seen} == {
        (ID, "running", "work.phase.writing", LINES, None)
    }
    assert seen[0]["done"] == 0
    assert {b["done"] - a["done"] for a, b in pairwise([*seen, {"done": LINES}])} == {4 * n for n in MACHINES.values()}
    assert (seen[0]["text_zh"], seen[0]["text_en"]) == ("写入明细", "writing lines")
    after = finance_.get(WORK).json()
    assert (after["state"], after["phase"], after["ended_at_s"]) == ("done", "work.phase.sealing", platform.clock())


def test_work_that_waits_for_another_says_so(platform: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger is held by somebody else: the request stands there, and its sender knows."""
    begun, count = threading.Event(), ledger_store.due_count

    def counting(connection: Connection) -> int:
        begun.set()
        return count(connection)

    monkeypatch.setattr(ledger_store, "due_count", counting)
    with platform.platform.db.write():
        thread, answers = sent(platform, f"/v1/periods/{MONTH}/review")
        assert begun.wait(PATIENCE_S)
        work = platform.client(Role.FINANCE).get(WORK).json()
        assert (work["state"], work["phase"], work["done"]) == ("running", "work.phase.journal", 0)
    thread.join(PATIENCE_S)
    assert answers[0].status_code == 200


def test_work_that_was_refused_says_so(platform: Service) -> None:
    client = platform.client(Role.FINANCE)
    refused = client.post("/v1/periods/2026-04/review", headers={"Allot-Work": ID})
    assert refused.json()["code"] == "period.state_forbids"
    assert client.get(WORK).json()["state"] == "failed"


def test_an_id_that_could_be_guessed_is_refused(platform: Service) -> None:
    finance_ = platform.client(Role.FINANCE)
    for id_ in ("1", "review", "5F" * 16, "5f" * 17, ""):
        for verb in ("verify", "review"):
            answer = finance_.post(f"/v1/periods/{MONTH}/{verb}", headers={"Allot-Work": id_})
            assert (answer.status_code, answer.json()["code"]) == (422, "work.id_unreadable")
    assert len(platform.platform.works) == 0


def test_a_remembered_answer_is_given_whatever_id_asks_for_it(platform: Service) -> None:
    """But for an id that is none."""
    operator = platform.operator()

    def rebuilt(id_: str) -> httpx.Response:
        return operator.post("/v1/ledger/rebuild", headers={"Allot-Work": id_, "Idempotency-Key": "once"})

    first = rebuilt(ID)
    assert first.status_code == 200
    assert rebuilt("6e" * 16).content == first.content
    assert operator.get(f"/v1/works/{'6e' * 16}").status_code == 404, "nothing was worked on"
    assert rebuilt("AAA").json()["code"] == "work.id_unreadable"


_LONG = (
    f"POST /v1/periods/{MONTH}/review",
    f"POST /v1/periods/{MONTH}/close",
    f"POST /v1/periods/{MONTH}/verify",
    f"GET /v1/periods/{MONTH}/reports/statements/manifest",
    f"GET /v1/periods/{MONTH}/reports/statements",
    "POST /v1/ledger/compare",
    "POST /v1/ledger/rebuild",
    "POST /v1/audit/verify",
)


def test_every_long_request_is_noted(platform: Service) -> None:
    for number, request in enumerate(_LONG):
        client = platform.operator() if "/periods/" not in request else platform.client(Role.FINANCE)
        id_ = f"{number:032x}"
        json: dict[str, str] | None = {} if "/audit/" in request else None
        assert client.request(*request.split(" "), headers={"Allot-Work": id_}, json=json).status_code < 500
        assert client.get(f"/v1/works/{id_}").json()["state"] in ("done", "failed"), request


def test_taking_in_images_is_noted(platform: Service, tmp_path: Path) -> None:
    operator, source = platform.operator(), tmp_path / "source.img"
    source.write_bytes(qcow2())
    body = {"name": "other", "arch": "x86_64", "source": str(source)}
    assert operator.post("/v1/images", json=body, headers={"Allot-Work": ID}).status_code == 201
    work = operator.get(WORK).json()
    assert (work["state"], work["phase"]) == ("done", "work.phase.inspecting")
    refused = operator.post("/v1/site/import", content="kind: Site", headers={**YAML, "Allot-Work": ID})
    assert refused.status_code == 422
    assert operator.get(WORK).json()["state"] == "failed"


def test_a_month_is_reviewed_closed_and_proven_phase_by_phase(platform: Service) -> None:
    reviewed, closed, proven = Heard(), Heard(), Heard()
    periods.review(platform.platform, MONTH, finance("wang"), reviewed)
    periods.close(platform.platform, MONTH, finance("li"), closed)
    assert periods.verify(platform.platform, MONTH, proven)["is_proven"]
    assert reviewed.phases == [
        WorkPhase.JOURNAL, WorkPhase.TURN, WorkPhase.RATING, WorkPhase.WRITING, WorkPhase.SEALING
    ]  # fmt: skip
    assert reviewed.of(WorkPhase.RATING) == (LINES, [LINES])
    assert closed.phases == [WorkPhase.JOURNAL, WorkPhase.TURN]
    assert proven.phases == [WorkPhase.READING, WorkPhase.DERIVING]
    for phase in proven.phases:
        assert proven.of(phase) == (LINES, [2_000, LINES])


def test_the_journal_is_taken_and_compared_with_word_of_how_far(platform: Service) -> None:
    machines = sum(MACHINES.values())
    again, compared = Heard(), Heard()
    ledger.rebuild(platform.platform, finance("wang"), again)
    assert again.phases == [WorkPhase.TURN, WorkPhase.COMPARING, WorkPhase.JOURNAL]
    assert again.of(WorkPhase.JOURNAL)[0] == machines == again.of(WorkPhase.JOURNAL)[1][-1]
    assert not ledger.compare(platform.platform, compared).differences
    assert compared.of(WorkPhase.COMPARING) == (machines, [machines])


def test_the_audit_chain_is_computed_with_word_of_how_far(platform: Service) -> None:
    heard = Heard()
    with platform.platform.db.read() as connection:
        found = audit.verify(connection, progress=heard)
    assert found.is_intact
    assert heard.of(WorkPhase.CHAIN) == (found.checked_count, [found.checked_count])


@pytest.mark.parametrize(
    ("month", "dataset", "format_", "phases"),
    [
        (MONTH, "lines", "csv", [WorkPhase.TURN, WorkPhase.REPORTING, WorkPhase.FILING]),
        (MONTH, "lines", "parquet", [WorkPhase.TURN, WorkPhase.REPORTING, WorkPhase.FILING]),
        (MONTH, "workbook", "xlsx", [WorkPhase.TURN, WorkPhase.REPORTING, WorkPhase.FILING]),
        (MONTH, "statements", "csv", [WorkPhase.TURN, WorkPhase.FILING]),
        ("2026-06", "lines", "csv", [WorkPhase.TURN, WorkPhase.REPORTING, WorkPhase.FILING]),
        ("2026-06", "statements", "csv", [WorkPhase.TURN, WorkPhase.REPORTING, WorkPhase.FILING]),
        ("2026-06", "efficiency", "csv", [WorkPhase.TURN, WorkPhase.JUDGING, WorkPhase.REPORTING, WorkPhase.FILING]),
        (MONTH, "assessment", "csv", [WorkPhase.TURN, WorkPhase.JUDGING, WorkPhase.FILING]),
    ],
)
def test_a_report_is_made_phase_by_phase(
    reviewed: Service, month: str, dataset: str, format_: str, phases: list[WorkPhase]
) -> None:
    """Of a reviewed month its lines are counted, of an open one the intervals it is told from."""
    heard = Heard()
    wanted = Wanted(
        period=month, dataset=dataset, format=format_, scope=PLATFORM, department="", as_of_s=None, text=TextOptions(),
        language="en",
    )  # fmt: skip
    make(reviewed.platform, wanted, progress=heard)
    assert heard.phases == phases
    if WorkPhase.REPORTING in phases:
        total, reached = heard.of(WorkPhase.REPORTING)
        assert total == LINES == reached[-1]
        assert reached == sorted(reached)
    again = Heard()
    make(reviewed.platform, wanted, progress=again)
    assert again.words == [], "made already"


@pytest.mark.parametrize(("dataset", "format_"), [("lines", "json"), ("focus-1.2", "csv"), ("workbook", "xlsx")])
def test_a_small_month_is_seen_to_move_department_by_department(
    database: Database, tmp_path: Path, dataset: str, format_: str
) -> None:
    city, heard = busy_city(database, tmp_path), Heard()
    wanted = Wanted(
        period="2026-06", dataset=dataset, format=format_, scope=PLATFORM, department="", as_of_s=None, text=TextOptions(),
        language="en",
    )  # fmt: skip
    make(city.platform, wanted, progress=heard)
    counts = [s["line_count"] for s in periods.statements(city.platform, "2026-06", PLATFORM)]
    total, reached = heard.of(WorkPhase.REPORTING)
    assert total == sum(counts) == reached[-1]
    assert len(reached) == len([c for c in counts if c]) > 1
    assert [b - a for a, b in pairwise([0, *reached])] != [total]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with sqlite_database(tmp_path / "state.db") as opened:
        yield opened


def test_late_word_is_corrected_department_by_department(database: Database, tmp_path: Path) -> None:
    """July of a city, after word came of May and June."""
    city = busy_city(database, tmp_path)
    city.tell("inst_e", MAY_S + 86_400, {"vcpu": 3}, project="P-mail")
    city.tell("inst_f", MAY_S + 86_400, {"vcpu": 3})
    heard = Heard()
    city.at(city.clock.now_s)
    july_end_s = periods.window(city.platform, "2026-07")["end_s"]
    city.at(july_end_s + 60)
    periods.begin_closing(city.platform, "2026-07", finance("wang"))
    city.at(july_end_s + city.platform.closing_grace_s)
    periods.review(city.platform, "2026-07", finance("wang"), heard)
    assert heard.phases.index(WorkPhase.CORRECTING) == heard.phases.index(WorkPhase.WRITING) - 1
    assert heard.of(WorkPhase.CORRECTING) == (4, [1, 2, 3, 4])
