"""Calls to back ends are counted by pool, and the driver stays what it is."""

from typing import Any

import pytest

from controller.metrics.counters import DriverCounters
from controller.metrics.drivers import counting, counting_opener
from drivers import powers
from drivers import protocol as protocol_module
from drivers.faults import DriverFault, OutcomeUnknown, Permanent, StaleFence, Transient
from drivers.protocol import ComputeDriver, DriverContext, HasConsole, HasEvents, HasStats, LiveMigrates, Reboots
from drivers.registry import driver_factory
from inventory.domain.host import AdminState, Host, Reachability
from inventory.domain.ids import HostId, PoolId, ResourceId

HOST = Host(
    id=HostId("host_1"),
    name="host-1",
    pool_id=PoolId("pool_1"),
    connection="simulated://metrics-drivers/host-1",
    admin_state=AdminState.ACTIVE,
    reachability=Reachability.REACHABLE,
)


def _open(host: Host, name: str) -> ComputeDriver:
    context = DriverContext(host_id=host.id, host_name=host.name, connection=host.connection, clock=lambda: 0.0)
    return driver_factory(name)(context)


def test_every_call_is_counted_with_its_verb_and_answered_by_the_driver() -> None:
    counters = DriverCounters()
    plain, driver = _open(HOST, "simulated"), counting_opener(_open, counters)(HOST, "simulated")
    assert driver.inspect_host() == plain.inspect_host()
    assert driver.observe_instance(ResourceId("inst_none")) is None
    assert driver.capabilities() == plain.capabilities()
    assert counters.calls() == {("pool_1", "open"): 1, ("pool_1", "inspect_host"): 1, ("pool_1", "observe_instance"): 1}
    assert counters.faults() == {}


PROTOCOLS = [
    found
    for module in (protocol_module, powers)
    for found in vars(module).values()
    if isinstance(found, type) and getattr(found, "_is_runtime_protocol", False) and found.__module__ == module.__name__
]


def test_the_protocols_are_all_there() -> None:
    assert {ComputeDriver, HasConsole, Reboots, HasStats, HasEvents, LiveMigrates, powers.Snapshots} <= set(PROTOCOLS)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_counted_driver_has_exactly_the_powers_of_its_driver(protocol: type) -> None:
    plain = _open(HOST, "simulated")
    assert isinstance(counting(plain, "pool_1", DriverCounters()), protocol) == isinstance(plain, protocol)


class _Failing:
    """A driver whose observation fails as told."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def observe(self) -> None:
        raise self._error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Transient("driver.busy"), "transient"),
        (Permanent("driver.refused"), "permanent"),
        (OutcomeUnknown("driver.timeout"), "outcome_unknown"),
        (StaleFence(resource_id="r", given=1, found=2), "stale_fence"),
        (DriverFault("driver.odd"), "other"),
        (KeyError("a bug"), "other"),
    ],
)
def test_a_fault_passes_through_and_is_counted_by_kind(error: Exception, kind: str) -> None:
    counters = DriverCounters()
    driver: Any = _Failing(error)
    with pytest.raises(type(error)):
        counting(driver, "pool_1", counters).observe()
    assert counters.faults() == {("pool_1", kind): 1}


def test_a_driver_that_cannot_be_opened_is_counted() -> None:
    def refuse(_host: Host, _name: str) -> ComputeDriver:
        raise Transient("driver.unreachable")

    counters = DriverCounters()
    with pytest.raises(Transient):
        counting_opener(refuse, counters)(HOST, "simulated")
    assert (counters.calls(), counters.faults()) == ({("pool_1", "open"): 1}, {("pool_1", "transient"): 1})
