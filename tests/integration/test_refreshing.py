"""What hosts are, read again beside looks: on time, spread, written where it is otherwise only."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from controller.reconcile.jobs import JobMeans, LookJob, LookReport, Report
from controller.reconcile.refreshing import Refresher
from controller.workflows.engine import StepSettings
from drivers.faults import DriverFault, Transient
from drivers.protocol import HostObservation
from inventory.domain.host import Host, HostFacts
from inventory.store import hosts
from inventory.store.engine import Database
from tests.support.platform import Furnished, furnish

INTERVAL_S = 100.0


@pytest.fixture
def furnished(database: Database, tmp_path: Path) -> Furnished:
    return furnish(database, tmp_path, host_count=1)


@dataclass
class Back:
    """A back end whose host is what it is told to be."""

    facts: HostFacts
    fault: DriverFault | None = None
    read_count: int = 0

    def observe(self) -> HostObservation:
        return HostObservation(instances=(), foreign=(), volume_ids=frozenset(), segment_ids=frozenset(), observed_at_s=1.0)

    def inspect_host(self) -> HostFacts:
        self.read_count += 1
        if self.fault is not None:
            raise self.fault
        return self.facts


@dataclass
class Bench:
    """One host and the looks at it."""

    furnished: Furnished
    back: Back
    interval_s: float = INTERVAL_S
    mono_s: float = 0.0
    reports: list[Report] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.refresher = Refresher(platform=self.furnished.platform, interval_s=self.interval_s, monotonic=lambda: self.mono_s)

    def look(self, after_s: float = 0.0) -> None:
        self.mono_s += after_s
        means = JobMeans(
            report=self.reports.append,
            clock=self.furnished.clock,
            monotonic=lambda: self.mono_s,
            settings=StepSettings(),
            backoff_s=lambda _attempt: 1.0,
            act_for_s=10.0,
            refresher=self.refresher,
        )
        handle: Any = Handle(self.stored.id, lambda: self.back)  # only these are asked of it
        job = LookJob(means=means, host=handle)
        while job.advance():
            pass

    @property
    def stored(self) -> Host:
        with self.furnished.platform.db.read() as connection:
            return hosts.host(connection, self.furnished.hosts[0].id)


@dataclass
class Handle:
    id: str
    driver: Callable[[], Back]
    name: str = "n"


@pytest.fixture
def bench(furnished: Furnished) -> Bench:
    facts = furnished.hosts[0].facts
    assert facts is not None
    return Bench(furnished, Back(facts))


def test_a_host_is_read_again_within_an_interval_of_the_start_and_then_once_in_each(bench: Bench) -> None:
    for _ in range(51):
        bench.look(1.0)
    assert bench.back.read_count == 0, "a start asks nothing more"
    for _ in range(51):
        bench.look(1.0)
    assert bench.back.read_count == 1
    for _ in range(100):
        bench.look(1.0)
    assert bench.back.read_count == 2
    assert all(isinstance(r, LookReport) and r.observation is not None for r in bench.reports)


def test_nothing_is_read_again_where_it_is_switched_off(bench: Bench) -> None:
    off = Bench(bench.furnished, bench.back, interval_s=0)
    off.look()
    off.look(1e6)
    assert off.back.read_count == 0


def test_only_what_is_otherwise_is_written_and_the_room_left_in_storage_is_not(bench: Bench) -> None:
    before, facts = bench.stored, bench.back.facts
    bench.back.facts = replace(facts, storage=tuple(replace(s, available_gib=s.available_gib - 1) for s in facts.storage))
    bench.look()
    bench.look(INTERVAL_S)
    assert (bench.back.read_count, bench.stored) == (1, before)
    bench.back.facts = replace(facts, cpu_count=facts.cpu_count + 8, places=("az-east",))
    bench.look(INTERVAL_S)
    now = bench.stored
    assert now.facts == bench.back.facts
    assert (now.revision, now.offers) == (before.revision + 1, frozenset({"az-east"}))
    with bench.furnished.platform.db.read() as connection:
        room = {r.dimension: r.total for r in hosts.inventories_of(connection, [now.id])[now.id]}
    assert room["vcpu"] == facts.cpu_count + 8


def test_a_host_that_cannot_be_read_or_lacks_its_storage_keeps_what_is_known_and_the_log_says_so(bench: Bench) -> None:
    before, facts = bench.stored, bench.back.facts
    bench.look()
    with capture_logs() as told:
        bench.back.facts = replace(facts, storage=())
        bench.look(INTERVAL_S)
        bench.back.fault = Transient("driver.unreachable", connection="c")
        bench.look(INTERVAL_S)
    assert [line["problem"] for line in told] == ["host.storage_missing", "driver.unreachable"]
    assert bench.stored == before
