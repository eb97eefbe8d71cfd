"""The simulation of moves with pinned machines: hosts with cells, sizes that ask for them, placed by the real scheduler."""

from collections import Counter
from dataclasses import replace
from typing import Any, ClassVar

from sqlalchemy import Connection

from controller.scheduling.decide import decide
from controller.tickets.model import Action
from controller.workflows.place import load_snapshot, placement_request
from inventory.domain.ids import SystemId
from inventory.domain.layout import NO_LAYOUT, Layout
from inventory.domain.placement import MemberPlacement, Placement
from inventory.domain.system import System, SystemSpec
from inventory.store import directory, resources
from tests.support.moving import MovingSimulation
from tests.support.platform import CellSpec
from tests.support.simulation import Outcome, Refused

LAYOUTS = (
    NO_LAYOUT,
    Layout.of(is_dedicated=True),
    Layout.of(is_dedicated=True),
    Layout.of(is_dedicated=True, page_kib=2048),
    Layout.of(page_kib=2048),
    Layout.of(node_count=1),
)


class SeatedSimulation(MovingSimulation):
    """See the module."""

    #: Two cells of four processors each, three of them dedicated.
    CELLS: ClassVar[CellSpec] = CellSpec(count=2, threads=2, huge_pages=((2048, 2048),), dedicated_cpus="1-2,4-7")

    #: Seats that were promised.
    seated = 0

    def _meddle(self) -> None:
        """Leave hosts alone while half of a machine is on another one: started there by hand it runs twice, whatever we do."""
        copies = Counter(machine for host in self.world.hosts.values() for machine in host.machines)
        if max(copies.values(), default=0) < 2:
            super()._meddle()

    def _commit(self, spec: SystemSpec, system_id: SystemId, current: System | None, action: Action) -> None:
        layout = self.chooser.choice(LAYOUTS) if current is None or self.chooser.random() < 0.3 else None
        if layout is not None:
            spec = replace(spec, servers=tuple(replace(s, layout=layout) for s in spec.servers))
        self._wanted = spec, system_id
        super()._commit(spec, system_id, current, action)

    def _place(self, connection: Connection, found: Any) -> dict[str, MemberPlacement]:
        wanted, system_id = self._wanted
        existing = resources.of_system(connection, system_id)
        request = placement_request(wanted, directory.zones(connection)[0], found, existing, {"demo-linux": "x86_64"})
        decision = decide(request, load_snapshot(connection), self.platform.policy)
        if not isinstance(decision, Placement):
            raise Refused
        self.seated += sum(member.seat is not None for member in decision.members)
        return {member.name: member for member in decision.members}


def simulate_seated(seed: int, *, is_bounded: bool = True, log: bool = False) -> tuple[Outcome, int, int]:
    """Play one seed; return how it ended, how many seats were promised, and how many moves were made."""
    simulation = SeatedSimulation(seed, is_bounded=is_bounded, log=log)
    outcome = simulation.run()
    return outcome, simulation.seated, simulation.journeys().done
