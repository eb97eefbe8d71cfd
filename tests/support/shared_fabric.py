"""The simulation of moves on hosts that share one network fabric: their home answers, falls silent and hands on."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from sqlalchemy import Connection

from controller.reconcile.auditor import Violation
from controller.tickets.model import Action
from inventory.domain.ids import HostId, SystemId
from inventory.domain.placement import MemberPlacement
from inventory.domain.resource import Phase, ResourceKind
from inventory.domain.system import System, SystemSpec
from inventory.store import homes, resources
from tests.support.moving import Journeys, MovingSimulation
from tests.support.simulation import Outcome, Simulation


@dataclass(slots=True)
class Met:
    """What a seed met of what it is about."""

    journeys: Journeys
    #: Homes there were, one after the other.
    homes: set[HostId]
    #: Times that machines of one network stood on several hosts.
    spread: int


class SharedFabricSimulation(MovingSimulation):
    """See the module."""

    SCOPE: ClassVar[str] = "north"

    def __init__(self, seed: int, **kwargs: Any) -> None:
        self.homes_met: set[HostId] = set()
        self.spread = 0
        super().__init__(seed, **kwargs)

    def _commit(self, spec: SystemSpec, system_id: SystemId, current: System | None, action: Action) -> None:
        # With their networks, all of them.
        Simulation._commit(self, spec, system_id, current, action)

    def _place(self, connection: Connection, found: Any) -> dict[str, MemberPlacement]:
        home_of = homes.homes(connection)
        places = super()._place(connection, found)
        return {name: replace(place, home_id=home_of.get(place.host_id)) for name, place in places.items()}

    def _one_action(self) -> None:
        if self.chooser.random() < 0.02:
            self._silence_the_home()
        super()._one_action()

    def _silence_the_home(self) -> None:
        """Cut the host off that the networks stand on, for longer than anybody waits."""
        with self.state.read() as connection:
            home_id = next(iter(homes.homes(connection).values()))
        self.note(f"the home {self.hosts[home_id].name} falls silent")
        self.world.cut(self.hosts[home_id].name, for_s=self.chooser.choice([20.0, 60.0]))

    def _audit(self, *, is_quiet: bool) -> None:
        super()._audit(is_quiet=is_quiet)
        with self.state.read() as connection:
            found = list(self._networks(connection, is_quiet=is_quiet))
        self.violations += [v for v in found if v not in self.violations]

    def _networks(self, connection: Connection, *, is_quiet: bool) -> Iterator[Violation]:
        """All cards are on segments of the one home, and the fabric has these networks and no others."""
        home_of = homes.homes(connection)
        at = {home_of.get(h, h) for h in self.hosts}
        self.homes_met |= at
        if len(at) != 1:
            yield Violation("home", f"one fabric has several homes: {sorted(at)}")
        living = [r for h in self.hosts for r in resources.of_host(connection, h) if r.phase is not Phase.GONE]
        segments = {r.id: r for r in living if r.kind is ResourceKind.SEGMENT}
        where: dict[str, set[HostId | None]] = {}
        for machine in (r for r in living if r.kind is ResourceKind.INSTANCE):
            for nic in machine.instance.nics:
                where.setdefault(nic.segment_id, set()).add(machine.host_id)
                if nic.segment_id not in segments:
                    yield Violation("network", f"{machine.id} has a card on {nic.segment_id}, which does not live")
        self.spread += sum(len(hosts) > 1 for hosts in where.values())
        if any(r.host_id not in at for r in segments.values()):
            yield Violation("home", "a network stands on a host that is no home")
        fabric = next(iter(self.world.hosts.values())).segments
        if is_quiet and fabric.keys() != segments.keys():
            yield Violation("network", f"the fabric has {sorted(fabric)}, the state {sorted(segments)}")


def simulate_shared(seed: int, *, is_bounded: bool = True, log: bool = False) -> tuple[Outcome, Met]:
    """Play one seed."""
    simulation = SharedFabricSimulation(seed, is_bounded=is_bounded, log=log)
    outcome = simulation.run()
    return outcome, Met(simulation.journeys(), simulation.homes_met, simulation.spread)
