"""What a region has, read from its own services: right, and with few calls."""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from drivers.openstack.driver import OpenStackDriver
from drivers.openstack.inventory import MANY, Inventory
from tests.openstack.harness import STORAGE_POOL, Behind, driver_of
from tests.openstack.proxy import Proxies, proxies_before
from tests.openstack.region.configuration import HOST_MEMORY_MIB, HOST_VCPUS
from tests.openstack.region.region import Region
from tests.openstack.wish import wish_on

pytestmark = [pytest.mark.openstack, pytest.mark.alone, pytest.mark.timeout(300)]

TRAITS = ["HW_CPU_X86_AVX", "HW_CPU_X86_SSE42"]


@pytest.fixture
def proxies(request: pytest.FixtureRequest, region: Region, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxies]:
    """Proxies that count, and a region whose hosts share nothing of what was read, or for as long as the test says (s)."""
    with proxies_before(region.layout, tmp_path, monkeypatch, observe_max_age_s=getattr(request, "param", 0)) as found:
        yield found


@pytest.fixture
def drivers(proxies: Proxies) -> Iterator[list[OpenStackDriver]]:
    """Two hypervisors of the region, connected."""
    found = [driver_of(f"openstack://proxied/{name}", host_id=f"host_{name}") for name in ("hv-001", "hv-002")]
    ours = [d for d in found if isinstance(d, OpenStackDriver)]
    assert len(ours) == 2
    yield ours
    for driver in ours:
        driver.close()


def calls(proxies: Proxies, service: str = "") -> int:
    """Return how many calls were made since the last time this was asked."""
    count = sum(a.service == service for a in proxies.asked) if service else len(proxies.asked)
    proxies.asked.clear()
    return count


def provider_of(behind: Behind, name: str) -> Any:
    return next(p for p in behind.cloud.placement.resource_providers() if p.name == name)


@contextmanager
def spare_providers(behind: Behind, count: int, *, reserved: int) -> Iterator[list[Any]]:
    """Have providers with 8 vCPUs, some of them reserved, and with traits."""
    placement = behind.cloud.placement
    made = [placement.create_resource_provider(name=f"spare-{reserved}-{number}") for number in range(count)]
    try:
        for provider in made:
            path = f"/resource_providers/{provider.id}"
            amounts = {"resource_provider_generation": 0, "inventories": {"VCPU": {"total": 8, "reserved": reserved}}}
            traits = {"resource_provider_generation": 1, "traits": TRAITS}
            for part, body in (("inventories", amounts), ("traits", traits)):
                placement.put(f"{path}/{part}", json=body, microversion="1.36").raise_for_status()
        yield made
    finally:
        for provider in made:
            placement.delete_resource_provider(provider)


def test_facts_are_what_placement_says_less_what_the_region_holds_back(drivers: list[OpenStackDriver], behind: Behind) -> None:
    facts = drivers[0].inspect_host()
    inventories = f"/resource_providers/{provider_of(behind, 'hv-001').id}/inventories"
    memory = behind.cloud.placement.get(inventories, microversion="1.36").json()["inventories"]["MEMORY_MB"]
    assert (facts.cpu_count, facts.memory_mib) == (HOST_VCPUS, HOST_MEMORY_MIB - memory["reserved"])
    assert facts.hostname == "hv-001"
    assert any(t.startswith("COMPUTE_") for t in facts.traits)
    assert STORAGE_POOL in {s.name for s in facts.storage}


def test_only_providers_that_changed_are_read_again(drivers: list[OpenStackDriver], proxies: Proxies, behind: Behind) -> None:
    placement = behind.cloud.placement
    # One of our own: those of hypervisors are also written by their compute service, at moments of its own.
    spare = placement.create_resource_provider(name="spare")
    try:
        drivers[0].inspect_host()
        calls(proxies)
        drivers[0].inspect_host()
        # Hypervisors, aggregates, providers: storage was read within the minute.
        assert calls(proxies) == 3, "a steady inventory costs one call to Placement, and two to Nova"
        inventory = {"resource_class": "VCPU", "total": 8, "resource_provider_generation": spare.generation}
        answer = placement.post(f"/resource_providers/{spare.id}/inventories", json=inventory, microversion="1.36")
        assert answer.status_code == 201, answer.text
        drivers[0].inspect_host()
        assert calls(proxies) == 3 + 2, "and two more for each provider that changed"
    finally:
        placement.delete_resource_provider(spare)


def test_many_providers_are_read_with_one_call_each_and_one_for_all_their_traits(
    drivers: list[OpenStackDriver], proxies: Proxies, behind: Behind
) -> None:
    ours, placement = drivers[0]._region, behind.cloud.placement
    with spare_providers(behind, MANY, reserved=0) as free, spare_providers(behind, 1, reserved=8) as full:
        calls(proxies)
        found = Inventory(ours.sdk, ours.calls).providers()
        # One lists them; what has no room is not told with the others, and asked for its traits.
        assert calls(proxies, "placement") == 2 + len(found) + len(full)
        assert found.keys() > {p.id for p in (*free, *full)}
        for provider in found.values():
            traits = placement.get(f"/resource_providers/{provider.provider_id}/traits", microversion="1.36").json()
            assert provider.traits == set(traits["traits"])
        assert {len(found[p.id].traits) for p in (*free, *full)} == {len(TRAITS)}
        assert {found[p.id].amounts["VCPU"] for p in free} == {8}
        assert {found[p.id].amounts["VCPU"] for p in full} == {0}


@pytest.mark.parametrize("proxies", [5], indirect=True)
def test_a_hundred_hosts_that_are_read_in_one_moment_cost_what_one_does(region: Region, proxies: Proxies) -> None:
    names = itertools.islice(itertools.cycle(region.layout.host_names()), 100)
    hosts = [driver_of(f"openstack://proxied/{name}", host_id=f"host_{number}") for number, name in enumerate(names)]
    assert isinstance(hosts[0], OpenStackDriver)
    ours, now = hosts[0]._region, [0.0]
    ours.inventory = Inventory(ours.sdk, ours.calls, max_age_s=5, monotonic=lambda: now[0])
    try:
        for moment_s, most in ((0.0, None), (1.0, 0), (6.0, 3)):
            now[0] = moment_s
            calls(proxies)
            with ThreadPoolExecutor(8) as crew:
                found = list(crew.map(lambda host: host.inspect_host(), hosts))
            assert [f.hostname for f in found[:2]] == list(region.layout.host_names())[:2]
            assert most is None or calls(proxies) == most
    finally:
        for host in hosts:
            host.close()


@pytest.mark.parametrize("proxies", [3600], indirect=True)
def test_the_hosts_of_a_region_share_one_listing_until_we_change_something(
    drivers: list[OpenStackDriver], proxies: Proxies, tmp_path: Path
) -> None:
    first, second = drivers
    first.observe()
    calls(proxies)
    for _ in range(5):
        first.observe()
        second.observe()
    assert calls(proxies) == 0
    wish = wish_on(first, tmp_path)
    first.ensure_volume(wish.data, wish.fence)
    try:
        calls(proxies)
        assert wish.data.volume_id in first.observe().volume_ids
        assert wish.data.volume_id not in second.observe().volume_ids
        # Machines, volumes, networks, ports, hypervisors; security groups where a network of ours is there to have one.
        assert calls(proxies) == 5 + bool(first._region.segment_ids)
    finally:
        first.ensure_volume_absent(wish.data.volume_id, STORAGE_POOL, wish.fence)
