"""What happens behind our back is known within 60 s at default settings, on the virtual clock, whenever in the period it happens.

Back ends without events: the periodic look alone has to find it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import pytest
from sqlalchemy import Connection, select

from controller.reconcile.settings import ReconcileSettings
from controller.tickets.model import Action
from controller.workflows.engine import StepSettings
from drivers.faults import Transient
from drivers.protocol import Capability
from drivers.simulated.faults import FaultRates, Script, Site
from inventory.domain.host import Reachability
from inventory.domain.ids import ResourceId, SystemId
from inventory.domain.resource import Desired
from inventory.store import hosts, resources
from inventory.store import tables as t
from tests.support.simulation import Simulation
from tests.support.simulation_stage import spec_of

T = TypeVar("T")
KNOWN_WITHIN_S = 60.0
STEP_S = 0.5
#: Moments of the period of looks at which something happens.
MOMENTS_S = (0.5, 11.0, 23.0, 29.5)


@dataclass
class Scene:
    """One controller at rest over one machine."""

    simulation: Simulation

    @property
    def machine(self) -> ResourceId:
        with self.simulation.state.read() as connection:
            r = t.resources.c
            return ResourceId(connection.execute(select(r.id).where(r.kind == "instance")).scalar_one())

    @property
    def host(self) -> str:
        [host] = [h.name for h in self.simulation.world.hosts.values() if self.machine in h.machines]
        return host

    def pass_(self, seconds: float) -> None:
        """Let the controller work while time goes by."""
        for _ in range(int(seconds / STEP_S)):
            self._work()
            self.simulation.time.pass_(STEP_S)
        self._work()

    def _work(self) -> None:
        for _ in range(4):
            self.simulation._act(0, "tick")
            while self.simulation._act(0, "job"):
                pass

    def known_after_s(self, is_known: Callable[[], bool]) -> float:
        """Return the virtual seconds until it is written down; time goes by while a job waits for an answer too."""
        time = self.simulation.time
        began = time.now_s
        while not is_known():
            assert time.now_s - began <= 10 * KNOWN_WITHIN_S, "never known"
            did = self.simulation._act(0, "tick")
            if not is_known() and not self.simulation._act(0, "job") and not did:
                time.pass_(STEP_S)
        return time.now_s - began

    def findings(self) -> set[str]:
        with self.simulation.state.read() as connection:
            return set(connection.execute(select(t.findings.c.kind)).scalars())

    def open_findings(self) -> set[str]:
        with self.simulation.state.read() as connection:
            return set(connection.execute(select(t.findings.c.kind).where(t.findings.c.state == "open")).scalars())

    def want_stopped(self) -> None:
        """A person has the machine stopped; returns when it stands still and all is at rest."""
        machine_id = self.machine

        def once(connection: Connection) -> None:
            machine = resources.by_ids(connection, [machine_id])[machine_id]
            assert machine.ticket_id is not None
            now_s = self.simulation.time.now_s
            resources.wish(connection, [machine.id], desired=Desired.STOPPED, ticket_id=machine.ticket_id, now_s=now_s)

        self.simulation.state.run(once)
        self.pass_(90.0)
        assert not self.simulation.world.hosts[self.host].machines[self.machine].is_running
        assert self.findings() == set()

    def foreign_count(self) -> int:
        with self.simulation.state.read() as connection:
            return len(connection.execute(select(t.foreign_domains)).all())

    def reachability(self) -> Reachability:
        name = self.host
        with self.simulation.state.read() as connection:
            return hosts.host(connection, name).reachability


@pytest.fixture
def scene() -> Scene:
    settings = ReconcileSettings(audit_s=float("inf"))
    simulation = Simulation(5, rates=FaultRates(), controllers=1, settings=settings, without=Capability.EVENTS)
    simulation.state_faults.is_active = False
    simulation._commit(spec_of("drifting", 1, disks=1), SystemId(simulation.new_id("system")), None, Action.CREATE)
    scene = Scene(simulation)
    scene.pass_(90.0)
    assert scene.findings() == set()
    return scene


def edit_stored(scene: Scene) -> None:
    scene.simulation.world.drift_edit_stored(scene.host, scene.machine, vcpu_count=7)


def detach(scene: Scene) -> None:
    world, host, machine = scene.simulation.world, scene.host, scene.machine
    world.drift_detach(host, machine, world.hosts[host].machines[machine].disks[0])


def unfilter(scene: Scene) -> None:
    scene.simulation.world.drift_card(scene.host, scene.machine)


def replug(scene: Scene) -> None:
    scene.simulation.world.drift_card(scene.host, scene.machine, network="br0")


@pytest.mark.parametrize("moment_s", MOMENTS_S)
@pytest.mark.parametrize("meddle", [edit_stored, detach, unfilter, replug])
def test_what_needs_no_stop_is_put_right_within_a_minute(scene: Scene, meddle: Callable[[Scene], None], moment_s: float) -> None:
    driver = scene.simulation.world.hosts[scene.host]
    before = driver.observe_instance(scene.machine)
    assert before is not None
    assert before.nics, "the scene has no card to meddle with"
    scene.pass_(moment_s)
    meddle(scene)
    assert driver.observe_instance(scene.machine) != before
    assert scene.known_after_s(lambda: "edited" in scene.findings()) <= KNOWN_WITHIN_S
    scene.pass_(10.0)
    after = driver.observe_instance(scene.machine)
    assert after is not None
    assert replace(after, fence=before.fence) == before, "put right, and never stopped"
    assert scene.open_findings() == set()


@pytest.mark.parametrize("moment_s", MOMENTS_S)
@pytest.mark.parametrize("kind", ["stopped", "started", "missing", "edited", "orphan", "foreign"])
def test_drift_is_known_within_a_minute(scene: Scene, kind: str, moment_s: float) -> None:
    world, host, machine = scene.simulation.world, scene.host, scene.machine
    scene.pass_(moment_s)
    if kind == "stopped":
        world.drift_stop(host, machine)
    elif kind == "started":
        scene.want_stopped()
        world.drift_start(host, machine)
    elif kind == "missing":
        world.drift_vanish(host, machine)
    elif kind == "edited":
        world.drift_edit(host, machine, vcpu_count=7)
    elif kind == "orphan":
        disk = next(v for v in world.hosts[host].volumes.values() if v.role == "data")
        stranger = ResourceId("vol_" + "9" * 32)
        world.hosts[host].volumes[stranger] = replace(disk, volume_id=stranger, instance_id=None)
    else:
        world.drift_foreign(host)
        assert scene.known_after_s(lambda: scene.foreign_count() == 1) <= KNOWN_WITHIN_S
        return
    assert scene.known_after_s(lambda: kind in scene.findings()) <= KNOWN_WITHIN_S


@dataclass
class SlowToFail:
    """A host that is gone, and a connection that takes its time to say so."""

    seconds: float

    def around(self, site: Site, work: Callable[[], T]) -> T:
        site.sleep(self.seconds)
        raise Transient("driver.unreachable", connection=site.host.connection)


@pytest.mark.parametrize("moment_s", MOMENTS_S)
@pytest.mark.parametrize("fails_after_s", [0.0, 4.0, 9.0, 14.0])
def test_a_host_that_died_is_known_within_a_minute(scene: Scene, fails_after_s: float, moment_s: float) -> None:
    assert fails_after_s < StepSettings().observe_deadline_s, "a look that takes longer is given up, which cuts the host at once"
    scene.pass_(moment_s)
    assert scene.reachability() is Reachability.REACHABLE
    scene.simulation.world.faults = Script().on("*", host=scene.host, fault=SlowToFail(fails_after_s), times=1000)
    assert scene.known_after_s(lambda: scene.reachability() is Reachability.UNREACHABLE) <= KNOWN_WITHIN_S


def test_a_look_that_hangs_is_given_up_in_time() -> None:
    settings = ReconcileSettings()
    assert settings.observe_s + settings.steps.observe_deadline_s < KNOWN_WITHIN_S


def test_one_failure_does_not_cut_a_host_off(scene: Scene) -> None:
    scene.simulation.world.faults = Script().on("observe", host=scene.host, fault=SlowToFail(0.0), times=1)
    scene.pass_(90.0)
    assert scene.simulation.controllers[0].counters.observations_failed == 1
    assert scene.reachability() is Reachability.REACHABLE
