"""One network of a department over several hypervisors of a region: servers that share it spread over them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.faults import StaleFence
from drivers.protocol import SegmentRequest
from inventory.domain.ids import ResourceId
from tests.openstack.cloud import TICKET_S, City, city, ticket_text
from tests.openstack.harness import Behind, driver_of, new_cidr, new_id
from tests.openstack.region.region import Region
from tests.support.libvirtd import until

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(1500)]

HYPERVISORS = ("hv-006", "hv-007")
TICKET = ticket_text("wide", "name: web, count: 2, size: tiny, image: demo-linux, spread: host")


@pytest.fixture
def town(region: Region, behind: Behind, tmp_path: Path) -> Iterator[City]:
    """A furnished city on two hypervisors."""
    with city(tmp_path / "town", region, behind) as found:
        found.furnish(HYPERVISORS[0], cloud="region")
        found.enrol(HYPERVISORS[1], cloud="region")
        yield found


def test_two_servers_of_one_system_are_on_two_hypervisors_and_on_one_network(town: City) -> None:
    town.apply(town.controller.write("wide.yaml", TICKET))
    shown, servers = town.machines(), town.servers()
    assert {m["host"] for m in shown.values()} == set(HYPERVISORS)
    assert {servers[m["id"]].hypervisor_hostname for m in shown.values()} == set(HYPERVISORS)
    cards = [nic for m in shown.values() for nic in m["nics"]]
    assert len({nic["address"] for nic in cards}) == 2
    [network] = [n for kind, n in town.made() if kind == "network"]
    neutron = town.behind.cloud.network
    ports = {p.mac_address: p for p in neutron.ports(network_id=network.id) if p.device_owner.startswith("compute:")}
    assert {p.device_id for p in ports.values()} == {s.id for s in servers.values()}
    assert {p.fixed_ips[0]["ip_address"] for p in ports.values()} == {nic["address"] for nic in cards}
    town.check()
    town.controller.ok("release", "wide", "--confirm", "wide", "--wait", "--timeout", str(TICKET_S))
    until(lambda: town.made() == [], TICKET_S, "nothing of it is left in the region")
    town.check()


def test_a_hypervisor_that_takes_a_network_over_has_it_from_then_on_and_the_other_has_not(region: Region, behind: Behind) -> None:
    first, second = (driver_of(f"openstack://region/{h}", host_id=f"host_of_{h}") for h in HYPERVISORS)
    cidr, segment_id = new_cidr(), ResourceId(new_id("segment"))
    asked = SegmentRequest(segment_id=segment_id, cidr=cidr, gateway=cidr.replace(".0/26", ".1"), department="")
    try:
        assert {d.inspect_host().network_scope for d in (first, second)} == {"region"}
        first.ensure_segment(asked, 10)
        [made] = behind.cloud.network.networks(name=segment_id)
        assert segment_id in first.observe().segment_ids
        second.ensure_segment(asked, 11)
        assert [n.id for n in behind.cloud.network.networks(name=segment_id)] == [made.id], "the same network"
        assert segment_id in second.observe().segment_ids
        assert segment_id not in first.observe().segment_ids
        with pytest.raises(StaleFence):
            first.ensure_segment(asked, 10)
        assert segment_id in second.observe().segment_ids, "an older hold takes nothing back"
    finally:
        second.ensure_segment_absent(segment_id, 12)
        first.close()
        second.close()
    assert list(behind.cloud.network.networks(name=segment_id)) == []
