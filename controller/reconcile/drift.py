"""What a host shows against what its rows say: pure. The loop acts on the answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.workflows.engine import Finding
from controller.workflows.shape import Differences, differences
from drivers.protocol import HostObservation, ObservedInstance
from inventory.domain.drift import REPAIR_ALL, DriftKind, DriftPolicy, drift_of_run
from inventory.domain.ids import HostId, ResourceId
from inventory.domain.resource import Observed, Phase, Resource, ResourceKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """The differences, and what is to be done about them."""

    #: Settled resources to look at, by kind of drift. The look itself decides: one absence in one poll proves nothing.
    wake: Mapping[ResourceId, str]
    #: Leftovers of resources that live elsewhere or are gone: to be removed here.
    reap: tuple[ResourceId, ...]
    findings: tuple[Finding, ...]
    #: Subjects of findings that are still true of what failed by them: they stay open until it is back or gone.
    lasting: tuple[str, ...]
    #: Nothing is left to be done or to be awaited: the same observation need not be compared again.
    is_clean: bool


def ids_on(observation: HostObservation) -> frozenset[ResourceId]:
    """Return every id of ours on the host."""
    return frozenset(i.instance_id for i in observation.instances) | observation.volume_ids | observation.segment_ids


def fingerprint(observation: HostObservation) -> int:
    """Return a number that changes when anything of ours on the host does (within one process)."""
    return hash((observation.instances, observation.volume_ids, observation.segment_ids, observation.loose_segment_ids))


def drift(
    host_id: HostId,
    observation: HostObservation,
    started_at_s: float,
    rows: Sequence[Resource],
    elsewhere: Mapping[ResourceId, Resource],
    now_s: float,
    *,
    can_plug: bool,
    policy: DriftPolicy = REPAIR_ALL,
) -> Drift:
    """Compare. ``rows`` are the living resources of the host, ``elsewhere`` what else is known of the ids it shows.

    ``can_plug``: cards and disks of running machines can be changed where they are. ``policy``: what is only reported.
    """
    machines = {i.instance_id: i for i in observation.instances}
    wake: dict[ResourceId, str] = {}
    findings: list[Finding] = []
    lasting: list[str] = []
    is_clean = True
    for row in rows:
        is_at_rest = row.phase is Phase.SETTLED and row.target_host_id is None
        is_quiet = is_at_rest and row.hold_until_s <= now_s and row.settled_generation == row.generation
        found = machines.get(row.id)
        kind = _drift_of(row, found, observation)
        if not is_quiet or row.observed_at_s > started_at_s:
            is_clean = is_clean and row.phase is Phase.FAILED
            lasting += [_subject(row, kind)] if row.phase is Phase.FAILED and kind == "missing" else []
            continue
        if kind and not _is_known(row, found, policy):
            wake[row.id] = kind
            continue
        if kind:
            findings.append(_left(row, kind))
        if found is not None and (differs := differences(row, found, can_plug=can_plug)):
            if differs.at_once and not policy.reports(DriftKind.EDITED):
                wake[row.id] = "edited"
            else:
                findings.append(_edited(row, differs))
        if row.id in observation.loose_segment_ids:
            # Open until a look shows it put right: the network's own step makes no difference between old and new rules.
            is_left = policy.reports(DriftKind.EDITED)
            findings.append(_loose(row, is_left=is_left))
            wake |= {} if is_left else {row.id: "edited"}
    # What was written after the host was asked may have left it since: the next look tells.
    late = {row.id for row in elsewhere.values() if row.observed_at_s > started_at_s}
    reap, orphans = _strangers(host_id, ids_on(observation) - {r.id for r in rows} - late, elsewhere)
    findings += orphans
    # What is on its way here is no leftover; it may become one, so the same observation is compared again.
    is_clean = is_clean and not any(r.target_host_id == host_id or r.lost_host_id for r in elsewhere.values())
    is_clean = is_clean and not (wake or reap or late)
    return Drift(wake=wake, reap=reap, findings=tuple(findings), lasting=tuple(lasting), is_clean=is_clean)


def _drift_of(row: Resource, found: ObservedInstance | None, observation: HostObservation) -> str:
    if row.kind is ResourceKind.VOLUME:
        return "" if row.id in observation.volume_ids else "missing"
    if row.kind is ResourceKind.SEGMENT:
        return "" if row.id in observation.segment_ids else "missing"
    if found is None:
        return "missing"
    # What is not wanted and was known already was left as it is when it was found first.
    is_drift = found.state is not row.observed or found.state.value != row.desired.value
    return drift_of_run(found.state).value if is_drift else ""


def _is_known(row: Resource, found: ObservedInstance | None, policy: DriftPolicy) -> bool:
    """Tell whether drift is to be left as it is and the row says already what the host shows: nothing is done any more.

    A lost disk is looked at: its machine fails. A network has no word of its own but that it is there.
    """
    if row.kind is ResourceKind.INSTANCE:
        seen = found.state if found is not None else Observed.ABSENT
        kind = drift_of_run(found.state) if found is not None else DriftKind.MISSING
        return policy.reports(kind) and row.observed is seen
    return row.kind is ResourceKind.SEGMENT and policy.reports(DriftKind.MISSING)


def _left(row: Resource, kind: str) -> Finding:
    subject, detail = _subject(row, kind), {"name": row.name}
    return Finding(kind=kind, subject=subject, resource_id=row.id, host_id=row.host_id, detail=detail, is_left=True)


def is_news(finding: Finding, told: Mapping[str, Any] | None) -> bool:
    """Tell whether a finding is to be written: ``told`` is what an open one of its subject says, by a look that saw more."""
    if told is None:
        return True
    return finding.kind == DriftKind.EDITED and dict(finding.detail) != {k: v for k, v in told.items() if k != "host"}


def _subject(row: Resource, kind: str) -> str:
    return f"{kind}:{row.id}"


def _edited(row: Resource, differs: Differences) -> Finding:
    return Finding(
        kind="edited",
        subject=_subject(row, "edited"),
        resource_id=row.id,
        host_id=row.host_id,
        detail={"name": row.name, **differs.detail},
        is_left=bool(differs.at_once),
    )


def _loose(row: Resource, *, is_left: bool) -> Finding:
    return Finding(
        kind="edited",
        subject=_subject(row, "edited"),
        resource_id=row.id,
        host_id=row.host_id,
        detail={"name": row.name, "what": "rules"},
        is_left=is_left,
    )


def _strangers(
    host_id: HostId, ids: frozenset[ResourceId], elsewhere: Mapping[ResourceId, Resource]
) -> tuple[tuple[ResourceId, ...], list[Finding]]:
    """Sort what bears our mark and does not belong here: leftovers are removed, what no row knows is only reported."""
    reap: list[ResourceId] = []
    findings: list[Finding] = []
    for resource_id in sorted(ids):
        row = elsewhere.get(resource_id)
        if row is None:
            subject = f"orphan:{host_id}:{resource_id}"
            findings.append(Finding(kind="orphan", subject=subject, host_id=host_id, detail={"resource": resource_id}))
        elif row.phase is Phase.GONE or (row.lost_host_id is None and host_id not in (row.host_id, row.target_host_id)):
            reap.append(resource_id)
    return tuple(reap), findings
