"""Rows of adopted machines, with their claims and journal: written in the transaction of a person or of the reconciler."""

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import Connection

from inventory.domain.claim import Claim, quota_amounts
from inventory.domain.host import ForeignDomain
from inventory.domain.ids import HostId, ResourceId
from inventory.domain.journal import row_of
from inventory.domain.layout import compute_of
from inventory.domain.resource import AdoptedSpec, Desired, Observed, Phase, Resource, ResourceKind
from inventory.domain.system import System, SystemState
from inventory.store import claims, findings, foreign, hosts, journal, systems
from quotas import store as quotas

RELEASED = "released"


def state_of(machine: ForeignDomain) -> Observed:
    """Return what a host says of it."""
    return Observed.RUNNING if machine.is_running else Observed.STOPPED


def metered(spec: AdoptedSpec | ForeignDomain) -> Mapping[str, int]:
    """Return what a machine weighs on each meter: its disks are the back end's and are not known."""
    return dict(compute_of(spec.vcpu_count, spec.memory_mib))


def claims_of(resource: Resource, size: AdoptedSpec | ForeignDomain | None = None) -> list[Claim]:
    """Return what an adopted machine claims on its host, as it is in the books or at another size."""
    assert resource.project_id is not None
    return [
        Claim(
            resource_id=resource.id,
            resource_kind="instance",
            project_id=resource.project_id,
            provider_id=host_of(resource),
            dimension=dimension,
            amount=amount,
        )
        for dimension, amount in metered(size or resource.adopted).items()
    ]


def enter(connection: Connection, id_: ResourceId, system: System, machine: ForeignDomain, *, now_s: float) -> Resource:
    """Take a machine into the books of a system, metered from now on."""
    seen = state_of(machine)
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
        spec=AdoptedSpec(uuid=machine.uuid, vcpu_count=machine.vcpu_count, memory_mib=machine.memory_mib, owner=machine.owner),
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
    spec = replace(known.adopted, vcpu_count=machine.vcpu_count, memory_mib=machine.memory_mib)
    if spec == known.adopted:
        return known
    findings.close(connection, subject_of(known))
    return _again(connection, replace(known, spec=spec), now_s=now_s, source="controller")


def follow(connection: Connection, known: Resource, machine: ForeignDomain, *, now_s: float) -> Resource:
    """Have it where and as its host shows it; its size in the books stays until somebody takes it anew."""
    seen = state_of(machine)
    since_s = _agreed_at_s(connection, known)
    now = replace(
        known, observed=seen, desired=Desired(seen.value), observed_at_s=now_s, agreed_at_s=None, host_id=machine.host_id
    )
    if now.host_id != known.host_id:
        return _again(connection, now, now_s=now_s, source="reconcile", since_s=since_s)
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


def _again(connection: Connection, now: Resource, *, now_s: float, source: str, since_s: float | None = None) -> Resource:
    """Write it with other claims: elsewhere, or of another size, which counts from when it is taken at it."""
    claims.release(connection, now.id)
    _claim(connection, now)
    now = replace(now, revision=now.revision + 1)
    _tell(connection, now, now.desired.value, metered(now.adopted), at_s=now_s, now_s=now_s, source=source, since_s=since_s)
    foreign.write(connection, now)
    return now


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
