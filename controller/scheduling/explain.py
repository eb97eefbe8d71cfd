"""Explanations: why this host, why not the others, in the stored form of DESIGN §9."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from controller.scheduling.filters import Trail
from controller.scheduling.misses import nearest_misses
from controller.scheduling.policy import Policy
from controller.scheduling.scratch import Scratch
from controller.scheduling.units import Need
from controller.scheduling.weighers import parts
from inventory.domain.placement import Explanation, HostCandidate, HostMiss

#: Hosts named in a refusal, and in a placement (where nobody has to act on them).
REFUSAL_MISSES_MAX = 50
PLACEMENT_MISSES_MAX = 10
RUNNERS_UP_MAX = 2


def explain_placed(
    need: Need, scratch: Scratch, policy: Policy, trail: Trail, *, ranked: Sequence[int], members: tuple[str, ...]
) -> Explanation:
    """Return why the first host of ``ranked`` was taken; ``scratch`` is as it was before that."""
    found = [candidate(need, scratch, policy, host) for host in ranked[: 1 + RUNNERS_UP_MAX]]
    base = _explanation(need, scratch, policy, trail, members=members, misses_max=PLACEMENT_MISSES_MAX)
    return replace(base, is_placed=True, winner=found[0], runners_up=tuple(found[1:]))


def explain_refused(need: Need, scratch: Scratch, policy: Policy, trail: Trail, *, members: tuple[str, ...]) -> Explanation:
    """Return why no host is left; ``scratch`` holds the machines of the ticket that were placed before."""
    return _explanation(need, scratch, policy, trail, members=members, misses_max=REFUSAL_MISSES_MAX)


def _explanation(
    need: Need, scratch: Scratch, policy: Policy, trail: Trail, *, members: tuple[str, ...], misses_max: int
) -> Explanation:
    return Explanation(
        member=members[0],
        members=members,
        is_placed=False,
        hosts_total=scratch.snapshot.host_count,
        left_after=tuple((name, len(hosts)) for name, hosts in trail),
        misses=nearest_misses(need, scratch, trail, misses_max),
        policy=policy.label,
        state_revision=scratch.snapshot.revision,
    )


def candidate(need: Need, scratch: Scratch, policy: Policy, host: int) -> HostCandidate:
    """Return a host with its score and the named parts that add up to it."""
    named = parts(need, scratch, policy, host)
    return HostCandidate(host=scratch.snapshot.host_names[host], score=sum(named.values()), parts=named)


def miss_text_code(miss: HostMiss) -> str:
    """Return the code of the text that says a miss; its parameters are ``miss.params`` and ``host``."""
    if miss.filter == "network_reach" and "group" in miss.params:
        return "placement.miss.network_reach_spread"
    return f"placement.miss.{miss.filter}"


def explanation_to_json(explanation: Explanation) -> dict[str, Any]:
    """Return the stored form: JSON values; what is empty is left out."""
    data: dict[str, Any] = {
        "member": explanation.member,
        "members": list(explanation.members) if len(explanation.members) > 1 else [],
        "is_placed": explanation.is_placed,
        "hosts_total": explanation.hosts_total,
        "left_after": [list(step) for step in explanation.left_after],
        "winner": asdict(explanation.winner) if explanation.winner else None,
        "runners_up": [asdict(r) for r in explanation.runners_up],
        "misses": [[m.host, m.filter, dict(m.params)] for m in explanation.misses],
        "suggestions": [[code, dict(params)] for code, params in explanation.suggestions],
        "policy": explanation.policy,
        "state_revision": explanation.state_revision,
    }
    return {k: v for k, v in data.items() if v not in ([], None, "")}


def explanation_from_json(data: Mapping[str, Any]) -> Explanation:
    """Read the stored form back."""
    winner = data.get("winner")
    return Explanation(
        member=data["member"],
        members=tuple(data.get("members", [data["member"]])),
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
