"""Rows of a commit: machines, disks, claims and journal entries, put together from an order. No writing here."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from controller.workflows.alike import Alike, Claimed, Kinds, claimed_by
from controller.workflows.deltas import ChangedMember, NewMember, disk_name, next_slots, reshaped
from controller.workflows.segments import SegmentBook
from inventory.domain.claim import Claim, Held
from inventory.domain.ids import HostId, NewId, ResourceId, StoragePoolId
from inventory.domain.resource import AttachedDisk, Desired, InstanceSpec, NewResource, Phase, Resource, ResourceKind, VolumeSpec
from inventory.domain.resources import disk_dimension
from inventory.domain.system import DiskSpec
from inventory.store import claims
from inventory.store.hosts import ProviderDimension

if TYPE_CHECKING:
    from controller.workflows.commit import Order


class Drafter:
    """Collects the rows of one order."""

    def __init__(self, order: "Order", segments: SegmentBook, kinds: Kinds, new_id: NewId) -> None:
        self.order = self._order = order
        self._ids = order.department.id, order.project.id, order.system.id
        self._segments = segments
        self._kinds = kinds
        self._new_id = new_id
        #: What the machines of each server share, by its name in the system.
        self._alike: dict[str, Alike] = {}
        #: New machines and disks, and what each of them claims.
        self.born: list[NewResource] = []
        self.held: list[Held] = []
        #: More of what an existing machine already claims.
        self.growth: list[Claim] = []
        #: Existing machines with a new spec.
        self.rewritten: list[Resource] = []

    def add_member(self, member: NewMember) -> None:
        """Draft a new machine with its disks, cards and claims."""
        server, place = member.server, self._order.placements[member.name]
        instance_id, root_pool = ResourceId(self._new_id("instance")), place.storage_pool_ids[0]
        alike = self._alike.get(server.name)
        if alike is None:
            alike = self._alike[server.name] = self._kinds.of(server, self._order.images[server.image].id)
        spec = alike.spec
        if server.disks or server.networks or place.seat is not None:
            spec = replace(
                spec,
                disks=self._disks(
                    instance_id, member.name, place.host_id, server.disks, place.storage_pool_ids[1:], range(len(server.disks))
                ),
                nics=tuple(
                    self._segments.nic(self._order.ticket_id, place.home, network, card, instance_id, member.name)
                    for card, network in enumerate(server.networks)
                ),
                seat=place.seat,
            )
            claimed = claimed_by(spec, place.host_id, root_pool)
        else:
            claimed = alike.claimed(place.host_id, root_pool)
        where = place.host_id, root_pool
        self._add(ResourceKind.INSTANCE, instance_id, member.name, where, Desired.RUNNING, spec, claimed)

    def add_change(self, change: ChangedMember) -> None:
        """Draft a new shape and new disks of a machine that stays. What shrinks is given back when it is done."""
        current, server = change.current, change.server
        now = current.instance
        assert current.host_id is not None
        place = self._order.placements[current.name]
        slots = next_slots(current, change.lost_volumes, len(change.new_disks))
        added = self._disks(current.id, current.name, current.host_id, change.new_disks, place.storage_pool_ids, slots)
        lost = {v.id for v in change.lost_volumes}
        kept = tuple(d for d in now.disks if d.volume_id not in lost)
        wanted = reshaped(current, server, place.seat if change.is_resize else now.seat)
        spec = replace(wanted.instance, disks=(*kept, *added))
        before = now.host_amounts()
        for dimension, amount in spec.host_amounts().items():
            grows = amount - before.get(dimension, 0)
            if grows > 0:
                self.growth.append(self._claim_row(current.id, "instance", current.host_id, dimension, grows))
        self.rewritten.append(
            replace(
                current,
                spec=spec,
                generation=current.generation + 1,
                phase=Phase.PENDING,
                next_try_s=self._order.now_s,
                attempts=0,
                problem=None,
                ticket_id=self._order.ticket_id,
            )
        )

    def guarded(self) -> dict[ProviderDimension, int]:
        """Return what hosts and storage pools must have room for; addresses are guarded by their own key."""
        amounts = claims.totals_held(self.held)
        for key, amount in claims.totals(self.growth).items():
            amounts[key] = amounts.get(key, 0) + amount
        return amounts

    def _disks(
        self,
        instance_id: ResourceId,
        member: str,
        host_id: HostId,
        disks: tuple[DiskSpec, ...],
        pools: Sequence[StoragePoolId],
        slots: Sequence[int],
    ) -> tuple[AttachedDisk, ...]:
        attached = []
        for disk, pool, slot in zip(disks, pools, slots, strict=True):
            volume_id = ResourceId(self._new_id("volume"))
            spec = VolumeSpec(size_gib=disk.size_gib, disk_class=disk.disk_class, storage_pool_id=pool, instance_id=instance_id)
            share = disk_dimension(disk.disk_class), disk.size_gib
            claimed: Claimed = ((pool, *share),), (share,)
            where = host_id, pool
            self._add(ResourceKind.VOLUME, volume_id, disk_name(member, disk.name), where, Desired.PRESENT, spec, claimed)
            attached.append(AttachedDisk(volume_id=volume_id, name=disk.name, slot=slot))
        return tuple(attached)

    def _add(
        self,
        kind: ResourceKind,
        id_: ResourceId,
        name: str,
        where: tuple[HostId, StoragePoolId],
        desired: Desired,
        spec: InstanceSpec | VolumeSpec,
        claimed: Claimed,
    ) -> None:
        host_id, pool_id = where
        ids, ticket_id, now_s = self._ids, self._order.ticket_id, self._order.now_s
        self.born.append(NewResource(id_, kind, name, *ids, host_id, desired, spec, pool_id, ticket_id, now_s))
        self.held.append(Held(id_, kind.value, self._order.project.id, *claimed))

    def _claim_row(self, resource_id: ResourceId, kind: str, provider_id: str, dimension: str, amount: int) -> Claim:
        return Claim(
            resource_id=resource_id,
            resource_kind=kind,
            project_id=self._order.project.id,
            provider_id=provider_id,
            dimension=dimension,
            amount=amount,
        )
