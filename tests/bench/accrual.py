"""From an accepted ticket to its charge in the statement of the open month, through a real service with its shipped settings."""

import http
import json
import time
import urllib.error
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.bench.progress import say
from tests.bench.report import Figure, Line, Target
from tests.support.metrics import PRICE_BOOK
from tests.support.service import ServiceUnderTest, service, ticket

_TICKETS = 20
_ZONE = ZoneInfo("Asia/Shanghai")
_DEPARTMENT = "civil-affairs"


def measure(folder: Path, seed: int) -> Figure:
    """Measure, ticket by ticket, how long it takes until the open statement has a line more."""
    del seed
    say("a service with prices")
    with service(folder / "service", is_warm=False) as found:
        _approve_prices(found)
        clerk, officer = (found.token(name, role, *home) for name, role, home in (
            ("clerk", "department_admin", (_DEPARTMENT,)), ("chen", "finance", ()),
        ))  # fmt: skip
        secrets = [(found.directory / file).read_text("ascii").strip() for file in (clerk, officer)]
        lags = tuple(_lag_s(found, secrets[0], secrets[1], f"lag-{number}") for number in range(_TICKETS))
    return Figure(
        name="accrual",
        title="From a change to its charge",
        size=f"{_TICKETS} tickets of one machine, one after the other; one simulated pool, SQLite, settings as they ship",
        seed=None,
        lines=(Line(what="accepted, until the open month's statement has its lines", unit="s", values=lags,
                    target=Target(limit=5, statistic="max")),),
        notes=("Asked every 50 ms over HTTP. Elsewhere charges follow by the hour or the day.",),
    )  # fmt: skip


def _approve_prices(found: ServiceUnderTest) -> None:
    files = {name: found.token(name, "finance") for name in ("wang", "li", "zhao")}
    book = found.write("book.yaml", PRICE_BOOK)
    id_ = _as(found, files["wang"], "book", "submit", book, "--output", "json")["id"]
    for name in ("li", "zhao"):
        _as(found, files[name], "book", "approve", id_, "--output", "json")


def _as(found: ServiceUnderTest, file: str, *words: str) -> Any:
    done = found.allot("meter", *words, environment={"ALLOT_TOKEN_FILE": str(found.directory / file)})
    assert done.code == 0, done.err
    return done.json


def _lag_s(found: ServiceUnderTest, clerk: str, officer: str, name: str) -> float:
    before = _line_count(found, officer)
    _asked(found, clerk, "/v1/tickets", ticket(name).encode())
    began = time.monotonic()
    while _line_count(found, officer) <= before:
        time.sleep(0.05)
    return time.monotonic() - began


def _line_count(found: ServiceUnderTest, token: str) -> int:
    month = datetime.now(_ZONE).strftime("%Y-%m")
    try:
        return int(_asked(found, token, f"/v1/periods/{month}/statements/{_DEPARTMENT}")["line_count"])
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.NOT_FOUND:
            raise
        # There is none before anything was used.
        return 0


def _asked(found: ServiceUnderTest, token: str, path: str, body: bytes | None = None) -> Any:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/yaml"}
    with urllib.request.urlopen(urllib.request.Request(found.url + path, data=body, headers=headers), timeout=60) as answer:
        return json.load(answer)
