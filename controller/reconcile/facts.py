"""Reads what steps need, for a whole batch of claimed resources in a few queries, in the transaction of the claim."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Connection

from controller.moves import store as move_store
from controller.moves.model import MoveStep
from controller.workflows.engine import Facts, MoveFacts
from drivers.protocol import ImageSource, LeaseEntry
from inventory.domain.catalogue import Image
from inventory.domain.ids import HostId, ResourceId, StoragePoolId
from inventory.domain.resource import InstanceSpec, Resource, ResourceKind
from inventory.store import directory, hosts, networks, resources, systems
from inventory.store.networks import Address


class FactsLoader:
    """Keeps what rarely changes (pools, images, departments, names of systems) and reads it again when it is missing."""

    def __init__(self, images_dir: Path) -> None:
        self._images_dir = images_dir
        self._pools: dict[str, str] = {}
        self._images: dict[str, ImageSource] = {}
        self._departments: dict[str, str] = {}
        self._systems: dict[str, str] = {}

    def forget(self) -> None:
        """Read everything again the next time (the directory was imported anew)."""
        self._pools.clear()
        self._images.clear()
        self._departments.clear()
        self._systems.clear()

    def load(self, connection: Connection, claimed: Sequence[Resource]) -> dict[ResourceId, Facts]:
        """Return the facts of every claimed resource."""
        machines = [r for r in claimed if r.kind is ResourceKind.INSTANCE]
        volumes = [r for r in claimed if r.kind is ResourceKind.VOLUME]
        segments = [r.id for r in claimed if r.kind is ResourceKind.SEGMENT]
        related = {d.volume_id for m in machines for d in m.instance.disks} | {v.volume.instance_id for v in volumes}
        related |= {n.segment_id for m in machines for n in m.instance.nics}
        going = [m.id for m in machines if m.target_host_id is not None]
        steps = move_store.running_steps(connection, going)
        off = move_store.called_off(connection, {s.plan_id for s in steps.values()})
        related |= {n.segment_id for s in steps.values() for n in _spec(s).nics}
        others = resources.by_ids(connection, sorted(related))
        targets = hosts.connections(connection, {s.target_id for s in steps.values()})
        confined = hosts.confinements(connection, {m.host_id for m in machines if m.host_id} | targets.keys())
        leases = networks.addresses(connection, segments) if segments else {}
        self._read_missing(connection, claimed, list(others.values()), {p for s in steps.values() for p in s.storage_pool_ids})
        facts: dict[ResourceId, Facts] = {}
        for resource in claimed:
            if resource.kind is ResourceKind.INSTANCE:
                own = replace(self._of_machine(resource, others), confined_to=confined.get(resource.host_id or "", ""))
                facts[resource.id] = own
                step = steps.get(resource.id)
                if step is not None:
                    move = self._of_move(step, others, targets[step.target_id], is_called_off=step.plan_id in off)
                    facts[resource.id] = replace(own, move=replace(move, confined_to=confined.get(step.target_id, "")))
            elif resource.kind is ResourceKind.VOLUME:
                facts[resource.id] = self._of_volume(resource, others)
            else:
                facts[resource.id] = self._of_segment(resource, leases[resource.id])
        return facts

    def load_for_reap(self, connection: Connection, taken: Sequence[Resource], host_id: HostId) -> dict[ResourceId, Facts]:
        """Return the facts for removing leftovers on a host: the pool of the resource there, by disk class if it moved."""
        pools = {p.id: p for p in hosts.storage_pools(connection)}
        by_class = {p.disk_class: p.name for p in reversed(list(pools.values())) if p.host_id == host_id}
        facts: dict[ResourceId, Facts] = {}
        for resource in taken:
            if resource.kind is ResourceKind.SEGMENT:
                facts[resource.id] = Facts()
                continue
            is_machine = resource.kind is ResourceKind.INSTANCE
            pool_id = resource.instance.storage_pool_id if is_machine else resource.volume.storage_pool_id
            disk_class = resource.instance.root_disk_class if is_machine else resource.volume.disk_class
            pool = pools.get(StoragePoolId(pool_id))
            is_here = pool is not None and pool.host_id == host_id
            facts[resource.id] = Facts(storage_pool=pool.name if pool and is_here else by_class.get(disk_class, ""))
        return facts

    def _of_machine(self, resource: Resource, others: dict[ResourceId, Resource]) -> Facts:
        spec = resource.instance
        volumes = {d.volume_id: others[d.volume_id] for d in spec.disks if d.volume_id in others}
        return Facts(
            storage_pool=self._pools.get(spec.storage_pool_id, ""),
            image=self._images.get(spec.image_id),
            volumes=volumes,
            volume_pools={i: self._pools.get(v.volume.storage_pool_id, "") for i, v in volumes.items()},
            segments={n.segment_id: others[n.segment_id] for n in spec.nics if n.segment_id in others},
            system=self._systems.get(resource.system_id or "", ""),
            department=self._departments.get(resource.department_id, ""),
        )

    def _of_move(
        self, step: MoveStep, others: Mapping[ResourceId, Resource], connection: str, *, is_called_off: bool
    ) -> MoveFacts:
        spec = _spec(step)
        disks = sorted(spec.disks, key=lambda d: d.name)
        root, *rest = step.storage_pool_ids
        return MoveFacts(
            target_connection=connection,
            target_id=step.target_id,
            spec=spec,
            storage_pool=self._pools.get(root, ""),
            volume_pools={d.volume_id: self._pools.get(p, "") for d, p in zip(disks, rest, strict=True)},
            segments={n.segment_id: others[n.segment_id] for n in spec.nics if n.segment_id in others},
            is_called_off=is_called_off,
        )

    def _of_volume(self, resource: Resource, others: dict[ResourceId, Resource]) -> Facts:
        spec = resource.volume
        return Facts(
            storage_pool=self._pools.get(spec.storage_pool_id, ""),
            instance=others.get(spec.instance_id),
            department=self._departments.get(resource.department_id, ""),
        )

    def _of_segment(self, resource: Resource, rows: Sequence[Address]) -> Facts:
        entries = [LeaseEntry(mac=a.mac, address=a.address, hostname=a.hostname) for a in rows if a.resource_id is not None]
        return Facts(leases=tuple(entries), department=self._departments.get(resource.department_id, ""))

    def _read_missing(
        self, connection: Connection, claimed: Sequence[Resource], others: Sequence[Resource], more_pools: Collection[str]
    ) -> None:
        pools = set(more_pools) | {r.instance.storage_pool_id for r in claimed if r.kind is ResourceKind.INSTANCE}
        pools |= {r.volume.storage_pool_id for r in (*claimed, *others) if r.kind is ResourceKind.VOLUME}
        if not pools <= self._pools.keys():
            self._pools = {p.id: p.name for p in hosts.storage_pools(connection)}
        images = {r.instance.image_id for r in claimed if r.kind is ResourceKind.INSTANCE}
        if not images <= self._images.keys():
            self._images = {i.id: self._source(i) for i in directory.images(connection)}
        if not {r.department_id for r in claimed} <= self._departments.keys():
            self._departments = {d.id: d.code for d in directory.departments(connection)}
        self._read_systems(connection, {r.system_id for r in claimed if r.system_id is not None})

    def _read_systems(self, connection: Connection, wanted: Collection[str]) -> None:
        missing = sorted(set(wanted) - self._systems.keys())
        if missing:
            self._systems |= systems.names(connection, missing)

    def _source(self, image: Image) -> ImageSource:
        def below(path: str) -> Path | None:
            return self._images_dir / path if path else None

        return ImageSource(
            image_id=image.id,
            sha256=image.sha256,
            disk_format=image.disk_format,
            virtual_size_gib=image.virtual_size_gib,
            path=self._images_dir / image.path,
            kernel_path=below(image.kernel_path),
            initrd_path=below(image.initrd_path),
            kernel_arguments=image.kernel_arguments,
        )


def _spec(step: MoveStep) -> InstanceSpec:
    assert step.target_spec is not None, "a step is under way and says not how the machine shall be"
    return step.target_spec
