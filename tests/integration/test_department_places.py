"""A department's place in a pool's back end: listed, kept while anything of it lives, and taken away when it is asked to go."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from controller.identity import audit
from controller.identity.caller import Role
from drivers.powers import PublicAddressRequest
from drivers.simulated.cloud import PublicAddress
from drivers.simulated.host import SimulatedHost
from drivers.simulated.world import drop_world, world_named
from inventory.domain.ids import PoolId, ResourceId
from inventory.domain.scope import PLATFORM
from inventory.store import directory
from tests.support.api import YAML, Service, service
from tests.support.samples import ticket_text


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Service]:
    with service(tmp_path) as found:
        yield found
    drop_world("world")


@pytest.fixture
def host(platform: Service) -> SimulatedHost:
    """The host behind the pool, with a place for civil-it."""
    found = world_named("world").add_host(platform.host.name)
    found.cloud.departments["civil-it"] = set()
    return found


PLACE = "/v1/pools/sim/departments"


def test_a_place_goes_when_it_is_asked_to_and_twice_is_once(platform: Service, host: SimulatedHost) -> None:
    operator = platform.operator()
    assert operator.get(PLACE).json()["items"] == [{"department": "civil-it"}]
    for _ in range(2):
        assert operator.delete(f"{PLACE}/civil-it").json() == {"department": "civil-it"}
    assert operator.get(PLACE).json()["items"] == []
    with platform.platform.db.read() as connection:
        events = audit.page(connection, PLATFORM, limit=10, action="department.leave")
    assert [(e["result"], e["target"], e["detail"]) for e in events] == [
        ("ok", platform.city.departments["civil-it"].id, {"pool": "sim"})
    ] * 2


def test_a_place_stays_while_the_department_has_systems_there(platform: Service, host: SimulatedHost) -> None:
    owner = platform.client(Role.DEPARTMENT_ADMIN, "civil-it")
    assert owner.post("/v1/tickets", content=ticket_text("mail"), headers=YAML).is_success
    refused = platform.operator().delete(f"{PLACE}/civil-it")
    assert (refused.status_code, refused.json()["code"]) == (409, "department.lives_in_pool")
    assert set(host.cloud.departments) == {"civil-it"}


def test_a_place_stays_while_the_back_end_has_something_in_it(platform: Service, host: SimulatedHost) -> None:
    left = ResourceId("pub_" + "1" * 32)
    host.cloud.departments["civil-it"] = {left}
    request = PublicAddressRequest(address_id=left, outside="outside", segment_id=ResourceId("seg_" + "1" * 32))
    host.cloud.addresses[left] = PublicAddress(request=request, address="203.0.113.1", fence=1)
    refused = platform.operator().delete(f"{PLACE}/civil-it")
    assert (refused.status_code, refused.json()["code"]) == (503, "driver.department_in_use")
    assert set(host.cloud.departments) == {"civil-it"}


@pytest.mark.parametrize(("pool", "department"), [("none", "civil-it"), ("sim", "none")])
def test_what_there_is_not_is_not_found(platform: Service, pool: str, department: str) -> None:
    assert platform.operator().delete(f"/v1/pools/{pool}/departments/{department}").status_code == 404


def test_a_pool_without_hosts_says_so(platform: Service) -> None:
    with platform.platform.db.write() as connection:
        [pool] = directory.pools(connection)
        directory.save_pool(connection, replace(pool, id=PoolId("pool_" + "2" * 32), code="bare"))
    operator, window = platform.operator(), {"pool": "bare", "from": "0", "to": "1"}
    for answer in (operator.get("/v1/pools/bare/departments"), operator.get("/v1/ledger/counted", params=window)):
        assert (answer.status_code, answer.json()["code"]) == (409, "pool.empty")
