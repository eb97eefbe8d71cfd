"""A synchronous HTTP client on an ASGI application in this process: real requests and answers, no socket."""

import asyncio

import httpx
from starlette.types import ASGIApp


class AsgiTransport(httpx.BaseTransport):
    """Carries requests to the application on one event loop, which the owner closes."""

    def __init__(self, app: ASGIApp, runner: asyncio.Runner, *, address: str) -> None:
        self._inner = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address, 50_000))
        self._runner = runner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._runner.run(self._exchange(request))

    async def _exchange(self, request: httpx.Request) -> httpx.Response:
        request = httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
        response = await self._inner.handle_async_request(request)
        body = await response.aread()
        return httpx.Response(response.status_code, headers=response.headers, content=body)


def client_of(app: ASGIApp, runner: asyncio.Runner, *, headers: dict[str, str], address: str) -> httpx.Client:
    """Return a client of ``app`` that seems to call from ``address``."""
    transport = AsgiTransport(app, runner, address=address)
    return httpx.Client(transport=transport, base_url="http://allot.test", headers=headers)
