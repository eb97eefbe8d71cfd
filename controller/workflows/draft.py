"""Rows of a commit: machines, disks, claims and journal entries, put together from an order. No writing here."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from controller.workflows.deltas import ChangedMember, NewMember, disk_name, next_slots, reshaped
from controller.workflows.segments import SegmentBook
from inventory.domain.claim import Claim
from inventory.domain.ids import HostId, NewId, ResourceId, StoragePoolId
from inventory.domain.journal import JournalRow
from inventory.domain.resource import (
    AttachedDisk,
    Desired,
    InstanceSpec,
    Observed,
    Phase,
    Resource,
    ResourceKind,
    VolumeSpec,
)
from inventory.domain.resources import ADDRESS, counted_as, disk_dimension
from inventory.domain.system import DiskSpec

if TYPE_CHECKING:
    from controller.workflows.commit import Order


class Drafter:
    """Collects the rows of one order."""

    def __init__(self, order: "Order", segments: SegmentBook, new_id: NewId) -> None:
        self.order = self._order = order
        self._segments = segments
        self._new_id = new_id
        self.resources: list[Resource] = []
        self.claims: list[Claim] = []
        #: More of what an existing machine already claims.
        self.growth: list[Claim] = []
        #: Existing machines with a new spec.
        self.rewritten: list[Resource] = []

    def add_member(self, member: NewMember) -> None:
        """Draft a new machine with its disks, cards and claims."""
        server, place = member.server, self._order.placements[member.name]
        instance_id = ResourceId(self._new_id("instance"))
        root_pool, *disk_pools = place.storage_pool_ids
        disks = self._disks(instance_id, member.name, place.host_id, server.disks, disk_pools, list(range(len(server.disks))))
        nics = tuple(
            self._segments.nic(self._order.ticket_id, place.host_id, network, card, instance_id, member.name)
            for card, network in enumerate(server.networks)
        )
        spec = InstanceSpec(
            vcpu_count=server.vcpu_count,
            memory_mib=server.memory_mib,
            image_id=self._order.images[server.image].id,
            root_disk_gib=server.root_disk_gib,
            root_disk_class=server.root_disk_class,
            storage_pool_id=root_pool,
            nics=nics,
            disks=disks,
            user_data=server.user_data,
            ssh_keys=server.ssh_keys,
            group=server.name,
            size=server.size,
            seat=place.seat,
        )
        self._add(ResourceKind.INSTANCE, instance_id, member.name, place.host_id, Desired.RUNNING, spec)
        for dimension, amount in spec.host_amounts().items():
            self._claim(instance_id, "instance", place.host_id, dimension, amount)
        self._claim(instance_id, "instance", root_pool, disk_dimension(server.root_disk_class), server.root_disk_gib)
        for nic in nics:
            self._claim(instance_id, "instance", nic.segment_id, "address", 1)

    def add_change(self, change: ChangedMember) -> None:
        """Draft a new shape and new disks of a machine that stays. What shrinks is given back when it is done."""
        current, server = change.current, change.server
        now = current.instance
        assert current.host_id is not None
        place = self._order.placements[current.name]
        slots = next_slots(current, change.lost_volumes, len(change.new_disks))
        added = self._disks(current.id, current.name, current.host_id, change.new_disks, list(place.storage_pool_ids), slots)
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

    def guarded(self) -> list[Claim]:
        """Return what hosts and storage pools must have room for; addresses are guarded by their own key."""
        return [*(c for c in self.claims if c.dimension != ADDRESS), *self.growth]

    def journal_rows(self) -> list[JournalRow]:
        """Return the first journal row of every new resource: allocated, not yet running."""
        amounts: dict[str, dict[str, int]] = {r.id: {} for r in self.resources}
        for claim in self.claims:
            own, dimension = amounts[claim.resource_id], counted_as(claim.dimension)
            if dimension:
                own[dimension] = own.get(dimension, 0) + claim.amount
        # Equal ones share one value: it is written in its stored form once.
        shared: dict[tuple[tuple[str, int], ...], dict[str, int]] = {}
        for resource_id, own in amounts.items():
            amounts[resource_id] = shared.setdefault(tuple(own.items()), own)
        now_s = int(self._order.now_s)
        return [
            JournalRow(
                resource_id=r.id,
                revision=1,
                resource_kind=r.kind.value,
                resource_name=r.name,
                department_id=self._order.department.id,
                project_id=self._order.project.id,
                system_id=self._order.system.id,
                host_id=r.host_id,
                state="allocated",
                amounts=amounts[r.id],
                occurred_at_s=now_s,
                recorded_at_s=now_s,
                source="controller",
            )
            for r in self.resources
        ]

    def _disks(
        self,
        instance_id: ResourceId,
        member: str,
        host_id: HostId,
        disks: tuple[DiskSpec, ...],
        pools: list[StoragePoolId],
        slots: list[int],
    ) -> tuple[AttachedDisk, ...]:
        attached = []
        for disk, pool, slot in zip(disks, pools, slots, strict=True):
            volume_id = ResourceId(self._new_id("volume"))
            spec = VolumeSpec(size_gib=disk.size_gib, disk_class=disk.disk_class, storage_pool_id=pool, instance_id=instance_id)
            self._add(ResourceKind.VOLUME, volume_id, disk_name(member, disk.name), host_id, Desired.PRESENT, spec)
            self._claim(volume_id, "volume", pool, disk_dimension(disk.disk_class), disk.size_gib)
            attached.append(AttachedDisk(volume_id=volume_id, name=disk.name, slot=slot))
        return tuple(attached)

    def _add(self, kind: ResourceKind, id_: ResourceId, name: str, host_id: HostId, desired: Desired, spec: Any) -> None:
        order = self._order
        self.resources.append(
            Resource(
                id=id_,
                kind=kind,
                name=name,
                department_id=order.department.id,
                project_id=order.project.id,
                system_id=order.system.id,
                host_id=host_id,
                desired=desired,
                observed=Observed.UNKNOWN,
                phase=Phase.PENDING,
                spec=spec,
                ticket_id=order.ticket_id,
                next_try_s=order.now_s,
                created_at_s=order.now_s,
                revision=1,
            )
        )

    def _claim(self, resource_id: ResourceId, kind: str, provider_id: str, dimension: str, amount: int) -> None:
        self.claims.append(self._claim_row(resource_id, kind, provider_id, dimension, amount))

    def _claim_row(self, resource_id: ResourceId, kind: str, provider_id: str, dimension: str, amount: int) -> Claim:
        return Claim(
            resource_id=resource_id,
            resource_kind=kind,
            project_id=self._order.project.id,
            provider_id=provider_id,
            dimension=dimension,
            amount=amount,
        )
