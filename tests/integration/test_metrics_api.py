"""The HTTP layer on the real application: templates of real routes."""

from pathlib import Path

from controller.metrics.counters import HttpCounters
from controller.metrics.http import instrument
from tests.support.api import service


def test_requests_to_the_real_api_are_counted_by_template(tmp_path: Path) -> None:
    counters = HttpCounters()
    with service(tmp_path) as running:
        instrument(running.app, counters)
        with running.operator() as operator, running.client() as nobody:
            operator.get("/healthz")
            operator.get("/v1/tickets/tick_none")
            nobody.get("/v1/systems/portal")
            nobody.get("/nowhere/at/all")
    assert counters.requests == {
        ("GET", "/healthz", "200"): 1,
        ("GET", "/v1/tickets/{ticket_id}", "404"): 1,
        ("GET", "/v1/systems/{system}", "401"): 1,
        ("GET", "none", "404"): 1,
    }
