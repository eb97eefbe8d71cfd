"""Tickets through the HTTP interface of a real controller: how many a second are accepted, durably."""

import http.client
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inventory.domain.ids import seeded_ids
from inventory.store import directory
from inventory.store.engine import open_database
from tests.bench.reconciling import ticket_text
from tests.bench.report import Figure, Line, Target
from tests.bench.serving import cpu_s
from tests.bench.state import add_hosts
from tests.support.platform import furnish
from tests.support.postgres import private_postgres
from tests.support.service import ServiceUnderTest

_CLIENTS, _HOSTS = 8, 100
#: Tickets of each client, round after round: of one machine, and of a hundred in two networks.
_SMALL, _ALONE, _LARGE, _PER_LARGE = 50, 30, 4, 100
_ROUNDS, _LARGE_ROUNDS = 5, 2


@dataclass(frozen=True)
class Answers:
    """What the clients saw."""

    #: Machines accepted a second, and milliseconds of each request.
    machines_per_s: float
    tickets_per_s: float
    took_ms: Sequence[float]
    cpu_s: float


def _client(port: int, token: str, texts: Sequence[bytes], start: threading.Barrier, took_ms: list[float]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/yaml"}
    start.wait()
    for text in texts:
        began = time.perf_counter()
        connection.request("POST", "/v1/tickets", body=text, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 202, (answer.status, body[:500])
        took_ms.append((time.perf_counter() - began) * 1000)
    connection.close()


def _handed_in(service: ServiceUnderTest, token: str, label: str, machines: int, count: int, clients: int = _CLIENTS) -> Answers:
    """Have every client hand its tickets in, one after the other, all clients at once."""
    assert service.process is not None
    pid = service.process.pid
    groups, per_group = (1, 1) if machines == 1 else (2, machines // 2)
    start, took_ms = threading.Barrier(clients + 1), list[float]()
    threads = []
    for client in range(clients):
        names = [f"{label}-{client}-{n}" for n in range(count)]
        # A network holds a bounded number of machines: large tickets bring their own.
        network = f"{label}-{client}"
        texts = [ticket_text(name, groups, per_group, networks=network if machines == 1 else name) for name in names]
        thread = threading.Thread(target=_client, args=(service.port, token, texts, start, took_ms))
        thread.start()
        threads.append(thread)
    before_s = cpu_s(pid)
    start.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    took_s = time.perf_counter() - began
    assert len(took_ms) == clients * count, "a client failed"
    tickets = clients * count
    return Answers(machines * tickets / took_s, tickets / took_s, took_ms, cpu_s(pid) - before_s)


def _prepared(folder: Path, seed: int, url: str) -> ServiceUnderTest:
    """Make an installation with a furnished city and simulated hosts."""
    service = ServiceUnderTest(folder, state_url=url)
    service.config.write_text(
        f'[state]\ndirectory = "{service.state}"\nurl = "{url}"\n[server]\nport = {service.port}\n', encoding="utf-8"
    )
    service.ok("init")
    database = open_database(url or f"sqlite:///{service.state / 'state.sqlite'}")
    try:
        now_s = time.time()
        new_id = seeded_ids(seed, lambda: int(now_s))
        furnish(database, folder, host_count=0, segment_prefix=26, new_id=new_id)
        with database.write() as connection:
            add_hosts(connection, directory.pools(connection)[0], _HOSTS, new_id, now_s=now_s)
    finally:
        database.dispose()
    return service


def _measured(engine: str, folder: Path, seed: int, url: str = "") -> list[Line]:
    service = _prepared(folder, seed, url)
    # The loop is switched off: what is measured is the way in, not the work that follows.
    service.start("--paused")
    try:
        token = (folder / service.token("clerk", "department_admin", "civil-it")).read_text(encoding="ascii").strip()
        _handed_in(service, token, "warm", 1, 3)
        alone = _handed_in(service, token, "alone", 1, _ALONE, clients=1)
        small = [_handed_in(service, token, f"small{n}", 1, _SMALL) for n in range(_ROUNDS)]
        large = [_handed_in(service, token, f"large{n}", _PER_LARGE, _LARGE) for n in range(_LARGE_ROUNDS)]
    finally:
        service.stop()
    one = f"{engine}: one client, one machine a ticket"
    return [
        Line(
            what=f"{engine}: {_CLIENTS} clients, one machine a ticket", unit="tickets/s",
            values=tuple(s.tickets_per_s for s in small),
            target=Target(limit=300, is_ceiling=False), baseline=one,
        ),
        Line(what=one, unit="tickets/s", values=(alone.tickets_per_s,)),
        Line(
            what=f"{engine}: {_CLIENTS} clients, time of a request", unit="ms",
            values=tuple(ms for s in small for ms in s.took_ms),
        ),
        Line(
            what=f"{engine}: processor time of the controller for a ticket of one machine", unit="ms",
            values=tuple(s.cpu_s * 1000 / len(s.took_ms) for s in small),
        ),
        Line(
            what=f"{engine}: {_CLIENTS} clients, {_PER_LARGE} machines a ticket", unit="machines/s",
            values=tuple(s.machines_per_s for s in large), target=Target(limit=3_000, is_ceiling=False),
        ),
        Line(
            what=f"{engine}: processor time of the controller for {_PER_LARGE} machines", unit="ms",
            values=tuple(s.cpu_s * 1000 / len(s.took_ms) for s in large),
        ),
    ]  # fmt: skip


def measure(folder: Path, seed: int) -> Figure:
    """Measure both engines."""
    lines = _measured("SQLite", folder / "sqlite", seed)
    with private_postgres(durable=True) as server:
        lines += _measured("PostgreSQL", folder / "postgresql", seed, server.create_database(empty=True))
    return Figure(
        name="intake",
        title="Tickets through the interface",
        size=f"{_HOSTS} hosts; {_CLIENTS} clients on connections of their own, each hands in {_SMALL} tickets of one machine, "
        f"one after the other, and {_LARGE} of {_PER_LARGE}, in {_ROUNDS} rounds and {_LARGE_ROUNDS}; the loop is switched off",
        seed=seed,
        lines=tuple(lines),
        notes=("Clients and controller share the machine. Every answer means accepted and durable.",),
    )
