"""What happens if hosts fail: which of their machines could be placed elsewhere, where, and why the others could not.

The reserve of a pool is there for this, so what stands by in it is shown as free; what is reserved is not. Systems are placed
whole first, as a ticket would be, then as many machines of the others as fit together: the largest systems first, or the
smallest where that places more. Reserved room of these hosts is held elsewhere after that, as a loss does it.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from controller.scheduling.decide import choose, decide
from controller.scheduling.explain import explanation_to_json
from controller.scheduling.fleet import Fleet
from controller.workflows.address_rooms import AddressRooms
from controller.workflows.capacity.slot_fates import SlotFate, slot_fates
from controller.workflows.deltas import Deltas, NewMember
from controller.workflows.draw import wanted_of
from controller.workflows.heirs import heirs_of, is_kin, keeps_disks
from controller.workflows.place import load_snapshot, placement_request
from controller.workflows.platform import Platform
from inventory.domain.errors import Invalid
from inventory.domain.host import Host, Zone
from inventory.domain.ids import HostId, ResourceId
from inventory.domain.placement import PlacementRequest, Refusal
from inventory.domain.reservation import Key
from inventory.domain.resource import Desired, Phase, Resource, ResourceKind
from inventory.domain.scope import PLATFORM
from inventory.domain.system import System
from inventory.store import directory, hosts, resources, systems

HOSTS_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of one machine."""

    system: str
    machine: str
    #: Names of hosts; ``to_host`` is empty where it could not be placed.
    from_host: str
    to_host: str
    #: Why not, in the stored form of an explanation.
    explanation: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What becomes of everything that is promised on hosts that fail."""

    #: By system and name.
    machines: tuple[Fate, ...]
    reservations: tuple[SlotFate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """A system with machines on hosts that fail, and what else it has."""

    system: System
    machines: tuple[Resource, ...]
    others: tuple[Resource, ...]


def what_if_hosts_fail(connection: Connection, platform: Platform, names: Sequence[str]) -> Failure:
    """Return the fate of every machine on these hosts (ids or names), and of what is reserved there.

    Raises:
        NotFound: ``host.not_found``.
        Invalid: ``capacity.hosts_missing``, ``capacity.too_many_hosts``.
    """
    if not names:
        raise Invalid("capacity.hosts_missing")
    if len(set(names)) > HOSTS_MAX:
        raise Invalid("capacity.too_many_hosts", count=len(set(names)), highest=HOSTS_MAX)
    lost = {h.id: h for h in (hosts.host(connection, name) for name in names)}
    reserve_of = {h.pool_id for h in lost.values()}
    fleet = Fleet(load_snapshot(connection, without=tuple(lost), only=_heirs(connection, lost), reserve_of=reserve_of))
    archs = {image.name: image.arch for image in directory.images(connection)}
    zones = {z.code: z for z in directory.zones(connection)}
    struck = systems_on(connection, lost)
    order = [_Replacing(connection, platform, fleet, one, zones[one.system.spec.zone], archs) for one in struck]
    _place(order, fleet)
    fates = sorted((fate for one in order for fate in one.fates(lost)), key=lambda f: (f.system, f.machine))
    taken = sum((one.taken for one in order), Counter[Key]())
    return Failure(machines=tuple(fates), reservations=tuple(slot_fates(connection, platform, lost, taken)))


def _heirs(connection: Connection, lost: Mapping[HostId, Host]) -> tuple[HostId, ...]:
    """Return the only hosts that are asked where all that fail have their disks in common: machines go where these are."""
    first = next(iter(lost.values()))
    if not all(keeps_disks(h) and is_kin(h, first) for h in lost.values()):
        return ()
    return tuple(h for h in heirs_of(connection, first) if h not in lost) or tuple(lost)


def _place(order: Sequence["_Replacing"], fleet: Fleet) -> None:
    """Place as many machines as one of two orders of the systems allows."""
    mark = fleet.mark()
    first = _placed_count(order)
    if len(order) < 2 or first == sum(one.machine_count for one in order):
        return
    fleet.rollback(mark)
    if _placed_count(order[::-1]) <= first:
        fleet.rollback(mark)
        _placed_count(order)


def _placed_count(order: Sequence["_Replacing"]) -> int:
    """Place whole systems, then what fits of the others; return how many machines that is."""
    rooms = AddressRooms()
    for one in order:
        one.place_whole(rooms)
    return sum(one.place_what_fits() for one in order)


def systems_on(connection: Connection, lost: Collection[HostId]) -> list[Struck]:
    """Return the systems with machines there, those that take most memory first."""
    ids = sorted({r.system_id for h in lost for r in resources.of_host(connection, h) if r.system_id is not None})
    found = []
    for system_id in ids:
        system = systems.get(connection, system_id, PLATFORM)
        parts = [r for r in resources.of_system(connection, system_id) if r.phase is not Phase.GONE]
        machines = tuple(
            r for r in parts if r.kind is ResourceKind.INSTANCE and r.host_id in lost and r.desired is not Desired.ABSENT
        )
        if machines:
            gone = {m.id for m in machines}
            found.append(Struck(system=system, machines=machines, others=tuple(r for r in parts if r.id not in gone)))
    return sorted(found, key=lambda s: (-sum(m.instance.memory_mib for m in s.machines), s.system.id))


class _Replacing:
    """Places the machines of one system on a fleet: whole, or as many as fit."""

    def __init__(
        self, connection: Connection, platform: Platform, fleet: Fleet, one: Struck, zone: Zone, archs: Mapping[str, str]
    ) -> None:
        self._connection = connection
        self._platform = platform
        self._rooms = AddressRooms()
        self._fleet = fleet
        self._one = one
        self._zone = zone
        self._archs = archs
        self._name_of = dict(zip(fleet.snapshot.host_ids, fleet.snapshot.host_names, strict=True))
        self._host_of: dict[ResourceId, HostId] = {}
        #: Where machines of it were placed, by group and by network.
        self._placed: dict[str, list[HostId]] = {}
        self._networks: dict[str, HostId] = {}
        #: What the placed ones take.
        self.taken = Counter[Key]()

    @property
    def machine_count(self) -> int:
        """Return how many machines it lost."""
        return len(self._one.machines)

    def place_whole(self, rooms: AddressRooms) -> None:
        """Begin: place all machines together, or none; ``rooms`` are the addresses that all systems take."""
        self._rooms = rooms
        self._host_of, self._placed, self._networks, self.taken = {}, {}, {}, Counter()
        self._choose(self._one.machines)

    def place_what_fits(self) -> int:
        """Place the most that fit together, the smallest ones, then single ones; return how many of the system are placed."""
        if not self._host_of:
            smallest = sorted(self._one.machines, key=lambda m: (m.instance.memory_mib, m.instance.vcpu_count, m.name))
            count = self._most_together(smallest)
            self._choose(smallest[:count])
            for machine in smallest[count:]:
                self._choose((machine,))
        return len(self._host_of)

    def _most_together(self, machines: Sequence[Resource]) -> int:
        """Return how many of the first machines fit together; fewer always fit where more do."""
        low, high = 0, len(machines) - 1
        while low < high:
            middle = (low + high + 1) // 2
            mark = self._fleet.mark()
            fits = choose(self._request(machines[:middle]), self._fleet, self._platform.policy) is not None
            self._fleet.rollback(mark)
            low, high = (middle, high) if fits else (low, middle - 1)
        return low

    def fates(self, lost: Mapping[HostId, Host]) -> list[Fate]:
        """Return what becomes of every machine."""
        return [self._fate(machine, self._host_of.get(machine.id), lost) for machine in self._one.machines]

    def _choose(self, machines: Sequence[Resource]) -> None:
        """Take a host for each of these machines, or for none."""
        request = self._request(machines)
        placed = choose(request, self._fleet, self._platform.policy) if machines else None
        if placed is not None:
            self._rooms.count(self._one.system.department_id, self._zone, request, placed)
            self.taken.update(wanted_of(request, placed))
        for machine, member, place in zip(machines, request.members, placed or (), strict=placed is not None):
            self._host_of[machine.id] = place.host_id
            self._placed.setdefault(member.group, []).append(place.host_id)
            self._networks |= dict.fromkeys(member.networks, place.host_id)

    def _fate(self, machine: Resource, host_id: HostId | None, lost: Mapping[HostId, Host]) -> Fate:
        assert machine.host_id is not None
        told = Fate(
            system=self._one.system.name,
            machine=machine.name,
            from_host=lost[machine.host_id].name,
            to_host=self._name_of[host_id] if host_id else "",
        )
        if host_id is not None:
            return told
        decision = decide(self._request((machine,)), self._fleet.to_snapshot("what-if"), self._platform.policy)
        # What others of its system took since can only have made less room.
        assert isinstance(decision, Refusal), "a machine that fits was left out"
        return replace(told, explanation=explanation_to_json(decision.explanations[0]))

    def _request(self, machines: Sequence[Resource]) -> PlacementRequest:
        spec = self._one.system.spec
        servers = {s.name: s for s in spec.servers}
        members = tuple(NewMember(name=m.name, server=servers[m.instance.group]) for m in machines)
        asked = placement_request(spec, self._zone, Deltas(new=members), self._one.others, self._archs)
        rules = tuple(replace(r, existing_host_ids=(*r.existing_host_ids, *self._placed.get(r.group, ()))) for r in asked.rules)
        asked = replace(asked, rules=rules, network_hosts={**asked.network_hosts, **self._networks})
        department_id, now_s = self._one.system.department_id, self._platform.clock()
        return self._rooms.of(self._connection, department_id, self._zone, asked, now_s)
