"""Gangs with the exact fallback: placed whenever the solver knows a way, whole or not at all."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.scheduling import exact
from controller.scheduling.decide import choose, decide
from controller.scheduling.fleet import Fleet
from controller.scheduling.gang import kinds_of
from controller.scheduling.groups import Groups
from controller.scheduling.snapshot import Snapshot
from controller.scheduling.units import units_of
from inventory.domain.placement import Placement, PlacementRequest, Refusal
from inventory.domain.resources import MEMORY_MIB, VCPU
from tests.support.gangs import gang

#: A hundred times what production grants.
PATIENCE = 12.0
#: A case whose way the heuristics do not find.
HARD_SEED = 12


def solver_finds(shot: Snapshot, asked: PlacementRequest, patience: float) -> bool:
    fleet = Fleet(shot)
    kinds = kinds_of(units_of(asked), shot)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "TIME_CAP", patience)
        return exact.solve(kinds, fleet, Groups(asked, shot)) is not None


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_gang_is_accepted_whenever_a_patient_solver_knows_a_way(seed: int) -> None:
    shot, asked = gang(seed, (4, 6, 8))
    fleet = Fleet(shot)
    before = fleet.hosts.free.copy()
    chosen = choose(asked, fleet)
    assert (chosen is not None) == solver_finds(shot, asked, PATIENCE)
    if chosen is None:
        assert (fleet.hosts.free == before).all(), "refused whole: nothing is taken"
        return
    assert [one.name for one in chosen] == [one.name for one in asked.members], "accepted whole: every machine has a host"
    for dimension in (VCPU, MEMORY_MIB):
        assert int(fleet.free_of(dimension).min()) >= 0
    groups = {one.name: one.group for one in asked.members}
    for rule in asked.rules:
        column = shot.domain_index[rule.spread]
        domains = Counter(int(column[shot.index_of[one.host_id]]) for one in chosen if groups[one.name] == rule.group)
        assert max(domains.values(), default=0) <= rule.max_per_domain


def test_the_cases_are_neither_all_easy_nor_all_hopeless() -> None:
    found = [solver_finds(*gang(seed, (4, 6, 8)), PATIENCE) for seed in range(60)]
    assert 0.3 <= sum(found) / len(found) <= 0.7


def test_what_only_the_solver_finds_is_refused_without_it_and_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    shot, asked = gang(HARD_SEED)
    assert isinstance(decide(asked, shot), Placement)
    monkeypatch.setattr(exact, "is_installed", lambda: False)
    answer = decide(asked, shot)
    assert isinstance(answer, Refusal)
    first = answer.explanations[0]
    assert first.misses[0].filter in ("capacity", "spread")
    assert first.suggestions


def _of(seed: int) -> tuple[PlacementRequest, Fleet]:
    shot, asked = gang(seed)
    return asked, Fleet(shot)


def test_the_same_picture_gets_the_same_answer() -> None:
    for seed in range(12):
        assert choose(*_of(seed)) == choose(*_of(seed))
