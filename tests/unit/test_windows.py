"""What people see of machines: through the driver of the machine's host, if it can, and in time."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from controller.workflows.windows import console_reader, screen_opener, within
from drivers.faults import Transient
from drivers.protocol import Capability
from drivers.simulated.driver import SimulatedDriver
from inventory.domain.errors import CapabilityMissing, Conflict
from inventory.domain.ids import HostId
from inventory.domain.resource import Resource
from tests.support.reconciled_rows import machine
from tests.support.simulated_harness import HOST, Bench, make_bench

SEEN: dict[Capability, Callable[[Callable[[HostId], SimulatedDriver], Resource], object]] = {
    Capability.CONSOLE_LOG: lambda driver_of, instance: console_reader(driver_of)(instance, 9),
    Capability.SCREEN: lambda driver_of, instance: screen_opener(driver_of)(instance),
}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return make_bench(tmp_path)


@pytest.mark.parametrize("capability", SEEN)
def test_the_driver_of_the_host_is_asked_if_it_can(bench: Bench, capability: Capability) -> None:
    asked: list[HostId] = []

    def driver_of(host_id: HostId) -> SimulatedDriver:
        asked.append(host_id)
        return bench.driver

    instance = replace(machine(), id=bench.create(bench.machine()), host_id=HostId("host_1"))
    assert SEEN[capability](driver_of, instance)
    assert asked == ["host_1"]
    lesser = SimulatedDriver(bench.world, bench.world.hosts[HOST], without=capability)
    with pytest.raises(CapabilityMissing) as caught:
        SEEN[capability](lambda _: lesser, instance)
    assert (caught.value.code, caught.value.params) == ("driver.capability_missing", {"capability": str(capability.name).lower()})


@pytest.mark.parametrize("capability", SEEN)
def test_nobody_is_asked_for_a_machine_on_no_host(bench: Bench, capability: Capability) -> None:
    with pytest.raises(Conflict) as caught:
        SEEN[capability](lambda _: bench.driver, replace(machine(), host_id=None))
    assert caught.value.code == "instance.state_forbids"


def test_a_person_waits_no_longer_than_the_bound_for_a_host_that_hangs() -> None:
    released = threading.Event()
    with pytest.raises(Transient) as caught:
        within(lambda: released.wait(60), 0.05, host="host-1", verb="screen")
    released.set()
    assert caught.value.problem.code == "driver.timeout"
    assert within(lambda: 7, 5.0, host="host-1", verb="screen") == 7
    with pytest.raises(ZeroDivisionError):
        within(lambda: 1 // 0, 5.0, host="host-1", verb="screen")
