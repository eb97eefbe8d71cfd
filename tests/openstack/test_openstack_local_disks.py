"""Root disks on hypervisors of a real region: the protocol kept with them, beside volumes and in a region without any."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drivers.conformance import CHECKS, Check, Harness, Outcome, run_check
from drivers.faults import Permanent
from drivers.openstack.driver import OpenStackDriver
from drivers.protocol import Capability
from inventory.domain.resource import Observed
from tests.openstack.harness import (
    HOST_ID,
    HYPERVISOR,
    STORAGE_POOL,
    TARGET_HYPERVISOR,
    TARGET_ID,
    Behind,
    driver_of,
    region_harness,
    small_image,
)
from tests.openstack.proxy import Proxies, proxies_before
from tests.openstack.region.region import Region
from tests.openstack.wish import FENCE, Wish, wish_on

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(900)]

LOCAL = "local"
#: Checks that make, change, move, observe or remove a root disk.
OF_ROOT_DISKS = frozenset(
    {
        "a_cold_resize_changes_what_is_observed",
        "a_data_disk_is_attached_and_detached_while_it_is_stopped",
        "a_data_disk_survives_its_machine",
        "a_migrated_machine_keeps_its_data_disks",
        "a_migrated_machine_runs_there_and_not_here",
        "a_migration_may_be_asked_for_twice",
        "a_migration_that_cannot_be_leaves_the_machine_running",
        "a_reboot_ends_running",
        "a_removed_machine_can_be_made_again",
        "a_second_connection_sees_the_same",
        "a_stale_definition_is_refused",
        "a_stale_delete_is_refused",
        "absent_leaves_no_file_behind",
        "absent_of_what_never_existed",
        "absent_when_it_is_only_defined",
        "absent_when_it_runs",
        "absent_when_there_is_only_a_root_disk",
        "every_ensure_may_run_twice",
        "none_means_absent_and_nothing_else",
        "observe_shows_what_was_made_and_only_that",
        "removing_one_machine_leaves_the_other",
        "the_host_is_described",
        "the_whole_create_may_run_twice",
        "what_is_left_here_is_removed_without_touching_the_target",
    }
)
CHOSEN = [c for c in CHECKS if c.name in OF_ROOT_DISKS]


@pytest.fixture
def beside_volumes(region: Region, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxies]:
    """The region with local disks and volumes, as ``proxied``."""
    with proxies_before(region.layout, tmp_path, monkeypatch, local_storage=LOCAL, wait_s=60) as proxies:
        yield proxies


@pytest.fixture
def without_volumes(region: Region, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxies]:
    """The region as if it had no Cinder, as ``proxied``: whatever is asked of that is an error of this test."""
    with proxies_before(region.layout, tmp_path, monkeypatch, local_storage=LOCAL, volumes="none", wait_s=60) as proxies:
        yield proxies


def test_all_checks_of_root_disks_are_there() -> None:
    assert {c.name for c in CHOSEN} == OF_ROOT_DISKS


@pytest.mark.usefixtures("beside_volumes")
@pytest.mark.parametrize("check", CHOSEN, ids=lambda c: c.name)
def test_openstack_driver_keeps_the_protocol_with_root_disks_on_the_hypervisor(
    check: Check, behind: Behind, tmp_path: Path
) -> None:
    plain = region_harness(behind, f"openstack://proxied/{HYPERVISOR}", HYPERVISOR, small_image(tmp_path))
    harness: Harness = replace(plain, storage_pool=LOCAL, data_pool=STORAGE_POOL)
    result = run_check(check, harness)
    behind.remove_images(harness.image)
    assert result.outcome is Outcome.PASSED, result.reason


def _local_wish(directory: Path) -> Wish:
    """Return the wish for a machine on a local disk, without data disks."""
    driver = driver_of(f"openstack://proxied/{HYPERVISOR}")
    assert isinstance(driver, OpenStackDriver)
    wish = wish_on(driver, directory)
    wish.request = replace(wish.request, disks=(), root=replace(wish.request.root, storage_pool=LOCAL))
    return wish


def _make(wish: Wish) -> None:
    wish.have(lambda: wish.driver.ensure_segment(wish.segment, FENCE))
    wish.have(lambda: wish.driver.ensure_image(wish.image, LOCAL))
    wish.have(lambda: wish.driver.ensure_volume(wish.request.root, FENCE))
    assert wish.have(lambda: wish.driver.ensure_launched(wish.request, FENCE)).state is Observed.RUNNING


def _remove(wish: Wish, behind: Behind) -> None:
    wish.have(lambda: wish.driver.ensure_absent(wish.request.instance_id, LOCAL, FENCE))
    wish.have(lambda: wish.driver.ensure_segment_absent(wish.segment.segment_id, FENCE))
    wish.driver.close()
    behind.remove_images(wish.image)
    assert behind.leftovers(wish.request.instance_id) == []


def _disk_gib(behind: Behind, name: str) -> int:
    """Return what Placement says is taken of a hypervisor's own disk."""
    [provider] = behind.cloud.placement.resource_providers(name=name)
    usages: dict[str, Any] = behind.cloud.placement.get(f"/resource_providers/{provider.id}/usages").json()["usages"]
    return int(usages["DISK_GB"])


def test_a_region_without_volumes_runs_machines_whose_root_disk_is_their_flavors(
    without_volumes: Proxies, behind: Behind, tmp_path: Path
) -> None:
    wish = _local_wish(tmp_path)
    instance_id, driver = wish.request.instance_id, wish.driver
    facts = driver.inspect_host()
    assert [(s.name, s.roots_only) for s in facts.storage] == [(LOCAL, True)]
    assert Capability.SNAPSHOTS not in driver.capabilities()
    before_gib = driver.observe().storage_available_gib[LOCAL]
    _make(wish)
    try:
        [server] = behind.servers(instance_id)
        assert (server.flavor["disk"], bool(server.image), list(server.attached_volumes)) == (1, True, [])
        assert behind.volumes(instance_id) == []
        seen = driver.observe()
        assert instance_id in seen.volume_ids
        assert (seen.storage_available_gib[LOCAL], seen.storage_foreign_gib[LOCAL]) == (before_gib - 1, 0)
        # Larger by a larger flavor, once it is stopped; never smaller.
        grown = replace(wish.request, root=replace(wish.request.root, size_gib=3))
        wish.have(lambda: driver.ensure_stopped(instance_id, FENCE, graceful_s=0))
        wish.have(lambda: driver.ensure_volume(grown.root, FENCE))
        wish.have(lambda: driver.ensure_defined(grown, FENCE))
        [server] = behind.servers(instance_id)
        assert (server.flavor["disk"], server.hypervisor_hostname) == (3, HYPERVISOR)
        with pytest.raises(Permanent) as refused:
            driver.ensure_defined(wish.request, FENCE)
        assert refused.value.problem.code == "driver.volume_shrink"
        assert _disk_gib(behind, HYPERVISOR) >= 3
    finally:
        _remove(wish, behind)
    assert not [call for call in without_volumes.asked if call.service == "cinder"]
    assert without_volumes.asked


@pytest.mark.alone
@pytest.mark.usefixtures("beside_volumes")
def test_a_lost_hypervisors_machine_is_brought_back_with_a_root_disk_of_its_image(
    region: Region, behind: Behind, tmp_path: Path
) -> None:
    wish = _local_wish(tmp_path)
    instance_id = wish.request.instance_id
    heir = driver_of(f"openstack://proxied/{TARGET_HYPERVISOR}", TARGET_ID)
    assert isinstance(heir, OpenStackDriver)
    _make(wish)
    [old] = behind.servers(instance_id)
    assert old.metadata["allotment_host"] == HOST_ID
    try:
        with region.without_computes(HYPERVISOR):
            on_volume = replace(wish.request, root=replace(wish.request.root, storage_pool=STORAGE_POOL))
            with pytest.raises(Permanent) as refused:
                heir.ensure_evacuated(on_volume, FENCE)
            assert refused.value.problem.code == "driver.evacuation_failed"
            wish.have(lambda: heir.ensure_evacuated(wish.request, FENCE))
            [new] = behind.servers(instance_id)
            assert (new.id, new.hypervisor_hostname, new.status) == (old.id, TARGET_HYPERVISOR, "ACTIVE")
            assert (new.metadata["allotment_host"], new.flavor["disk"], bool(new.image)) == (TARGET_ID, 1, True)
            assert instance_id in heir.observe().volume_ids
        assert instance_id not in wish.driver.observe().volume_ids
    finally:
        wish.have(lambda: heir.ensure_absent(instance_id, LOCAL, FENCE))
        heir.close()
        _remove(wish, behind)
