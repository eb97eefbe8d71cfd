"""How many more machines of each server group a system could get now, by the scheduler itself.

Its own rules count: how its groups are spread, on which host its networks are, which addresses are left there. Each group is
asked for by itself, as a ticket that changes nothing but its count would; quotas and budgets are not looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from controller.scheduling.decide import choose, decide
from controller.scheduling.explain import explanation_to_json
from controller.scheduling.fleet import Fleet
from controller.tickets.schema import MAX_COUNT
from controller.workflows.address_rooms import AddressRooms
from controller.workflows.deltas import Deltas, deltas
from controller.workflows.place import load_snapshot, placement_request
from controller.workflows.platform import Platform
from inventory.domain.errors import Conflict
from inventory.domain.host import Zone
from inventory.domain.placement import PlacementRequest, Refusal
from inventory.domain.resource import Phase, Resource
from inventory.domain.scope import PLATFORM, Scope
from inventory.domain.system import ServerSpec, System, SystemState
from inventory.store import directory, resources, systems


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFit:
    """How many more machines one server group could get."""

    server: str
    #: The rule as the ticket language writes it, with how many may share a domain.
    spread: str
    spread_max: int
    networks: tuple[str, ...]
    #: Machines it is to have now.
    have: int
    count: int
    #: Why not one more, in the stored form of an explanation; None where a ticket cannot name more machines of a group.
    explanation: Mapping[str, Any] | None


def how_many_more_of(
    connection: Connection, platform: Platform, name: str, department: str = ""
) -> tuple[System, list[GroupFit]]:
    """Return a system (by id or name; ``department`` tells two of one name apart) and what each of its groups could get.

    Raises:
        NotFound: ``system.not_found``, ``department.not_found``.
        Conflict: ``system.name_ambiguous``, ``system.releasing``.
    """
    system = systems.get(connection, name, _scope(connection, department))
    if system.state in (SystemState.RELEASING, SystemState.RELEASED):
        raise Conflict("system.releasing", system=system.name)
    asked = _Asked(connection, platform, system)
    return system, [asked.group(server) for server in system.spec.servers]


def _scope(connection: Connection, department: str) -> Scope:
    if not department:
        return PLATFORM
    return directory.subtree(connection, directory.department_by_code(connection, department).id)


class _Asked:
    """Asks the scheduler about one system on one picture of the platform."""

    def __init__(self, connection: Connection, platform: Platform, system: System) -> None:
        self._connection = connection
        self._platform = platform
        self._system = system
        self._parts: list[Resource] = [r for r in resources.of_system(connection, system.id) if r.phase is not Phase.GONE]
        self._zone: Zone = next(z for z in directory.zones(connection) if z.code == system.spec.zone)
        self._archs = {image.name: image.arch for image in directory.images(connection)}
        self._snapshot = load_snapshot(connection)
        self._rooms = AddressRooms()

    def group(self, server: ServerSpec) -> GroupFit:
        """Return how many more of one group fit; where more fit, fewer do."""
        low, high = 0, MAX_COUNT - server.count
        step = 1
        # From below: a request for very many is dear, and rarely fits.
        while low < high and self._fits(server, min(high, low + step)):
            low = min(high, low + step)
            step *= 2
        high = min(high, low + step - 1)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self._fits(server, middle) else (low, middle - 1)
        return GroupFit(
            server=server.name,
            spread=server.spread_word(),
            spread_max=server.spread_max,
            networks=server.networks,
            have=server.count,
            count=low,
            explanation=self._reason(server, low + 1) if server.count + low < MAX_COUNT else None,
        )

    def _fits(self, server: ServerSpec, more: int) -> bool:
        return choose(self._request(server, more), Fleet(self._snapshot), self._platform.policy) is not None

    def _reason(self, server: ServerSpec, more: int) -> Mapping[str, Any] | None:
        decision = decide(self._request(server, more), self._snapshot, self._platform.policy)
        # The search for a hard case ends with its time: another one may have found a way.
        return explanation_to_json(decision.explanations[0]) if isinstance(decision, Refusal) else None

    def _request(self, server: ServerSpec, more: int) -> PlacementRequest:
        grown = replace(server, count=server.count + more)
        spec = replace(self._system.spec, servers=tuple(grown if s.name == server.name else s for s in self._system.spec.servers))
        before = set(server.member_names())
        # What the system is to have anyhow is not asked for again, whether it is there yet or not.
        new = tuple(m for m in deltas(self._parts, spec).new if m.server.name == server.name and m.name not in before)
        request = placement_request(spec, self._zone, Deltas(new=new), self._parts, self._archs)
        return self._rooms.of(self._connection, self._system.department_id, self._zone, request, self._platform.clock())
