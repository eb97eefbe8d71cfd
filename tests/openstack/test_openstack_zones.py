"""Availability zones and aggregates: what hypervisors are asked for by, and a zone of a region as one host."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drivers.faults import Permanent
from drivers.openstack.driver import OpenStackDriver
from inventory.domain.resource import Observed
from tests.openstack.cloud import TICKET_S, City, city, ticket_text
from tests.openstack.harness import Behind, driver_of
from tests.openstack.proxy import proxied_clouds
from tests.openstack.region.configuration import HOST_VCPUS
from tests.openstack.region.region import Region
from tests.openstack.wish import assert_nothing_left, wish_on
from tests.support.libvirtd import until

pytestmark = [pytest.mark.openstack, pytest.mark.alone, pytest.mark.timeout(900)]

#: In the zone of the tests, and in the one that holds all others.
INSIDE, OUTSIDE = "hv-006", "hv-007"
ZONE, DEFAULT_ZONE = "GZ East", "nova"

Connect = Callable[[str], OpenStackDriver]


@pytest.fixture
def aggregate(behind: Behind) -> Iterator[Any]:
    """A zone of one hypervisor."""
    with aggregate_of(behind, "east-racks", ZONE, INSIDE) as made:
        yield made


@pytest.fixture
def connect(region: Region) -> Iterator[Connect]:
    """Drivers of the region, whose clouds are found by now; closed afterwards."""
    assert region.layout.clouds_file.exists()
    opened: list[OpenStackDriver] = []

    def connected(connection: str) -> OpenStackDriver:
        driver = driver_of(connection)
        assert isinstance(driver, OpenStackDriver)
        opened.append(driver)
        return driver

    yield connected
    for driver in opened:
        driver.close()


@contextmanager
def aggregate_of(behind: Behind, name: str, zone: str, *hypervisors: str) -> Iterator[Any]:
    """Have an aggregate, a zone where one is named."""
    compute = behind.cloud.compute
    made = compute.create_aggregate(name=name, **({"availability_zone": zone} if zone else {}))
    try:
        for hypervisor in hypervisors:
            compute.add_host_to_aggregate(made, hypervisor)
        yield made
    finally:
        for hypervisor in hypervisors:
            compute.remove_host_from_aggregate(made, hypervisor)
        compute.delete_aggregate(made)


@pytest.mark.parametrize("cloud", ["region", "limited"])
def test_a_hypervisor_is_asked_for_by_its_zone_and_aggregates_and_a_new_zone_is_seen(
    cloud: str, aggregate: Any, behind: Behind, connect: Connect
) -> None:
    inside, outside = (connect(f"openstack://{cloud}/{h}") for h in (INSIDE, OUTSIDE))
    with aggregate_of(behind, "SSD", "", INSIDE, OUTSIDE):
        assert inside.inspect_host().places == ("aggregate-east-racks", "aggregate-ssd", "az-gz-east")
        assert outside.inspect_host().places == ("aggregate-ssd",)
        behind.cloud.compute.set_aggregate_metadata(aggregate, {"availability_zone": "GZ West"})
        assert inside.inspect_host().places == ("aggregate-east-racks", "aggregate-ssd", "az-gz-west")
    assert outside.inspect_host().places == ()


def test_aggregates_cost_one_call(region: Region, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connect: Connect) -> None:
    with proxied_clouds(region.layout, tmp_path) as proxies:
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
        driver = connect(f"openstack://proxied/{INSIDE}")
        driver.inspect_host()
        proxies.asked.clear()
        driver.inspect_host()
        assert sum("os-aggregates" in a.path for a in proxies.asked) == 1


@pytest.mark.usefixtures("aggregate")
def test_a_zone_as_one_host_has_its_hypervisors_and_all_is_made_in_it(behind: Behind, connect: Connect, tmp_path: Path) -> None:
    named = ZONE.replace(" ", "+")
    driver, rest = connect(f"openstack://region?zone={named}"), connect(f"openstack://region?zone={DEFAULT_ZONE}")
    facts, others = driver.inspect_host(), rest.inspect_host()
    count = len(list(behind.cloud.compute.hypervisors()))
    assert (facts.cpu_count, others.cpu_count) == (HOST_VCPUS, (count - 1) * HOST_VCPUS)
    assert (facts.places, others.places) == (("az-gz-east",), ("az-nova",))
    foreign = behind.make_foreign(INSIDE)
    try:
        assert foreign in {f.uuid for f in driver.observe().foreign}
        assert foreign not in {f.uuid for f in rest.observe().foreign}
    finally:
        behind.remove_server(foreign)
    for one, zone, storage_zone in ((driver, ZONE, DEFAULT_ZONE), (rest, DEFAULT_ZONE, DEFAULT_ZONE)):
        wish = wish_on(one, tmp_path)
        wish.request = replace(wish.request, mates=None)
        assert wish.make().state is Observed.RUNNING
        [server] = behind.servers(wish.request.instance_id)
        assert server.availability_zone == zone
        assert (server.hypervisor_hostname == INSIDE) == (zone == ZONE)
        # Cinder does not know the first zone and has one of its own.
        assert [v.availability_zone for v in behind.volumes(wish.data.volume_id)] == [storage_zone]
        wish.remove()
        assert_nothing_left(behind, wish)


def test_a_zone_shares_the_regions_storage_with_the_others(aggregate: Any, connect: Connect) -> None:
    assert aggregate.name
    whole, zoned = connect("openstack://region"), connect(f"openstack://region?zone={DEFAULT_ZONE}")
    of_all, of_one = ({s.name: s.capacity_gib for s in d.inspect_host().storage} for d in (whole, zoned))
    assert of_one == {name: gib // 2 for name, gib in of_all.items()}


@pytest.mark.parametrize("cloud", ["region", "member"])
def test_a_zone_that_is_not_there_is_refused_with_those_there_are(cloud: str, connect: Connect) -> None:
    with pytest.raises(Permanent) as refused:
        connect(f"openstack://{cloud}?zone=nowhere").inspect_host()
    problem = refused.value.problem
    assert (problem.code, problem.params["zone"], problem.params["known"]) == ("openstack.zone_unknown", "nowhere", DEFAULT_ZONE)


@pytest.mark.usefixtures("aggregate")
def test_who_may_not_look_at_hypervisors_has_the_limits_of_its_project_in_a_zone(connect: Connect) -> None:
    facts = connect(f"openstack://member?zone={DEFAULT_ZONE}").inspect_host()
    assert facts.places == ("az-nova",)
    assert facts.cpu_count == connect("openstack://member").inspect_host().cpu_count


def test_a_ticket_asks_for_a_zone_and_gets_it_and_another_zone_is_seen(
    region: Region, behind: Behind, aggregate: Any, tmp_path: Path
) -> None:
    with city(tmp_path / "town", region, behind, ALLOT_RECONCILE__REFRESH_INTERVAL_S="10") as town:
        town.furnish(INSIDE, cloud="region")
        town.enrol(OUTSIDE, cloud="region")
        assert "az-gz-east" in town.controller.ok("host", "show", INSIDE).out
        _asks_and_gets(town, behind, aggregate)


def _asks_and_gets(town: City, behind: Behind, aggregate: Any) -> None:
    asked = ticket_text("wide", "name: web, count: 2, size: tiny, image: demo-linux, traits: [az-gz-east]")
    town.apply(town.controller.write("east.yaml", asked))
    assert {m["host"] for m in town.machines().values()} == {INSIDE}
    refused = town.controller.allot("plan", town.controller.write("west.yaml", asked.replace("az-gz-east", "az-gz-west")))
    assert refused.code != 0
    assert "az-gz-east" in refused.err + refused.out, "those there are"
    connection = "openstack://region?zone=nowhere"
    place = ("--pool", "region", "--connection", connection, "--storage", "standard:standard")
    enrolled = town.controller.allot("host", "enrol", "nowhere", *place)
    assert enrolled.code != 0
    assert "openstack.zone_unknown" in enrolled.err + enrolled.out
    town.controller.ok("release", "wide", "--confirm", "wide", "--wait", "--timeout", str(TICKET_S))
    until(lambda: town.made() == [], TICKET_S, "nothing of it is left in the region")
    behind.cloud.compute.set_aggregate_metadata(aggregate, {"availability_zone": "GZ West"})
    until(lambda: "az-gz-west" in town.controller.ok("host", "show", INSIDE).out, 60, "the other zone is seen")
    planned = town.controller.allot("plan", town.controller.write("west.yaml", asked.replace("az-gz-east", "az-gz-west")))
    assert f"{INSIDE}: web-1, web-2" in planned.out
