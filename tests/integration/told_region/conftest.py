"""A region that answers what it is told to, and a driver of one hypervisor of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.openstack.driver import OpenStackDriver
from tests.support.region_answers import Answers, answering
from tests.support.told_things import told_driver


@pytest.fixture
def region(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    """The region."""
    with answering(tmp_path, monkeypatch) as answers:
        yield answers


@pytest.fixture
def driver(region: Answers) -> Iterator[OpenStackDriver]:
    """Of one hypervisor; this credential sees all of the region."""
    region.give("GET /compute/v2.1/servers/detail", {"servers": []})
    region.give("GET /volume/v3/types", {"volume_types": [{"id": "standard", "name": "standard"}]})
    found = told_driver("openstack://told/hv-1")
    yield found
    found.close()
