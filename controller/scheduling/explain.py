"""Explanations: why this host, why not the others, in the stored form of DESIGN §9."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from controller.scheduling.filters import Trail, survey
from controller.scheduling.fleet import Fleet
from controller.scheduling.groups import Groups
from controller.scheduling.misses import nearest_misses
from controller.scheduling.policy import Policy
from controller.scheduling.standing import is_bound, standing_of
from controller.scheduling.units import Need
from controller.scheduling.weighers import parts, ranked
from inventory.domain.placement import Explanation, HostCandidate, HostMiss

#: Hosts named in a refusal, and in a placement (where nobody has to act on them).
REFUSAL_MISSES_MAX = 50
PLACEMENT_MISSES_MAX = 10
RUNNERS_UP_MAX = 2


def explain_placed(
    need: Need, fleet: Fleet, groups: Groups, policy: Policy, *, host: int, members: tuple[str, ...]
) -> Explanation:
    """Return why a host was taken, and the best of the others; what is free is as it was before that."""
    own = policy.of_pool(fleet.snapshot.policy_name(host))
    if is_bound(need) or len(fleet.snapshot.sections_of.get(need.zone_id, ())) > 1:
        trail = survey(need, fleet, groups)
        others = ranked(need, fleet, groups, policy, trail[-1][1][trail[-1][1] != host])[:RUNNERS_UP_MAX]
        # A host under another policy says so: scores of two policies are not to be compared.
        ranked_ = [candidate(need, fleet, groups, policy, h) for h in (host, *others.tolist())]
        found = [replace(one, policy="" if one.policy == own.label else one.policy) for one in ranked_]
    else:
        standing, names = standing_of(need, fleet, own, groups), fleet.snapshot.host_names
        ranking = standing.ranking(host, RUNNERS_UP_MAX)
        trail = standing.trail()
        found = [HostCandidate(host=names[h], score=score, parts=parts_) for h, score, parts_ in ranking]
    misses = nearest_misses(need, fleet, groups, trail, PLACEMENT_MISSES_MAX)
    return _explanation(fleet, trail, members, misses, own, winner=found[0], runners_up=found[1:])


def explain_refused(need: Need, fleet: Fleet, groups: Groups, policy: Policy, *, members: tuple[str, ...]) -> Explanation:
    """Return why no host is left; the machines of the ticket that were placed before are taken from the fleet."""
    trail = survey(need, fleet, groups)
    return _explanation(fleet, trail, members, nearest_misses(need, fleet, groups, trail, REFUSAL_MISSES_MAX), policy)


def _explanation(
    fleet: Fleet,
    trail: Trail,
    members: tuple[str, ...],
    misses: tuple[HostMiss, ...],
    policy: Policy,
    *,
    winner: HostCandidate | None = None,
    runners_up: Sequence[HostCandidate] = (),
) -> Explanation:
    return Explanation(
        member=members[0],
        members=members,
        is_placed=winner is not None,
        hosts_total=fleet.snapshot.host_count,
        left_after=tuple([(name, len(hosts)) for name, hosts in trail]),
        winner=winner,
        runners_up=tuple(runners_up),
        misses=misses,
        policy=policy.label,
        state_revision=fleet.revision,
    )


def candidate(need: Need, fleet: Fleet, groups: Groups, policy: Policy, host: int) -> HostCandidate:
    """Return a host with its score and the named parts that add up to it."""
    named = parts(need, fleet, groups, policy, host)
    own = policy.of_pool(fleet.snapshot.policy_name(host)).label
    return HostCandidate(host=fleet.snapshot.host_names[host], score=sum(named.values()), parts=named, policy=own)


def explanation_to_json(explanation: Explanation) -> dict[str, Any]:
    """Return the stored form: JSON values; what is empty is left out."""
    data: dict[str, Any] = {
        "member": explanation.member,
        "members": list(explanation.members) if len(explanation.members) > 1 else [],
        "is_placed": explanation.is_placed,
        "hosts_total": explanation.hosts_total,
        "left_after": [list(step) for step in explanation.left_after],
        "winner": _candidate_to_json(explanation.winner) if explanation.winner else None,
        "runners_up": [_candidate_to_json(r) for r in explanation.runners_up],
        "misses": [[m.host, m.filter, dict(m.params)] for m in explanation.misses],
        "suggestions": [[code, dict(params)] for code, params in explanation.suggestions],
        "elsewhere": [[host, list(names)] for host, names in explanation.elsewhere],
        "policy": explanation.policy,
        "state_revision": explanation.state_revision,
    }
    return {k: v for k, v in data.items() if v not in ([], None, "")}


def _candidate_to_json(found: HostCandidate) -> dict[str, Any]:
    data: dict[str, Any] = {"host": found.host, "score": found.score, "parts": dict(found.parts)}
    return {**data, "policy": found.policy} if found.policy else data


def explanation_from_json(data: Mapping[str, Any]) -> Explanation:
    """Read the stored form back."""
    winner = data.get("winner")
    return Explanation(
        member=data["member"],
        members=tuple(data.get("members", [data["member"]])),
        elsewhere=tuple((host, tuple(names)) for host, names in data.get("elsewhere", [])),
        is_placed=data["is_placed"],
        hosts_total=data["hosts_total"],
        left_after=tuple((name, count) for name, count in data["left_after"]),
        winner=HostCandidate(**winner) if winner else None,
        runners_up=tuple(HostCandidate(**r) for r in data.get("runners_up", [])),
        misses=tuple(HostMiss(host=h, filter=f, params=p) for h, f, p in data.get("misses", [])),
        suggestions=tuple((code, params) for code, params in data.get("suggestions", [])),
        policy=data.get("policy", ""),
        state_revision=data.get("state_revision", ""),
    )
