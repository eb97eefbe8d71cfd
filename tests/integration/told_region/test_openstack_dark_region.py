"""A region whose services are dark (they accept and never answer): its own hosts hear so, and no host of another one waits."""

import json
import threading
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path

import pytest

from controller.reconcile.hosts import Breaker, HostHandle, registry_opener
from drivers.faults import Transient
from drivers.openstack import calls
from drivers.openstack.driver import OpenStackDriver
from drivers.openstack.region_book import BOOK, RegionBook
from inventory.domain.host import AdminState, Host, Reachability
from inventory.domain.ids import HostId, PoolId
from tests.support.libvirtd import until
from tests.support.region_answers import Answers
from tests.support.silence import Silence, silence
from tests.support.told_things import NOW_S, told_driver


@pytest.fixture
def dark(region: Answers, tmp_path: Path) -> Iterator[Silence]:
    """A cloud of that name beside the one that answers."""
    with silence() as found:
        describe_dark(tmp_path, found, call_timeout_s=20)
        yield found


def describe_dark(directory: Path, dark: Silence, call_timeout_s: float) -> None:
    path = directory / "clouds.yaml"
    document = json.loads(path.read_text())
    told = document["clouds"]["told"]
    auth = {**told["auth"], "auth_url": f"{dark.url}/identity/v3"}
    document["clouds"]["dark"] = {"auth": auth, "allotment": {"attempts": 1, "call_timeout_s": call_timeout_s}}
    path.write_text(json.dumps(document))


def driver_of(cloud: str) -> OpenStackDriver:
    return told_driver(f"openstack://{cloud}")


def handle_of(cloud: str) -> HostHandle:
    """Return a host as the reconciler has it."""
    host = Host(
        id=HostId("host_h"),
        name="h",
        pool_id=PoolId("pool_1"),
        connection=f"openstack://{cloud}",
        admin_state=AdminState.ACTIVE,
        reachability=Reachability.REACHABLE,
    )
    return HostHandle(host, "openstack", registry_opener(lambda: NOW_S), lambda _event: None, breaker=Breaker(), heard_at_s=NOW_S)


def opening(book: RegionBook) -> threading.Thread:
    """Open the dark region in a thread; what becomes of it is nobody's business here."""

    def take() -> None:
        with pytest.raises(Transient):
            book.take("dark", lambda: NOW_S)

    thread = threading.Thread(target=take)
    thread.start()
    return thread


def hang_up(dark: Silence, thread: threading.Thread) -> None:
    for connection in dark.connections:
        connection.close()
    thread.join()


def test_hosts_of_a_region_that_answers_do_not_wait_for_a_dark_one(region: Answers, dark: Silence) -> None:
    def ask() -> None:
        with pytest.raises(Transient):
            driver_of("dark").snapshots()

    asking = threading.Thread(target=ask)
    asking.start()
    assert dark.is_asked.wait(10)
    region.give("GET /volume/v3/snapshots/detail", {"snapshots": []})
    region.give("GET /compute/v2.1/servers/detail", {"servers": []})
    healthy = driver_of("told")
    try:
        assert healthy.snapshots() == []
        assert asking.is_alive(), "the dark region was waited for"
    finally:
        healthy.close()
        hang_up(dark, asking)


def test_a_region_that_is_being_opened_is_waited_for_no_longer_than_a_bound(dark: Silence) -> None:
    book = RegionBook(others_wait_s=0.1)
    first = opening(book)
    assert dark.is_asked.wait(10)
    with pytest.raises(Transient) as unreachable:
        book.take("dark", lambda: NOW_S)
    assert unreachable.value.problem.code == "driver.unreachable"
    assert first.is_alive()
    hang_up(dark, first)
    assert len(dark.connections) == 1, "each host of a dark region asked for itself"


def test_an_opening_that_failed_is_remembered_for_as_long_as_it_took(dark: Silence, tmp_path: Path) -> None:
    # It took eight seconds; seven later it is remembered, nine later it is not, and took eight again.
    moments_s = chain([0.0, 8.0, 15.0, 17.0, 25.0], repeat(26.0))
    book = RegionBook(monotonic=lambda: next(moments_s))
    describe_dark(tmp_path, dark, call_timeout_s=0.2)
    asked = []
    for _ in range(3):
        with pytest.raises(Transient) as unreachable:
            book.take("dark", lambda: NOW_S)
        assert unreachable.value.problem.code == "driver.unreachable"
        asked.append(len(dark.connections))
    assert asked == [1, 1, 2]
    # Whoever mended the entry does not wait.
    describe_dark(tmp_path, dark, call_timeout_s=0.1)
    with pytest.raises(Transient):
        book.take("dark", lambda: NOW_S)
    assert len(dark.connections) == 3


def test_a_region_is_closed_with_its_last_user_and_one_that_hangs_is_given_to_nobody_new(region: Answers) -> None:
    book = RegionBook()
    first, second = book.take("told", lambda: NOW_S), book.take("told", lambda: NOW_S)
    assert first is second
    book.discard(first)
    third = book.take("told", lambda: NOW_S)
    assert third is not first
    assert book.peek("told") is third
    book.give_back(first)
    book.give_back(first)
    assert book.peek("told") is third, "the last user of the old one took the new one away"
    book.give_back(third)
    assert book.peek("told") is None


def test_a_connection_that_is_given_up_is_given_back_and_whoever_hangs_in_it_acts_no_more(
    region: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    region.give("GET /compute/v2.1/servers/detail", {"servers": []})
    region.give("GET /volume/v3/snapshots/detail", {"snapshots": []})
    handle, neighbour = handle_of("told"), driver_of("told")
    driver = handle.driver()
    assert isinstance(driver, OpenStackDriver)
    old = driver._region
    assert neighbour._region is old
    # One that answers is no worse for a host of it that hung.
    handle.drop_driver()
    again = handle.driver()
    assert isinstance(again, OpenStackDriver)
    assert again is not driver
    assert again._region is old
    monkeypatch.setattr(calls, "SILENT_S", -1.0)
    handle.drop_driver()
    last = handle.driver()
    assert isinstance(last, OpenStackDriver)
    assert last._region is not old
    assert neighbour._region is last._region, "two connections tell two stories"
    for left in (driver, again):
        with pytest.raises(Transient):
            left.snapshots()
    until(lambda: old not in BOOK._users, 10, "the old connection given back")
    handle.close()
    neighbour.close()
    assert BOOK.peek("told") is None
