"""Rows of adopted machines, with their claims and journal: written in the transaction of a person or of the reconciler."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from sqlalchemy import Connection

from inventory.domain.claim import Claim, quota_amounts
from inventory.domain.host import ForeignDisk, ForeignDomain, StoragePool
from inventory.domain.ids import HostId, ResourceId
from inventory.domain.journal import row_of
from inventory.domain.layout import compute_of
from inventory.domain.resource import AdoptedDisk, AdoptedSpec, Desired, Observed, Phase, Resource, ResourceKind
from inventory.domain.resources import disk_dimension
from inventory.domain.system import System, SystemState
from inventory.store import claims, findings, foreign, hosts, journal, systems
from quotas import store as quotas

RELEASED = "released"


def state_of(machine: ForeignDomain) -> Observed:
    """Return what a host says of it."""
    return Observed.RUNNING if machine.is_running else Observed.STOPPED


#: Storage pools of a host, by the names they have at the back end.
Pools = Mapping[str, StoragePool]


def pools_of(connection: Connection, host_id: HostId) -> Pools:
    """Return where disks are of a class the platform knows."""
    return {p.name: p for p in hosts.storage_pools(connection, host_id)}


def in_class(disks: Iterable[ForeignDisk | AdoptedDisk], pools: Pools) -> tuple[AdoptedDisk, ...]:
    """Return those of the disks that lie in the storage pools of a host. Pure."""
    there = [(d, pools[d.storage_pool]) for d in disks if d.size_gib > 0 and d.storage_pool in pools]
    found = [
        AdoptedDisk(uuid=d.uuid, storage_pool=p.name, size_gib=d.size_gib, storage_pool_id=p.id, disk_class=p.disk_class)
        for d, p in there
    ]
    return tuple(sorted(found, key=lambda d: (d.uuid, d.storage_pool)))


def size_of(machine: ForeignDomain, spec: AdoptedSpec, pools: Pools) -> AdoptedSpec:
    """Return a machine as large as its host shows it; disks that its host does not tell of are as they were. Pure."""
    disks = in_class(spec.disks if machine.disks is None else machine.disks, pools)
    return replace(spec, vcpu_count=machine.vcpu_count, memory_mib=machine.memory_mib, disks=disks)


def disks_left(machine: ForeignDomain, spec: AdoptedSpec, pools: Pools) -> tuple[AdoptedDisk, ...]:
    """Return what is left of the disks in the books: what came, or grew, is not taken by looking. Pure."""
    known = {(d.uuid, d.storage_pool): d for d in spec.disks}
    shown = {(d.uuid, d.storage_pool): d for d in size_of(machine, spec, pools).disks}
    return tuple(replace(shown[k], size_gib=min(d.size_gib, shown[k].size_gib)) for k, d in known.items() if k in shown)


def metered(spec: AdoptedSpec) -> Mapping[str, int]:
    """Return what a machine weighs on each meter."""
    amounts = Counter(dict(compute_of(spec.vcpu_count, spec.memory_mib)))
    for disk in spec.disks:
        amounts[disk_dimension(disk.disk_class)] += disk.size_gib
    return dict(amounts)


def claims_of(resource: Resource) -> list[Claim]:
    """Return what an adopted machine claims on its host."""
    assert resource.project_id is not None
    spec, host_id = resource.adopted, host_of(resource)
    compute = compute_of(spec.vcpu_count, spec.memory_mib)
    amounts: Counter[tuple[str, str]] = Counter({(host_id, dimension): amount for dimension, amount in compute.items()})
    for disk in spec.disks:
        amounts[disk.storage_pool_id, disk_dimension(disk.disk_class)] += disk.size_gib
    return [
        Claim(
            resource_id=resource.id,
            resource_kind="instance",
            project_id=resource.project_id,
            provider_id=provider_id,
            dimension=dimension,
            amount=amount,
        )
        for (provider_id, dimension), amount in amounts.items()
    ]


def enter(connection: Connection, id_: ResourceId, system: System, machine: ForeignDomain, *, now_s: float) -> Resource:
    """Take a machine into the books of a system, metered from now on."""
    seen = state_of(machine)
    bare = AdoptedSpec(uuid=machine.uuid, vcpu_count=machine.vcpu_count, memory_mib=machine.memory_mib, owner=machine.owner)
    made = Resource(
        id=id_,
        kind=ResourceKind.ADOPTED,
        name=machine.name or machine.uuid,
        department_id=system.department_id,
        project_id=system.project_id,
        system_id=system.id,
        host_id=machine.host_id,
        desired=Desired(seen.value),
        observed=seen,
        phase=Phase.SETTLED,
        spec=size_of(machine, bare, pools_of(connection, machine.host_id)),
        settled_generation=1,
        observed_at_s=now_s,
        revision=2,
        created_at_s=now_s,
    )
    foreign.enter(connection, made)
    _claim(connection, made)
    at_s, amounts = int(now_s), metered(made.adopted)
    first = row_of(made, 1, "allocated", amounts, at_s=at_s, now_s=at_s, source="controller")
    journal.append(connection, [first, replace(first, revision=2, state=seen.value)])
    return made


def resize(connection: Connection, known: Resource, machine: ForeignDomain, *, now_s: float) -> Resource:
    """Take it at the size it has now, where its owner has changed it."""
    spec = size_of(machine, known.adopted, pools_of(connection, host_of(known)))
    if spec == known.adopted:
        return known
    findings.close(connection, subject_of(known))
    now, _less = _again(connection, replace(known, spec=spec), now_s=now_s, source="controller")
    return now


def follow(
    connection: Connection, known: Resource, machine: ForeignDomain, pools: Pools, *, now_s: float, disks_age_s: float = 0.0
) -> Resource:
    """Have it where and as its host shows it, without the disks that are not its own any more.

    What it has more than in the books is not taken: that is done by whoever takes it anew, within the quota.
    """
    seen = state_of(machine)
    since_s = _agreed_at_s(connection, known)
    spec = replace(known.adopted, disks=disks_left(machine, known.adopted, pools))
    now = replace(
        known,
        observed=seen,
        desired=Desired(seen.value),
        observed_at_s=now_s,
        agreed_at_s=None,
        host_id=machine.host_id,
        spec=spec,
    )
    if (now.host_id, now.spec) != (known.host_id, known.spec):
        if now.spec != known.spec:
            first_s = journal.last_of(connection, known.id).occurred_at_s
            since_s = max(first_s, min(since_s, now_s - disks_age_s))
        now, less = _again(connection, now, now_s=now_s, source="reconcile", since_s=since_s)
        assert now.project_id is not None
        quotas.release(connection, now.project_id, less)
        return now
    if journal.last_of(connection, known.id).state != seen.value:
        now = replace(now, revision=known.revision + 1)
        _tell(connection, now, seen.value, metered(now.adopted), at_s=now_s, now_s=now_s, source="reconcile", since_s=since_s)
    foreign.write(connection, now)
    return now


def _agreed_at_s(connection: Connection, known: Resource) -> float:
    """Return when a machine was seen last where and as it is in the books."""
    if known.agreed_at_s is not None:
        return known.agreed_at_s
    return max(known.seen_at_s, hosts.host(connection, host_of(known)).observed_at_s or 0.0)


def miss(connection: Connection, known: Resource, *, now_s: float) -> Resource:
    """Note that its host does not show it any more: it may have been moved to a host that was not looked at yet."""
    agreed_at_s = _agreed_at_s(connection, known)
    missing = replace(known, observed=Observed.UNKNOWN, observed_at_s=now_s, agreed_at_s=agreed_at_s)
    foreign.write(connection, missing)
    return missing


def end(connection: Connection, known: Resource, *, at_s: int, now_s: float, source: str) -> Resource:
    """Take it out of the books as of a moment; what it claimed is given back. Its system ends with the last of them."""
    gone = replace(known, phase=Phase.GONE, observed=Observed.ABSENT, desired=Desired.ABSENT, revision=known.revision + 1)
    _tell(connection, gone, RELEASED, {}, at_s=at_s, now_s=now_s, source=source, since_s=known.agreed_at_s)
    foreign.write(connection, gone)
    findings.close(connection, subject_of(known))
    held = claims.release(connection, known.id)
    assert known.project_id is not None
    assert known.system_id is not None
    quotas.release(connection, known.project_id, quota_amounts(held))
    if not foreign.adopted(connection, system_id=known.system_id):
        system = systems.by_ids(connection, [known.system_id])[known.system_id]
        released = replace(system, state=SystemState.RELEASED, revision=system.revision + 1)
        systems.replace(connection, released, base_revision=system.revision)
    return gone


def _again(
    connection: Connection, now: Resource, *, now_s: float, source: str, since_s: float | None = None
) -> tuple[Resource, Mapping[str, int]]:
    """Write it with other claims: elsewhere, or of another size, which counts from then on; tells what quota counts less."""
    before = quota_amounts(claims.release(connection, now.id))
    _claim(connection, now)
    now = replace(now, revision=now.revision + 1)
    _tell(connection, now, now.desired.value, metered(now.adopted), at_s=now_s, now_s=now_s, source=source, since_s=since_s)
    foreign.write(connection, now)
    after = quota_amounts(claims_of(now))
    return now, {name: amount - after[name] for name, amount in before.items() if amount > after[name]}


def _claim(connection: Connection, resource: Resource) -> None:
    wanted = claims_of(resource)
    hosts.use_as_found(connection, claims.totals(wanted))
    claims.insert(connection, wanted)


def _tell(
    connection: Connection,
    resource: Resource,
    state: str,
    amounts: Mapping[str, int],
    *,
    at_s: float,
    now_s: float,
    source: str,
    since_s: float | None,
) -> None:
    """Tell the journal, never of a moment before the last it was told of."""
    occurred_s = max(int(at_s), journal.last_of(connection, resource.id).occurred_at_s)
    row = row_of(resource, resource.revision, state, amounts, at_s=occurred_s, now_s=int(now_s), source=source, since_s=since_s)
    journal.append(connection, [row])


def subject_of(resource: Resource) -> str:
    """Return the subject of the finding that its owner has changed its size."""
    return f"adopted:{resource.id}"


def host_of(resource: Resource) -> HostId:
    """Return the host an adopted machine is on."""
    assert resource.host_id is not None
    return resource.host_id
