"""What a seed of the simulation is played on: clocks, a state that fails around its commits, the city every seed starts from."""

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.pool import StaticPool

from controller.reconcile.settings import ReconcileSettings
from controller.schema import METADATA
from controller.workflows.engine import StepSettings
from drivers.protocol import Capability
from drivers.simulated.driver import SimulatedDriver
from drivers.simulated.faults import READ_VERBS, FaultRates, SimulatedCrash
from drivers.simulated.host import SimulatedHost
from drivers.simulated.world import World
from inventory.domain.errors import Unavailable
from inventory.domain.ids import seeded_ids
from inventory.domain.system import DiskSpec, ServerSpec, SystemSpec
from inventory.store.engine import Database
from tests.support.platform import NO_CELLS, CellSpec, Furnished, furnish
from tests.support.samples import NOW_S

HOSTS = 3
CPUS, MEMORY_MIB, DISK_GIB = 8, 16384, 40

STEPS = StepSettings(
    graceful_s=2.0,
    attempts_before_clear=4,
    attempts_before_fail=8,
    backoff_first_s=0.5,
    backoff_most_s=6.0,
    parts_s=1.0,
    subnet_rest_s=22.0,
)
SETTINGS = ReconcileSettings(
    hold_s=15.0,
    hold_margin_s=3.0,
    observe_s=10.0,
    probe_s=4.0,
    progress_s=0.0,
    looks_s=0.0,
    sync_hosts_s=10.0,
    audit_s=float("inf"),
    steps=STEPS,
)
RATES = FaultRates(
    delay=0.03,
    lost_request=0.02,
    lost_request_known=0.02,
    lost_reply=0.03,
    late_effect=0.015,
    crash_before=0.01,
    crash_after=0.01,
    unreachable=0.02,
    storage_full=0.015,
    delay_max_s=14.0,
    late_max_s=20.0,
    unreachable_max_s=25.0,
)


@dataclass(slots=True)
class Time:
    """The database's clock, which may jump forward, and the monotonic one, which may not."""

    now_s: float = NOW_S
    mono_s: float = 1000.0

    def clock(self) -> float:
        return self.now_s

    def monotonic(self) -> float:
        return self.mono_s

    def pass_(self, seconds: float) -> None:
        self.now_s += seconds
        self.mono_s += seconds

    def jump(self, seconds: float) -> None:
        self.now_s += seconds


@dataclass(slots=True)
class StateFaults:
    """What may go wrong around a commit."""

    chooser: random.Random
    is_active: bool = True

    def fate(self) -> str:
        if not self.is_active:
            return ""
        point = self.chooser.random()
        for rate, name in ((0.012, "lost_before"), (0.012, "lost_after"), (0.01, "crash_before"), (0.01, "crash_after")):
            if point < rate:
                return name
            point -= rate
        return ""


@dataclass(slots=True)
class FaultyDatabase(Database):
    """A connection that may break, or a process that may die, just before or just after a commit."""

    faults: StateFaults = field(kw_only=True)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        fate = self.faults.fate()
        with Database.write(self) as connection:
            yield connection
            if fate == "lost_before":
                raise Unavailable("state.unreachable")
            if fate == "crash_before":
                raise SimulatedCrash(fate)
        if fate == "lost_after":
            raise Unavailable("state.unreachable")
        if fate == "crash_after":
            raise SimulatedCrash(fate)


class Stage:
    """The furnished state every seed starts from: made once per process, copied per seed."""

    def __init__(self, cells: CellSpec = NO_CELLS, scope: str = "") -> None:
        self._raw = sqlite3.connect(":memory:", check_same_thread=False)
        self._raw.isolation_level = None
        self._template = sqlite3.connect(":memory:", check_same_thread=False)
        engine = create_engine("sqlite://", poolclass=StaticPool, creator=lambda: self._raw)

        @event.listens_for(engine, "connect")
        def _prepare(connection: Any, _record: Any) -> None:
            connection.isolation_level = None
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("PRAGMA journal_mode=MEMORY")

        self.engine = engine
        METADATA.create_all(engine)
        ids = seeded_ids(7, lambda: int(NOW_S) - 1000)
        self.furnished: Furnished = furnish(
            Database(engine, is_sqlite=True),
            Path("/nowhere"),
            host_count=HOSTS,
            cpu_count=CPUS,
            memory_mib=MEMORY_MIB,
            disk_gib=DISK_GIB,
            new_id=ids,
            cells=cells,
            scope=scope,
        )
        self._raw.backup(self._template)

    def reset(self) -> None:
        """Bring the first state back."""
        if self._raw.in_transaction:
            self._raw.execute("ROLLBACK")
        self._template.backup(self._raw)


_STAGES: dict[tuple[CellSpec, str], Stage] = {}


def stage(cells: CellSpec = NO_CELLS, scope: str = "") -> Stage:
    """Return this process's stage, one for each kind of hosts."""
    if (cells, scope) not in _STAGES:
        _STAGES[cells, scope] = Stage(cells, scope)
    return _STAGES[cells, scope]


def spec_of(name: str, count: int, *, vcpu: int = 1, memory_mib: int = 1024, disks: int = 0) -> SystemSpec:
    """Return a small system."""
    return SystemSpec(
        name=name,
        title=name,
        department="civil-it",
        project="P-portal",
        zone="gov-public",
        mlps_level=2,
        environment="test",
        lease_end="2027-02-28",
        owner="张三",
        contact_name="张三",
        servers=(
            ServerSpec(
                name="web",
                count=count,
                vcpu_count=vcpu,
                memory_mib=memory_mib,
                size="",
                image="demo-linux",
                root_disk_gib=2,
                disks=tuple(DiskSpec(name=f"d{i}", size_gib=1) for i in range(disks)),
            ),
        ),
    )


class Watch(Protocol):
    """Who is told what has effect."""

    world: World
    without: Capability
    #: Of the hold under which something is done just now.
    acting_fence: int

    def had_effect(self, host: str, verb: str, resource_id: str, fence: int) -> None: ...


#: Verbs that carry no fence.
_UNFENCED = READ_VERBS | {"ensure_image"}


class WatchedDriver(SimulatedDriver):
    """Notices when a request has effect although a newer hold already had one on the same thing."""

    def __init__(self, watch: Watch, host: SimulatedHost) -> None:
        super().__init__(watch.world, host, without=watch.without)
        self._watch = watch

    def _call(self, verb: str, resource_id: str, work: Callable[[], Any], **means: Any) -> Any:
        # The fence of the hold, not the one the verb was given: a mutant may lie to the back end.
        fence = self._watch.acting_fence
        if verb in _UNFENCED:
            return super()._call(verb, resource_id, work, **means)

        def watched() -> Any:
            result = work()
            if verb == "ensure_not_migrating" and result is None:
                # Nothing is there whose fence could have been raised.
                return result
            self._watch.had_effect(self.host.name, verb, resource_id, fence)
            return result

        return super()._call(verb, resource_id, watched, **means)
