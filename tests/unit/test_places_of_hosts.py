"""Where hosts stand, as their back ends say it, asked for like traits: bounded, and told in refusals."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from controller.scheduling.columns import TRAITS_MAX
from controller.scheduling.decide import decide
from controller.scheduling.snapshot import HostEntry
from inventory.domain.host import told_apart
from inventory.domain.placement import Placement, Refusal
from tests.support.placement import entry, member, request, snapshot

NAMES = st.sets(st.sampled_from([f"{kind}-{n}" for kind in ("az", "aggregate", "x") for n in range(12)]), max_size=30)


def standing(number: int, *places: str, traits: tuple[str, ...] = ()) -> HostEntry:
    one = entry(number, traits=traits)
    assert one.host.facts is not None
    return replace(one, host=replace(one.host, facts=replace(one.host.facts, places=places)))


def test_the_operators_own_names_come_first_then_zones_then_aggregates() -> None:
    assert told_apart(["ssd"], ["aggregate-a", "aggregate-b", "az-1", "az-2"], 4) == ("aggregate-b", "az-1", "az-2", "ssd")
    assert told_apart(["ssd", "nvme"], ["az-1", "ssd"], 2) == ("nvme", "ssd")


@given(NAMES, NAMES, NAMES, st.integers(0, 16))
def test_fewer_hosts_never_make_a_name_drop_out(own: set[str], places: set[str], fewer: set[str], most: int) -> None:
    whole, part = told_apart(own, places, most), told_apart(own & fewer, places & fewer, most)
    assert set(whole) & fewer <= set(part)
    assert len(whole) <= max(most, len(own))


def test_a_machine_that_asks_for_a_zone_is_put_there() -> None:
    there = snapshot([standing(1, "az-east"), standing(2, "aggregate-ssd", "az-west", traits=("sriov",))])
    assert there.traits == ("aggregate-ssd", "az-east", "az-west", "sriov")
    assert [there.has_trait(1, name) for name in there.traits] == [True, False, True, True]
    placed = decide(request(member("m", traits=("az-west", "sriov"))), there)
    assert isinstance(placed, Placement)
    assert [m.host_id for m in placed.members] == ["host_00002"]


def test_a_refusal_says_which_zone_a_host_lacks() -> None:
    refused = decide(request(member("m", traits=("az-north", "sriov"))), snapshot([standing(1, "az-east", traits=("sriov",))]))
    assert isinstance(refused, Refusal)
    [miss] = refused.explanations[0].misses
    assert (miss.filter, miss.params["missing"]) == ("traits", "az-north")


def test_more_places_than_are_told_apart_stop_nothing() -> None:
    many = [f"aggregate-{n:02d}" for n in range(TRAITS_MAX + 3)]
    there = snapshot([standing(1, *many, "az-east", traits=("sriov",))])
    assert len(there.traits) == TRAITS_MAX
    assert {"az-east", "sriov", many[-1]} <= set(there.traits)
    assert many[0] not in there.traits
    assert not there.has_trait(0, many[0])
