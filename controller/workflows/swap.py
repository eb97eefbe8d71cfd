"""Places a machine that was cleared from its host on another one: claims, addresses and specs move in one transaction.

Called by the reconciler inside the transaction that records the confirmed absence. The quota does not grow: the same
amounts are claimed elsewhere.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from controller.scheduling.asked import Asked
from controller.scheduling.decide import place_on
from controller.scheduling.explain import explanation_to_json
from controller.scheduling.fleet import Fleet
from controller.tickets import store as tickets
from controller.workflows.address_rooms import AddressRooms
from controller.workflows.deltas import Deltas, NewMember
from controller.workflows.heirs import heirs_of
from controller.workflows.place import load_snapshot, placement_request
from controller.workflows.platform import Platform
from controller.workflows.segments import AddressesTaken, FreeBlocks, SegmentBook, taking
from inventory.domain.claim import Claim, quota_amounts
from inventory.domain.errors import Unplaceable
from inventory.domain.host import Zone
from inventory.domain.ids import DepartmentId, StoragePoolId, TicketId
from inventory.domain.placement import MemberPlacement, Placement
from inventory.domain.resource import Nic, Resource
from inventory.domain.resources import ADDRESS, disk_dimension
from inventory.domain.scope import PLATFORM
from inventory.domain.system import ServerSpec, System
from inventory.store import claims as claim_store
from inventory.store import directory, homes, hosts, networks, resources, systems
from quotas import store as quota_store

#: Times that a host is chosen where the one chosen before was filled by somebody else meanwhile.
_CHOICES = 3


class _NoRoom(Exception):
    """What is held would not fit."""


def swapper(platform: Platform) -> Callable[[Connection, Resource, Sequence[Resource]], Sequence[Resource] | None]:
    """Return the swap of this platform."""

    def swap(connection: Connection, machine: Resource, volumes: Sequence[Resource]) -> Sequence[Resource] | None:
        """Move ``machine`` (confirmed absent where it was) and its disks; None where no other host fits.

        Raises:
            AddressesTaken: as ``relocate``.
        """
        for _ in range(_CHOICES):
            asked = _ask(connection, platform, machine)
            decision = None if asked is None else _decide(connection, platform, asked)
            if asked is None or decision is None:
                return None
            moved = relocate(connection, platform, [(machine, volumes)], decision.members)
            if moved is not None:
                _explain(connection, platform, machine, asked, decision)
                return moved
        return None

    return swap


#: A machine and its disks.
Whole = tuple[Resource, Sequence[Resource]]


def relocate(
    connection: Connection, platform: Platform, wholes: Sequence[Whole], places: Sequence[MemberPlacement]
) -> list[Resource] | None:
    """Give machines and their disks to other hosts: claims and addresses; returns them as they shall be.

    ``None``: there is no room any more, or a network there has no address left; then nothing is written.

    Raises:
        AddressesTaken: another controller took a block or an address at this moment; nothing is written.
    """
    try:
        # What was held of a refused place is given back with everything else that was written for it.
        with taking(connection):
            return _relocated(connection, platform, wholes, places)
    except (Unplaceable, _NoRoom):
        return None


def _relocated(
    connection: Connection, platform: Platform, wholes: Sequence[Whole], places: Sequence[MemberPlacement]
) -> list[Resource]:
    moved = [_specs(connection, platform, *whole, place) for whole, place in zip(wholes, places, strict=True)]
    new = [[claim for resource in of_one for claim in claims_of(resource)] for of_one in moved]
    if claim_store.hold(connection, claim_store.totals(c for claims in new for c in claims)):
        raise _NoRoom
    for (machine, _), of_one, claims in zip(wholes, moved, new, strict=True):
        _set_claims(connection, machine, of_one, claims)
    return [resource for of_one in moved for resource in of_one]


def _set_claims(connection: Connection, machine: Resource, moved: Sequence[Resource], new: Sequence[Claim]) -> None:
    """Put the new claims in the place of the old ones."""
    old = claim_store.release(connection, *(r.id for r in moved))
    claim_store.insert(connection, new)
    # A machine that was made smaller while it was still being built claimed its old size until now.
    before, now = quota_amounts(old), quota_amounts(new)
    less = {dimension: before[dimension] - now[dimension] for dimension in before}
    assert all(amount >= 0 for amount in less.values()), f"a swap would claim more than was promised: {less}"
    assert machine.project_id is not None
    quota_store.release(connection, machine.project_id, less)


def _ask(connection: Connection, platform: Platform, machine: Resource) -> Asked | None:
    assert machine.system_id is not None
    system = systems.get(connection, machine.system_id, PLATFORM)
    server = _server(system, machine)
    zone = _zone(connection, system)
    if server is None:
        return None
    department_id, now_s = DepartmentId(machine.department_id), platform.clock()
    archs = {image.name: image.arch for image in directory.images(connection)}
    others = [r for r in resources.of_system(connection, system.id) if r.id != machine.id]
    member = NewMember(name=machine.name, server=server)
    request = placement_request(system.spec, zone, Deltas(new=(member,)), others, archs)
    request = AddressRooms().of(connection, department_id, zone, request, now_s)
    # Where it just failed is no place for it, whatever else speaks for it; what was lost goes where its disks are.
    without = tuple(h for h in (machine.host_id, machine.lost_host_id) if h is not None)
    only = () if machine.lost_host_id is None else heirs_of(connection, hosts.host(connection, machine.lost_host_id))
    return Asked(request=request, without=without, only=only)


def _decide(connection: Connection, platform: Platform, asked: Asked) -> Placement | None:
    # A refusal is not told to anybody here: it is not explained either.
    snapshot = load_snapshot(connection, without=asked.without, only=asked.only)
    return place_on(asked.request, Fleet(snapshot), platform.policy)


def _explain(connection: Connection, platform: Platform, machine: Resource, asked: Asked, decision: Placement) -> None:
    assert machine.ticket_id is not None
    row_id = platform.new_id("explanation")
    row = {
        "id": row_id,
        "ticket_id": machine.ticket_id,
        "system_id": machine.system_id,
        "kind": "placement",
        "at_s": platform.clock(),
        "body": explanation_to_json(decision.explanations[0]),
        "decision_id": row_id,
        "asked": asked.to_json(),
    }
    tickets.add_explanations(connection, [row])


def _server(system: System, machine: Resource) -> ServerSpec | None:
    return next((s for s in system.spec.servers if s.name == machine.instance.group), None)


def _zone(connection: Connection, system: System) -> Zone:
    return next(z for z in directory.zones(connection) if z.code == system.spec.zone)


def _specs(
    connection: Connection, platform: Platform, machine: Resource, volumes: Sequence[Resource], place: MemberPlacement
) -> list[Resource]:
    """Return machine and disks as they shall be; its old addresses rest, new ones are given."""
    root_pool, *disk_pools = place.storage_pool_ids
    # The request named the disks in the order of the spec, which is by name.
    by_name = sorted(machine.instance.disks, key=lambda disk: disk.name)
    by_id = {v.id: v for v in volumes}
    moved = [
        replace(
            by_id[disk.volume_id],
            host_id=place.host_id,
            spec=replace(by_id[disk.volume_id].volume, storage_pool_id=pool),
        )
        for disk, pool in zip(by_name, disk_pools, strict=True)
    ]
    nics = _cards(connection, platform, machine, place)
    spec = replace(machine.instance, storage_pool_id=root_pool, nics=nics, seat=place.seat)
    return [replace(machine, host_id=place.host_id, spec=spec), *moved]


def _cards(connection: Connection, platform: Platform, machine: Resource, place: MemberPlacement) -> tuple[Nic, ...]:
    """Return the cards there: where the home stays the same they are those it has, elsewhere its old addresses rest.

    Raises:
        AddressesTaken: the home is another one since the host was chosen.
    """
    now_s = platform.clock()
    if place.home_id is not None and not homes.are_homes(connection, [place.home_id]):
        raise AddressesTaken
    assert machine.system_id is not None
    system = systems.get(connection, machine.system_id, PLATFORM)
    blocks = FreeBlocks(connection)
    book = SegmentBook(connection, DepartmentId(machine.department_id), _zone(connection, system), blocks, platform.new_id, now_s)
    cards = book.moved_nics(TicketId(machine.ticket_id or ""), place.home, machine)
    old = {nic.segment_id for nic in machine.instance.nics} - {nic.segment_id for nic in cards}
    left = networks.rest_in(connection, machine.id, old, now_s + platform.quarantine_s)
    resources.look_now(connection, left, now_s)
    book.write_segments({machine.id})
    taken = book.write_addresses({machine.id})
    assert taken, "an address was taken inside our own transaction"
    return cards


def claims_of(resource: Resource) -> list[Claim]:
    """Return what a machine or disk claims where its spec says it is."""
    assert resource.project_id is not None
    assert resource.host_id is not None
    if resource.kind == "volume":
        disk = resource.volume
        parts = [(str(disk.storage_pool_id), disk_dimension(disk.disk_class), disk.size_gib)]
    else:
        spec = resource.instance
        parts = [
            *((str(resource.host_id), dimension, amount) for dimension, amount in spec.host_amounts().items()),
            (str(StoragePoolId(spec.storage_pool_id)), disk_dimension(spec.root_disk_class), spec.root_disk_gib),
            *((nic.segment_id, ADDRESS, 1) for nic in spec.nics),
        ]
    return [
        Claim(
            resource_id=resource.id,
            resource_kind=resource.kind.value,
            project_id=resource.project_id,
            provider_id=provider,
            dimension=dimension,
            amount=amount,
        )
        for provider, dimension, amount in parts
    ]
