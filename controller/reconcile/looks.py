"""Looks at whole hosts, as the loop's transaction writes them: reachability, foreign guests, drift and leftovers."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import structlog
from sqlalchemy import Connection

from controller.reconcile.adopted import follow_adopted
from controller.reconcile.drift import Drift, drift, fingerprint, ids_on, is_news
from controller.reconcile.facts import FactsLoader
from controller.reconcile.hosts import HostBook, HostHandle
from controller.reconcile.jobs import JobMeans, LookJob, LookReport
from controller.reconcile.outcomes import REAP
from controller.reconcile.recorder import save_findings
from controller.reconcile.settings import ReconcileSettings
from controller.reconcile.workers import Job
from drivers.protocol import ObservedForeign
from inventory.domain.host import ForeignDomain, Reachability
from inventory.domain.ids import HostId, ResourceId
from inventory.domain.resource import ResourceKind
from inventory.store import findings, foreign, homes, resources, standby
from inventory.store import hosts as host_store

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Unit:
    """What one transaction of the loop decided, to be acted on after its commit."""

    #: False while a person has switched the loop off: leftovers stay where they are.
    may_reap: bool = True
    lost: set[ResourceId] = field(default_factory=set)
    superseded: set[ResourceId] = field(default_factory=set)
    jobs: list[Job] = field(default_factory=list)
    extended: set[ResourceId] | None = None
    clean: list[tuple[HostHandle, int | None, int | None]] = field(default_factory=list)
    drifts: list[str] = field(default_factory=list)
    told: list[tuple[HostHandle, frozenset[str]]] = field(default_factory=list)


class HostLooks:
    """What looks brought and nobody wrote down yet. Touched by the loop's thread only."""

    def __init__(
        self,
        *,
        owner: str,
        book: HostBook,
        facts: FactsLoader,
        means: JobMeans,
        settings: ReconcileSettings,
        new_id: Callable[[str], str],
    ) -> None:
        self._owner = owner
        self._book = book
        self._facts = facts
        self._means = means
        self._settings = settings
        self._new_id = new_id
        #: With the fingerprint of what was seen.
        self._reports: list[tuple[LookReport, int]] = []
        self._written_at = float("-inf")
        #: A look that waits found a host otherwise than it was when nothing was left to be done about it.
        self.has_news = False
        #: Hosts that did not answer since the last commit, and when they are asked again.
        self.suspects: dict[HostId, float] = {}
        #: Hosts that were cut off since the last commit.
        self.cut_news: dict[HostId, Reachability] = {}

    def __bool__(self) -> bool:
        """Tell whether good looks wait to be written."""
        return bool(self._reports)

    def add(self, report: LookReport) -> None:
        """Keep a good look for the next commit."""
        assert report.observation is not None
        host, print_ = report.host, fingerprint(report.observation)
        self._reports.append((report, print_))
        self.has_news |= print_ != host.clean_print or host.host.reachability is not Reachability.REACHABLE

    def is_time(self) -> bool:
        """Tell whether looks are worth a commit of their own again."""
        return self._means.monotonic() - self._written_at >= self._settings.looks_s

    def failed(self, report: LookReport) -> None:
        """Have a host that did not answer asked again soon, counted from the question: it may have taken long to fail."""
        self.suspects[report.host.id] = report.started_at_s + self._settings.probe_s

    def committed(self, unit: Unit) -> None:
        """Forget what is written."""
        self._reports.clear()
        self.has_news = False
        self._written_at = self._means.monotonic()
        self.cut_news.clear()
        self.suspects.clear()
        for host, print_, foreign_print in unit.clean:
            host.clean_print, host.foreign_print = print_, foreign_print
        for host, subjects in unit.told:
            host.told = subjects

    def claim(self, connection: Connection, unit: Unit, now_s: float) -> None:
        """Take the hosts that are due to be looked at."""
        settings = self._settings
        due = host_store.claim_observations(connection, now_s=now_s, period_s=settings.observe_s, limit=settings.observe_most)
        for host_id in due:
            handle = self._book.get(connection, host_id)
            unit.jobs.append(LookJob(means=self._means, host=handle))
            if handle.is_cut:
                host_store.schedule_observation(connection, [host_id], now_s + settings.probe_s)

    def write(self, connection: Connection, unit: Unit, now_s: float) -> None:
        """Write which hosts were cut off and what the good looks showed."""
        moved = {
            host_id for host_id, seen in self.cut_news.items() if host_store.set_reachability(connection, host_id, seen, now_s)
        }
        for host_id, at_s in self.suspects.items():
            host_store.schedule_observation(connection, [host_id], at_s)
        for report, print_ in self._reports:
            if self._take(connection, unit, report, print_, now_s):
                moved.add(report.host.id)
        if self._reports:
            host_store.note_observed(connection, {r.host.id: r.started_at_s for r, _ in self._reports})
        if moved:
            # A stand-by host that is gone or shared with others may be none any more.
            pools = {handle.host.pool_id for host_id in moved if (handle := self._book.known(host_id))}
            for old, new in homes.hand_on(connection, pools, now_s):
                log.info("another host serves the networks of a fabric", host_id=new, before=old)
            standby.renew(connection, sorted(pools))

    def _take(self, connection: Connection, unit: Unit, report: LookReport, print_: int, now_s: float) -> bool:
        """Write what one look showed; tells whether the host can be counted on for more or less than before."""
        host, observation = report.host, report.observation
        assert observation is not None
        is_news = host.host.reachability is not Reachability.REACHABLE or host.id in self.cut_news or host.clean_print is None
        is_moved = is_news and host_store.set_reachability(connection, host.id, Reachability.REACHABLE, now_s)
        foreign_print: int | None = hash((observation.foreign, frozenset(observation.storage_foreign_gib.items())))
        if foreign_print != host.foreign_print:
            found = [_foreign(host.id, f) for f in observation.foreign]
            foreign.save_foreign(connection, host.id, found, now_s)
            foreign.save_storage(connection, host.id, observation.storage_foreign_gib)
            is_any_missed = self._follow_adopted(connection, unit, host.id, found, observation.foreign_disks_age_s, now_s)
            is_moved |= foreign.recount_foreign(connection, host.id)
            # Whoever is missed is waited for: the same look is compared again.
            foreign_print = None if is_any_missed else foreign_print
        self._compare(connection, unit, report, print_, foreign_print, now_s)
        return is_moved

    def _follow_adopted(
        self, connection: Connection, unit: Unit, host_id: HostId, found: list[ForeignDomain], age_s: float, now_s: float
    ) -> bool:
        period_s = self._settings.observe_s
        told, is_any_missed = follow_adopted(connection, host_id, found, now_s=now_s, period_s=period_s, disks_age_s=age_s)
        unit.drifts += [f.kind for f in told if f.state == "open"]
        save_findings(connection, told, self._new_id, now_s)
        return is_any_missed

    def _compare(
        self, connection: Connection, unit: Unit, report: LookReport, print_: int, foreign_print: int | None, now_s: float
    ) -> None:
        host, observation = report.host, report.observation
        assert observation is not None
        if print_ == host.clean_print:
            unit.clean.append((host, print_, foreign_print))
            return
        rows = [r for r in resources.of_host(connection, host.id) if r.kind is not ResourceKind.ADOPTED]
        if homes.home_of(connection, host.id) != host.id:
            # Networks of a shared fabric are compared where they stand.
            observation = replace(observation, segment_ids=frozenset(), loose_segment_ids=frozenset())
        elsewhere = resources.by_ids(connection, sorted(ids_on(observation) - {r.id for r in rows}))
        found_drift = drift(
            host.id, observation, report.started_at_s, rows, elsewhere, now_s, can_plug=host.can_plug, policy=host.policy
        )
        self._act_on(connection, unit, host, found_drift, now_s)
        # What stays open of a resource is compared again: that it was given up, or is wanted so by now, shows in its row only.
        stays_open = found_drift.lasting or any(f.resource_id for f in found_drift.findings)
        is_done = found_drift.is_clean and not stays_open
        unit.clean.append((host, print_ if is_done else None, foreign_print))

    def _act_on(self, connection: Connection, unit: Unit, host: HostHandle, found: Drift, now_s: float) -> None:
        resources.differ(connection, sorted(found.wake), now_s)
        told = findings.open_details(connection, [f.subject for f in found.findings]) if found.findings else {}
        fresh = [f for f in found.findings if is_news(f, told.get(f.subject))]
        # What was told of the last look is no drift met anew.
        met = [f for f in found.findings if (f in fresh or f.subject not in host.told) and f.resource_id not in found.wake]
        unit.drifts += [*found.wake.values(), *(f.kind for f in met)]
        unit.told.append((host, frozenset(f.subject for f in found.findings)))
        save_findings(connection, fresh, self._new_id, now_s)
        if found.is_clean:
            findings.close_of_host(connection, host.id, but_subjects=[*(f.subject for f in found.findings), *found.lasting])
        if not (found.reap and unit.may_reap):
            return
        taken = resources.claim_for_reap(
            connection, found.reap, owner=self._owner, now_s=now_s, hold_s=self._settings.hold_s, host_id=host.id
        )
        facts = self._facts.load_for_reap(connection, taken, host.id)
        unit.jobs += [self._means.resource_job(host, resource, facts[resource.id], REAP) for resource in taken]


def _foreign(host_id: HostId, found: ObservedForeign) -> ForeignDomain:
    return ForeignDomain(
        host_id=host_id,
        uuid=found.uuid,
        name=found.name,
        vcpu_count=found.vcpu_count,
        memory_mib=found.memory_mib,
        is_running=found.is_running,
        owner=found.owner,
        disks=found.disks,
    )
