"""Bounds and periods of the reconciler; ``wiring`` fills them from the settings of the process."""

from dataclasses import dataclass, field

from controller.reconcile.chores import Retention
from controller.reconcile.hosts import Breaker
from controller.workflows.engine import StepSettings
from inventory.domain.drift import REPAIR_ALL, DriftPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileSettings:
    """Bounds and periods of the loop."""

    #: How long a hold lasts, and how long before its end its holder stops acting.
    hold_s: float = 30.0
    hold_margin_s: float = 5.0
    #: Most resources claimed in one tick, recorded in one transaction, and in the hands of workers.
    claim_most: int = 256
    record_most: int = 256
    in_flight_most: int = 1024
    in_flight_per_host: int = 256
    #: Period of observation of a host, and of probes of one that failed to answer or is cut off.
    observe_s: float = 30.0
    probe_s: float = 10.0
    #: Period of reading again what a host is; 0: it is read when it is enrolled only.
    refresh_s: float = 0.0
    observe_most: int = 256
    #: An idle loop begins looks, and records those that found nothing new, at most this often: each time is a commit.
    looks_s: float = 3.0
    #: Longest sleep of an idle loop.
    idle_s: float = 0.5
    #: Progress of steps alone is recorded at most this often.
    progress_s: float = 0.25
    sync_hosts_s: float = 30.0
    audit_s: float = 300.0
    #: With the periods above and the bound of a look, this makes a dead host known within 60 s.
    breaker: Breaker = field(default_factory=Breaker)
    retention: Retention = field(default_factory=Retention)
    #: Period of looks for the next step of plans that move machines.
    moves_s: float = 1.0
    #: What is done about drift, where a pool has no answer of its own.
    drift: DriftPolicy = REPAIR_ALL
    steps: StepSettings = field(default_factory=StepSettings)
