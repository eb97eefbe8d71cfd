"""A system is released from every state it can be in: state of the ticket × phase of the machine × what was last observed.

Each situation is played action by action on the simulated driver; wherever a new combination is met, the same situation is
played anew up to there and the system is released. Nothing is left then, and the auditor has nothing to say.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import TypeVar

import pytest

from controller.tickets import store as tickets
from controller.tickets.model import Action
from drivers.faults import Permanent
from drivers.simulated.faults import Script, Site, StorageFull, Unreachable
from inventory.domain.ids import SystemId
from inventory.domain.resource import Desired, Phase, Resource, ResourceKind
from inventory.domain.scope import PLATFORM
from inventory.domain.system import System, SystemState
from inventory.store import resources, systems
from quotas import store as quotas
from tests.support.simulation import Simulation
from tests.support.simulation_stage import spec_of

T = TypeVar("T")
#: State of the ticket, phase of the machine, what was last observed of it.
Combination = tuple[str, str, str]
_ACTIONS_MAX = 400


class Life(Simulation):
    """One controller, one machine with a disk, and nothing that happens by itself."""

    def __init__(self) -> None:
        super().__init__(1, controllers=1)
        self.faults.is_active = self.state_faults.is_active = False
        self.create()

    def create(self) -> None:
        """Accept the ticket."""
        self._commit(spec_of("portal", 1, disks=1), SystemId(self.new_id("system")), None, Action.CREATE)

    def act(self) -> Iterator[None]:
        """Let the controller do one thing after the other, and time pass when it has nothing to do."""
        for _ in range(_ACTIONS_MAX):
            did = self._act(0, "tick")
            yield
            while self._act(0, "job"):
                did = True
                yield
            if not did:
                self.time.pass_(0.5)

    def until(self, phase: Phase) -> Iterator[None]:
        """Act until the machine is in a phase, with its ticket over."""
        for _ in self.act():
            yield
            if self.machine.phase is phase and self.combination[0] in ("done", "failed"):
                return
        pytest.fail(f"it never came to be {phase}: {self.combination}")

    @property
    def system(self) -> System:
        """The system as it is now."""
        with self.state.read() as connection:
            [found] = systems.page(connection, PLATFORM, limit=2, with_released=True)
        return found

    @property
    def machine(self) -> Resource:
        """The machine as it is now."""
        system = self.system
        with self.state.read() as connection:
            return next(r for r in resources.of_system(connection, system.id) if r.kind is ResourceKind.INSTANCE)

    @property
    def combination(self) -> Combination:
        """What it is in now."""
        machine = self.machine
        assert machine.ticket_id is not None
        with self.state.read() as connection:
            ticket = tickets.get(connection, machine.ticket_id, PLATFORM)
        return ticket.state.value, machine.phase.value, machine.observed.value

    @property
    def host_name(self) -> str:
        """The host it is on."""
        host_id = self.machine.host_id
        assert host_id is not None
        return self.hosts[host_id].name

    def wish(self, desired: Desired) -> None:
        """Switch the machine on or off."""
        machine = self.machine
        assert machine.ticket_id is not None
        with self.state.write() as connection:
            resources.wish(connection, [machine.id], desired=desired, ticket_id=machine.ticket_id, now_s=self.time.now_s)

    def grow(self) -> None:
        """Accept a change that needs a stop."""
        system = self.system
        bigger = replace(system.spec.servers[0], vcpu_count=2)
        self._commit(replace(system.spec, servers=(bigger,)), system.id, system, Action.CHANGE)

    def meet(self, script: Script) -> None:
        """Let the hosts meet scripted faults from now on."""
        self.world.faults = script

    def release_and_rest(self) -> None:
        """Release the system unless that is under way, let no more go wrong, and check that nothing is left anywhere."""
        if self.system.state is not SystemState.RELEASING:
            self._release(self.system)
        self.meet(Script())
        self._calm()
        self._audit(is_quiet=True)
        assert self.violations == []
        system = self.system
        assert system.state is SystemState.RELEASED
        with self.state.read() as connection:
            assert resources.of_system(connection, system.id) == []
            assert {level.used for level in quotas.levels(connection)} <= {0}
        for host in self.world.hosts.values():
            seen = host.observe()
            assert [*seen.instances, *seen.volume_ids, *seen.segment_ids] == []


# -- situations --------------------------------------------------------------------------------------------------------


def _made(life: Life) -> Iterator[None]:
    yield
    yield from life.until(Phase.SETTLED)


def _stopped_and_started(life: Life) -> Iterator[None]:
    yield from life.until(Phase.SETTLED)
    life.wish(Desired.STOPPED)
    yield
    yield from life.until(Phase.SETTLED)
    life.wish(Desired.RUNNING)
    yield
    yield from life.until(Phase.SETTLED)


def _resized(life: Life) -> Iterator[None]:
    yield from life.until(Phase.SETTLED)
    life.grow()
    yield
    yield from life.until(Phase.SETTLED)


def _storage_full(life: Life) -> Iterator[None]:
    life.meet(Script().on("*", fault=StorageFull(), times=10_000))
    yield from life.until(Phase.FAILED)


def _cut_off_while_made(life: Life) -> Iterator[None]:
    life.meet(Script().on("ensure_running", fault=Unreachable(2.0), times=10_000))
    yield from life.until(Phase.FAILED)


def _vanished(life: Life) -> Iterator[None]:
    yield from life.until(Phase.SETTLED)
    life.world.drift_vanish(life.host_name, life.machine.id, with_root_disk=True)
    for _ in range(60):
        life.time.pass_(1.0)
        life._act(0, "tick")
        yield
        while life._act(0, "job"):
            yield


def _stopped_behind_our_back(life: Life) -> Iterator[None]:
    yield from life.until(Phase.SETTLED)
    life.world.drift_stop(life.host_name, life.machine.id)
    for _ in range(60):
        life.time.pass_(1.0)
        life._act(0, "tick")
        yield
        while life._act(0, "job"):
            yield


def _host_cut_off(life: Life) -> Iterator[None]:
    yield from life.until(Phase.SETTLED)
    life.world.cut(life.host_name)
    for _ in range(60):
        life.time.pass_(1.0)
        life._act(0, "tick")
        yield
        while life._act(0, "job"):
            yield


@dataclass(frozen=True, slots=True)
class Refuse:
    """The host refuses for good."""

    def around(self, site: Site, work: Callable[[], T]) -> T:
        """Refuse."""
        raise Permanent("driver.storage_full", storage_pool="default", available_mib=0)


def _released_in_vain(life: Life) -> Iterator[None]:
    yield from life.until(Phase.SETTLED)
    life.meet(Script().on("ensure_absent", fault=Refuse(), times=10_000))
    life._release(life.system)
    yield
    for _, _ in zip(range(150), life.act(), strict=False):
        yield


SITUATIONS: Mapping[str, Callable[[Life], Iterator[None]]] = {
    "made": _made,
    "stopped and started": _stopped_and_started,
    "resized": _resized,
    "storage full": _storage_full,
    "cut off while made": _cut_off_while_made,
    "vanished": _vanished,
    "stopped behind our back": _stopped_behind_our_back,
    "host cut off": _host_cut_off,
    "released in vain": _released_in_vain,
}


#: What each situation passes, in this order; two beginnings are common to all that first make the machine.
_BEGUN = (("accepted", "pending", "unknown"), ("running", "working", "unknown"))
_MADE = (*_BEGUN, ("done", "settled", "running"))
PASSED: Mapping[str, tuple[Combination, ...]] = {
    "made": _MADE,
    "stopped and started": (
        *_MADE,
        ("done", "pending", "running"),
        ("done", "working", "running"),
        ("done", "settled", "stopped"),
        ("done", "pending", "stopped"),
        ("done", "working", "stopped"),
    ),
    "resized": (*_MADE, ("accepted", "pending", "running"), ("running", "working", "running")),
    "storage full": (
        *_BEGUN,
        ("running", "working", "absent"),
        ("running", "failed", "absent"),
        ("failed", "failed", "absent"),
    ),
    "cut off while made": (
        *_BEGUN,
        ("running", "pending", "unknown"),
        ("running", "pending", "stopped"),
        ("running", "working", "stopped"),
        ("running", "pending", "absent"),
        ("running", "working", "absent"),
        ("failed", "failed", "absent"),
    ),
    "vanished": (*_MADE, ("done", "failed", "absent")),
    "stopped behind our back": _MADE,
    "host cut off": _MADE,
    "released in vain": (
        *_MADE,
        ("accepted", "pending", "running"),
        ("running", "working", "running"),
        ("running", "pending", "stopped"),
        ("running", "working", "stopped"),
    ),
}


def test_every_state_there_is_is_among_them() -> None:
    """A machine of an accepted ticket; tickets that are planned, wait, were refused or withdrawn have none."""
    assert PASSED.keys() == SITUATIONS.keys()
    met = {combination for passed in PASSED.values() for combination in passed}
    assert {ticket for ticket, _, _ in met} == {"accepted", "running", "done", "failed"}
    assert {phase for _, phase, _ in met} == {phase.value for phase in Phase} - {"gone"}
    assert {observed for _, _, observed in met} == {"unknown", "absent", "running", "stopped"}


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_situation_passes_what_the_table_says_and_can_be_released_from_at_its_end(name: str) -> None:
    life = Life()
    met = dict.fromkeys([life.combination])
    for _ in SITUATIONS[name](life):
        met[life.combination] = None
    assert tuple(met) == PASSED[name]
    life.release_and_rest()


@pytest.mark.parametrize(("name", "wanted"), [(name, wanted) for name, passed in PASSED.items() for wanted in passed])
def test_a_system_is_released_from_every_state_and_leaves_nothing(name: str, wanted: Combination) -> None:
    life = Life()
    for _ in chain((None,), SITUATIONS[name](life)):
        if life.combination == wanted:
            break
    assert life.combination == wanted
    life.release_and_rest()
