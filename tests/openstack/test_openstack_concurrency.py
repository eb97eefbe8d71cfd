"""Several workers on one region at once: machines come while others go, and the region is left clean."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from drivers.openstack.driver import OpenStackDriver
from drivers.protocol import LeaseEntry
from inventory.domain.resource import Observed
from tests.openstack.harness import HOST_ID, STORAGE_POOL, Behind, driver_of, small_image
from tests.openstack.region.region import Region
from tests.openstack.wish import FENCE, Wish, assert_made_once, assert_nothing_left, wish_on

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(3600)]

WORKERS = 4
#: Machines on shared networks; the long run, ``ALLOT_REGION_MACHINES=100``, takes several minutes on two free cores.
MACHINES = int(os.environ.get("ALLOT_REGION_MACHINES", "12"))
#: Machines with a network and a data disk of their own.
OWN = 4


def test_four_workers_make_machines_while_others_are_deleted(region: Region, behind: Behind, tmp_path: Path) -> None:
    with _drivers(region) as drivers:
        # One image for all: it is uploaded once, whoever comes first.
        image = small_image(tmp_path)
        alone = [wish_on(drivers[n % len(drivers)], tmp_path, image=image) for n in range(OWN)]
        crowd = [wish_on(drivers[n % len(drivers)], tmp_path, image=image) for n in range(MACHINES)]
        hosts = [crowd[n :: len(drivers)] for n in range(len(drivers))]
        with ThreadPoolExecutor(WORKERS) as crew:
            for _ in crew.map(_share_a_network, hosts):
                pass
            # Every second one goes as soon as it is there, between the creates of the others.
            shared = [crew.submit(_live_and_die if n % 2 else _live, wish) for n, wish in enumerate(crowd)]
            own = [crew.submit(_own, wish) for wish in alone]
            assert [f.result() for f in (*shared, *own)] == [Observed.RUNNING] * (MACHINES + OWN)
        for wish in alone:
            assert_made_once(behind, wish)
        made = [s.metadata["allotment_id"] for s in behind.servers()]
        for n, wish in enumerate(crowd):
            assert made.count(wish.request.instance_id) == (0 if n % 2 else 1), "one of each wish, none of what went"
        with ThreadPoolExecutor(WORKERS) as crew:
            gone = [crew.submit(_die, wish) for wish in crowd] + [crew.submit(wish.remove) for wish in alone]
            for done in gone:
                done.result()
            for _ in crew.map(_leave_the_network, hosts):
                pass
        for wish in alone:
            assert_nothing_left(behind, wish)
        assert behind.marked_by({HOST_ID}) == []
        assert len(behind.image_ids(image)) == 1
        behind.remove_images(image)


@contextmanager
def _drivers(region: Region) -> Iterator[list[OpenStackDriver]]:
    # The last hypervisor is another test's, which counts its room to the vCPU.
    found = [driver_of(f"openstack://region/{name}") for name in region.layout.host_names()[3:-1]]
    ours = [d for d in found if isinstance(d, OpenStackDriver)]
    assert len(ours) == len(found)
    try:
        yield ours
    finally:
        for driver in ours:
            driver.close()


def _share_a_network(wishes: list[Wish]) -> None:
    """Have the network of the first one, with an address entry for each."""
    segment = wishes[0].segment
    base = segment.cidr.removesuffix("0/26")
    for number, wish in enumerate(wishes):
        (card,) = wish.request.nics
        place = {"address": f"{base}{number + 10}", "mac": f"02:00:00:00:00:{number:02x}"}
        card = replace(card, segment_id=segment.segment_id, **place)
        wish.request = replace(wish.request, nics=(card,), disks=())
    entries = ((w.request.nics[0], w.request.hostname) for w in wishes)
    leases = tuple(LeaseEntry(mac=card.mac, address=card.address, hostname=hostname) for card, hostname in entries)
    wishes[0].segment = replace(segment, leases=leases)
    wishes[0].have(lambda: wishes[0].driver.ensure_segment(wishes[0].segment, FENCE))


def _leave_the_network(wishes: list[Wish]) -> None:
    wishes[0].have(lambda: wishes[0].driver.ensure_segment_absent(wishes[0].segment.segment_id, FENCE))


def _own(wish: Wish) -> Observed:
    return wish.make().state


def _live(wish: Wish) -> Observed:
    driver, request = wish.driver, wish.request
    wish.have(lambda: driver.ensure_image(wish.image, STORAGE_POOL))
    wish.have(lambda: driver.ensure_volume(request.root, FENCE))
    return wish.have(lambda: driver.ensure_launched(request, FENCE)).state


def _live_and_die(wish: Wish) -> Observed:
    state = _live(wish)
    _die(wish)
    return state


def _die(wish: Wish) -> None:
    wish.have(lambda: wish.driver.ensure_absent(wish.request.instance_id, STORAGE_POOL, FENCE))
