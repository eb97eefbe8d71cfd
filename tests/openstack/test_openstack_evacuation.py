"""Machines of a lost hypervisor, brought back on another one: when the platform loses a host, and cut, refused and late."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import pytest

from drivers.faults import OutcomeUnknown, Permanent, StaleFence
from drivers.openstack.driver import OpenStackDriver
from drivers.protocol import Capability
from inventory.domain.errors import CapabilityMissing
from inventory.domain.ids import ResourceId
from inventory.domain.resource import Observed
from inventory.store import journal
from metering.intervals import intervals
from tests.openstack.cloud import TICKET_S, City, city_of_two
from tests.openstack.harness import STORAGE_POOL, Behind, driver_of
from tests.openstack.proxy import Lose, Pass, Proxies, once_each, proxies_before
from tests.openstack.region.region import COMPUTE, Region
from tests.openstack.wish import Wish, assert_made_once, assert_nothing_left, wish_on
from tests.support.libvirtd import until

#: A compute service that is away is what other tests would see too.
pytestmark = [pytest.mark.openstack, pytest.mark.alone, pytest.mark.timeout(1500)]

HYPERVISORS = ("hv-006", "hv-007")
HERE, THERE = "host_lost", "host_heir"
ASK, FENCE, LATER = "evacuate", 20, 30


def _evacuations(behind: Behind, server_id: str) -> int:
    return sum(a.action == "evacuate" for a in behind.cloud.compute.server_actions(server_id))


# -- the platform ------------------------------------------------------------------------------------------------------


@pytest.fixture
def town(region: Region, behind: Behind, tmp_path: Path) -> Iterator[City]:
    """A city on two hypervisors with one running machine."""
    with city_of_two(tmp_path / "town", region, behind, HYPERVISORS, "keeper") as found:
        yield found


def _other(hypervisor: str) -> str:
    return next(h for h in HYPERVISORS if h != hypervisor)


def _host(town: City, name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = town.controller.ok("get", "hosts", "-o", "json").json
    return next(h for h in found if h["name"] == name)


def _lose(town: City, hypervisor: str) -> None:
    """Have two people give a host up that does not answer."""
    until(lambda: _host(town, hypervisor)["reachability"] == "unreachable", TICKET_S, "the platform sees it")
    second = town.controller.token("sun", "operator")
    town.controller.ok("host", "cordon", hypervisor, "--reason", "断电")
    town.controller.ok("--token-file", second, "host", "lost", hypervisor, "--confirm", hypervisor)


def test_a_lost_hypervisors_machine_runs_on_another_and_nothing_is_left_when_it_returns(
    town: City, region: Region, behind: Behind
) -> None:
    before = town.only()
    lost = str(before["host"])
    [old] = town.servers().values()
    [port] = behind.cloud.network.ports(device_id=old.id)
    with region.without_computes(lost):
        _lose(town, lost)
        until(lambda: town.only()["observed"] == "running", TICKET_S, "it runs again")
        after = town.only()
        assert (after["id"], after["host"], after["nics"]) == (before["id"], _other(lost), before["nics"])
        _assert_brought_back(town, behind, old, port, _other(lost))
        _assert_billed_once(town, ResourceId(after["id"]))
    # Its compute service is there again: Nova has taken away what was still on it.
    log = (region.layout.sub("log") / f"{COMPUTE}.log").read_text(errors="replace")
    assert f"[instance: {old.id}]" in log
    assert "Destroying instance as it has been evacuated from this host" in log
    until(lambda: _host(town, lost)["reachability"] == "reachable", TICKET_S, "the platform sees it again")
    town.controller.ok("host", "activate", lost)
    [provider] = behind.cloud.placement.resource_providers(name=lost)
    until(lambda: _usages(behind, provider.id)["VCPU"] == 0, TICKET_S, "nothing is allocated there")
    # Long enough for three looks at both.
    time.sleep(30)
    assert town.controller.ok("host", "foreign", lost, "-o", "json").json == []
    assert town.controller.ok("host", "foreign", _other(lost), "-o", "json").json == []
    _assert_brought_back(town, behind, old, port, _other(lost))
    assert (town.only()["observed"], town.only()["host"]) == ("running", _other(lost))
    assert town.controller.ok("get", "findings", "-o", "json").json == []


def _assert_brought_back(town: City, behind: Behind, old: Any, port: Any, hypervisor: str) -> None:
    [new] = town.servers().values()
    assert (new.id, new.hypervisor_hostname, new.status) == (old.id, hypervisor, "ACTIVE")
    assert {d["id"] for d in new.attached_volumes} == {d["id"] for d in old.attached_volumes}
    [now] = behind.cloud.network.ports(device_id=new.id)
    assert (now.id, now.fixed_ips, now.mac_address) == (port.id, port.fixed_ips, port.mac_address)
    assert now.binding_host_id == hypervisor
    marks = {x.metadata["allotment_host"] for kind, x in town.made() if kind in ("server", "volume")}
    assert len(marks) == 1, "machine and disks are one host's"
    assert _evacuations(behind, new.id) == 1


def _usages(behind: Behind, provider_id: str) -> dict[str, int]:
    answer = behind.cloud.placement.get(f"/resource_providers/{provider_id}/usages")
    found: dict[str, int] = answer.json()["usages"]
    return found


def _assert_billed_once(town: City, machine_id: ResourceId) -> None:
    with town.controller.read() as connection:
        rows = journal.of_resource(connection, machine_id)
    assert [state for state, _ in groupby(r.state for r in rows)] == ["allocated", "running", "lost", "running"]
    found = sorted({(i.start_s, i.end_s) for i in intervals(rows, 0, int(time.time()))})
    assert all(a[1] <= b[0] for a, b in pairwise(found)), found


# -- the driver --------------------------------------------------------------------------------------------------------


@pytest.fixture
def proxies(region: Region, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxies]:
    """Proxies in front of the region's services."""
    with proxies_before(region.layout, tmp_path, monkeypatch, wait_s=60) as found:
        yield found


@dataclass
class Pair:
    """A running machine on one hypervisor, and the driver of another one."""

    wish: Wish
    heir: OpenStackDriver
    behind: Behind

    @property
    def machine_id(self) -> ResourceId:
        """Return the machine's id."""
        return self.wish.request.instance_id

    def bring(self, fence: int) -> None:
        """Call until it is there, as the reconciler does."""
        self.wish.have(lambda: self.heir.ensure_evacuated(self.wish.request, fence))

    def server(self) -> Any:
        """Return the machine as the region shows it."""
        [found] = self.behind.servers(self.machine_id)
        return found

    def assert_there(self, state: Observed = Observed.RUNNING) -> None:
        """Check that the machine and all of it is the heir's."""
        seen = self.heir.observe_instance(self.machine_id)
        assert seen is not None
        assert (seen.state, seen.volume_ids) == (state, (self.wish.data.volume_id,))
        assert self.wish.driver.observe_instance(self.machine_id) is None
        observed = self.heir.observe()
        assert {self.machine_id, self.wish.data.volume_id} <= observed.volume_ids
        server = self.server()
        assert server.id not in {f.uuid for f in observed.foreign}
        assert (server.hypervisor_hostname, server.metadata["allotment_host"]) == (HYPERVISORS[1], THERE)
        assert_made_once(self.behind, self.wish)


def _pair(cloud: str, behind: Behind, directory: Path) -> Iterator[Pair]:
    """Give a pair; at the end all is taken away, by whichever host has it, and nothing of it may be left."""
    here, there = (_driver(cloud, name, host_id) for name, host_id in zip(HYPERVISORS, (HERE, THERE), strict=True))
    wish = wish_on(here, directory)
    wish.make()
    yield Pair(wish, there, behind)
    wish.fence = 1000
    for driver in (here, there):
        wish.driver = driver
        wish.have(lambda: wish.driver.ensure_absent(wish.request.instance_id, STORAGE_POOL, wish.fence))
        wish.have(lambda: wish.driver.ensure_volume_absent(wish.data.volume_id, STORAGE_POOL, wish.fence))
    wish.have(lambda: here.ensure_segment_absent(wish.segment.segment_id, wish.fence))
    here.close()
    there.close()
    assert_nothing_left(behind, wish)


def _driver(cloud: str, hypervisor: str, host_id: str) -> OpenStackDriver:
    driver = driver_of(f"openstack://{cloud}/{hypervisor}", host_id)
    assert isinstance(driver, OpenStackDriver)
    return driver


@pytest.fixture
def pair(proxies: Proxies, behind: Behind, tmp_path: Path) -> Iterator[Pair]:
    """A pair behind proxies."""
    found = _pair("proxied", behind, tmp_path)
    yield next(found)
    proxies.treat = lambda _asked: Pass()
    next(found, None)


@pytest.fixture
def limited(region: Region, behind: Behind, tmp_path: Path) -> Iterator[Pair]:
    """A pair as the role ``allotment`` sees it."""
    yield from _pair("limited", behind, tmp_path)


def test_a_lost_answer_at_every_call_of_an_evacuation_brings_the_machine_back_once(
    pair: Pair, proxies: Proxies, region: Region, behind: Behind
) -> None:
    with region.without_computes(HYPERVISORS[0]):
        with pytest.raises(StaleFence):
            pair.heir.ensure_evacuated(pair.wish.request, 1)
        proxies.treat = once_each(Lose(), lambda asked: asked.method in ("POST", "PUT"))
        pair.bring(FENCE)
        proxies.treat = lambda _asked: Pass()
        lost = [f for f in pair.wish.faults if isinstance(f, OutcomeUnknown)]
        # Where it goes, Nova, and the marks of its disks.
        assert len(lost) >= 3, [f.problem for f in pair.wish.faults]
        assert _evacuations(behind, pair.server().id) == 1
        pair.assert_there()
        with pytest.raises(StaleFence):
            pair.heir.ensure_running(pair.machine_id, 1)
    # Nova has removed what was left of it there.
    pair.assert_there()
    assert not {pair.machine_id, pair.wish.data.volume_id} & pair.wish.driver.observe().volume_ids


def test_a_hypervisor_without_room_is_said_to_have_none_and_takes_the_machine_when_it_has(
    pair: Pair, region: Region, behind: Behind
) -> None:
    full = _fill(behind, HYPERVISORS[1])
    try:
        with region.without_computes(HYPERVISORS[0]):
            with pytest.raises(Permanent) as refused:
                pair.bring(FENCE)
            problem = refused.value.problem
            assert problem.code == "driver.evacuation_failed"
            assert "No valid host was found" in problem.params["reason"], problem
            server = pair.server()
            assert (server.hypervisor_hostname, server.metadata["allotment_host"]) == (HYPERVISORS[0], HERE)
            assert {v.metadata["allotment_host"] for v in behind.volumes(pair.machine_id)} == {HERE}
            while full:
                behind.remove_server(full.pop())
            pair.bring(LATER)
            pair.assert_there()
    finally:
        for left in full:
            behind.remove_server(left)


def _fill(behind: Behind, hypervisor: str) -> list[str]:
    """Have somebody else's machines take all of a hypervisor's memory but what no machine of ours could live in."""
    [provider] = behind.cloud.placement.resource_providers(name=hypervisor)
    path = f"/resource_providers/{provider.id}/inventories"
    memory = behind.cloud.placement.get(path).json()["inventories"]["MEMORY_MB"]
    room = int((memory["total"] - memory["reserved"]) * memory["allocation_ratio"]) - 64
    compute, project_id = behind.cloud.compute, behind.cloud.current_project_id
    compute.update_quota_set(project_id, ram=-1)
    made: list[str] = []
    try:
        while (left := room - _usages(behind, provider.id).get("MEMORY_MB", 0)) > 0:
            flavor = compute.create_flavor(name=f"filler-{len(made)}", vcpus=1, ram=min(left, memory["max_unit"]), disk=1)
            made.append(behind.make_foreign(hypervisor, flavor_id=flavor.id))
            compute.delete_flavor(flavor)
    finally:
        compute.revert_quota_set(project_id)
    return made


def test_the_role_brings_a_machine_back_and_leaves_nothing_of_one_that_is_given_up(
    limited: Pair, region: Region, behind: Behind, tmp_path: Path
) -> None:
    other = wish_on(limited.wish.driver, tmp_path)
    other.make()
    with region.without_computes(HYPERVISORS[0]):
        limited.bring(FENCE)
        limited.assert_there()
        other.have(lambda: limited.heir.ensure_abandoned(other.request.instance_id, FENCE))
        assert limited.heir.observe_instance(other.request.instance_id) is None
        assert {other.request.instance_id, other.data.volume_id} <= limited.heir.observe().volume_ids
        other.driver, other.fence = limited.heir, LATER
        other.remove()
        assert_nothing_left(behind, other)
    limited.assert_there()


@pytest.mark.parametrize("is_stopped", [False, True], ids=["running", "stopped"])
def test_a_machine_whose_hypervisor_is_back_is_moved_from_there(pair: Pair, behind: Behind, is_stopped: bool) -> None:
    if is_stopped:
        pair.wish.have(lambda: pair.wish.driver.ensure_stopped(pair.machine_id, pair.wish.fence, graceful_s=0))
    pair.bring(FENCE)
    pair.assert_there(Observed.STOPPED if is_stopped else Observed.RUNNING)
    assert _evacuations(behind, pair.server().id) == 0
    pair.bring(LATER)
    assert pair.server().metadata["allotment_fence"] == str(LATER)


def test_nothing_is_brought_back_where_there_was_nothing_and_disks_alone_become_the_heirs(pair: Pair, behind: Behind) -> None:
    behind.remove_server(pair.server().id)
    assert pair.heir.ensure_evacuated(pair.wish.request, FENCE) is None
    assert {pair.machine_id, pair.wish.data.volume_id} <= pair.heir.observe().volume_ids
    assert behind.servers(pair.machine_id) == []


def test_a_region_as_one_host_brings_nothing_back(region: Region) -> None:
    driver: Any = driver_of("openstack://region")
    asks: list[Callable[[], object]] = [
        lambda: driver.ensure_abandoned(ResourceId("x"), FENCE),
        lambda: driver.ensure_evacuated(None, FENCE),
    ]
    assert Capability.EVACUATION not in driver.capabilities()
    for ask in asks:
        with pytest.raises(CapabilityMissing):
            ask()
    driver.close()
