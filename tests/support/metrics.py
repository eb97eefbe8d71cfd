"""A platform that has really worked: tickets through the real reconciler on simulated hosts, watched by the metrics."""

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from starlette.types import Receive, Scope, Send

from controller.metrics.counters import Counters
from controller.metrics.drivers import counting_opener
from controller.metrics.exposition import CONTENT_TYPE
from controller.metrics.http import HttpMetrics
from controller.metrics.snapshot import Extras, MetricsSnapshot
from controller.reconcile.hosts import registry_opener
from controller.reconcile.loop import Reconciler
from controller.reconcile.settings import ReconcileSettings
from controller.reconcile.workers import Inline
from controller.workflows import budgets, ledger, price_books, sampled, tickets
from inventory.domain.host import Reachability
from inventory.domain.resource import Resource, ResourceKind
from inventory.store import directory as catalogue
from inventory.store import hosts, resources
from inventory.store.engine import Database
from metering.sample_store import Taken
from metering.samples import Sample, packed
from quotas import budget_store
from quotas.budgets import Budget
from tests.support.asgi import client_of
from tests.support.billing import finance
from tests.support.platform import Furnished, furnish
from tests.support.samples import ticket_text

#: Prices of what the tickets of the samples have.
PRICE_BOOK = """\
apiVersion: allotment/v1
kind: PriceBook
name: watched
valid-from: 2020-01-01
prices:
  - {meter: vcpu, unit: vcpu-hour, price: "0.0764"}
  - {meter: memory_gib, unit: GiB-hour, price: "0.0389"}
  - {meter: "disk_gib:standard", unit: GiB-hour, price: "0.0007"}
  - {meter: address, unit: address-hour, price: "0.003"}
"""


@dataclass(frozen=True)
class Watched:
    """A platform, its reconciler and its metrics."""

    furnished: Furnished
    counters: Counters
    reconciler: Reconciler
    executor: Inline
    snapshot: MetricsSnapshot

    def apply(self, name: str, count: int = 2) -> None:
        """Submit a ticket for machines with a data disk each."""
        tickets.submit(self.furnished.platform, ticket_text(name, count=count), self.furnished.caller())

    def work(self, rounds: int = 400) -> None:
        """Run the loop until it is idle; time moves where it waits."""
        for _ in range(rounds):
            did = self.reconciler.tick()
            while self.executor.run_one():
                did = True
            if not did:
                return
            self.furnished.clock.now_s += 1.0
        raise AssertionError("the loop does not come to rest")

    def bill(self) -> None:
        """Bring prices and a budget in force, let an hour pass and have the ledger take what happened."""
        id_ = str(price_books.submit(self.furnished.platform, PRICE_BOOK.encode(), finance("wang"))["id"])
        for who in ("li", "zhao"):
            price_books.decide(self.furnished.platform, id_, finance(who), "approved", "checked")
        with self.furnished.platform.db.write() as connection:
            budget_store.save(connection, _budget(self.furnished))
        self.furnished.clock.now_s += 3600.0
        ledger.catch_up(self.furnished.platform)
        budgets.accrue(self.furnished.platform)
        self.sample()

    def sample(self, use_s: int = 300) -> None:
        """Have hosts tell twice what their machines use: a quarter of their processors, half of their memory."""
        now_ms = int(self.furnished.clock.now_s * 1000)
        with self.furnished.platform.db.read() as connection:
            there = {host.id: resources.of_host(connection, host.id) for host in self.furnished.hosts}
        for at_ms, seconds in ((now_ms - 900_000, 0), (now_ms - 600_000, use_s)):
            for host_id, own in there.items():
                told = [_told(m, seconds) for m in own if m.kind is ResourceKind.INSTANCE]
                sampled.keep(self.furnished.platform, [Taken(host_id, at_ms, packed(told))])
        sampled.work_in(self.furnished.platform, 300, wait_s=0)

    def text(self) -> str:
        """Collect and return the exposition."""
        self.snapshot.refresh()
        return self.snapshot.exposition().decode()


def _told(machine: Resource, seconds: int) -> Sample:
    spec = machine.instance
    return Sample(
        machine.id, seconds * spec.vcpu_count * 250_000_000, spec.memory_mib // 2, received_bytes=seconds << 20, sent_bytes=0
    )


def _budget(furnished: Furnished) -> Budget:
    """Return a thousand yuan for the portal's project in 2026 (Shanghai)."""
    return Budget(
        project_id=furnished.city.projects["P-portal"].id,
        year=2026,
        start_s=1_767_196_800,
        end_s=1_798_732_800,
        limit_micro_yuan=1_000_000_000,
        approval_over=None,
        block_over=None,
        spent_micro_yuan=0,
        obligated_micro_yuan=0,
        accrued_at_s=None,
    )


def watch(
    database: Database, directory: Path, *, world: str, extras: Extras | None = None, settings: ReconcileSettings | None = None
) -> Watched:
    """Furnish ``database`` (simulated hosts of a world of its own) and watch it."""
    furnished = furnish(database, directory)
    content = b"stands for a disk"
    (directory / "images").mkdir()
    (directory / "images" / "demo-linux.qcow2").write_bytes(content)
    with database.write() as connection:
        for image in catalogue.images(connection):
            catalogue.save_image(connection, replace(image, sha256=sha256(content).hexdigest()))
        for host in furnished.hosts:
            hosts.save_host(connection, replace(host, connection=host.connection.replace("//test/", f"//{world}/")))
    counters = Counters()
    database.on_write = counters.state.wrote
    furnished.limit("civil", "vcpu", 40)
    furnished.limit("civil", "memory_mib", 1 << 16)
    executor = Inline(random.Random(1))
    reconciler = Reconciler(
        furnished.platform,
        owner="test",
        executor=lambda _: executor,
        open_driver=counting_opener(registry_opener(furnished.clock), counters.drivers),
        settings=settings,
        chooser=random.Random(1),
    )
    counters = replace(counters, reconcile=reconciler.counters)
    snapshot = MetricsSnapshot(furnished.platform, counters, interval_s=1, version="0.1.0", extras=extras)
    return Watched(furnished, counters, reconciler, executor, snapshot)


def lose_a_host(watched: Watched) -> str:
    """Say of one host that it does not answer; returns its name."""
    lost = watched.furnished.hosts[-1]
    with watched.furnished.platform.db.write() as connection:
        hosts.set_reachability(connection, lost.id, Reachability.UNREACHABLE, watched.furnished.clock())
    return lost.name


def ask_something(counters: Counters) -> None:
    """Have one request answered through the HTTP layer."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = type("Route", (), {"path": "/v1/tickets"})()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    with asyncio.Runner() as runner:
        assert client_of(HttpMetrics(app, counters.http), runner, headers={}, address="127.0.0.1").get("/").status_code == 200


@contextmanager
def served(snapshot: MetricsSnapshot, more: Mapping[str, Callable[[], bytes]] | None = None) -> Iterator[int]:
    """Serve the exposition on loopback, and ``more`` by path; yields the port."""
    told: dict[str, Callable[[], bytes]] = {"/metrics": snapshot.exposition, **(more or {})}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = told[self.path]()
            self.send_response(200)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, *args: object) -> None:
            """Say nothing: the test tells what failed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
