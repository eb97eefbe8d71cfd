"""libvirt's event loop (one per process) and the watch over one connection: what moved, and since when.

Events only mean "look now"; waiting verbs use them to look at once instead of at the next beat.
"""

import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import libvirt

from drivers.protocol import DriverEvent, EventKind
from inventory.domain.ids import ResourceId, id_of, is_id
from inventory.domain.resource import Observed

#: A waiting verb looks this often even when no event comes: events may be lost.
LOOK_EVERY_S = 0.5

_STATES = {
    libvirt.VIR_DOMAIN_EVENT_STARTED: Observed.RUNNING,
    libvirt.VIR_DOMAIN_EVENT_RESUMED: Observed.RUNNING,
    libvirt.VIR_DOMAIN_EVENT_STOPPED: Observed.STOPPED,
    libvirt.VIR_DOMAIN_EVENT_CRASHED: Observed.STOPPED,
    libvirt.VIR_DOMAIN_EVENT_UNDEFINED: Observed.ABSENT,
}

Listener = Callable[[DriverEvent], None]


@cache
def start_event_loop() -> threading.Thread:
    """Register libvirt's loop and run it in a thread of its own; keepalive and events stand on it."""
    # Without a handler the library also prints every error that we already raise.
    libvirt.registerErrorHandler(_quiet, None)
    libvirt.virEventRegisterDefaultImpl()
    thread = threading.Thread(target=_run_loop, name="libvirt-events", daemon=True)
    thread.start()
    return thread


def _quiet(_context: Any, _error: Any) -> None:
    """Take an error that is raised as an exception as well."""


def _run_loop() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()


def event_state(event: int) -> Observed:
    """Return the state a lifecycle event speaks of; unknown for those that say nothing of running or stopped."""
    return _STATES.get(event, Observed.UNKNOWN)


class Watch:
    """Remembers since when each machine is in its state, wakes waiting verbs and tells listeners."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._listeners: list[Listener] = []
        self._moved = threading.Condition()
        self._since: dict[str, tuple[Observed, float]] = {}
        self._reboots: dict[str, int] = {}
        self._moves: dict[str, int] = {}

    def subscribe(self, listener: Listener) -> None:
        """Call ``listener`` for every later event."""
        self._listeners.append(listener)

    def attach(self, connection: Any) -> tuple[int, ...]:
        """Listen on a connection; returns the numbers to deregister by."""
        register = connection.domainEventRegisterAny
        connection.registerCloseCallback(self._on_close, None)
        return (
            register(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._on_lifecycle, None),
            register(None, libvirt.VIR_DOMAIN_EVENT_ID_REBOOT, self._on_reboot, None),
        )

    def since(self, name: str, state: Observed) -> float | None:
        """Return when the machine came into ``state``, if that was seen on this connection."""
        seen, at_s = self._since.get(name, (Observed.UNKNOWN, 0.0))
        return at_s if seen is state else None

    def moves(self, name: str) -> int:
        """Return how often the machine was seen to start or stop."""
        return self._moves.get(name, 0)

    def reboots(self, name: str) -> int:
        """Return how often the machine was seen to reboot."""
        return self._reboots.get(name, 0)

    def wait(self, is_done: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until ``is_done``, asked after every event and every beat; tell whether it came in time."""
        end = time.monotonic() + timeout_s
        while not is_done():
            left_s = end - time.monotonic()
            if left_s <= 0:
                return False
            with self._moved:
                self._moved.wait(min(left_s, LOOK_EVERY_S))
        return True

    def _wake(self) -> None:
        with self._moved:
            self._moved.notify_all()

    def _tell(self, event: DriverEvent) -> None:
        for listener in tuple(self._listeners):
            listener(event)

    def _on_lifecycle(self, _connection: Any, domain: Any, event: int, _detail: int, _context: Any) -> None:
        name, state, now_s = domain.name(), event_state(event), self._clock()
        if state is Observed.ABSENT:
            self._since.pop(name, None)
        elif state is not Observed.UNKNOWN:
            # A start is told twice (started, resumed): the first counts.
            if self.since(name, state) is None:
                self._since[name] = (state, now_s)
            self._moves[name] = self._moves.get(name, 0) + 1
        self._wake()
        if is_id(name, "instance") and id_of("instance", domain.UUIDString()) == name:
            self._tell(DriverEvent(kind=EventKind.INSTANCE, instance_id=ResourceId(name), state=state, at_s=now_s))

    def _on_reboot(self, _connection: Any, domain: Any, _context: Any) -> None:
        name = domain.name()
        self._reboots[name] = self._reboots.get(name, 0) + 1
        self._wake()

    def _on_close(self, _connection: Any, _reason: int, _context: Any) -> None:
        # What happens while nobody listens is not known: moments remembered before are not to be believed after.
        self._since.clear()
        self._wake()
        self._tell(DriverEvent(kind=EventKind.DISCONNECTED, instance_id=None, state=Observed.UNKNOWN, at_s=self._clock()))
