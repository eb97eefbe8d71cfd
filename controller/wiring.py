"""The composition root: from settings to a running controller. The only place where all rooms meet.

``allot serve`` calls ``build_service``; demos, simulations and tests that need a whole controller do too. Nothing here
decides anything: it makes each part once and hands it to those who need it. Back ends are imported when a pool uses them.
"""

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.api.app import create_app
from controller.metrics.counters import Counters, DriverCounters, StateCounters
from controller.metrics.drivers import counting_opener
from controller.metrics.http import instrument
from controller.metrics.snapshot import Extras, MetricsSnapshot
from controller.paths import data_dir
from controller.reconcile.chores import Retention
from controller.reconcile.hosts import registry_opener
from controller.reconcile.ledger import LedgerKeeper
from controller.reconcile.loop import Reconciler
from controller.reconcile.sampling import SampleBox, SampleKeeper
from controller.reconcile.settings import ReconcileSettings
from controller.reconcile.workers import HostWorkers
from controller.scheduling.loading import EngineLoader
from controller.scheduling.policy import Policy, read_policies
from controller.settings import Images, Settings
from controller.tickets.approval import ApprovalPolicy
from controller.version import version
from controller.workflows.engine import StepSettings
from controller.workflows.moves.bounds import MoveBounds
from controller.workflows.picture import Picture
from controller.workflows.platform import Platform
from controller.workflows.report_room import ReportRoom
from controller.workflows.swap import swapper
from controller.workflows.windows import console_reader, screen_opener
from drivers.fencing import FencingPrograms
from drivers.protocol import ComputeDriver
from drivers.registry import driver_factory
from inventory.domain.drift import DriftPolicy
from inventory.domain.errors import Invalid
from inventory.domain.host import Host
from inventory.domain.ids import HostId, random_ids
from inventory.importers.image_fetching import FetchOptions
from inventory.store import directory, hosts, resources
from inventory.store.engine import Database

log = structlog.get_logger(__name__)

#: How long workers may finish what they are doing when the service stops.
_STOP_GRACE_S = 10.0


def build_platform(settings: Settings, database: Database) -> Platform:
    """Return what every workflow stands on.

    Raises:
        Invalid: ``settings.*`` or ``placement.*``: a setting that can only be judged here.
    """
    try:
        zone = ZoneInfo(settings.time.zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise Invalid("settings.invalid", key="time.zone", reason=str(error)) from error
    return Platform(
        db=database,
        clock=time.time,
        new_id=random_ids(),
        zone=zone,
        policy=_policy(settings),
        images_dir=settings.images_dir,
        approval_policy=ApprovalPolicy(
            month_price_over_micro_yuan=_micro_yuan(settings.approval.month_price_over_yuan),
            machines_over=settings.approval.machines_over,
        ),
        quarantine_s=settings.network.quarantine_s,
        picture=Picture(EngineLoader(cache=settings.state.directory / "compiled")),
        closing_grace_s=settings.metering.closing_grace_h * 3600,
        fiscal_year_start_month=settings.metering.fiscal_year_start_month,
        billing=settings.metering.billing,
        reports=ReportRoom(
            directory=settings.reports_dir, provider=settings.reports.provider, keep_s=settings.reports.keep_h * 3600
        ),
        fencing=FencingPrograms(directory=settings.fencing.directory, timeout_s=settings.fencing.timeout_s),
        moves=MoveBounds(
            per_hour=settings.moves.per_hour, cool_down_s=settings.moves.cool_down_s, dwell_s=settings.moves.dwell_s
        ),
    )


def _policy(settings: Settings) -> Policy:
    path = settings.placement.policy_file or data_dir("etc") / "placement.yaml"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Invalid("settings.invalid", key="placement.policy_file", reason=f"{path}: {error.strerror}") from error
    return read_policies(text).policy(settings.placement.policy)


def _micro_yuan(text: str) -> int | None:
    if not text:
        return None
    try:
        amount = Decimal(text) * 1_000_000
        whole = int(amount)
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise Invalid("settings.invalid", key="approval.month_price_over_yuan", reason=text) from error
    if amount != whole or whole < 0:
        raise Invalid("settings.invalid", key="approval.month_price_over_yuan", reason=text)
    return whole


class DriverCache:
    """One open driver per host for questions people ask; the loop's workers have connections of their own.

    A driver is opened when first asked for and opened anew when the host's connection has changed.
    """

    def __init__(self, database: Database, open_driver: Callable[[Host, str], ComputeDriver]) -> None:
        self._database = database
        self._open_driver = open_driver
        self._open: dict[HostId, tuple[str, ComputeDriver]] = {}
        self._lock = threading.Lock()

    def of(self, host_id: HostId) -> ComputeDriver:
        """Return the driver of a host.

        Raises:
            DriverFault: the host cannot be reached.
        """
        with self._database.read() as connection:
            host = hosts.host(connection, host_id)
            driver_name = {p.id: p.driver for p in directory.pools(connection)}[host.pool_id]
        with self._lock:
            known = self._open.get(host.id)
            if known and known[0] == host.connection:
                return known[1]
        # Opened outside the lock: a host that does not answer must not keep others from being asked.
        opened = self._open_driver(host, driver_name)
        with self._lock:
            replaced = self._open.get(host.id)
            self._open[host.id] = (host.connection, opened)
        if replaced:
            replaced[1].close()
        return opened

    def close(self) -> None:
        """Close every driver."""
        with self._lock:
            open_, self._open = list(self._open.values()), {}
        for _, driver in open_:
            driver.close()


class Doorbell:
    """Rings the loop after every write of the API, so that work begins at once and not at the loop's next look."""

    def __init__(self, app: ASGIApp, ring: Callable[[], None]) -> None:
        self._app = app
        self._ring = ring

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; ring when it wrote."""

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                self._ring()
            await send(message)

        is_write = scope["type"] == "http" and scope["method"] not in ("GET", "HEAD")
        await self._app(scope, receive, watched if is_write else send)


@dataclass(slots=True, kw_only=True)
class Service:
    """A controller: its parts and its threads."""

    settings: Settings
    platform: Platform
    app: FastAPI
    reconciler: Reconciler
    drivers: DriverCache
    metrics: MetricsSnapshot
    ledger: LedgerKeeper
    _stopping: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Start the loop, the collection of metrics and the ledger."""
        if self.platform.db.is_sqlite:
            # The lock of the file says we are the only controller: a hold left in it is a dead one's.
            now_s = self.platform.clock()
            self.platform.db.run(lambda connection: resources.release_all_holds(connection, now_s))
        for name, work in (("reconciler", self.reconciler.run), ("metrics", self.metrics.run), ("ledger", self.ledger.run)):
            thread = threading.Thread(target=work, args=(self._stopping,), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End cleanly: what runs is recorded, what is held is let go of."""
        self._stopping.set()
        self.reconciler.wake()
        for thread in self._threads:
            thread.join(_STOP_GRACE_S)
            if thread.is_alive():
                log.warning("a thread did not end in time; its holds end by themselves", thread=thread.name)
        self.drivers.close()
        self.platform.db.dispose()

    def waiting_for(self) -> list[str]:
        """Return the names of parts that are not ready."""
        alive = {thread.name for thread in self._threads if thread.is_alive()}
        waiting = [name for name in ("reconciler", "metrics", "ledger") if name not in alive]
        try:
            self.platform.db.ping()
        except Exception:  # whatever it is, the answer is "not ready"; the cause goes to the log
            log.warning("the state does not answer", exc_info=True)
            waiting.append("state")
        return waiting


def _fetch_options(images: Images) -> FetchOptions:
    networks = tuple(str(network) for network in images.allowed_networks)
    return FetchOptions(allowed_hosts=frozenset(images.allowed_hosts), allowed_networks=networks, ca_file=images.ca_file)


def build_service(settings: Settings, database: Database, *, is_paused: bool = False) -> Service:
    """Return a controller that is not started yet.

    Raises:
        Invalid: as ``build_platform``.
    """
    platform = build_platform(settings, database)
    calls, state_writes = DriverCounters(), StateCounters()
    database.on_write = state_writes.wrote
    open_driver = counting_opener(registry_opener(platform.clock), calls)
    samples = SampleBox(interval_s=settings.metering.sample_interval_s, clock=platform.clock, monotonic=time.monotonic)
    reconciler = Reconciler(
        platform,
        owner=f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}",
        executor=lambda loop: HostWorkers(on_bug=loop.bug),
        open_driver=open_driver,
        settings=_reconcile_settings(settings),
        swap=swapper(platform),
        samples=samples,
    )
    if is_paused or settings.reconcile.is_paused:
        reconciler.pause()
    ledger = LedgerKeeper(
        platform=platform,
        interval_s=settings.metering.ledger_interval_s,
        compare_interval_s=settings.metering.compare_interval_s,
        reconcile_interval_s=settings.metering.reconcile_interval_s,
        samples=SampleKeeper(platform=platform, box=samples, counts_bytes=settings.metering.network_bytes),
    )
    counters = Counters(
        reconcile=reconciler.counters, drivers=calls, state=state_writes, ledger=ledger.counters, samples=samples.counters
    )
    extras = Extras(instance_series_max=settings.metrics.instance_series_max, is_compatible=settings.metrics.compatibility)
    metrics = MetricsSnapshot(
        platform, counters, interval_s=settings.metrics.snapshot_interval_s, version=version(), extras=extras
    )
    cache = DriverCache(database, open_driver)
    service: Service

    def ready() -> list[str]:
        return service.waiting_for()

    app = create_app(
        platform,
        metrics=metrics.exposition,
        more_metrics={"instances": metrics.machines, "compatibility": metrics.compatibility},
        console=console_reader(cache.of),
        screen=screen_opener(cache.of),
        drivers=lambda name, context: driver_factory(name)(context),
        ready=ready,
        is_metrics_open_to_loopback=settings.server.metrics_without_token,
        fetch_options=_fetch_options(settings.images),
    )
    instrument(app, counters.http)
    app.add_middleware(Doorbell, ring=reconciler.wake)
    service = Service(
        settings=settings,
        platform=platform,
        app=app,
        reconciler=reconciler,
        drivers=cache,
        metrics=metrics,
        ledger=ledger,
    )
    return service


def _reconcile_settings(settings: Settings) -> ReconcileSettings:
    given, kept = settings.reconcile, settings.retention
    return ReconcileSettings(
        hold_s=given.hold_s,
        hold_margin_s=min(5.0, given.hold_s / 4),
        claim_most=given.batch_count,
        record_most=given.batch_count,
        observe_s=given.observe_interval_s,
        refresh_s=given.refresh_interval_s,
        audit_s=given.audit_interval_s,
        retention=Retention(
            explanations_s=kept.explanations_days * 86_400.0,
            events_s=kept.events_days * 86_400.0,
            use_days_s=kept.use_days * 86_400.0,
            use_months_s=kept.use_months_days * 86_400.0,
        ),
        drift=DriftPolicy(
            stopped=given.drift_stopped, started=given.drift_started, missing=given.drift_missing, edited=given.drift_edited
        ),
        steps=StepSettings(graceful_s=given.graceful_stop_s),
    )
