"""What breaks while copies of disks and ways outside are made: nothing is doubled, nothing is left."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from drivers.faults import OutcomeUnknown, Transient
from drivers.openstack.driver import OpenStackDriver
from drivers.powers import GatewayRequest, PublicAddressRequest, SnapshotRequest
from tests.openstack.harness import OUTSIDE, STORAGE_POOL, Behind, ShiftedClock, driver_of, new_id
from tests.openstack.proxy import Lose, Proxies, once_each, proxies_before
from tests.openstack.region.region import Region
from tests.openstack.wish import FENCE, Wish, remains, wish_behind, wish_on

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(900)]

BUILD_LIMIT_S = 600


@pytest.fixture
def proxies(region: Region, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxies]:
    """Proxies in front of the region's services; what hangs for two minutes is given up."""
    with proxies_before(region.layout, tmp_path, monkeypatch, wait_s=60, build_limit_s=120) as found:
        yield found


@pytest.fixture
def wish(proxies: Proxies, tmp_path: Path) -> Iterator[Wish]:
    """A network and a disk whose every call goes through the proxies."""
    with wish_behind(proxies, "hv-006", tmp_path) as found:
        yield found


def test_a_lost_answer_at_every_create_call_of_a_copy_and_a_way_outside(wish: Wish, proxies: Proxies, behind: Behind) -> None:
    wish.driver.ensure_segment(wish.segment, FENCE)
    wish.driver.ensure_volume(wish.data, FENCE)
    base = wish.segment.cidr.removesuffix("0/26")
    copy = SnapshotRequest(snapshot_id=new_id("snapshot"), volume_id=wish.data.volume_id)
    second = replace(wish.data, volume_id=new_id("volume"))
    gateway = GatewayRequest(
        gateway_id=new_id("gateway"), segment_id=wish.segment.segment_id, address=f"{base}2", outside=OUTSIDE
    )
    public = PublicAddressRequest(
        address_id=new_id("public_address"), outside=OUTSIDE, segment_id=wish.segment.segment_id, inside=f"{base}10"
    )
    proxies.treat = once_each(Lose(), lambda asked: asked.method in ("POST", "PUT"))
    driver = wish.driver
    wish.have(lambda: driver.ensure_snapshot(copy, FENCE))
    wish.have(lambda: driver.ensure_volume_of_snapshot(second, copy.snapshot_id, FENCE))
    wish.have(lambda: driver.ensure_gateway(gateway, FENCE))
    wish.have(lambda: driver.ensure_public_address(public, FENCE))
    lost = [f for f in wish.faults if isinstance(f, OutcomeUnknown)]
    # Copy, disk of it, router, its port, its interface, the default route, the address.
    assert len(lost) >= 7, [f.problem for f in wish.faults]
    ids = (copy.snapshot_id, second.volume_id, gateway.gateway_id, public.address_id)
    found = remains(behind, *ids)
    assert [left.split(" ")[0] for left in found] == ["snapshot", "volume", "router", "port", "floating"], found
    wish.have(lambda: driver.ensure_public_address_absent(public.address_id, FENCE))
    wish.have(lambda: driver.ensure_gateway_absent(gateway.gateway_id, FENCE))
    wish.have(lambda: driver.ensure_volume_absent(second.volume_id, STORAGE_POOL, FENCE))
    wish.have(lambda: driver.ensure_snapshot_absent(copy.snapshot_id, FENCE))
    assert remains(behind, *ids) == []


def test_a_disk_that_hangs_while_it_is_made_is_made_anew(
    region: Region, behind: Behind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ShiftedClock()
    with proxies_before(region.layout, tmp_path, monkeypatch, wait_s=2, build_limit_s=BUILD_LIMIT_S) as _proxies:
        driver = driver_of("openstack://proxied/hv-006", clock=clock)
        assert isinstance(driver, OpenStackDriver)
        wish = wish_on(driver, tmp_path)
        try:
            first = _hanging(wish, behind)
            with pytest.raises(Transient) as waiting:
                driver.ensure_volume(wish.data, FENCE)
            assert waiting.value.problem.code == "openstack.not_ready"
            clock.ahead_s = 2 * BUILD_LIMIT_S
            # What is made anew may take its time: from here on nothing hangs.
            with suppress(Transient):
                driver.ensure_volume(wish.data, FENCE)
            clock.ahead_s = 0
            wish.have(lambda: driver.ensure_volume(wish.data, FENCE))
            (volume,) = behind.volumes(wish.data.volume_id)
            assert (volume.status, volume.id == first) == ("available", False)
        finally:
            wish.remove()
            driver.close()
        assert remains(behind, wish.data.volume_id) == []


def _hanging(wish: Wish, behind: Behind) -> str:
    """Have Cinder believe that it still makes the disk, whose maker has lost the order; returns the disk."""
    wish.have(lambda: wish.driver.ensure_volume(wish.data, FENCE))
    (volume,) = behind.volumes(wish.data.volume_id)
    behind.cloud.block_storage.reset_volume_status(volume.id, status="creating")
    return str(volume.id)


@pytest.mark.parametrize("status", ["error", "error_extending"])
def test_a_disk_that_was_in_use_and_shows_an_error_stays_until_somebody_has_looked(
    wish: Wish, behind: Behind, status: str
) -> None:
    """As an administrator may set one, and as Cinder does with one it failed to grow."""
    block = behind.cloud.block_storage
    wish.have(lambda: wish.driver.ensure_volume(wish.data, FENCE))
    (volume,) = behind.volumes(wish.data.volume_id)
    block.reset_volume_status(volume.id, status=status)
    settled = replace(wish.data, size_gib=2, may_remake=False)
    for _ in range(2):
        with pytest.raises(Transient) as kept:
            wish.driver.ensure_volume(settled, FENCE)
        assert kept.value.problem.code == "openstack.volume_kept"
        assert [v.id for v in behind.volumes(wish.data.volume_id)] == [volume.id]
    block.reset_volume_status(volume.id, status="available")
    wish.have(lambda: wish.driver.ensure_volume(settled, FENCE))
    (grown,) = behind.volumes(wish.data.volume_id)
    assert (grown.id, grown.size, grown.status) == (volume.id, 2, "available")


@pytest.mark.parametrize("status", ["detaching", "reserved"])
def test_a_disk_on_its_way_out_of_a_machine_is_waited_for(wish: Wish, behind: Behind, status: str) -> None:
    """Nova says that a machine is gone before Cinder has done with its disks."""
    wish.have(lambda: wish.driver.ensure_volume(wish.data, FENCE))
    (volume,) = behind.volumes(wish.data.volume_id)
    behind.cloud.block_storage.reset_volume_status(volume.id, status=status)
    with pytest.raises(Transient) as waiting:
        wish.driver.ensure_volume_absent(wish.data.volume_id, STORAGE_POOL, FENCE)
    assert waiting.value.problem.code == "openstack.not_ready"
    assert [v.id for v in behind.volumes(wish.data.volume_id)] == [volume.id]
    behind.cloud.block_storage.reset_volume_status(volume.id, status="available")
    wish.have(lambda: wish.driver.ensure_volume_absent(wish.data.volume_id, STORAGE_POOL, FENCE))
    assert remains(behind, wish.data.volume_id) == []


def test_a_disk_reserved_for_a_machine_that_was_never_made_is_freed(
    region: Region, behind: Behind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Nova leaves one when it refuses a machine late."""
    clock, block = ShiftedClock(), behind.cloud.block_storage
    with proxies_before(region.layout, tmp_path, monkeypatch, wait_s=60, build_limit_s=BUILD_LIMIT_S) as _proxies:
        driver = driver_of("openstack://proxied/hv-006", clock=clock)
        assert isinstance(driver, OpenStackDriver)
        wish = wish_on(driver, tmp_path)
        try:
            wish.request = replace(wish.request, disks=())
            _prepared(wish)
            for resource_id in (wish.request.instance_id, wish.data.volume_id):
                (volume,) = behind.volumes(resource_id)
                block.create_attachment(volume.id, connector=None, instance=str(uuid4()))
                assert block.get_volume(volume.id).status == "reserved"
            for call in (
                lambda: driver.ensure_launched(wish.request, FENCE),
                lambda: driver.ensure_volume_absent(wish.data.volume_id, STORAGE_POOL, FENCE),
            ):
                with pytest.raises(Transient) as waiting:
                    call()
                assert waiting.value.problem.code == "openstack.not_ready"
            clock.ahead_s = 2 * BUILD_LIMIT_S
            with suppress(Transient):
                driver.ensure_launched(wish.request, FENCE)
            with suppress(Transient):
                driver.ensure_volume_absent(wish.data.volume_id, STORAGE_POOL, FENCE)
            clock.ahead_s = 0
            wish.have(lambda: driver.ensure_launched(wish.request, FENCE))
            wish.have(lambda: driver.ensure_volume_absent(wish.data.volume_id, STORAGE_POOL, FENCE))
            assert len(behind.servers(wish.request.instance_id)) == 1
        finally:
            clock.ahead_s = 0
            wish.remove()
            driver.close()
        assert remains(behind, wish.data.volume_id, wish.request.instance_id) == []


@pytest.mark.alone
def test_a_region_whose_broker_stops_makes_one_machine_when_it_is_back(wish: Wish, region: Region, behind: Behind) -> None:
    _prepared(wish)
    _through(region, "broker", lambda: _refused(lambda: wish.driver.ensure_launched(wish.request, FENCE)))
    wish.have(lambda: wish.driver.ensure_launched(wish.request, FENCE))
    assert len(behind.servers(wish.request.instance_id)) == 1
    wish.have(lambda: wish.driver.ensure_absent(wish.request.instance_id, STORAGE_POOL, FENCE))
    assert remains(behind, wish.request.instance_id) == []


@pytest.mark.alone
def test_a_region_whose_database_stops_is_unreachable_and_never_empty(wish: Wish, region: Region, behind: Behind) -> None:
    _prepared(wish)
    wish.driver.observe()

    def nothing_is_called_absent() -> None:
        for look in (wish.driver.observe, lambda: wish.driver.observe_instance(wish.request.instance_id)):
            with pytest.raises(Transient) as away:
                look()
            assert away.value.problem.code == "driver.unreachable"
        with pytest.raises((Transient, OutcomeUnknown)):
            wish.driver.ensure_launched(wish.request, FENCE)

    _through(region, "database", nothing_is_called_absent)
    wish.have(lambda: wish.driver.ensure_launched(wish.request, FENCE))
    assert len(behind.servers(wish.request.instance_id)) == 1


def _prepared(wish: Wish) -> None:
    """Have everything a machine needs."""
    wish.driver.ensure_segment(wish.segment, FENCE)
    wish.driver.ensure_volume(wish.data, FENCE)
    wish.driver.ensure_image(wish.image, STORAGE_POOL)
    wish.driver.ensure_volume(wish.request.root, FENCE)


def _through(region: Region, foundation: str, meanwhile: Callable[[], None]) -> None:
    """Stop what the services stand on, look meanwhile, and start it again."""
    region.processes.stop([foundation])
    try:
        meanwhile()
    finally:
        region.start_service(foundation)
        region.wait_ready(since_s=time.time() + 1)


def _refused(call: Callable[[], object]) -> None:
    with pytest.raises((Transient, OutcomeUnknown)):
        call()
