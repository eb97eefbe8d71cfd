"""What a person may see of a machine: the end of its serial log, and its screen where the back end shows one."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TypeVar

from drivers.faults import Transient
from drivers.powers import HasScreen
from drivers.protocol import Capability, ComputeDriver, HasConsole
from inventory.domain.errors import CapabilityMissing, Conflict
from inventory.domain.ids import HostId
from inventory.domain.resource import Resource

T = TypeVar("T")
#: Longest a person waits before the host is said not to answer.
_DEADLINE_S = 20.0

DriverOf = Callable[[HostId], ComputeDriver]


def console_reader(driver_of: DriverOf) -> Callable[[Resource, int], bytes]:
    """Return the reader of serial logs for the API."""

    def read(instance: Resource, max_bytes: int) -> bytes:
        def ask(driver: ComputeDriver) -> bytes | None:
            return driver.console_log(instance.id, max_bytes) if isinstance(driver, HasConsole) else None

        return _asked(driver_of, instance, Capability.CONSOLE_LOG, ask)

    return read


def screen_opener(driver_of: DriverOf) -> Callable[[Resource], str]:
    """Return who asks for the address where a machine's screen is seen, good for a short time; it is a secret."""

    def open_(instance: Resource) -> str:
        def ask(driver: ComputeDriver) -> str | None:
            return driver.screen_url(instance.id) if isinstance(driver, HasScreen) else None

        return _asked(driver_of, instance, Capability.SCREEN, ask)

    return open_


def _asked(driver_of: DriverOf, instance: Resource, capability: Capability, ask: Callable[[ComputeDriver], T | None]) -> T:
    """Ask the driver of a machine's host, if it can; what answers None cannot.

    Raises:
        Conflict: ``instance.state_forbids``: the machine is on no host.
        CapabilityMissing: ``driver.capability_missing``.
        Transient: ``driver.timeout``.
    """
    host_id, name = instance.host_id, str(capability.name).lower()
    if host_id is None:
        raise Conflict(
            "instance.state_forbids", instance=instance.name, phase=instance.phase.value, desired=instance.desired.value
        )

    def call() -> T:
        driver = driver_of(host_id)
        answer = ask(driver) if capability in driver.capabilities() else None
        if answer is None:
            raise CapabilityMissing("driver.capability_missing", capability=name)
        return answer

    return within(call, _DEADLINE_S, host=str(host_id), verb=name)


def within(call: Callable[[], T], deadline_s: float, *, host: str, verb: str) -> T:
    """Return what ``call`` returns, waiting no longer than the deadline; a hung thread is left behind.

    Raises:
        Transient: ``driver.timeout``.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001  handed to the one who waits
            future.set_exception(error)

    threading.Thread(target=run, name=f"ask-{verb}", daemon=True).start()
    try:
        return future.result(deadline_s)
    except FutureTimeoutError:
        raise Transient("driver.timeout", connection=host, verb=verb, deadline_s=int(deadline_s)) from None
