"""What is kept of how hosts stand with a kind says what a look at all of them says, whatever was taken or undone."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.scheduling import standing
from controller.scheduling.explain import RUNNERS_UP_MAX, candidate
from controller.scheduling.filters import survey
from controller.scheduling.fleet import Fleet
from controller.scheduling.groups import Groups
from controller.scheduling.policy import DEFAULT_POLICY, LargeSize, Policy
from controller.scheduling.units import units_of
from controller.scheduling.weighers import ranked
from tests.property.test_scheduling_engines import some_hosts, some_request
from tests.support.placement import snapshot

PACK = Policy(
    name="p", version=1, weights={"pack": 3, "keep_large": 2, "storage": 1}, large=LargeSize(vcpu_count=4, memory_mib=4096)
)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 60), policy=st.sampled_from([DEFAULT_POLICY, PACK]))
def test_what_is_kept_of_a_kind_says_what_a_look_at_all_hosts_says(seed: int, count: int, policy: Policy) -> None:
    source = random.Random(seed)
    fleet = Fleet(snapshot(some_hosts(source, count)))
    asked = [some_request(source, count) for _ in range(4)]
    kinds = [(units_of(r)[0].need, Groups(r, fleet.snapshot)) for r in asked if not r.rules]
    taken = [(need, groups) for need, groups in kinds if not standing.is_bound(need)]
    mark = fleet.mark()
    for _ in range(40):
        if not taken:
            return
        need, groups = source.choice(taken)
        host = fleet.best(need, policy, groups)
        if host is None or source.random() < 0.2:
            fleet.rollback(mark)
            continue
        found = standing.standing_of(need, fleet, policy, groups)
        trail = survey(need, fleet, groups)
        assert [(name, hosts.tolist()) for name, hosts in found.trail()] == [(name, hosts.tolist()) for name, hosts in trail]
        others = ranked(need, fleet, groups, policy, trail[-1][1][trail[-1][1] != host])[:RUNNERS_UP_MAX].tolist()
        wanted = [candidate(need, fleet, groups, policy, h) for h in (host, *others)]
        names = fleet.snapshot.host_names
        assert [(names[h], *rest) for h, *rest in found.ranking(host, RUNNERS_UP_MAX)] == [
            (w.host, w.score, dict(w.parts)) for w in wanted
        ]
        fleet.take(need, host)
        if source.random() < 0.1:
            fleet.forget_changes()


def test_only_so_many_kinds_are_kept() -> None:
    source = random.Random(1)
    fleet = Fleet(snapshot(some_hosts(source, 5)))
    for _ in range(300):
        request = some_request(source, 5)
        need = units_of(request)[0].need
        if not standing.is_bound(need):
            standing.standing_of(need, fleet, DEFAULT_POLICY, Groups(request, fleet.snapshot))
    assert 1 < len(fleet.kept) <= 64
