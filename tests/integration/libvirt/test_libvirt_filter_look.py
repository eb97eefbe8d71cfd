"""The look at the host's packet filter goes through a pool of which libvirt allows one: others' looks must not spoil it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from drivers.libvirt.segments import BRIDGE_SETTINGS, filters_bridged_frames
from tests.support.libvirt_host import POOL, behind, driver_of
from tests.support.libvirtd import PrivateLibvirtd

pytestmark = pytest.mark.libvirt


def _look(uri: str) -> bool:
    with behind(uri) as connection:
        return filters_bridged_frames(connection)


def _pools(uri: str) -> list[str]:
    with behind(uri) as connection:
        return [p.name() for p in connection.listAllStoragePools() if p.name().startswith("allotment-look-")]


def test_what_a_killed_look_left_behind_does_not_spoil_the_next(libvirt_host: PrivateLibvirtd) -> None:
    with behind(libvirt_host.uri) as connection:
        connection.storagePoolCreateXML(
            f"<pool type='dir'><name>allotment-look-left</name><target><path>{BRIDGE_SETTINGS}</path></target></pool>"
        )
    assert _look(libvirt_host.uri)
    assert _pools(libvirt_host.uri) == []


def test_looks_do_not_spoil_what_a_controller_reads_of_the_storage_meanwhile(libvirt_host: PrivateLibvirtd) -> None:
    driver = driver_of(libvirt_host.uri)
    try:
        with ThreadPoolExecutor(2) as threads:
            looks = [threads.submit(_look, libvirt_host.uri) for _ in range(60)]
            while not all(look.done() for look in looks):
                assert list(driver.observe().storage_available_gib) == [POOL]
                assert [s.name for s in driver.inspect_host().storage] == [POOL]
            assert all(look.result() for look in looks)
    finally:
        driver.close()


def test_looks_at_the_same_time_all_see_the_filter(libvirt_host: PrivateLibvirtd) -> None:
    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(_look, [libvirt_host.uri] * 12))
    assert _pools(libvirt_host.uri) == []
