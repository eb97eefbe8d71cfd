"""What Nova tells on the region's broker: looked at once, and never needed."""

from pathlib import Path
from typing import Any

import pytest

from drivers.protocol import Capability, DriverEvent
from inventory.domain.errors import CapabilityMissing
from tests.openstack.cloud import TICKET_S, City, city, ticket_text
from tests.openstack.harness import HYPERVISOR, Behind, driver_of
from tests.openstack.proxy import proxies_before
from tests.openstack.region.region import Region
from tests.support.libvirtd import until

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(1500)]

TICKET = ticket_text("told", "name: web, size: tiny, image: demo-linux")


def test_without_a_broker_in_the_entry_nothing_is_told(region: Region) -> None:
    driver: Any = driver_of(f"openstack://region/{HYPERVISOR}")
    assert Capability.EVENTS not in driver.capabilities()
    with pytest.raises(CapabilityMissing):
        driver.subscribe(lambda _event: None)


def test_a_broker_that_is_away_is_not_needed(region: Region, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[DriverEvent] = []
    with proxies_before(region.layout, tmp_path, monkeypatch, notifications="amqp://127.0.0.1:9") as _proxies:
        driver: Any = driver_of(f"openstack://proxied/{HYPERVISOR}")
        assert Capability.EVENTS in driver.capabilities()
        driver.subscribe(told.append)
        driver.observe()
        driver.close()
    assert told == []


def test_what_happens_behind_the_platforms_back_is_put_right_when_it_is_told(
    region: Region, behind: Behind, tmp_path: Path
) -> None:
    # Nobody looks by himself within this test.
    with city(tmp_path / "told", region, behind, ALLOT_RECONCILE__OBSERVE_INTERVAL_S="3600") as town:
        town.furnish("hv-006", cloud="told")
        town.apply(town.controller.write("told.yaml", TICKET))
        (server,) = town.servers().values()
        _stays_where_it_is(town)
        behind.cloud.compute.stop_server(server.id)
        actions = ["create", "stop", "start"]
        until(
            lambda: sorted(a.action for a in behind.cloud.compute.server_actions(server.id)) == sorted(actions),
            TICKET_S,
            "it is started again",
        )
        until(lambda: behind.cloud.compute.get_server(server.id).status == "ACTIVE", TICKET_S, "it runs")
        town.controller.ok("release", "told", "--confirm", "told", "--wait", "--timeout", str(TICKET_S))
        town.check()


def _stays_where_it_is(town: City) -> None:
    """There is no other hypervisor it could go to, and a plan that would empty its host says so."""
    plan = town.controller.ok("plan-moves", "drain", "hv-006", "--dry-run", "-o", "json").json
    assert plan["steps"] == []
    assert [stay["reason"] for stay in plan["stays"]] == ["moves.no_room"]
