"""Ports that somebody else has in a department network of ours, with what one of our machines is to have; over HTTP."""

from typing import Any
from urllib.parse import quote

import pytest

from drivers.faults import Transient
from drivers.openstack import networks
from drivers.openstack.driver import OpenStackDriver
from drivers.openstack.marks import Mark, mark_text, port_mark
from drivers.protocol import LeaseEntry, NicRequest, SegmentRequest
from inventory.domain.ids import ResourceId
from tests.integration.told_region.test_openstack_answers import deleted, have_segment, port
from tests.support.region_answers import Answers
from tests.support.told_things import FENCE, HOST_ID, SERVER, new_id

MAC, ADDRESS = "02:00:00:00:00:04", "10.1.0.4"


def card(segment_id: ResourceId) -> NicRequest:
    return NicRequest(segment_id=segment_id, mac=MAC, address=ADDRESS)


def changes(region: Answers) -> list[str]:
    """Return what was asked for that changes a port."""
    return [a for a in region.asked if "/ports" in a and not a.startswith("GET")]


@pytest.mark.parametrize(
    "theirs",
    [
        port("4-both", ""),
        port("4-mac", "", fixed_ips=[{"subnet_id": "s", "ip_address": "10.1.0.44"}]),
        port("4-address", "", mac_address="fa:16:3e:00:00:01"),
        port("4-plugged", "", device_id="their machine", device_owner="compute:nova"),
        port("4-router", "", mac_address="fa:16:3e:00:00:01", device_id="r", device_owner="network:router_interface"),
        port("4-marked", mark_text(Mark(resource_id=new_id("gateway"), fence=0, host_id=HOST_ID))),
    ],
    ids=lambda theirs: theirs["id"],
)
@pytest.mark.parametrize("is_network_known", [False, True])
def test_it_is_never_used_or_changed_for_a_machine_of_ours(
    region: Answers, driver: OpenStackDriver, theirs: dict[str, Any], is_network_known: bool
) -> None:
    segment_id, instance_id = new_id("segment"), new_id("instance")
    have_segment(region, segment_id, [theirs])
    # Neutron gives those that are asked for.
    by_mac = f"mac_address={quote(MAC)}&network_id=the-network"
    region.give(f"GET /network/v2.0/ports?{by_mac}", {"ports": [theirs] if theirs["mac_address"] == MAC else []})
    if is_network_known:
        networks.find_network(driver._region, segment_id)
    with pytest.raises(Transient) as refused:
        networks.ensure_port(driver._region, card(segment_id), "web", port_mark(instance_id, HOST_ID))
    assert refused.value.problem.code == "openstack.port_foreign"
    known = {"port_id": theirs["id"], "segment_id": segment_id, "mac": theirs["mac_address"]}
    assert known.items() <= refused.value.problem.params.items()
    assert changes(region) == []


@pytest.mark.parametrize("device_id", ["", "their machine"])
def test_it_keeps_its_address_and_does_not_hold_up_the_others_of_the_network(
    region: Answers, driver: OpenStackDriver, device_id: str
) -> None:
    segment_id = new_id("segment")
    theirs = port("4-theirs", "", device_id=device_id, fixed_ips=[{"subnet_id": "s", "ip_address": "10.1.0.44"}])
    have_segment(region, segment_id, [theirs])
    region.give("POST /network/v2.0/ports", {"port": port("5-made", "")}, status=201)
    leases = tuple(LeaseEntry(mac=f"02:00:00:00:00:0{n}", address=f"10.1.0.{n}", hostname=f"web-{n}") for n in (4, 5))
    request = SegmentRequest(segment_id=segment_id, cidr="10.1.0.0/26", gateway="10.1.0.1", department="", leases=leases)
    driver.ensure_segment(request, FENCE)
    assert changes(region) == ["POST /network/v2.0/ports"]
    [made] = [body["port"] for asked, body in region.sent if asked == "POST /network/v2.0/ports"]
    assert (made["mac_address"], deleted(region)) == ("02:00:00:00:00:05", set())


def test_a_port_of_ours_that_somebody_readdressed_is_put_right(region: Answers, driver: OpenStackDriver) -> None:
    segment_id = new_id("segment")
    ours = mark_text(Mark(resource_id=segment_id, fence=FENCE, host_id=HOST_ID))
    moved = port("4-ours", ours, device_id=SERVER, fixed_ips=[{"subnet_id": "s", "ip_address": "10.1.0.44"}])
    have_segment(region, segment_id, [moved])
    region.give("PUT /network/v2.0/ports/4-ours", {"port": port("4-ours", ours)})
    entry = LeaseEntry(mac=MAC, address=ADDRESS, hostname="web")
    request = SegmentRequest(segment_id=segment_id, cidr="10.1.0.0/26", gateway="10.1.0.1", department="", leases=(entry,))
    driver.ensure_segment(request, FENCE)
    assert changes(region) == ["PUT /network/v2.0/ports/4-ours"]
    found = networks.ensure_port(driver._region, card(segment_id), "web", port_mark(new_id("instance"), HOST_ID))
    assert found.port_id == "4-ours"
