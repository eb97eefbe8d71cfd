"""HTTP as a region is spoken to: an answer comes whole and within a bound, or it counts as lost.

The SDK bounds each wait for a few bytes, so that an answer that trickles never ends; and it takes a page where a thing should
be (a proxy's, a portal's) for a thing without properties. A request's own bytes have no bound but that of each write: an image
may take as long as it needs.
"""

import socket
import threading
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from typing import Any

import requests
from keystoneauth1.session import Session, TCPKeepAliveAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class _Bound:
    """The end of one call: when it comes, whoever waits for more of the answer waits no longer."""

    def __init__(self, bound_s: float | None) -> None:
        self._bound_s = bound_s
        self._timer: threading.Timer | None = None
        self._is_ended = False
        self._lock = threading.Lock()
        #: Whether the answer was cut off.
        self.is_over = False

    def begin(self, connection: socket.socket) -> None:
        """Hear that the request is out, and the answer awaited on this connection."""
        self.end()
        if self._bound_s is not None:
            self._is_ended = False
            self._timer = threading.Timer(self._bound_s, self._cut, [connection])
            self._timer.daemon = True
            self._timer.start()

    def _cut(self, connection: socket.socket) -> None:
        # Not by the method of a TLS socket, which forgets its state under whoever reads from it.
        shut = partial(socket.socket.shutdown, connection) if isinstance(connection, socket.socket) else connection.shutdown
        with self._lock:
            if not self._is_ended:
                self.is_over = True
                with suppress(OSError):
                    shut(socket.SHUT_RDWR)

    def end(self) -> None:
        """Hear that the answer is there: the connection may serve another call."""
        with self._lock:
            self._is_ended = True
        if self._timer is not None:
            self._timer.cancel()


#: The bound of the call this thread is making.
_BOUND: ContextVar[_Bound | None] = ContextVar("bound", default=None)


def _begin(connection: Any) -> None:
    bound = _BOUND.get()
    if bound is not None:
        bound.begin(connection.sock)


class _Http(HTTPConnection):
    def getresponse(self) -> Any:
        _begin(self)
        return super().getresponse()


class _Https(HTTPSConnection):
    def getresponse(self) -> Any:
        _begin(self)
        return super().getresponse()


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


_POOLS: dict[str, type] = {"http": _HttpPool, "https": _HttpsPool}


class WholeAnswers(TCPKeepAliveAdapter):
    """Reads each answer to its end within the bound, counted from when the request is out."""

    def __init__(self, bound_s: float | None, **options: Any) -> None:
        self._bound_s = bound_s
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make the pool of connections, of those that are bounded."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        """Return the same where a proxy stands in between."""
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """Make one call.

        Raises:
            requests.Timeout: the answer was not whole in time.
            requests.ConnectionError: it was a page, and nothing a service says.
        """
        bound = _Bound(self._bound_s)
        token = _BOUND.set(bound)
        try:
            response = super().send(request, stream=stream, timeout=timeout, verify=verify, cert=cert, proxies=proxies)
            if not stream:
                # Read under the bound; it is kept for who asks for it.
                _ = response.content
        except requests.RequestException as error:
            if bound.is_over:
                raise self._late(request) from error
            raise
        finally:
            _BOUND.reset(token)
            bound.end()
        if bound.is_over:
            raise self._late(request)
        if not stream and is_page(response.status_code, response.headers.get("Content-Type", ""), response.content):
            raise requests.ConnectionError(f"a page instead of an answer: {request.url}", request=request)
        return response

    def _late(self, request: requests.PreparedRequest) -> requests.Timeout:
        return requests.ReadTimeout(f"no whole answer within {self._bound_s} s: {request.url}", request=request)


def is_page(status: int, content_type: str, content: bytes) -> bool:
    """Tell whether what looks like success is a page for people. Pure.

    Services call an empty answer that too; what they say is JSON, whatever they call it.
    """
    is_told_so = content_type.partition(";")[0].strip().lower() == "text/html"
    begin = content.lstrip()[:1]
    return 200 <= status < 300 and bool(begin) and (is_told_so or begin == b"<")


class RegionSession(Session):
    """The SDK's session, whose answers are whole and bounded by its timeout."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for prefix in list(self.session.adapters):
            self.session.mount(prefix, WholeAnswers(self.timeout))
