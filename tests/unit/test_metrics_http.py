"""Requests are counted by route template, never by path."""

import asyncio

import httpx
from fastapi import FastAPI

from controller.metrics.counters import HttpCounters
from controller.metrics.http import instrument


def _ask(*requests: tuple[str, str]) -> HttpCounters:
    counters, app = HttpCounters(), FastAPI()

    @app.get("/v1/systems/{name}")
    def show(name: str) -> str:
        if name == "bug":
            raise RuntimeError(name)
        return name

    times = iter(range(100))
    instrument(app, counters, monotonic=lambda: float(next(times)))

    async def ask() -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://allot.test") as client:
            for method, path in requests:
                await client.request(method, path)

    asyncio.run(ask())
    return counters


def test_requests_of_one_route_share_a_series() -> None:
    counters = _ask(("GET", "/v1/systems/portal"), ("GET", "/v1/systems/mail"))
    assert counters.requests == {("GET", "/v1/systems/{name}", "200"): 2}
    assert counters.durations["GET", "/v1/systems/{name}"].count == 2
    assert counters.durations["GET", "/v1/systems/{name}"].sum_s == 2.0


def test_a_request_that_ends_in_a_bug_is_a_500() -> None:
    assert _ask(("GET", "/v1/systems/bug")).requests == {("GET", "/v1/systems/{name}", "500"): 1}


def test_paths_and_methods_of_the_caller_make_no_series() -> None:
    counters = _ask(("GET", "/a"), ("GET", "/b"), ("BREW", "/c"), ("BAKE", "/d"))
    assert counters.requests == {("GET", "none", "404"): 2, ("other", "none", "404"): 2}
