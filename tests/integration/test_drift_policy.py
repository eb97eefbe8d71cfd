"""What is done about drift is a setting, of the platform and of each pool: repaired, or reported and left. Through the loop."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from controller.reconcile.auditor import audit_invariants
from controller.reconcile.settings import ReconcileSettings
from controller.tickets import store as tickets
from controller.workflows import ledger, power, reconciliation
from drivers.simulated.host import SimulatedHost
from drivers.simulated.records import Machine
from drivers.simulated.world import World, world_named
from inventory.domain.drift import DriftAnswer, DriftKind, DriftPolicy
from inventory.domain.resource import Observed, Phase, Resource, ResourceKind
from inventory.store import directory, findings, hosts, journal, resources
from inventory.store import tables as t
from inventory.store.engine import Database
from tests.support.database import sqlite_database
from tests.support.metrics import Watched, watch

#: The loop looks at every host once in this time.
LOOK_S = 31
REPORT, REPAIR = DriftAnswer.REPORT, DriftAnswer.REPAIR


class Stage:
    """One machine with a data disk that runs, on a platform with a policy."""

    def __init__(self, database: Database, folder: Path, policy: DriftPolicy) -> None:
        # The clock is the test's: every look is written when it is made.
        settings = ReconcileSettings(looks_s=0.0, sync_hosts_s=0.0, drift=policy)
        self.watched: Watched = watch(database, folder, world=f"{folder.name}-{database.engine.dialect.name}", settings=settings)
        self.platform = self.watched.furnished.platform
        self.watched.apply("portal", count=1)
        self.look()

    def look(self, times: int = 2) -> None:
        """Let the loop look at every host so often and do what comes of it."""
        for _ in range(times):
            self.watched.furnished.clock.now_s += LOOK_S
            self.watched.work()

    @property
    def world(self) -> World:
        with self.platform.db.read() as connection:
            return world_named(urlsplit(hosts.hosts(connection)[0].connection).netloc)

    def row(self, kind: ResourceKind = ResourceKind.INSTANCE) -> Resource:
        with self.platform.db.read() as connection:
            rows = [
                resources.from_row(r) for r in connection.execute(t.resources.select().where(t.resources.c.kind == kind.value))
            ]
        [found] = rows
        return found

    @property
    def host(self) -> SimulatedHost:
        with self.platform.db.read() as connection:
            return self.world.hosts[hosts.host(connection, self.row().host_id or "").name]

    @property
    def machine(self) -> Machine | None:
        return self.host.machines.get(self.row().id)

    def findings(self) -> dict[str, str]:
        """Return the state of every finding, by kind."""
        with self.platform.db.read() as connection:
            return {f["kind"]: f["state"] for f in findings.page(connection, limit=100)}

    def story(self) -> list[str]:
        """Return the codes of what the ticket's story says of drift."""
        ticket_id = self.row().ticket_id
        assert ticket_id is not None
        with self.platform.db.read() as connection:
            return [e.code for e in tickets.events(connection, ticket_id) if e.code.startswith("drift.")]

    def work_count(self) -> tuple[int, int]:
        """Return how often a resource was taken up, and how often a back end was changed or asked about one."""
        counters = self.watched.reconciler.counters
        return counters.claimed, sum(h.count for h in counters.steps.values())

    def metered(self, kind: ResourceKind = ResourceKind.INSTANCE) -> str:
        with self.platform.db.read() as connection:
            return journal.of_resource(connection, self.row(kind).id)[-1].state

    def assert_rests(self) -> None:
        """Many looks do nothing, and no book says anything else than another."""
        before = self.work_count(), self.findings(), self.story()
        self.look(6)
        assert (self.work_count(), self.findings(), self.story()) == before, "the reconciler must not spin"
        ledger.catch_up(self.platform)
        subjects, _ = reconciliation.look(self.platform, set())
        assert subjects == set(), "what is metered is explained"
        with self.platform.db.read(is_steady=True) as connection:
            assert audit_invariants(connection, {}) == []


def stop(stage: Stage) -> None:
    stage.world.drift_stop(stage.host.name, stage.row().id)


def vanish(stage: Stage) -> None:
    stage.world.drift_vanish(stage.host.name, stage.row().id)


def detach(stage: Stage) -> None:
    assert stage.machine is not None
    stage.world.drift_detach(stage.host.name, stage.row().id, stage.machine.disks[0])


def lose_network(stage: Stage) -> None:
    with stage.host.lock:
        del stage.host.segments[stage.row(ResourceKind.SEGMENT).id]


def loosen_network(stage: Stage) -> None:
    stage.world.drift_rules(stage.host.name, stage.row(ResourceKind.SEGMENT).id)


def is_loose(stage: Stage) -> bool:
    return stage.host.segments[stage.row(ResourceKind.SEGMENT).id].is_loose


def start(stage: Stage) -> None:
    """Somebody starts what a person of ours had stopped."""
    power.stop(stage.platform, stage.row().id, stage.watched.furnished.caller())
    stage.look()
    assert (stage.row().observed, stage.metered(), stage.findings()) == (Observed.STOPPED, "stopped", {})
    stage.world.drift_start(stage.host.name, stage.row().id)


#: What somebody does, the kind it is, and how it is seen that it is still so.
DRIFTS: dict[str, tuple[Callable[[Stage], None], DriftKind, Callable[[Stage], bool]]] = {
    "stopped": (stop, DriftKind.STOPPED, lambda s: s.machine is not None and not s.machine.is_running),
    "started": (start, DriftKind.STARTED, lambda s: s.machine is not None and s.machine.is_running),
    "gone": (vanish, DriftKind.MISSING, lambda s: s.machine is None),
    "network gone": (lose_network, DriftKind.MISSING, lambda s: s.row(ResourceKind.SEGMENT).id not in s.host.segments),
    "network loosened": (loosen_network, DriftKind.EDITED, is_loose),
    "edited": (detach, DriftKind.EDITED, lambda s: s.machine is not None and not s.machine.disks),
}


@pytest.mark.parametrize("what", DRIFTS)
def test_by_default_it_is_repaired(database: Database, tmp_path: Path, what: str) -> None:
    do, kind, is_so = DRIFTS[what]
    stage = Stage(database, tmp_path, DriftPolicy())
    do(stage)
    assert is_so(stage)
    stage.look(4)
    assert not is_so(stage)
    assert stage.machine is not None
    assert stage.machine.is_running is (kind is not DriftKind.STARTED)
    # A network that is gone has no finding of its own; that of one let loose is open until a look shows it put right.
    expected = {"network gone": {}, "network loosened": {kind.value: "closed"}}
    assert stage.findings() == expected.get(what, {kind.value: "repaired"})
    if what == "network loosened":
        assert stage.watched.reconciler.counters.drift[kind.value] == 1, "what is put right and told is one drift"
    assert stage.story() == []
    stage.assert_rests()


@pytest.mark.parametrize("what", DRIFTS)
def test_with_report_it_is_told_and_nothing_is_done(database: Database, tmp_path: Path, what: str) -> None:
    do, kind, is_so = DRIFTS[what]
    stage = Stage(database, tmp_path, replace(DriftPolicy(), **{kind.value: REPORT}))
    do(stage)
    stage.look(4)
    assert is_so(stage)
    assert stage.findings() == {kind.value: "open"}
    assert stage.story() == [f"drift.{kind.value}"]
    assert f'allot_findings_open{{kind="{kind.value}"}} 1' in stage.watched.text()
    assert stage.watched.reconciler.counters.drift[kind.value] >= 1
    assert stage.row().phase is Phase.SETTLED
    stage.assert_rests()


@pytest.mark.parametrize(
    ("what", "observed", "metered"), [("stopped", Observed.STOPPED, "stopped"), ("gone", Observed.ABSENT, "lost")]
)
def test_what_is_left_is_not_charged_as_running_and_a_persons_start_repairs_it(
    database: Database, tmp_path: Path, what: str, observed: Observed, metered: str
) -> None:
    do, kind, is_so = DRIFTS[what]
    stage = Stage(database, tmp_path, replace(DriftPolicy(), **{kind.value: REPORT}))
    do(stage)
    stage.look()
    assert (stage.row().observed, stage.metered()) == (observed, metered)
    power.start(stage.platform, stage.row().id, stage.watched.furnished.caller())
    stage.look()
    assert not is_so(stage)
    assert (stage.row().observed, stage.metered()) == (Observed.RUNNING, "running")
    assert stage.findings() == {kind.value: "repaired"} or stage.findings() == {kind.value: "closed"}
    stage.assert_rests()


def test_what_is_left_running_is_charged_so_until_a_person_stops_it_or_wants_it(database: Database, tmp_path: Path) -> None:
    stage = Stage(database, tmp_path, DriftPolicy(started=REPORT))
    for say, word in ((power.stop, Observed.STOPPED), (power.start, Observed.RUNNING)):
        start(stage)
        stage.look()
        assert (stage.row().observed, stage.metered(), stage.findings()) == (Observed.RUNNING, "running", {"started": "open"})
        say(stage.platform, stage.row().id, stage.watched.furnished.caller())
        stage.look()
        assert (stage.row().observed, stage.metered(), stage.findings()) == (word, word.value, {"started": "closed"})
        stage.assert_rests()
        forget_findings(stage)


def forget_findings(stage: Stage) -> None:
    with stage.platform.db.write() as connection:
        connection.execute(t.findings.delete())


@pytest.mark.parametrize(("do", "kind"), [(stop, DriftKind.STOPPED), (start, DriftKind.STARTED)])
def test_a_machine_left_as_it_runs_is_put_right_in_the_rest(tmp_path: Path, do: Callable[[Stage], None], kind: DriftKind) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        stage = Stage(database, tmp_path, replace(DriftPolicy(), **{kind.value: REPORT}))
        do(stage)
        stage.look()
        detach(stage)
        stage.look()
        assert stage.machine is not None
        assert stage.machine.disks, "the disk is back"
        assert stage.machine.is_running is (kind is DriftKind.STARTED)
        assert stage.findings() == {kind.value: "open", "edited": "repaired"}
        stage.assert_rests()


@pytest.mark.parametrize(("do", "kind"), [(stop, DriftKind.STOPPED), (start, DriftKind.STARTED)])
def test_a_machine_of_which_all_is_left_shows_all(tmp_path: Path, do: Callable[[Stage], None], kind: DriftKind) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        stage = Stage(database, tmp_path, replace(DriftPolicy(edited=REPORT), **{kind.value: REPORT}))
        do(stage)
        detach(stage)
        stage.look()
        assert stage.machine is not None
        assert not stage.machine.disks
        assert stage.findings() == {kind.value: "open", "edited": "open"}
        assert sorted(stage.story()) == sorted([f"drift.{kind.value}", "drift.edited"])
        stage.assert_rests()


def test_an_ordered_restart_starts_what_was_left_stopped(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        stage = Stage(database, tmp_path, DriftPolicy(stopped=REPORT))
        stop(stage)
        stage.look()
        power.reboot(stage.platform, stage.row().id, stage.watched.furnished.caller())
        stage.look()
        assert stage.machine is not None
        assert stage.machine.is_running


def test_a_machine_that_comes_back_by_itself_closes_the_finding(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        stage = Stage(database, tmp_path, DriftPolicy(stopped=REPORT))
        stop(stage)
        stage.look()
        stage.world.drift_start(stage.host.name, stage.row().id)
        stage.look()
        assert (stage.row().observed, stage.metered(), stage.findings()) == (Observed.RUNNING, "running", {"stopped": "closed"})


def test_a_pool_has_answers_of_its_own_and_a_change_of_them_is_followed(database: Database, tmp_path: Path) -> None:
    stage = Stage(database, tmp_path, DriftPolicy(edited=REPORT))
    save_answers(stage, {"stopped": "report", "edited": "repair"})
    stop(stage)
    stage.look()
    assert DRIFTS["stopped"][2](stage)
    assert stage.findings() == {"stopped": "open"}
    save_answers(stage, {})
    stage.look()
    assert not DRIFTS["stopped"][2](stage)
    assert stage.findings() == {"stopped": "repaired"}
    detach(stage)
    stage.look()
    assert DRIFTS["edited"][2](stage), "the platform's answer holds where the pool has none"


def save_answers(stage: Stage, answers: dict[str, str]) -> None:
    with stage.platform.db.write() as connection:
        [pool] = directory.pools(connection)
        directory.save_pool(connection, replace(pool, drift=answers))
        assert directory.pools(connection) == [replace(pool, drift=answers)]


def test_a_lost_disk_is_reported_whatever_the_policy_and_never_made_anew(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        stage = Stage(database, tmp_path, DriftPolicy(missing=REPORT))
        stage.world.drift_vanish(stage.host.name, stage.row().id, with_root_disk=True)
        stage.look()
        assert stage.row().phase is Phase.FAILED
        assert stage.row().id not in stage.host.volumes
        assert (stage.metered(), stage.metered(ResourceKind.VOLUME)) == ("lost", "running"), "its data disk is still there"
        stage.look()
        assert stage.findings() == {"missing": "open"}, "true until the machine is gone, however often it is looked at"


def test_a_data_disk_that_is_lost_fails_and_says_so_and_no_empty_one_takes_its_place(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        stage = Stage(database, tmp_path, DriftPolicy())
        disk = stage.row(ResourceKind.VOLUME)
        with stage.host.lock:
            stage.host.erase_volume(disk.id)
        stage.look()
        lost = stage.row(ResourceKind.VOLUME)
        assert (lost.phase, lost.problem.code if lost.problem else "") == (Phase.FAILED, "volume.disk_lost")
        stage.look(4)
        assert disk.id not in stage.host.volumes
        assert stage.findings()["missing"] == "open"
        assert stage.metered(ResourceKind.VOLUME) == "lost"
