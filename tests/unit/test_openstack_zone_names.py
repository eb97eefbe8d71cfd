"""Zones and aggregates of a region as names that machines may ask for."""

from types import SimpleNamespace

import pytest

from drivers.openstack.facts import host_facts, project_facts
from drivers.openstack.inventory import Hypervisor, Provider
from drivers.openstack.zones import (
    AGGREGATE_WORD,
    LONGEST_TRAIT,
    ZONE_WORD,
    Aggregate,
    aggregate_of,
    places_of,
    trait_of,
    zone_query,
)


def aggregate(name: str, zone: str = "", *service_hosts: str) -> Aggregate:
    return Aggregate(aggregate_id=f"id-{name}", name=name, zone=zone, service_hosts=frozenset(service_hosts))


THERE = [
    aggregate("east", "az-East.1", "h1", "h2"),
    aggregate("ssd", "", "h2", "h3"),
    aggregate("west", "west", "h4"),
    aggregate("政务", "", "h2"),
]


@pytest.mark.parametrize(
    ("kind", "name", "trait"),
    [
        (ZONE_WORD, "nova", "az-nova"),
        (ZONE_WORD, "GZ_East 1", "az-gz-east-1"),
        (AGGREGATE_WORD, "--ssd--", "aggregate-ssd"),
        (AGGREGATE_WORD, "a" * (LONGEST_TRAIT - len(AGGREGATE_WORD)), "aggregate-" + "a" * (LONGEST_TRAIT - len(AGGREGATE_WORD))),
        # Two of these could not be told from each other.
        (AGGREGATE_WORD, "a" * LONGEST_TRAIT, ""),
        (AGGREGATE_WORD, "政务-a", ""),
        (ZONE_WORD, "", ""),
        (ZONE_WORD, "--", ""),
    ],
)
def test_a_place_is_asked_for_by_a_name_as_tickets_write_it(kind: str, name: str, trait: str) -> None:
    assert trait_of(kind, name) == trait


@pytest.mark.parametrize(
    ("service_host", "places"),
    [
        ("h1", ("aggregate-east", "az-az-east-1")),
        ("h2", ("aggregate-east", "aggregate-ssd", "az-az-east-1")),
        ("h3", ("aggregate-ssd",)),
        ("h5", ()),
    ],
)
def test_a_hypervisor_is_asked_for_by_its_zone_and_its_aggregates(service_host: str, places: tuple[str, ...]) -> None:
    assert places_of(service_host, THERE) == places


def test_placement_is_asked_for_a_zone_by_the_aggregates_that_make_it() -> None:
    assert zone_query("west", [*THERE, aggregate("far", "west")]) == "?member_of=in:id-far,id-west"
    assert zone_query("nova", THERE) == "?member_of=!in:id-east,id-west", "what is in no other zone"
    assert zone_query("nova", THERE[1:2]) == ""


def test_an_aggregate_without_a_zone_makes_none() -> None:
    found = SimpleNamespace(uuid="U", name="ssd", availability_zone=None, hosts=None)
    assert aggregate_of(found) == Aggregate(aggregate_id="U", name="ssd", zone="", service_hosts=frozenset())


def test_places_are_facts_of_a_host() -> None:
    hypervisor = Hypervisor(name="a", provider_id="P", kind="QEMU", version="7", is_alive=True)
    providers = {"P": Provider(provider_id="P", name="a", generation=1)}
    seen = host_facts("a", [hypervisor], providers, (), arch="x86_64", service_versions=("compute 2.93",), places=("az-nova",))
    limited = project_facts("city", (8, 1024), (), arch="x86_64", service_versions=("compute 2.93",), places=("az-nova",))
    assert (seen.places, limited.places) == (("az-nova",), ("az-nova",))
