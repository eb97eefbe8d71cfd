"""The list people and consoles ask for most: a page of machines on a large platform, over HTTP."""

import http.client
import json
import time
from pathlib import Path

from tests.bench.report import Figure, Line, Target
from tests.bench.serving import Controller, controller, prepared

_HOSTS, _INSTANCES, _LIMIT, _REQUESTS = 25_000, 25_000, 100, 400
_WARM_UP = 20
_WINDOW_S = 5.0
_ALIVE = "GET /healthz on the same connection"


class Client:
    """One client with one connection that is kept open."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str) -> tuple[float, bytes]:
        """Return how long an answer took, read to its end (ms), and the answer."""
        started = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        took_ms = (time.perf_counter() - started) * 1000
        assert answer.status == 200, body
        return took_ms, body

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def pages_ms(client: Client) -> tuple[float, ...]:
    """Turn the pages of the whole list, one request after the other, beginning again at its end."""
    times, after = [], ""
    for _ in range(_REQUESTS + _WARM_UP):
        took_ms, body = client.get(f"/v1/instances?limit={_LIMIT}" + (f"&after={after}" if after else ""))
        page = json.loads(body)
        assert len(page["items"]) == _LIMIT or not page["next"]
        after = page["next"] or ""
        times.append(took_ms)
    return tuple(times[_WARM_UP:])


def wait_until_at_rest(running: Controller) -> None:
    """Wait until a controller has nothing left to do: it uses less than a tenth of a core."""
    used_s = _WINDOW_S
    while used_s > _WINDOW_S / 10:
        before = running.cpu_s()
        time.sleep(_WINDOW_S)
        used_s = running.cpu_s() - before


def measure(folder: Path, seed: int) -> Figure:
    """Measure pages with the loop switched off, as on a controller beside others, and with it looking at every host."""
    service = prepared(folder, seed, host_count=_HOSTS, instance_count=_INSTANCES)
    token = (service.contexts / "default.token").read_text(encoding="ascii").strip()
    found: dict[str, tuple[float, ...]] = {}
    for name, arguments in (("paused", ("--paused",)), ("working", ())):
        with controller(service, *arguments) as running:
            # The ledger takes what the journal of a state made a moment ago tells; metrics read the whole state first.
            if name == "paused":
                wait_until_at_rest(running)
            time.sleep(_WINDOW_S)
            client = Client(running.port, token)
            found[name] = pages_ms(client)
            if name == "paused":
                found["alive"] = tuple(client.get("/healthz")[0] for _ in range(_REQUESTS + _WARM_UP))[_WARM_UP:]
            client.close()
    promise = Target(limit=50, statistic="p99")
    return Figure(
        name="listing",
        title="A page of instances",
        size=f"{_HOSTS:,} hosts, {_INSTANCES:,} instances, SQLite; pages of {_LIMIT} over the whole list, {_REQUESTS} requests, "
        "one client",
        seed=seed,
        lines=(
            Line(what="GET /v1/instances?limit=100", unit="ms", values=found["paused"], target=promise, baseline=_ALIVE),
            Line(what="the same while all hosts are looked at", unit="ms", values=found["working"], baseline=_ALIVE),
            Line(what=_ALIVE, unit="ms", values=found["alive"]),
        ),
        notes=(
            (
                f"The second line is the same process with the loop on: one controller that looks at {_HOSTS:,} hosts every 30 s "
                f"({_HOSTS / 30:.0f} looks a second) and begins with none of them compared before."
            ),
            (
                "A published peer: CloudStack 4.20 answers listHosts and listVirtualMachines of that size in 5 to 10 s on two "
                "slow cores (its own report; not measured here)."
            ),
        ),
    )
