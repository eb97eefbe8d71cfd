"""What a hypervisor, or a whole region, is as a host of the inventory. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from drivers.openstack.inventory import Hypervisor, Provider
from drivers.openstack.mapping import VolumeReading
from inventory.domain.host import HostFacts, StorageFacts
from inventory.domain.resources import MEMORY_MIB, VCPU

#: Stands for a back end that says it has no bound: its real bound is the region's quota.
UNBOUNDED_GIB = 1_000_000
#: Stand for a project without bounds of its own.
UNBOUNDED_VCPUS, UNBOUNDED_MEMORY_MIB = 100_000, 1 << 30
#: Cinder's own volume type for those without one.
_UNNAMED_TYPE = "__DEFAULT__"
_VIRTUALISATION = {"qemu": "kvm", "kvm": "kvm"}


def capacity_gib(value: object) -> int:
    """Return Cinder's figure of a pool in GiB; it may be a word."""
    try:
        return min(UNBOUNDED_GIB, int(float(str(value))))
    except (ValueError, OverflowError):
        return UNBOUNDED_GIB


def storage_facts(
    types: Mapping[str, Mapping[str, str]], pools: Iterable[Mapping[str, object]] | None, share_count: int
) -> tuple[StorageFacts, ...]:
    """Return a storage pool for each volume type.

    ``types`` has the extra specs of each type, ``pools`` the capabilities of Cinder's pools (None where they may not be
    asked for). Storage is the region's, not one host's: each of ``share_count`` hosts is told an equal share of it, so that
    what is promised on all of them together is there.
    """
    found = []
    for name, specs in sorted(types.items()):
        if name == _UNNAMED_TYPE:
            continue
        backend = specs.get("volume_backend_name")
        fitting = [p for p in pools or () if backend in (None, p.get("volume_backend_name"))]
        total = sum(capacity_gib(p.get("total_capacity_gb")) for p in fitting) if pools is not None else UNBOUNDED_GIB
        free = sum(capacity_gib(p.get("free_capacity_gb")) for p in fitting) if pools is not None else UNBOUNDED_GIB
        shares = max(1, share_count)
        found.append(StorageFacts(name=name, path="cinder", capacity_gib=total // shares, available_gib=free // shares))
    return tuple(found)


def local_facts(name: str, providers: Sequence[Provider], used_gib: int) -> StorageFacts:
    """Return the storage pool that is the disks of hypervisors themselves, of these taken together.

    No more than Placement takes: where the region promises less than there is, so much less is there.
    """
    ratios = [min(1000, p.allocation_permille.get("DISK_GB", 1000)) for p in providers]
    total = sum(p.amounts.get("DISK_GB", 0) * ratio // 1000 for p, ratio in zip(providers, ratios, strict=True))
    return StorageFacts(name=name, path="nova", capacity_gib=total, available_gib=max(0, total - used_gib), roots_only=True)


def foreign_storage(
    types: Mapping[str, Mapping[str, str]],
    pools: Iterable[Mapping[str, object]] | None,
    volumes: Iterable[VolumeReading],
    share_count: int,
) -> dict[str, int]:
    """Return the GiB of volumes without our mark for each volume type, shared out like the capacity (see ``storage_facts``).

    Types on one back end take from the same storage. Who may not ask for Cinder's pools is shown no volumes of others either:
    nothing is said then.
    """
    if pools is None:
        return {}
    others = [v for v in volumes if v.mark is None]
    backends = {name: specs.get("volume_backend_name") for name, specs in types.items() if name != _UNNAMED_TYPE}
    found = {}
    for name, backend in sorted(backends.items()):
        near = [v for v in others if v.storage_pool == name or backend in (None, backends.get(v.storage_pool))]
        found[name] = -(-sum(v.size_gib for v in near) // max(1, share_count))
    return found


def host_facts(
    name: str,
    hypervisors: Sequence[Hypervisor],
    providers: Mapping[str, Provider],
    storage: tuple[StorageFacts, ...],
    *,
    arch: str,
    service_versions: tuple[str, ...],
    scope: str = "",
    places: tuple[str, ...] = (),
) -> HostFacts:
    """Return the facts of these hypervisors taken together; what kind they are is told by the first.

    ``scope`` names the region where its networks and disks are those of other hosts too; ``places`` what all of them stand in.
    """
    chosen = [providers[h.provider_id] for h in hypervisors if h.provider_id in providers]
    amounts = [p.amounts for p in chosen]
    first = hypervisors[0]
    traits = sorted(set().union(*(p.traits for p in chosen)))
    return HostFacts(
        hostname=name,
        arch=first.arch or arch,
        virtualisation=_VIRTUALISATION.get(first.kind.lower(), first.kind.lower()),
        cpu_count=sum(a.get("VCPU", 0) for a in amounts),
        memory_mib=sum(a.get("MEMORY_MB", 0) for a in amounts),
        cpu_model=first.cpu_model,
        driver_version="OpenStack",
        service_versions=service_versions,
        hypervisor_version=f"{first.kind} {first.version}",
        storage=storage,
        traits=tuple(traits),
        network_scope=scope,
        disk_scope=scope,
        places=places,
        overcommit_most_permille=_most_permille(chosen),
    )


def _most_permille(providers: Sequence[Provider]) -> dict[str, int]:
    """Return how far the region overcommits, by our dimensions; of several hypervisors what the strictest takes."""
    found = {
        ours: [p.allocation_permille[theirs] for p in providers if theirs in p.allocation_permille]
        for theirs, ours in (("VCPU", VCPU), ("MEMORY_MB", MEMORY_MIB))
    }
    return {dimension: min(ratios) for dimension, ratios in found.items() if ratios}


def project_facts(
    name: str,
    limits: tuple[int, int],
    storage: tuple[StorageFacts, ...],
    *,
    arch: str,
    service_versions: tuple[str, ...],
    places: tuple[str, ...] = (),
) -> HostFacts:
    """Return the facts of a region seen only through a project's limits (vCPUs, MiB; -1 for none)."""
    vcpu_count, memory_mib = limits
    return HostFacts(
        hostname=name,
        arch=arch,
        virtualisation="kvm",
        cpu_count=UNBOUNDED_VCPUS if vcpu_count < 0 else vcpu_count,
        memory_mib=UNBOUNDED_MEMORY_MIB if memory_mib < 0 else memory_mib,
        driver_version="OpenStack",
        service_versions=service_versions,
        storage=storage,
        places=places,
    )
