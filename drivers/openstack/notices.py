"""What Nova tells on the region's message broker, where ``clouds.yaml`` names one: a machine of ours moved, look now.

Never required and never believed: a notice only makes the next look come at once. Lost ones, a broker that is away or a region
that tells nothing cost nothing but that; looking goes on as without it, and why nothing is heard is kept for whoever asks. The
queue is our own and goes with the connection, so that nobody else's notices are taken away and none pile up.
"""

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from drivers.openstack.marks import Mark, read_mark
from drivers.protocol import DriverEvent, EventKind
from inventory.domain.errors import Problem
from inventory.domain.ids import ResourceId, is_id
from inventory.domain.resource import Observed

Listener = Callable[[DriverEvent], None]
#: Nova's exchange, and the keys it tells by (``nova.conf``: ``control_exchange``, ``oslo_messaging_notifications.topics``).
EXCHANGE = "nova"
KEYS = ("notifications.info", "notifications.error")
#: How long is waited for a notice before the connection is tended, and between two tries to reach a broker.
BEAT_S = 1.0
AGAIN_S = 10.0
HEARTBEAT_S = 30
CONNECT_S = 10
_STATES = {"active": Observed.RUNNING, "stopped": Observed.STOPPED, "deleted": Observed.ABSENT}


def read_notice(body: str) -> tuple[Mark, Observed] | None:
    """Return whose machine a notice is about and how it is said to be; None for what is not about a machine of ours. Pure."""
    try:
        outer = json.loads(body)
        told = json.loads(outer["oslo.message"]) if "oslo.message" in outer else outer
        payload, kind = told["payload"], str(told["event_type"])
        mark = read_mark(payload.get("metadata"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if not kind.startswith("compute.instance.") or mark is None or not is_id(mark.resource_id, "instance"):
        return None
    return mark, _STATES.get(str(payload.get("state", "")), Observed.UNKNOWN)


class Notices:
    """Listens in a thread of its own while somebody wants to know, and tells each host what is about its machines."""

    def __init__(self, url: str, clock: Callable[[], float], ca_file: str | None = None) -> None:
        self._url = url
        self._clock = clock
        self._ca_file = ca_file
        self._listeners: dict[str, list[Listener]] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        #: Whether the broker is heard now, and why not; None while it is, or before the first try is over.
        self.is_heard = False
        self.problem: Problem | None = None

    def subscribe(self, host_id: str, listener: Listener) -> None:
        """Tell ``listener`` of machines of a host; the first one makes the connection be sought."""
        with self._lock:
            known = self._listeners.setdefault(host_id, [])
            # A host whose connection was given up subscribes again.
            if listener not in known:
                known.append(listener)
            if self._thread is None and not self._stopped.is_set():
                self._thread = threading.Thread(target=self._run, name="openstack-notices", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Listen no more."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(CONNECT_S + BEAT_S)

    def _run(self) -> None:
        import amqp

        while not self._stopped.is_set():
            try:
                with self._listening() as connection:
                    self._drain(connection)
            except (OSError, amqp.AMQPError) as error:
                # A broker that is away, or one that does not know Nova yet: looking goes on without it.
                self.problem = problem_of(error, place_of(self._url))
                self._stopped.wait(AGAIN_S)

    @contextmanager
    def _listening(self) -> Iterator[Any]:
        import amqp

        connection = amqp.Connection(**connection_options(self._url, self._ca_file))
        connection.connect()
        try:
            channel = connection.channel()
            queue = channel.queue_declare(exclusive=True, auto_delete=True).queue
            for key in KEYS:
                channel.queue_bind(queue, exchange=EXCHANGE, routing_key=key)
            channel.basic_consume(queue, callback=lambda message: self.hear(message.body), no_ack=True)
            self.is_heard, self.problem = True, None
            yield connection
        finally:
            self.is_heard = False
            connection.collect()

    def _drain(self, connection: Any) -> None:
        while not self._stopped.is_set():
            try:
                connection.drain_events(timeout=BEAT_S)
            except TimeoutError:
                connection.heartbeat_tick()

    def hear(self, body: str | bytes) -> None:
        """Tell what a notice says to those whose machine it is about."""
        found = read_notice(body.decode(errors="replace") if isinstance(body, bytes) else body)
        if found is None:
            return
        mark, state = found
        event = DriverEvent(kind=EventKind.INSTANCE, instance_id=ResourceId(mark.resource_id), state=state, at_s=self._clock())
        with self._lock:
            listeners = tuple(self._listeners.get(mark.host_id, ()))
        for listener in listeners:
            listener(event)


class BrokerBook:
    """The brokers listened to in this process, by address: hosts of a region share a connection."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._notices: dict[str, tuple[Notices, int]] = {}

    def take(self, url: str, ca_file: str | None, clock: Callable[[], float]) -> Notices:
        """Return what listens there."""
        with self._lock:
            notices, users = self._notices.get(url) or (Notices(url, clock, ca_file), 0)
            self._notices[url] = (notices, users + 1)
            return notices

    def give_back(self, url: str) -> None:
        """Hear that one user is gone; with the last one nobody listens any more."""
        with self._lock:
            notices, users = self._notices.pop(url)
            if users > 1:
                self._notices[url] = (notices, users - 1)
                return
        notices.close()


BROKERS = BrokerBook()


def problem_of(error: Exception, broker: str) -> Problem:
    """Return why a broker is not listened to. Pure; what a broker says never holds the password."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Problem("driver.certificate_refused", {"connection": broker})
    if isinstance(error, OSError):
        # Its words come and go (refused, reset, timed out), and it stays one and the same state.
        return Problem("openstack.broker_unreachable", {"broker": broker})
    return Problem("openstack.broker_refused", {"broker": broker, "reason": str(error)})


def place_of(url: str) -> str:
    """Return an address without who goes there. Pure."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def connection_options(url: str, ca_file: str | None = None) -> Mapping[str, Any]:
    """Return how a broker is reached, by its address ``amqp[s]://user:password@host[:port][/vhost]``. Pure."""
    parts = urlsplit(url)
    is_tls = parts.scheme == "amqps"
    options: dict[str, Any] = {
        "host": f"{parts.hostname}:{parts.port or (5671 if is_tls else 5672)}",
        "userid": unquote(parts.username or "guest"),
        "password": unquote(parts.password or "guest"),
        "virtual_host": unquote(parts.path.removeprefix("/")) or "/",
        "connect_timeout": CONNECT_S,
        "heartbeat": HEARTBEAT_S,
    }
    if is_tls:
        options["ssl"] = {"server_hostname": parts.hostname, "ca_certs": ca_file}
    return options


def is_broker_address(url: str) -> bool:
    """Tell whether an address names a broker. Pure."""
    parts = urlsplit(url)
    return parts.scheme in ("amqp", "amqps") and bool(parts.hostname)
