"""One connection to one libvirtd: opened when needed, opened again when lost, never waited for without end."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import libvirt

from drivers.libvirt.events import Watch, start_event_loop
from drivers.libvirt.translate_errors import Answer, answer_of, fault_of, unreachable

#: A daemon that does not greet within this time is not reachable (a frozen one accepts and stays silent).
OPEN_TIMEOUT_S = 10.0
#: A call on a dead link fails after interval × (count + 1) seconds.
KEEPALIVE_INTERVAL_S = 5
KEEPALIVE_COUNT = 3


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
    """One open ``virConnect``, closed when it was dropped and the last call on it has returned.

    libvirt frees a closed connection under the feet of calls that still run on it in other threads.
    """

    connection: Any
    callbacks: tuple[int, ...]
    _call_count: int = 0
    _is_dropped: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self) -> None:
        """Begin a call."""
        with self._lock:
            self._call_count += 1

    def leave(self) -> None:
        """End a call."""
        with self._lock:
            self._call_count -= 1
            is_over = self._is_dropped and not self._call_count
        if is_over:
            self._close()

    def drop(self) -> None:
        """Begin no more calls."""
        with self._lock:
            self._is_dropped = True
            is_over = not self._call_count
        if is_over:
            self._close()

    def _close(self) -> None:
        # Callbacks hold the connection open; on a broken one there is nobody to be told, and that is no error here.
        for callback in self.callbacks:
            with suppress(libvirt.libvirtError):
                self.connection.domainEventDeregisterAny(callback)
        with suppress(libvirt.libvirtError):
            self.connection.unregisterCloseCallback()
        with suppress(libvirt.libvirtError):
            self.connection.close()


class Connection:
    """The link of one driver; calls may come from several threads."""

    def __init__(self, uri: str, watch: Watch) -> None:
        self.uri = uri
        self._watch = watch
        self._lock = threading.Lock()
        self._link: _Link | None = None
        self._opening: _Opening | None = None
        #: Counts the connections made, so that what was found out on one is not believed on the next.
        self.generation = 0

    @property
    def is_test(self) -> bool:
        """Whether this is libvirt's built-in test driver, which keeps everything in memory."""
        return self.uri.startswith("test:")

    def open(self) -> None:
        """Have a connection.

        Raises:
            Transient: ``driver.unreachable``.
        """
        with self._lock:
            self._current()

    def _current(self) -> _Link:
        if self._link is not None and self._link.connection.isAlive():
            return self._link
        self._drop()
        self._link = self._prepared(self._opened())
        self.generation += 1
        return self._link

    def close(self) -> None:
        """Close, as soon as no call is under way; the next one opens again."""
        with self._lock:
            self._drop()

    @contextmanager
    def calling(self, verb: str, *, changes: bool) -> Iterator[Any]:
        """Give the open connection to a verb and translate what goes wrong in it.

        Raises:
            DriverFault: see ``translate_errors``.
        """
        with self._lock:
            link = self._current()
            link.enter()
        try:
            yield link.connection
        except libvirt.libvirtError as error:
            raise fault_of(
                error.get_error_code() or 0,
                uri=self.uri,
                verb=verb,
                is_alive=bool(link.connection.isAlive()),
                changes=changes,
                internal=str(error),
            ) from error
        finally:
            link.leave()

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
            return _Link(connection, self._watch.attach(connection))
        except libvirt.libvirtError as error:
            raise unreachable(self.uri, str(error)) from error

    def _drop(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.drop()
