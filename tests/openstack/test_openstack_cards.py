"""What somebody does to the card of a machine in a region, with clients of Neutron and Nova: seen by a look, and put right."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.protocol import ObservedNic
from tests.openstack.harness import SERVER_S, Behind, new_cidr
from tests.openstack.region.region import Region
from tests.openstack.wish import FENCE, Wish, running_on
from tests.support.libvirtd import until

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(900)]

HYPERVISOR = "hv-005"


@pytest.fixture
def wish(region: Region, behind: Behind, tmp_path: Path) -> Iterator[Wish]:
    """A machine that runs, with its card right."""
    with running_on(HYPERVISOR, behind, tmp_path) as found:
        assert seen(found) == (right(found),)
        yield found
        assert seen(found) == (right(found),)


def right(wish: Wish) -> ObservedNic:
    (nic,) = wish.request.nics
    return ObservedNic(mac=nic.mac, network=nic.segment_id, address=nic.address)


def bare(wish: Wish) -> ObservedNic:
    """Return the card in its network with nothing that holds it to its address."""
    return ObservedNic(mac=right(wish).mac, network=right(wish).network, address="")


def seen(wish: Wish) -> tuple[ObservedNic, ...] | None:
    """Return what a look at the machine and a look at everything show, which is the same."""
    found = wish.driver.observe_instance(wish.request.instance_id)
    wish.driver._region.touch()
    listed = {i.instance_id: i for i in wish.driver.observe().instances}
    assert found is not None
    assert listed[wish.request.instance_id] == found
    return found.nics


def shown(wish: Wish) -> tuple[ObservedNic, ...] | None:
    """Return what a look at the machine shows now; what is on its way is not yet the same everywhere."""
    found = wish.driver.observe_instance(wish.request.instance_id)
    assert found is not None
    return found.nics


def put_right(wish: Wish) -> None:
    wish.have(lambda: wish.driver.ensure_defined(wish.request, FENCE))


def have_network(wish: Wish) -> None:
    wish.have(lambda: wish.driver.ensure_segment(wish.segment, FENCE))


def port_of(wish: Wish, behind: Behind) -> Any:
    (server,) = behind.servers(wish.request.instance_id)
    return next(p for p in behind.cloud.network.ports(device_id=server.id) if p.mac_address == right(wish).mac)


def test_what_loosens_a_card_is_seen_and_taken_back(wish: Wish, behind: Behind) -> None:
    network = behind.cloud.network
    port = port_of(wish, behind)
    opened = network.create_security_group(name="opened", project_id=port.project_id)
    base = wish.segment.cidr.removesuffix("0/26")
    subnet_id = port.fixed_ips[0]["subnet_id"]
    loosened: dict[str, dict[str, Any]] = {
        "no guard": {"is_port_security_enabled": False, "security_groups": []},
        "a group beside": {"security_groups": [*port.security_group_ids, opened.id]},
        "addresses beside": {"allowed_address_pairs": [{"ip_address": "10.9.0.0/16"}]},
        "a second address": {"fixed_ips": [*port.fixed_ips, {"subnet_id": subnet_id, "ip_address": f"{base}30"}]},
    }
    try:
        for what, change in loosened.items():
            network.update_port(port.id, **change)
            assert seen(wish) == (bare(wish),), what
            put_right(wish)
            assert seen(wish) == (right(wish),), what
    finally:
        network.delete_security_group(opened)
    assert port_of(wish, behind).id == port.id, "the port is the same all the time"


def test_another_address_is_seen_and_taken_back_by_machine_and_network(wish: Wish, behind: Behind) -> None:
    port = port_of(wish, behind)
    address = wish.segment.cidr.removesuffix("0/26") + "30"
    other = {"fixed_ips": [{"subnet_id": port.fixed_ips[0]["subnet_id"], "ip_address": address}]}
    for take_back in (put_right, have_network):
        behind.cloud.network.update_port(port.id, **other)
        assert seen(wish) == (ObservedNic(mac=right(wish).mac, network=right(wish).network, address=address),)
        take_back(wish)
        assert seen(wish) == (right(wish),)


def test_a_card_that_was_taken_out_is_missed_and_put_back(wish: Wish, behind: Behind) -> None:
    (server,) = behind.servers(wish.request.instance_id)
    for is_kept in (True, False):
        port = port_of(wish, behind)
        if is_kept:
            behind.cloud.compute.delete_server_interface(port.id, server=server.id)
        else:
            behind.cloud.network.delete_port(port.id)
        until(lambda: shown(wish) == (), SERVER_S, "the card is out")
        put_right(wish)
        assert seen(wish) == (right(wish),)


def test_a_card_nobody_asked_for_is_shown_and_leaves_a_stopped_machine(wish: Wish, behind: Behind) -> None:
    cloud = behind.cloud
    (server,) = behind.servers(wish.request.instance_id)
    network = cloud.network.create_network(name="strange", project_id=server.project_id)
    cloud.network.create_subnet(network_id=network.id, ip_version=4, cidr=new_cidr(), project_id=server.project_id)
    port = cloud.network.create_port(network_id=network.id, project_id=server.project_id)
    try:
        cloud.compute.create_server_interface(server.id, port_id=port.id)
        strange = ObservedNic(mac=port.mac_address, network=network.id, address="")
        until(lambda: strange in (shown(wish) or ()), SERVER_S, "it is shown")
        put_right(wish)
        assert set(seen(wish) or ()) == {right(wish), strange}, "what somebody plugged into a running machine waits for its stop"
        wish.driver.ensure_stopped(wish.request.instance_id, FENCE, graceful_s=0)
        put_right(wish)
        assert seen(wish) == (right(wish),)
        assert cloud.network.get_port(port.id).device_id == "", "the port is theirs: it stays"
    finally:
        cloud.network.delete_port(port.id)
        cloud.network.delete_network(network.id)
