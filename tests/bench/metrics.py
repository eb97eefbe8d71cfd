"""A scrape of 100,000 series: from the snapshot, and by prometheus-client collecting the same while it is asked."""

import time
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from controller.identity.caller import Role
from controller.metrics import machines
from inventory.store.estate import MachineSeen
from tests.bench.report import Figure, Line, Target
from tests.support.api import no_driver, service
from tests.support.asgi import client_of

_MACHINES = 25_000
_SCRAPES = 100
_BASELINES = 5
_BASELINE = "prometheus-client, a collector of the same families asked at each scrape"
_FORMATTED = "the text of all series is made (in the background, not in a scrape)"


def _estate() -> list[MachineSeen]:
    return [
        MachineSeen(
            id=f"inst_{n:032x}", name=f"web-{n % 9}", department=f"d{n % 100:03d}", project=f"P{n % 2000:04d}",
            system=f"system-{n // 4}",
            host=f"host-{n % 700:04d}", pool=f"pool-{n % 6}", zone=f"zone-{n % 3}", phase="settled", observed="running", vcpu=4,
            memory_mib=8192, address="10.0.0.1",
        )
        for n in range(_MACHINES)
    ]  # fmt: skip


class _Asked(Collector):
    def __init__(self, estate: list[MachineSeen]) -> None:
        self.estate = estate

    def collect(self) -> Iterable[GaugeMetricFamily]:
        info = GaugeMetricFamily("allot_instance_info", "One.", labels=machines.INFO.labels)
        figures = [GaugeMetricFamily(m.name, m.help, labels=m.labels) for m in (machines.RUNNING, machines.VCPU, machines.MEMORY)]
        for m in self.estate:
            info.add_metric((m.id, m.name, m.department, m.project, m.system, m.zone, m.pool, m.host), 1)
            for family, value in zip(figures, (1, m.vcpu, m.memory_mib << 20), strict=True):
                family.add_metric((m.id,), value)
        return [info, *figures]


def _ms(since: float) -> float:
    return (time.perf_counter() - since) * 1000


def measure(folder: Path, seed: int) -> Figure:
    """Scrape the API again and again."""
    estate, made = _estate(), []
    for _ in range(_BASELINES):
        started = time.perf_counter()
        body = machines.exposition(estate, len(estate), len(estate) * machines.SERIES_PER_MACHINE).encode()
        made.append(_ms(started))
    scrapes = []
    with service(folder) as running:
        from controller.api.app import create_app

        app = create_app(
            running.platform,
            metrics=lambda: body,
            console=lambda _r, _n: b"",
            screen=lambda _r: "",
            drivers=no_driver,
            ready=list,
        )
        headers = {"Authorization": f"Bearer {running.secrets[Role.AUDITOR, '']}"}
        with client_of(app, running.runner, headers=headers, address="192.0.2.9") as client:
            for _ in range(_SCRAPES):
                started = time.perf_counter()
                assert len(client.get("/metrics").content) == len(body)
                scrapes.append(_ms(started))
    registry = CollectorRegistry()
    registry.register(_Asked(estate))
    asked = []
    for _ in range(_BASELINES):
        started = time.perf_counter()
        generate_latest(registry)
        asked.append(_ms(started))
    return Figure(
        name="metrics",
        title="A scrape of 100,000 series",
        size=f"{_MACHINES * machines.SERIES_PER_MACHINE:,} series of {_MACHINES:,} machines, {len(body) / 2**20:.1f} MiB, "
        "through the whole API",
        seed=None,
        lines=(
            Line(
                what="one scrape", unit="ms", values=tuple(scrapes), target=Target(limit=250, statistic="p99"), baseline=_BASELINE
            ),
            Line(what=_FORMATTED, unit="ms", values=tuple(made), baseline=_BASELINE),
            Line(what=_BASELINE, unit="ms", values=tuple(asked)),
        ),
    )
