"""Notices of leases that end, and forgetting what was kept long enough, on both engines; through the real loop."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Table, func, select, update

from controller.api.finding_view import sentence
from controller.identity import audit, keys
from controller.identity.caller import Role
from controller.identity.keys import Key
from controller.identity.tables import audit as audit_table
from controller.identity.tables import idempotency_keys
from controller.reconcile import chores
from controller.reconcile.chores import Chores, Retention
from controller.reconcile.settings import ReconcileSettings
from controller.tickets import store as tickets
from controller.tickets import tables as ticket_tables
from controller.workflows import hosts as host_workflow
from controller.workflows import tickets as workflow
from controller.workflows.engine import StepSettings
from inventory.domain.host import AdminState
from inventory.domain.ids import TokenId
from inventory.domain.lease import DAY_S
from inventory.domain.scope import PLATFORM
from inventory.domain.system import SystemState
from inventory.store import findings, hosts, notices
from inventory.store import tables as t
from inventory.store.engine import Database
from tests.support.api import YAML, service
from tests.support.database import sqlite_database
from tests.support.platform import Furnished, furnish
from tests.support.reconciling import running_controller
from tests.support.samples import NOW_S, ticket_text


class Keeper:
    """Housekeeping on a furnished platform whose clock is moved by the test."""

    def __init__(self, database: Database, folder: Path, retention: Retention | None = None) -> None:
        self.furnished: Furnished = furnish(database, folder)
        self.database = database
        self.mono_s = 0.0
        self.chores = Chores(self.furnished.platform, retention or Retention(), lambda: self.mono_s)

    def pass_(self, seconds: float) -> int:
        """Let time go by and do everything that is due then; returns how many rows it was about."""
        self.mono_s += seconds
        self.furnished.clock.now_s += seconds
        return sum(self.chores.step() for _ in range(20))

    def system(self, name: str, left_s: float) -> str:
        """Have a system whose lease ends so soon; returns its id."""
        workflow.submit(self.furnished.platform, ticket_text(name), self.furnished.caller())
        with self.database.write() as connection:
            system_id = str(connection.execute(select(t.systems.c.id).where(t.systems.c.name == name)).scalar_one())
            end_s = int(self.furnished.clock.now_s + left_s)
            connection.execute(update(t.systems).where(t.systems.c.id == system_id).values(lease_end_s=end_s))
        return system_id

    def stages(self, name: str) -> list[str]:
        """Return the notices of a system, oldest first."""
        with self.database.read() as connection:
            return [n["stage"] for n in notices.page(connection, PLATFORM, limit=100) if n["system"] == name]


@pytest.fixture
def keeper(database: Database, tmp_path: Path) -> Keeper:
    return Keeper(database, tmp_path)


# -- the end of a lease -----------------------------------------------------------------------------------------------


def test_the_end_of_a_lease_is_told_four_times_and_each_time_once(keeper: Keeper) -> None:
    keeper.system("portal", 40 * DAY_S)
    assert keeper.stages("portal") == []
    for _ in range(45):
        keeper.pass_(DAY_S)
    assert keeper.stages("portal") == ["30_days", "7_days", "1_day", "over"]


def test_two_controllers_tell_it_once(keeper: Keeper) -> None:
    keeper.system("portal", 5 * DAY_S)
    other = Chores(keeper.furnished.platform, Retention(), lambda: keeper.mono_s)
    assert [keeper.chores.step(), other.step()] == [1, 0]
    assert keeper.stages("portal") == ["7_days"]


def test_a_renewed_lease_is_told_of_anew(keeper: Keeper) -> None:
    system_id = keeper.system("portal", DAY_S)
    keeper.pass_(600)
    with keeper.database.write() as connection:
        end_s = int(keeper.furnished.clock.now_s + 20 * DAY_S)
        connection.execute(update(t.systems).where(t.systems.c.id == system_id).values(lease_end_s=end_s))
    keeper.pass_(600)
    assert keeper.stages("portal") == ["1_day", "30_days"]


def test_a_system_that_is_given_back_is_not_told_of(keeper: Keeper) -> None:
    system_id = keeper.system("portal", DAY_S)
    with keeper.database.write() as connection:
        connection.execute(update(t.systems).where(t.systems.c.id == system_id).values(state=SystemState.RELEASED.value))
    keeper.pass_(600)
    assert keeper.stages("portal") == []


@pytest.mark.parametrize(
    ("left_days", "stage", "code", "last_day"),
    [
        (20, "30_days", "notice.lease_30_days", "2026-06-21"),
        (3, "7_days", "notice.lease_7_days", "2026-06-04"),
        (0.5, "1_day", "notice.lease_1_day", ""),
        (-2, "over", "notice.lease_over", ""),
    ],
)
def test_a_department_sees_its_own_notices_in_its_language(
    tmp_path: Path, left_days: float, stage: str, code: str, last_day: str
) -> None:
    with service(tmp_path) as platform:
        mine = platform.client(Role.DEPARTMENT_ADMIN, "civil-it")
        assert mine.post("/v1/tickets", content=ticket_text("portal"), headers=YAML).status_code == 202
        with platform.platform.db.write() as connection:
            connection.execute(update(t.systems).values(lease_end_s=int(platform.clock() + left_days * DAY_S)))
            notices.raise_due(connection, platform.platform.new_id, platform.clock(), limit=10)
        [notice] = mine.get("/v1/notices", params={"system": "portal"}).json()["items"]
        assert (notice["system"], notice["stage"], notice["code"]) == ("portal", stage, code)
        assert not last_day or notice["params"]["last_day"] == last_day
        assert "portal" in notice["detail_zh"]
        assert "renew" in notice["cure_en"]
        assert notice["cure_zh"] != notice["cure_en"]
        assert platform.client(Role.DEPARTMENT_ADMIN, "water").get("/v1/notices").json()["items"] == []
        assert len(platform.client(Role.AUDITOR).get("/v1/notices").json()["items"]) == 1


# -- hosts past the time of their state -------------------------------------------------------------------------------


def overdue(keeper: Keeper) -> list[tuple[str, str]]:
    """Return (host, state of the finding) of every host that was found past its time, the oldest finding first."""
    with keeper.database.read() as connection:
        found = findings.page_by_id(connection, limit=100, kind=findings.HOST_STATE)
    return [(f["detail"]["host"], f["state"]) for f in found]


def move_host(keeper: Keeper, name: str, to: AdminState, left_s: float | None) -> None:
    platform = keeper.furnished.platform
    until_s = None if left_s is None else int(keeper.furnished.clock() + left_s)
    host_workflow.set_state(platform, name, to, keeper.furnished.caller(), reason="new memory", until_s=until_s)


def test_a_host_past_the_time_of_its_state_is_found_and_stays_as_it_is(keeper: Keeper) -> None:
    first, second, third = (h.name for h in keeper.furnished.hosts)
    move_host(keeper, first, AdminState.MAINTENANCE, 3600)
    move_host(keeper, second, AdminState.CORDONED, 7200)
    move_host(keeper, third, AdminState.CORDONED, None)
    keeper.pass_(3500)
    assert overdue(keeper) == []
    keeper.pass_(200)
    assert overdue(keeper) == [(first, "open")]
    with keeper.database.read() as connection:
        [finding] = findings.page(connection, limit=10, state="open")
        assert hosts.host(connection, first).admin_state is AdminState.MAINTENANCE
        # A look at the host says nothing of its admin state.
        host_id = hosts.host(connection, first).id
    detail = {"admin_state": "maintenance", "by": keeper.furnished.caller().user_name, "reason": "new memory"}
    assert detail.items() <= finding["detail"].items()
    assert sentence(finding["detail"], "en", ZoneInfo("UTC")).startswith(f"host {first}; state maintenance; set by ")
    with keeper.database.write() as connection:
        findings.close_of_host(connection, host_id)
    assert overdue(keeper) == [(first, "open")]
    keeper.pass_(3600)
    assert sorted(overdue(keeper)) == sorted([(first, "open"), (second, "open")])


def test_it_is_told_once_and_closes_when_the_host_is_moved_and_opens_anew_with_a_new_time(keeper: Keeper) -> None:
    name = keeper.furnished.hosts[0].name
    move_host(keeper, name, AdminState.MAINTENANCE, 60)
    keeper.pass_(120)
    other = Chores(keeper.furnished.platform, Retention(), lambda: keeper.mono_s)
    told = [other.step() for _ in range(20)]
    assert (overdue(keeper), sum(told)) == ([(name, "open")], 0)
    move_host(keeper, name, AdminState.CORDONED, 600)
    keeper.pass_(60)
    assert overdue(keeper) == [(name, "closed")]
    keeper.pass_(600)
    assert overdue(keeper) == [(name, "closed"), (name, "open")]
    move_host(keeper, name, AdminState.ACTIVE, None)
    keeper.pass_(60)
    assert overdue(keeper) == [(name, "closed"), (name, "closed")]


# -- forgetting -------------------------------------------------------------------------------------------------------


def rows(database: Database, table: Table) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_answers_are_forgotten_after_a_day(keeper: Keeper) -> None:
    key = Key(token_id=TokenId("tok_1"), key="k", request_sha256="a" * 64)
    with keeper.database.write() as connection:
        keys.begin(connection, key, keeper.furnished.clock())
    keeper.pass_(keys.MEMORY_S - 60)
    assert rows(keeper.database, idempotency_keys) == 1
    keeper.pass_(7200)
    assert rows(keeper.database, idempotency_keys) == 0


def test_stories_explanations_and_findings_are_forgotten_after_400_days_and_no_record_is(keeper: Keeper) -> None:
    furnished, database = keeper.furnished, keeper.database
    over, open_ = (workflow.submit(furnished.platform, ticket_text(n), furnished.caller()) for n in ("old", "open"))
    now_s = furnished.clock()
    with database.write() as connection:
        connection.execute(
            update(ticket_tables.tickets).where(ticket_tables.tickets.c.id == over.id).values(finished_at_s=now_s, state="done")
        )
        connection.execute(update(t.systems).where(t.systems.c.id == over.system_id).values(state=SystemState.RELEASED.value))
        for number, state in enumerate(("open", "repaired")):
            row: dict[str, Any] = {
                "kind": "edited",
                "host_id": None,
                "resource_id": None,
                "subject": state,
                "detail": {},
                "state": state,
            }
            findings.save(connection, [{"id": f"find_{number}", **row}], now_s)
    records = rows(database, t.journal), rows(database, audit_table)
    keeper.pass_(399 * DAY_S)
    with database.read() as connection:
        assert tickets.events(connection, over.id)
    keeper.pass_(2 * DAY_S)
    with database.read() as connection:
        assert tickets.events(connection, over.id) == []
        assert tickets.events(connection, open_.id) != []
        assert [x["ticket_id"] for x in tickets.explanations(connection, PLATFORM, ticket_id=open_.id)] == [open_.id]
        assert tickets.explanations(connection, PLATFORM, ticket_id=over.id) == []
        assert [f["state"] for f in findings.page(connection, limit=10)] == ["open"]
        assert audit.verify(connection).is_intact
    assert (rows(database, t.journal), rows(database, audit_table)) == records
    assert min(records) > 0


def test_a_backlog_is_worked_off_in_portions(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chores, "BATCH", 3)
    with keeper.database.write() as connection:
        for number in range(8):
            keys.begin(connection, Key(token_id=TokenId("tok_1"), key=str(number), request_sha256="a" * 64), NOW_S)
    keeper.mono_s = 1.0
    keeper.furnished.clock.now_s += keys.MEMORY_S + 1
    assert [count for _ in range(12) if (count := keeper.chores.step())] == [3, 3, 2]


def test_the_loop_does_it_by_itself_and_not_while_it_is_switched_off(tmp_path: Path) -> None:
    settings = ReconcileSettings(observe_s=0.5, steps=StepSettings(parts_s=0.05))
    with sqlite_database(tmp_path / "state.db") as database, running_controller(database, tmp_path, settings=settings) as running:
        running.reconciler.pause()
        ticket = running.submit(ticket_text("portal"))
        with database.write() as connection:
            connection.execute(update(t.systems).values(lease_end_s=int(NOW_S)))
        # The chores of the start are over: the next ones are due when their period is.
        running.reconciler._chores = Chores(running.platform, Retention(), running.reconciler._monotonic)
        assert not running.wait_for(lambda: rows(database, t.notices) > 0, 1.0)
        running.reconciler.resume()
        assert running.wait_for(lambda: rows(database, t.notices) == 1)
        assert running.wait_for(lambda: running.ticket_state(ticket) == "done")
