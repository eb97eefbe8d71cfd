"""Answers that are none: pages of a proxy, answers that never come or never end, and those that ask for patience."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.faults import OutcomeUnknown, Transient
from drivers.openstack.driver import OpenStackDriver
from drivers.protocol import VolumeRequest
from inventory.domain.ids import ResourceId, random_ids
from tests.support.region_answers import Answers, Raw, answering
from tests.support.told_things import told_driver

PAGE = Raw(b"<html><body>The service is being moved.</body></html>")
#: Nothing waits for so long.
BOUND_S = 1.0
SERVERS, VOLUMES = "GET /compute/v2.1/servers/detail", "GET /volume/v3/volumes/detail"
SNAPSHOTS = "GET /volume/v3/snapshots/detail"
MAKE = "POST /volume/v3/volumes"


@pytest.fixture
def region(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    with answering(tmp_path, monkeypatch, attempts=2, call_timeout_s=BOUND_S) as answers:
        answers.give(SERVERS, {"servers": []})
        answers.give("GET /volume/v3/types", {"volume_types": [{"id": "standard", "name": "standard"}]})
        answers.give(VOLUMES, {"volumes": []})
        answers.give(SNAPSHOTS, {"snapshots": []})
        yield answers


@pytest.fixture
def driver(region: Answers) -> Iterator[OpenStackDriver]:
    del region
    found = told_driver("openstack://told")
    # Its region is open, whatever comes after.
    assert found.snapshots() == []
    yield found
    found.close()


def make_a_disk(driver: OpenStackDriver) -> None:
    volume_id = ResourceId(random_ids()("volume"))
    driver.ensure_volume(VolumeRequest(volume_id=volume_id, role="data", storage_pool="standard", size_gib=1), 1)


#: The second one is called JSON; then only its begin tells. The others never end, from the first byte on and after the head.
NO_ANSWERS = [
    PAGE,
    Raw(PAGE.content, content_type="application/json"),
    Raw(b"x" * 1000, pause_s=0.05),
    Raw(b"{}", pause_s=0.05, is_head_slow=True),
]


@pytest.mark.parametrize("no_answer", NO_ANSWERS, ids=["a page", "a page called json", "an endless body", "an endless head"])
def test_what_is_no_answer_is_a_lost_one(region: Answers, driver: OpenStackDriver, no_answer: Raw) -> None:
    region.give(SNAPSHOTS, no_answer, {"snapshots": []})
    assert driver.snapshots() == [], "a question is asked again"
    region.give(SNAPSHOTS, no_answer)
    with pytest.raises(Transient) as unreachable:
        driver.snapshots()
    assert unreachable.value.problem.code == "driver.unreachable"
    region.give(MAKE, no_answer)
    with pytest.raises(OutcomeUnknown):
        make_a_disk(driver)
    assert region.asked.count(MAKE) == 1, "nobody knows whether it was made"


def test_a_thing_that_is_a_page_is_not_a_thing_without_properties(region: Answers, driver: OpenStackDriver) -> None:
    read = driver._region.calls.read
    region.give("GET /compute/v2.1/servers/x", PAGE)
    with pytest.raises(Transient):
        read("machine", lambda: driver._region.sdk.compute.get_server("x"))


@pytest.mark.parametrize("asked", ["1", "Fri, 27 Nov 2026 10:00:01 GMT"])
def test_a_proxy_that_asks_for_patience_gets_it(region: Answers, driver: OpenStackDriver, asked: str) -> None:
    region.headers_of_trouble = {"Retry-After": asked, "Date": "Fri, 27 Nov 2026 10:00:00 GMT"}
    region.fail_first(SNAPSHOTS, 503)
    pauses: list[float] = []
    driver._region.calls._pause = pauses.append
    assert driver.snapshots() == []
    assert pauses == [1.0]
