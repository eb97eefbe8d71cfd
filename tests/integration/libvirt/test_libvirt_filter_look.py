"""The look at the host's packet filter goes through a pool of which libvirt allows one: others' looks must not spoil it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from drivers.libvirt.segments import BRIDGE_SETTINGS, filters_bridged_frames
from tests.support.libvirt_host import behind
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


def test_looks_at_the_same_time_all_see_the_filter(libvirt_host: PrivateLibvirtd) -> None:
    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(_look, [libvirt_host.uri] * 12))
    assert _pools(libvirt_host.uri) == []
