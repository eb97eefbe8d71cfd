"""What machines of a region use, as Nova tells it: read in turns, refused once, and worked into the days of the books."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from drivers.faults import Permanent
from drivers.protocol import Capability
from inventory.domain.errors import CapabilityMissing
from metering.sample_tables import spool
from metering.samples import Sample, unpacked
from tests.openstack.cloud import TICKET_S, City, city, ticket_text
from tests.openstack.harness import Behind, driver_of
from tests.openstack.proxy import Pass, Proxies, Refuse, proxies_before
from tests.openstack.region.region import Region
from tests.openstack.wish import Wish, assert_nothing_left, wish_behind, wish_on
from tests.support.libvirtd import until

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(900)]

HYPERVISOR = "hv-004"
#: What Nova's fake hypervisor says of every machine, whatever it does.
CPU_NS, RECEIVED, SENT = 17_300_000_000, 2_070_139, 140_208


@pytest.fixture
def proxies(region: Region, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxies]:
    """Proxies in front of the region's services, and a cloud that may be asked often."""
    with proxies_before(region.layout, tmp_path, monkeypatch, wait_s=60, diagnostics_per_s=20) as found:
        yield found


@pytest.fixture
def wish(proxies: Proxies, behind: Behind, tmp_path: Path) -> Iterator[Wish]:
    """A running machine."""
    with wish_behind(proxies, HYPERVISOR, tmp_path) as found:
        found.make()
        yield found
    assert_nothing_left(behind, found)


def _asked(proxies: Proxies) -> int:
    return sum(asked.path.endswith("/diagnostics") for asked in proxies.asked)


def test_a_running_machine_tells_what_it_uses_and_a_stopped_one_is_not_asked_for(wish: Wish, proxies: Proxies) -> None:
    driver = wish.driver
    assert Capability.STATS in driver.capabilities()
    [found] = driver.stats()
    assert (found.instance_id, found.cpu_time_ns) == (wish.request.instance_id, CPU_NS)
    assert (found.network_received_bytes, found.network_sent_bytes) == (RECEIVED, SENT)
    assert found.memory_used_mib is None
    asked = _asked(proxies)
    wish.have(lambda: driver.ensure_stopped(wish.request.instance_id, wish.fence, graceful_s=0))
    assert driver.stats() == []
    assert _asked(proxies) == asked


def test_one_that_stopped_since_it_was_listed_is_left_out(wish: Wish, behind: Behind, region: Region) -> None:
    driver = wish.driver
    listed = driver._region.listing()
    wish.have(lambda: driver.ensure_stopped(wish.request.instance_id, wish.fence, graceful_s=0))
    mine = [s for s in listed.servers if s.mark is not None and s.mark.resource_id == wish.request.instance_id]
    assert len(mine) == 1
    assert driver._region.diagnostics.of(mine) == []


@pytest.mark.parametrize("status", [403, 501])
def test_a_refusal_is_said_once_and_nobody_is_asked_again(wish: Wish, proxies: Proxies, status: int) -> None:
    driver = wish.driver
    proxies.treat = lambda asked: Refuse(status) if asked.path.endswith("/diagnostics") else Pass()
    with pytest.raises(Permanent) as refused:
        driver.stats()
    assert refused.value.problem.code == "openstack.diagnostics_refused"
    assert Capability.STATS not in driver.capabilities()
    asked = _asked(proxies)
    with pytest.raises(CapabilityMissing):
        driver.stats()
    assert _asked(proxies) == asked
    other: Any = driver_of("openstack://proxied/hv-003")
    assert (Capability.STATS in other.capabilities()) is (status == 501), "another hypervisor may have them"
    other.close()


@pytest.mark.parametrize(("cloud", "is_allowed"), [("limited", True), ("member", False)])
def test_the_role_may_ask_and_a_plain_member_may_not(region: Region, tmp_path: Path, cloud: str, is_allowed: bool) -> None:
    place = f"/{HYPERVISOR}" if is_allowed else ""
    driver: Any = driver_of(f"openstack://{cloud}{place}")
    wish = wish_on(driver, tmp_path)
    wish.make()
    try:
        server_id = driver._region.server_ids[wish.request.instance_id]
        answer = driver._region.sdk.compute.get(f"/servers/{server_id}/diagnostics", microversion="2.48")
        assert answer.status_code == (200 if is_allowed else 403)
        assert Capability.STATS not in driver.capabilities(), "nobody is asked where the settings do not say so"
    finally:
        wish.remove()
        driver.close()


def test_samples_of_a_regions_machine_are_kept(region: Region, behind: Behind, proxies: Proxies, tmp_path: Path) -> None:
    clouds = tmp_path / "clouds.yaml"
    sampled = {"ALLOT_METERING__SAMPLE_INTERVAL_S": "60"}
    with city(tmp_path / "town", region, behind, clouds, **sampled) as town:
        town.furnish(HYPERVISOR, cloud="proxied")
        town.apply(town.controller.write("used.yaml", ticket_text("used", "name: web, size: tiny, image: demo-linux")))
        [machine] = town.machines().values()
        until(lambda: len(_samples(town, machine["id"])) >= 2, TICKET_S, "two samples are kept")
        for sample in _samples(town, machine["id"]):
            assert (sample.cpu_time_ns, sample.received_bytes, sample.sent_bytes) == (CPU_NS, RECEIVED, SENT)
        town.controller.ok("release", "used", "--confirm", "used", "--wait", "--timeout", str(TICKET_S))
        until(lambda: town.made() == [], TICKET_S, "nothing of it is left in the region")


def _samples(town: City, machine_id: str) -> list[Sample]:
    with town.controller.read() as connection:
        bodies = connection.execute(select(spool.c.body)).scalars().all()
    return [s for body in bodies for s in unpacked(body) if s.instance_id == machine_id]
