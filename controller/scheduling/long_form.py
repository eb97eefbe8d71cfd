"""The long form of an explanation: every host, with its score or the filter it fell at. Decided again on the same picture.

Nothing of it is stored. The same request on the same picture gives the same decision, and this looks over its shoulder.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from controller.scheduling.columns import Int32
from controller.scheduling.decide import decide_on
from controller.scheduling.filters import survey
from controller.scheduling.fleet import Fleet
from controller.scheduling.groups import Groups
from controller.scheduling.misses import all_misses
from controller.scheduling.policy import Policy
from controller.scheduling.units import Need
from controller.scheduling.weighers import columns, ranked
from inventory.domain.placement import Explanation, HostCandidate, PlacementRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was thought of one host."""

    host: str
    #: The filter it fell at, empty where the machine could have gone there, and the numbers of the text.
    filter: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    #: Score, its parts and whose policy it is; of hosts that fell there is none.
    candidate: HostCandidate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LongForm:
    """Every host for one kind of machine: those that were left, best first, then the nearest misses."""

    explanation: Explanation
    verdicts: tuple[Verdict, ...]


def retell(request: PlacementRequest, fleet: Fleet, policy: Policy, member: str) -> LongForm | None:
    """Return the long form of what is explained for ``member``; ``None`` where this decision explains nothing for it."""
    found: list[LongForm] = []

    def look(page: Explanation, need: Need, fleet: Fleet, groups: Groups) -> None:
        if member in page.members:
            # A later one is of another attempt, made because the one before came to nothing.
            found[:] = [LongForm(explanation=page, verdicts=tuple(_verdicts(need, fleet, groups, policy)))]

    decide_on(request, fleet, policy, look)
    return found[0] if found else None


def _verdicts(need: Need, fleet: Fleet, groups: Groups, policy: Policy) -> Iterator[Verdict]:
    trail = survey(need, fleet, groups)
    left = trail[-1][1]
    scored = _candidates(need, fleet, groups, policy, left)
    for host in ranked(need, fleet, groups, policy, left).tolist() if left.size else ():
        yield Verdict(host=scored[host].host, candidate=scored[host])
    for miss in all_misses(need, fleet, groups, trail):
        yield Verdict(host=miss.host, filter=miss.filter, params=miss.params)


def _candidates(need: Need, fleet: Fleet, groups: Groups, policy: Policy, hosts: Int32) -> dict[int, HostCandidate]:
    """Return each of these hosts with its score under the policy of its pool, by index."""
    snapshot, found = fleet.snapshot, {}
    for section in np.unique(snapshot.section_index[hosts]).tolist():
        part = hosts[snapshot.section_index[hosts] == section]
        own = policy.of_pool(snapshot.sections[section][1])
        named = [(name, column.tolist()) for name, column in columns(need, fleet, groups, own, part)]
        for n, host in enumerate(part.tolist()):
            parts = {name: column[n] for name, column in named}
            found[host] = HostCandidate(host=snapshot.host_names[host], score=sum(parts.values()), parts=parts, policy=own.label)
    return found
