"""Counts HTTP requests by route template: a pure ASGI layer that ``wiring`` puts around the API."""

import time
from collections.abc import Callable
from http import HTTPMethod
from typing import Any

from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.metrics.counters import HttpCounters

#: What does not match a route is counted together: paths are the caller's words and have no bound.
NO_ROUTE = "none"
_METHODS = frozenset(HTTPMethod)


def instrument(app: Starlette, counters: HttpCounters, monotonic: Callable[[], float] = time.perf_counter) -> None:
    """Have ``app`` count its requests; to be called before it serves the first one."""
    app.add_middleware(HttpMetrics, counters=counters, monotonic=monotonic)


class HttpMetrics:
    """The layer."""

    def __init__(self, app: ASGIApp, counters: HttpCounters, monotonic: Callable[[], float] = time.perf_counter) -> None:
        self._app = app
        self._counters = counters
        self._monotonic = monotonic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and count its answer; one that ends without an answer is a 500."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = self._monotonic()
        status = 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            self._counters.answered(_method(scope), _route(scope), status, self._monotonic() - started)


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in _METHODS else "other"


def _route(scope: Scope) -> str:
    """Return the template of the route; the router notes it in the scope while it serves."""
    route: Any = scope.get("route")
    return getattr(route, "path", None) or NO_ROUTE
