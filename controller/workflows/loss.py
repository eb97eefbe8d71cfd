"""A host that is lost: its machines are given other hosts, the reserve of the pool included, and made anew there; where their
disks outlive it, they are brought back on those.

A person took it out of service, another one says that it is off and that its disks are given up; or the pool has it done without
them (``automatic_loss``), once its means has cut the power. All of it is one transaction:
what stood by for this loss is free to these machines and to nobody else, and when it ends other hosts stand by, as far as
there are any. Should the host come back, what it still has of them is removed: their rows live elsewhere.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from sqlalchemy import Connection

from controller.identity.caller import Caller
from controller.scheduling.asked import Asked
from controller.scheduling.decide import decide_on
from controller.scheduling.explain import explanation_to_json
from controller.scheduling.fleet import Fleet
from controller.scheduling.policy import Policy
from controller.scheduling.reach import reach_of
from controller.scheduling.units import units_of
from controller.tickets import store
from controller.workflows.acceptance import explanation_rows
from controller.workflows.address_rooms import AddressRooms
from controller.workflows.capacity.failure import Fate, Struck, systems_on
from controller.workflows.decided_again import decided_again
from controller.workflows.deltas import Deltas, NewMember
from controller.workflows.heirs import fleeting_storage, heirs_of, keeps_disks
from controller.workflows.place import load_snapshot, placement_request
from controller.workflows.platform import Platform
from controller.workflows.sealing import seal
from controller.workflows.segments import AddressesTaken
from controller.workflows.slot_moves import SlotsTaken, move_astray, note_moves
from controller.workflows.swap import relocate
from inventory.domain.errors import Conflict, Forbidden, Invalid
from inventory.domain.host import AdminState, Host, Reachability, Zone
from inventory.domain.ids import HostId, ResourceId, SystemId, TicketId
from inventory.domain.journal import ALLOCATED, LOST, JournalRow, row_of
from inventory.domain.placement import Placement, PlacementRequest, Refusal
from inventory.domain.resource import Resource
from inventory.store import changes, directory, hosts, journal, resources, standby, systems

T = TypeVar("T")

#: Out of service, by somebody's decision, and not for good.
_TAKEN_OUT = frozenset({AdminState.CORDONED, AdminState.DRAINING, AdminState.MAINTENANCE})
#: Times everything is decided again where somebody else was faster.
_TRIES = 8
#: Times hosts are chosen for machines of one system where those chosen before were filled meanwhile.
_CHOICES = 3


def declare_lost(platform: Platform, host_id: HostId | str, caller: Caller, *, confirm: str, reason: str) -> list[Fate]:
    """Give up what is on a host and have its machines made anew elsewhere; returns what became of each.

    Who finds no place stays where it is in the books: the same again tries again.

    Raises:
        NotFound: ``host.not_found``.
        Invalid: ``host.loss_confirmation_missing``.
        Conflict: ``host.in_service``, ``host.still_answers``.
        Forbidden: ``host.own_loss``: the one who took it out of service.
        Unavailable: ``ticket.too_busy`` after a bounded number of tries.
    """

    def unit(connection: Connection) -> list[Fate]:
        host = hosts.host(connection, host_id, lock=True)
        _check(host, caller, confirm)
        fates = give_up(connection, platform, host)
        placed = sum(1 for fate in fates if fate.to_host)
        detail = {"reason": reason, "machines": len(fates), "placed": placed}
        seal(connection, platform, caller, "host.lose", host.id, detail)
        return fates

    return held_again(platform, unit)


def give_up(connection: Connection, platform: Platform, host: Host) -> list[Fate]:
    """Place what is on a host and reserved there elsewhere, in what stood by for it and what is free; the host's row is locked.

    Raises:
        AddressesTaken: somebody else was faster; ``SlotsTaken`` too.
    """
    standing = standby.set_free(connection, host.pool_id)
    fates = _best(connection, platform, host, standing)
    # What stood by did so for everything that is promised there, machines that are still to come included.
    moves = move_astray(connection, platform, only_from=host.id)
    standby.renew(connection, [host.pool_id])
    note_moves(connection, platform, moves)
    return sorted(fates, key=lambda fate: (fate.system, fate.machine))


def held_again(platform: Platform, unit: Callable[[Connection], T]) -> T:
    """Run a unit that decides, again where somebody else was faster.

    Raises:
        Unavailable: ``ticket.too_busy`` after a bounded number of tries.
    """
    # A ticket may take the free block of a network first.
    return decided_again(lambda: platform.db.run(unit), tries=_TRIES, old=(AddressesTaken, SlotsTaken))


def _check(host: Host, caller: Caller, confirm: str) -> None:
    if host.admin_state not in _TAKEN_OUT:
        raise Conflict("host.in_service", host=host.name, state=host.admin_state.value)
    if host.reachability is Reachability.REACHABLE:
        raise Conflict("host.still_answers", host=host.name)
    if host.state_by == caller.user_name:
        raise Forbidden("host.own_loss", host=host.name, by=host.state_by)
    if confirm != host.name:
        raise Invalid("host.loss_confirmation_missing", host=host.name)


def _best(connection: Connection, platform: Platform, host: Host, standing: Sequence[HostId]) -> list[Fate]:
    """Place everywhere. Where that leaves somebody out, all go to one of the hosts that stood by: each of them can take them."""
    for only in ((), *((one,) for one in standing)):
        savepoint = connection.begin_nested()
        fates = _place_all(connection, platform, host, only)
        if all(fate.to_host for fate in fates):
            savepoint.commit()
            return fates
        savepoint.rollback()
    return _place_all(connection, platform, host, ())


def _place_all(connection: Connection, platform: Platform, host: Host, only: tuple[HostId, ...]) -> list[Fate]:
    archs = {image.name: image.arch for image in directory.images(connection)}
    zones = {zone.code: zone for zone in directory.zones(connection)}
    ground = _Ground(connection, host, only)
    fates: list[Fate] = []
    for struck in systems_on(connection, [host.id]):
        systems.lock(connection, struck.system.id)
        one = _Restoring(
            connection=connection,
            platform=platform,
            host=host,
            ground=ground,
            struck=struck,
            zone=zones[struck.system.spec.zone],
            archs=archs,
        )
        fates += one.fates()
    return fates


class _Ground:
    """The hosts that are asked, as they are: read once, and what is placed there is taken from it."""

    def __init__(self, connection: Connection, host: Host, among: tuple[HostId, ...]) -> None:
        self._connection = connection
        self.without = (host.id,)
        self.only = among
        if keeps_disks(host):
            # With disks that outlive their host a machine goes where these are.
            heirs = heirs_of(connection, host)
            self.only = tuple(h for h in heirs if h in among) or (host.id,) if among else heirs
        self._fleet: Fleet | None = None

    @property
    def fleet(self) -> Fleet:
        """Return what is free now."""
        if self._fleet is None:
            self._fleet = Fleet(load_snapshot(self._connection, without=self.without, only=self.only))
        return self._fleet

    def decide(self, request: PlacementRequest, policy: Policy) -> Placement | Refusal:
        """Decide; what is placed is taken. Its explanation names the state with all that this transaction has written."""
        self.fleet.revision = changes.mark_now(self._connection).text
        decision = decide_on(request, self.fleet, policy)
        self.fleet.keep()
        return decision

    def forget(self) -> None:
        """What was placed could not be written: somebody else was faster, so it is read again."""
        self._fleet = None


@dataclass(slots=True, kw_only=True)
class _Restoring:
    """Places the lost machines of one system: all together, or those that share networks together."""

    connection: Connection
    platform: Platform
    host: Host
    ground: _Ground
    struck: Struck
    zone: Zone
    archs: Mapping[str, str]
    _to: dict[ResourceId, str] = field(default_factory=dict)
    _refused: dict[ResourceId, Refusal] = field(default_factory=dict)

    def fates(self) -> list[Fate]:
        """Place what can be placed; return what became of each machine."""
        # What is on its way has room in two places, and a look at the other one is still to come.
        machines = [m for m in self.struck.machines if m.target_host_id is None]
        if machines and not self._place(machines) and len(machines) > 1:
            for together in self._parts(machines):
                self._place(together)
        self._tell()
        return [self._fate(machine) for machine in self.struck.machines]

    def _parts(self, machines: Sequence[Resource]) -> Iterator[list[Resource]]:
        """Yield machines that hang together by their networks; where these span hosts, each by itself."""
        request = self._ask(machines).request
        for unit in units_of(request, reach_of(request, self.ground.fleet.snapshot)):
            yield [machines[n] for n in unit.members]

    def _ask(self, machines: Sequence[Resource]) -> Asked:
        spec = self.struck.system.spec
        servers = {server.name: server for server in spec.servers}
        new = tuple(NewMember(name=m.name, server=servers[m.instance.group]) for m in machines)
        gone = {machine.id for machine in machines}
        parts = resources.of_system(self.connection, self.struck.system.id)
        others = [r for r in parts if r.id not in gone]
        request = placement_request(spec, self.zone, Deltas(new=new), others, self.archs)
        department_id, now_s = self.struck.system.department_id, self.platform.clock()
        request = AddressRooms().of(self.connection, department_id, self.zone, request, now_s)
        return Asked(request=request, without=self.ground.without, only=self.ground.only)

    def _place(self, machines: Sequence[Resource]) -> bool:
        for _ in range(_CHOICES):
            asked = self._ask(machines)
            decision = self.ground.decide(asked.request, self.platform.policy)
            if isinstance(decision, Refusal):
                self._refused |= dict.fromkeys((m.id for m in machines), decision)
                return False
            if self._write(machines, asked, decision):
                return True
            self.ground.forget()
        return False

    def _write(self, machines: Sequence[Resource], asked: Asked, decision: Placement) -> bool:
        connection, now_s = self.connection, self.platform.clock()
        disks = {m.id: [d.volume_id for d in m.instance.disks] for m in machines}
        rows = {r.id: r for r in resources.lock_parts(connection, [i for m, own in disks.items() for i in (m, *own)])}
        wholes = [(rows[m], [rows[volume_id] for volume_id in own]) for m, own in disks.items()]
        moved = relocate(connection, self.platform, wholes, decision.members)
        if moved is None:
            return False
        journal.append(connection, [self._told(rows[new.id], new) for new in moved])
        lost_id = self.host.id if keeps_disks(self.host) else None
        for new in moved:
            resources.move(connection, replace(new, lost_host_id=lost_id), revision=new.revision + 1, now_s=now_s)
        ticket_id, system_id = TicketId(str(machines[0].ticket_id)), SystemId(self.struck.system.id)
        store.add_explanations(connection, explanation_rows(self.platform, ticket_id, decision, asked, system_id))
        names = hosts.names(connection, [place.host_id for place in decision.members])
        self._to |= {m.id: names[place.host_id] for m, place in zip(machines, decision.members, strict=True)}
        return True

    def _told(self, before: Resource, new: Resource) -> JournalRow:
        """Return the journal's row of what is made anew elsewhere: what never ran is still being built, the rest is lost."""
        last = journal.last_of(self.connection, new.id)
        at_s = max(int(self.platform.clock()), last.occurred_at_s)
        state, since_s = last.state, None
        if state != ALLOCATED:
            # It went at some moment since its host was seen for the last time.
            host_s = self.host.observed_at_s
            state, since_s = LOST, resources.last_agreed_s(before.phase, before.seen_at_s, before.agreed_at_s, host_s)
        revision = new.revision + 1
        return row_of(new, revision, state, last.amounts, at_s=at_s, now_s=at_s, source="controller", since_s=since_s)

    def _tell(self) -> None:
        """Tell the stories of the tickets, and have the system's state be what its machines' are."""
        fleeting = fleeting_storage(self.connection, self.host)
        for machine in (m for m in self.struck.machines if m.id in self._to):
            params = {"name": machine.name, "host": self.host.name}
            kept = "step.host_lost_root" if machine.instance.storage_pool_id in fleeting else "step.host_lost_kept"
            event = (machine.name, kept if keeps_disks(self.host) else "step.host_lost", params)
            store.add_events(self.connection, TicketId(str(machine.ticket_id)), [event], self.platform.clock())
        systems.refresh_state(self.connection, self.struck.system.id)

    def _fate(self, machine: Resource) -> Fate:
        to_host, refused = self._to.get(machine.id, ""), self._refused.get(machine.id)
        explanation = explanation_to_json(refused.explanations[0]) if refused and not to_host else None
        return Fate(
            system=self.struck.system.name,
            machine=machine.name,
            from_host=self.host.name,
            to_host=to_host,
            explanation=explanation,
        )
