"""Samples on both engines: kept, worked into days once, put together to months; taken beside looks by the loop's workers."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from controller.reconcile.chores import Retention, _forget_use, _months
from controller.reconcile.jobs import JobMeans, LookJob, LookReport, Report
from controller.reconcile.ledger import LedgerKeeper
from controller.reconcile.sampling import SampleBox, SampleKeeper
from controller.workflows import sampled
from controller.workflows.engine import StepSettings
from drivers.faults import Permanent, Transient
from drivers.protocol import Capability, HostObservation, InstanceStats
from inventory.domain.ids import ResourceId
from inventory.store.engine import Database
from metering import sample_store
from metering.sample_store import MachineUse, Taken
from metering.sample_tables import machine_use, readings, spool
from metering.samples import Sample, packed
from tests.support.billing import MAY_S, Billing, billing
from tests.support.database import memory_database
from tests.support.race import race

WEB, DB = (f"inst_{n:032x}" for n in (1, 2))
DAY_S = 86_400
SHAPE = {"vcpu": 2, "memory_mib": 4096}
STEP_S = 300


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Billing:
    """Two machines on both engines."""
    return _city(database, tmp_path)


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Billing]:
    """The same in memory, for what no engine does differently."""
    with memory_database() as database:
        yield _city(database, tmp_path)


def _city(database: Database, folder: Path) -> Billing:
    found = billing(database, folder)
    found.tell(WEB, MAY_S, SHAPE)
    found.tell(DB, MAY_S, SHAPE, project="P-gauges")
    found.at(MAY_S)
    return found


def taken(at_s: int, *, host: str = "host_a", web: int | None = 0, cpu_s: float = 0.0, db: int | None = None) -> Taken:
    """Return a sample of one host: bytes received by each machine; sent is a tenth of it."""
    samples = [
        Sample(id_, int(cpu_s * 1e9), 1024, count, count // 10) for id_, count in ((WEB, web), (DB, db)) if count is not None
    ]
    return Taken(host, at_s * 1000, packed(samples))


def work_in(here: Billing) -> sample_store.WorkedIn:
    return sampled.work_in(here.platform, STEP_S, wait_s=0)


def uses(here: Billing) -> list[MachineUse]:
    with here.platform.db.read() as connection:
        rows = connection.execute(select(machine_use).order_by(machine_use.c.instance_id, machine_use.c.start_s))
        return [sample_store.of_row(r) for r in rows]


def test_samples_become_what_a_machine_used_by_day(here: Billing) -> None:
    at_s = MAY_S + 600
    here.at(at_s + DAY_S)
    sampled.keep(here.platform, [taken(at_s + n * STEP_S, web=n * 1000, cpu_s=n * 60, db=7) for n in range(5)])
    assert work_in(here).sample_count == 10
    web, db = uses(here)
    assert (web.instance_id, web.start_s, web.end_s) == (WEB, MAY_S, MAY_S + DAY_S)
    assert (web.owner.project_id, db.owner.project_id) == tuple(here.city.projects[p].id for p in ("P-portal", "P-gauges"))
    assert (web.owner.vcpu_count, web.owner.memory_mib) == (2, 4096)
    # 60 s of two processors in 300 s, and a quarter of the memory.
    assert (web.used.cpu.covered_ms, web.used.cpu.peak_permille, web.used.memory.peak_permille) == (1_200_000, 100, 250)
    assert (web.used.cpu_ms, web.used.vcpu_ms) == (240_000, 2_400_000)
    assert (web.used.received_bytes, web.used.sent_bytes) == (4000, 400)
    assert (db.used.cpu_ms, db.used.received_bytes) == (240_000, 0)
    with here.platform.db.read() as connection:
        assert connection.execute(select(func.count()).select_from(spool)).scalar_one() == 0


def test_working_in_by_portions_again_and_late_is_the_same(local: Billing) -> None:
    local.at(MAY_S + DAY_S)
    told = [taken(MAY_S + n * STEP_S, web=n * 100) for n in range(6)]
    for one in told[:3]:
        sampled.keep(local.platform, [one, one])
        work_in(local)
    sampled.keep(local.platform, told[1:])
    assert work_in(local).ignored_count == 2, "two of them came before"
    assert work_in(local).sample_count == 0
    [web] = uses(local)
    assert (web.used.received_bytes, web.used.cpu.covered_ms) == (500, 1_500_000)


def test_a_stretch_over_midnight_is_of_both_days_to_the_byte(local: Billing) -> None:
    midnight = MAY_S + DAY_S
    local.at(midnight + DAY_S)
    sampled.keep(local.platform, [taken(midnight - 100, web=0), taken(midnight + 200, web=1000, cpu_s=300)])
    work_in(local)
    first, second = uses(local)
    assert (first.start_s, second.start_s) == (MAY_S, midnight)
    assert (first.used.cpu.covered_ms, second.used.cpu.covered_ms) == (100_000, 200_000)
    assert (first.used.received_bytes, second.used.received_bytes) == (333, 667)


def test_a_gap_is_no_idleness_and_its_bytes_count(local: Billing) -> None:
    local.at(MAY_S + DAY_S)
    sampled.keep(local.platform, [taken(MAY_S, web=0), taken(MAY_S + 7200, web=50), taken(MAY_S + 7500, web=60)])
    work_in(local)
    [web] = uses(local)
    assert (web.used.cpu.covered_ms, web.used.received_bytes) == (300_000, 60)


def test_a_machine_the_ledger_does_not_know_yet_is_counted_when_it_does(local: Billing) -> None:
    new = f"inst_{9:032x}"
    local.at(MAY_S + DAY_S)
    early, late = (Taken("host_a", (MAY_S + n) * 1000, packed([Sample(new, 0, 0, n, n)])) for n in (10, 400))
    sampled.keep(local.platform, [early])
    assert work_in(local).ignored_count == 1
    local.tell(new, MAY_S + 5, SHAPE)
    local.at(MAY_S + DAY_S)
    sampled.keep(local.platform, [early, late])
    assert work_in(local).ignored_count == 0
    assert uses(local)[0].used.received_bytes == 390


def test_a_machine_that_moves_is_counted_on(local: Billing) -> None:
    local.at(MAY_S + DAY_S)
    there = [taken(MAY_S + 600, host="host_b", web=40), taken(MAY_S + 900, host="host_b", web=45)]
    sampled.keep(local.platform, [taken(MAY_S, web=100), taken(MAY_S + 300, web=150), *there])
    work_in(local)
    [web] = uses(local)
    assert web.used.received_bytes == 50 + 40 + 5
    assert web.used.cpu.covered_ms == 600_000, "how busy it was while it moved is not known"


@pytest.mark.parametrize("first", ["host_a", "host_b"])
def test_a_machine_that_moves_is_counted_whichever_host_is_worked_in_first(local: Billing, first: str) -> None:
    local.at(MAY_S + DAY_S)
    sampled.keep(local.platform, [taken(MAY_S, web=100)])
    work_in(local)
    rows = {
        "host_a": [taken(MAY_S + 300, web=150), taken(MAY_S + 600, web=170)],
        "host_b": [taken(MAY_S + 900, host="host_b", web=40), taken(MAY_S + 1200, host="host_b", web=500)],
    }
    for host in (first, *(h for h in rows if h != first)):
        sampled.keep(local.platform, rows[host])
        work_in(local)
    [web] = uses(local)
    assert web.used.received_bytes == 70 + 500


def test_two_controllers_work_a_sample_in_once(here: Billing) -> None:
    machines = [f"inst_{n:032x}" for n in range(100, 140)]
    for name in machines:
        here.tell(name, MAY_S, SHAPE)
    here.at(MAY_S + DAY_S)
    rows = [
        Taken(f"host_{n}", (MAY_S + 1 + k * STEP_S) * 1000, packed([Sample(name, 0, 0, k * 10, 0)]))
        for n, name in enumerate(machines)
        for k in range(4)
    ]
    sampled.keep(here.platform, rows)
    race(lambda _, __: work_in(here).sample_count > 0, contenders=4, rounds=1, between=lambda _: None, threads=4)
    assert [u.used.received_bytes for u in uses(here)] == [30] * len(machines)


def test_days_become_months_and_old_months_go(here: Billing) -> None:
    for day in range(40):
        here.at(MAY_S + day * DAY_S + 7200)
        sampled.keep(here.platform, [taken(MAY_S + day * DAY_S + n * STEP_S, web=day * 100 + n * 10) for n in range(3)])
        work_in(here)
    before = uses(here)
    assert len(before) == 40
    months = sampled.month_of(here.platform.zone)
    put = partial(_months, before_s=here.clock.now_s, months=months)
    assert here.platform.db.run(put) == 1
    assert here.platform.db.run(put) == 0
    after = uses(here)
    assert next((u.start_s, u.end_s) for u in after) == months(MAY_S)
    assert len(after) == 1 + 9, "June goes on by days"
    assert sum(u.used.received_bytes for u in after) == sum(u.used.received_bytes for u in before)
    assert sum(u.used.cpu.covered_ms for u in after) == sum(u.used.cpu.covered_ms for u in before)
    kept = Retention(use_days_s=1, use_months_s=8 * DAY_S)
    assert here.platform.db.run(lambda c: _forget_use(c, here.clock.now_s, kept)) == 2, "May, and the counters"
    assert len(uses(here)) == 9
    with here.platform.db.read() as connection:
        assert connection.execute(select(func.count()).select_from(readings)).scalar_one() == 0


# -- taken by the loop's workers ---------------------------------------------------------------------------------------


@dataclass
class Host:
    """As much of a host as a look needs."""

    answer: object = ()
    id: str = "host_a"
    name: str = "a"
    asked: int = 0
    powers: Capability = Capability.STATS

    def driver(self) -> "Host":
        return self

    def capabilities(self) -> Capability:
        return self.powers

    def observe(self) -> HostObservation:
        return HostObservation(instances=(), foreign=(), volume_ids=frozenset(), segment_ids=frozenset(), observed_at_s=0.0)

    def stats(self) -> object:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@dataclass
class Sampling:
    """A box with a clock, and the reports of looks."""

    here: Billing
    mono_s: float = 0.0
    reports: list[Report] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.box = SampleBox(interval_s=STEP_S, clock=self.here.clock, monotonic=lambda: self.mono_s)
        keeper = SampleKeeper(platform=self.here.platform, box=self.box)
        self.keeper = LedgerKeeper(platform=self.here.platform, interval_s=5, compare_interval_s=DAY_S, samples=keeper)

    def look(self, host: Host) -> None:
        means = JobMeans(
            report=self.reports.append, clock=self.here.clock, monotonic=lambda: self.mono_s, settings=StepSettings(),
            backoff_s=lambda n: 1.0, act_for_s=30.0, samples=self.box,
        )  # fmt: skip
        enough: Any = host  # has what a look asks for
        job = LookJob(means=means, host=enough)
        while job.advance():
            pass

    def later(self, seconds: float) -> None:
        self.mono_s += seconds
        self.here.clock.now_s += seconds


def test_a_look_brings_counters_when_they_are_due_and_the_keeper_writes_them(local: Billing) -> None:
    found = Sampling(local)
    host = Host()
    for n in range(0, 7200, 30):
        host.answer = [InstanceStats(instance_id=ResourceId(WEB), cpu_time_ns=n * 10**9, network_received_bytes=n)]
        found.look(host)
        if n % STEP_S == 0:
            found.keeper.tick()
        found.later(30)
    assert len(found.reports) == 240
    assert host.asked == 24
    found.later(3600)
    found.keeper.tick()
    [web] = uses(local)
    assert web.used.received_bytes == 23 * STEP_S
    assert web.used.cpu.at_most(95) == 500, "one of two processors"
    assert web.used.memory.at_most(95) is None, "its memory is not known, which is not idle"


def test_counters_that_do_not_come_spoil_no_look(local: Billing) -> None:
    found = Sampling(local)
    found.look(Host(answer=Transient("driver.unreachable", connection="a")))
    found.look(Host(id="host_b", powers=Capability.NONE))
    assert [isinstance(r, LookReport) and r.problem for r in found.reports] == [None, None]
    assert (found.box.counters.failed, found.box.emptied()) == (1, [])


def test_why_counters_do_not_come_is_told_once(local: Billing) -> None:
    found = Sampling(local)
    refused = Permanent("openstack.diagnostics_refused", name="hv-1", status=501)
    host = Host(answer=refused)
    answers: tuple[Any, ...] = (refused, refused, Transient("driver.unreachable", connection="a"), [], refused)
    with capture_logs() as told:
        for answer in answers:
            host.answer = answer
            found.look(host)
            found.later(STEP_S)
    lines = [line["code"] for line in told if "counters" in line["event"]]
    # Again once another reason came, or counters did.
    assert lines == ["openstack.diagnostics_refused", "driver.unreachable", "openstack.diagnostics_refused"]
    assert found.box.counters.failed == 4


@pytest.mark.parametrize(("turn", "is_covered"), [(3, True), (4, False)])
def test_machines_that_take_turns_lose_no_byte_and_are_covered_up_to_every_third_interval(
    local: Billing, turn: int, is_covered: bool
) -> None:
    found = Sampling(local)
    host = Host()
    for n in range(13):
        grown = InstanceStats(instance_id=ResourceId(WEB), cpu_time_ns=n * STEP_S * 10**9, network_received_bytes=n * 1000)
        host.answer = [] if n % turn else [grown]
        found.look(host)
        found.keeper.tick()
        found.later(STEP_S)
    found.later(3600)
    found.keeper.tick()
    [web] = uses(local)
    assert web.used.received_bytes == 12_000
    assert (web.used.cpu.at_most(95) is not None) is is_covered


def test_what_cannot_be_written_waits(local: Billing, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Sampling(local)
    found.look(Host(answer=[InstanceStats(instance_id=ResourceId(WEB), network_received_bytes=5)]))

    def broken(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(sampled, "keep", broken)
        with pytest.raises(RuntimeError):
            found.keeper.tick()
    assert len(found.box.emptied()) == 1
