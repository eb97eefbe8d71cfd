"""One connection to one libvirtd: opened when needed, opened again when lost, never waited for without end."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import libvirt

from drivers.libvirt.events import Watch, start_event_loop
from drivers.libvirt.translate_errors import Answer, answer_of, fault_of, unreachable

#: A daemon that does not greet within this time is not reachable (a frozen one accepts and stays silent).
OPEN_TIMEOUT_S = 10.0
#: A call on a dead link fails after interval × (count + 1) seconds.
KEEPALIVE_INTERVAL_S = 5
KEEPALIVE_COUNT = 3
#: Links kept open between calls.
IDLE_MOST = 4


class _Opening(threading.Thread):
    """One attempt to open, on a thread of its own: libvirt has no deadline for it."""

    def __init__(self, uri: str) -> None:
        super().__init__(name="libvirt-open", daemon=True)
        self._uri = uri
        self.result: Any = None
        self.error: libvirt.libvirtError | None = None

    def run(self) -> None:
        try:
            self.result = libvirt.open(self._uri)
        except libvirt.libvirtError as error:
            self.error = error


@dataclass(slots=True, eq=False)
class _Link:
    """One open ``virConnect``, used by one call at a time and closed when nobody uses it."""

    connection: Any
    #: Callbacks of events, on one link of the driver only.
    callbacks: tuple[int, ...] | None
    #: Links of an earlier epoch are closed instead of kept.
    epoch: int

    @property
    def is_alive(self) -> bool:
        """Whether the daemon is still there, as far as this link knows."""
        return bool(self.connection.isAlive())

    def close(self) -> None:
        """Close it; on a broken one there is nobody to be told, and that is no error here."""
        if self.callbacks is not None:
            for callback in self.callbacks:
                with suppress(libvirt.libvirtError):
                    self.connection.domainEventDeregisterAny(callback)
            with suppress(libvirt.libvirtError):
                self.connection.unregisterCloseCallback()
        with suppress(libvirt.libvirtError):
            self.connection.close()


class Connection:
    """The links of one driver; calls may come from several threads, and each has a link to itself.

    Two calls on one ``virConnect`` would share libvirt's client event loop, which before libvirt 10.1 can be left with a
    watch on a dead stack and crash the process when the daemon hangs (CVE-2024-4418); and a connection that is closed is
    freed under the feet of calls that still run on it.
    """

    def __init__(self, uri: str, watch: Watch) -> None:
        self.uri = uri
        self._watch = watch
        self._lock = threading.Lock()
        self._idle: list[_Link] = []
        self._watched: _Link | None = None
        self._epoch = 0
        self._opening: _Opening | None = None
        #: Counts the daemons met, so that what was found out on one is not believed on the next.
        self.generation = 0
        self._is_new = True

    @property
    def is_test(self) -> bool:
        """Whether this is libvirt's built-in test driver, which keeps everything in memory."""
        return self.uri.startswith("test:")

    @property
    def has_filters(self) -> bool:
        """Whether packets of guests can be filtered: the test driver has no packets."""
        return not self.is_test

    def open(self) -> None:
        """Have a connection.

        Raises:
            Transient: ``driver.unreachable``.
        """
        self._give_back(self._take())

    def close(self) -> None:
        """Close what is idle at once and the rest when its call returns; the next call opens again."""
        with self._lock:
            self._forget()

    def _take(self) -> _Link:
        """Return a living link that nobody else uses."""
        with self._lock:
            if self._idle and not self._idle[-1].is_alive:
                self._forget()
            if self._idle:
                return self._idle.pop()
            opened = self._opened()
            if self._is_new:
                self.generation += 1
                self._is_new = False
            link = self._prepared(opened)
            if link.callbacks is not None:
                self._watched = link
            return link

    def _give_back(self, link: _Link) -> None:
        with self._lock:
            if link.epoch != self._epoch:
                link.close()
            elif not link.is_alive:
                self._forget()
                link.close()
            elif len(self._idle) >= IDLE_MOST and link is not self._watched:
                link.close()
            else:
                self._idle.append(link)

    def _forget(self) -> None:
        """One link is dead: the daemon they all lead to is not the one of the next call."""
        idle, self._idle = self._idle, []
        self._epoch += 1
        self._watched = None
        self._is_new = True
        for link in idle:
            link.close()

    @contextmanager
    def calling(self, verb: str, *, changes: bool) -> Iterator[Any]:
        """Give the open connection to a verb and translate what goes wrong in it.

        Raises:
            DriverFault: see ``translate_errors``.
        """
        link = self._take()
        try:
            yield link.connection
        except libvirt.libvirtError as error:
            raise fault_of(
                error.get_error_code() or 0,
                uri=self.uri,
                verb=verb,
                is_alive=link.is_alive,
                changes=changes,
                internal=str(error),
            ) from error
        finally:
            self._give_back(link)

    def _opened(self) -> Any:
        start_event_loop()
        # An attempt that hangs is waited for again, not doubled: at most one thread hangs per host.
        attempt = self._opening or _Opening(self.uri)
        if self._opening is None:
            self._opening = attempt
            attempt.start()
        attempt.join(OPEN_TIMEOUT_S)
        if attempt.is_alive():
            raise unreachable(self.uri, f"no greeting within {OPEN_TIMEOUT_S} s")
        self._opening = None
        if attempt.error is not None:
            code = attempt.error.get_error_code() or 0
            if answer_of(code) is Answer.DENIED:
                raise fault_of(code, uri=self.uri, verb="open", is_alive=True, changes=False, internal=str(attempt.error))
            raise unreachable(self.uri, str(attempt.error)) from attempt.error
        return attempt.result

    def _prepared(self, connection: Any) -> _Link:
        try:
            if not self.is_test:
                connection.setKeepAlive(KEEPALIVE_INTERVAL_S, KEEPALIVE_COUNT)
            callbacks = self._watch.attach(connection) if self._watched is None else None
            return _Link(connection, callbacks, self._epoch)
        except libvirt.libvirtError as error:
            raise unreachable(self.uri, str(error)) from error
