"""Every metric of ours, declared once: name, type, labels and one sentence. ``docs/metrics.md`` repeats this table, by test.

Base units stand in the names (bytes, seconds, ratio). No label names a ticket, a machine or a system.
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Type of a metric, as the exposition format names it."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One family."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()


def _gauge(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, Kind.GAUGE, text, labels)


def _counter(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, Kind.COUNTER, text, labels)


def _histogram(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, Kind.HISTOGRAM, text, labels)


# -- capacity ----------------------------------------------------------------------------------------------------------
VCPU_CAPACITY = _gauge("allot_vcpu_capacity", "Virtual CPUs that may be promised, overcommit applied.", "pool", "zone")
VCPU_CLAIMED = _gauge("allot_vcpu_claimed", "Virtual CPUs promised to machines.", "pool", "zone")
VCPU_FOREIGN = _gauge("allot_vcpu_foreign", "Virtual CPUs of guests the platform did not make.", "pool", "zone")
VCPU_FREE = _gauge("allot_vcpu_free", "Virtual CPUs free on active and reachable hosts.", "pool", "zone")
MEMORY_CAPACITY = _gauge("allot_memory_capacity_bytes", "Memory that may be promised, overcommit applied.", "pool", "zone")
MEMORY_CLAIMED = _gauge("allot_memory_claimed_bytes", "Memory promised to machines.", "pool", "zone")
MEMORY_FOREIGN = _gauge("allot_memory_foreign_bytes", "Memory of guests the platform did not make.", "pool", "zone")
MEMORY_FREE = _gauge("allot_memory_free_bytes", "Memory free on active and reachable hosts.", "pool", "zone")
DISK_CAPACITY = _gauge("allot_disk_capacity_bytes", "Disk that may be promised, overcommit applied.", "pool", "zone", "class")
DISK_CLAIMED = _gauge("allot_disk_claimed_bytes", "Disk promised to root disks and volumes.", "pool", "zone", "class")
DISK_FOREIGN = _gauge("allot_disk_foreign_bytes", "Disk counted for what the platform did not make.", "pool", "zone", "class")
DISK_FREE = _gauge("allot_disk_free_bytes", "Disk free on active and reachable hosts.", "pool", "zone", "class")
HOSTS = _gauge("allot_hosts", "Hosts by what is wanted and what was seen.", "pool", "zone", "admin_state", "reachability")
HOST_UNREACHABLE = _gauge(
    "allot_host_unreachable", "1 for each host in service that does not answer (at most 200 are named).", "host", "pool", "zone"
)

# -- what departments have ---------------------------------------------------------------------------------------------
INSTANCES = _gauge("allot_instances", "Living machines.", "zone", "pool", "phase", "observed")
VOLUMES = _gauge("allot_volumes", "Living data disks.", "zone", "pool", "phase")
SEGMENTS = _gauge("allot_segments", "Living department networks on hosts.", "zone", "pool", "phase")
ADDRESSES = _gauge("allot_addresses", "Addresses of a zone: given, resting after release, or free.", "zone", "state")
SUBNETS = _gauge("allot_subnets", "Subnets of a zone's range: given to a segment, or free.", "zone", "state")
QUOTA_USED_RATIO = _gauge(
    "allot_quota_used_ratio",
    "Used part of a department's limit; 1 is full; the 200 fullest.",
    "department",
    "dimension",
)
QUOTA_HIDDEN = _gauge("allot_quota_departments_hidden", "Departments with a limit that are not among the fullest.")
LEASES_ENDING = _gauge("allot_leases_ending", "Systems whose lease is over (expired), or ends within 7d or 30d.", "within")

# -- the queue ---------------------------------------------------------------------------------------------------------
TICKETS = _gauge("allot_tickets", "Tickets by state.", "state")
TICKET_OLDEST_AGE = _gauge(
    "allot_ticket_oldest_age_seconds", "Age of the oldest ticket that is not over, since accepted (else handed in).", "state"
)
JOURNAL_LAG = _gauge("allot_journal_lag_seconds", "Age of the oldest accepted wish that is not reached; 0: all are.")
JOURNAL_ROWS = _counter("allot_journal_rows_total", "Rows of the journal.")
HOLDS = _gauge("allot_holds", "Rights to act on a resource: held now, or expired and not taken over.", "state")
FINDINGS_OPEN = _gauge("allot_findings_open", "Drift and orphans found and not repaired.", "kind")
FINDINGS_OLDEST_AGE = _gauge("allot_findings_oldest_age_seconds", "Age of the oldest open finding.", "kind")
AUDIT_EVENTS = _counter("allot_audit_events_total", "Length of the audit chain.")

# -- the reconciler ----------------------------------------------------------------------------------------------------
TICKS = _counter("allot_reconcile_ticks_total", "Rounds of the loop.")
COMMITS = _counter("allot_reconcile_commits_total", "Transactions of the loop.")
CLAIMED = _counter("allot_reconcile_claimed_total", "Resources taken to be worked on.")
IN_FLIGHT = _gauge("allot_reconcile_in_flight", "Resources being worked on.")
STATE_ERRORS = _counter("allot_reconcile_state_errors_total", "Transactions the database refused for now.")
BUGS = _counter("allot_reconcile_bugs_total", "Exceptions that nobody expected.")
STEP_DURATION = _histogram("allot_reconcile_step_duration_seconds", "Duration of one step of a workflow.", "step")
PROBLEMS = _counter("allot_reconcile_problems_total", "Problems steps met.", "code")
ENDINGS = _counter("allot_reconcile_endings_total", "Resources settled, gone, failed.", "ending")
OBSERVATIONS = _counter("allot_reconcile_observations_total", "Looks at a whole host.", "result")
DRIFT = _counter("allot_reconcile_drift_total", "Drift met while looking.", "kind")
HOLDS_LOST = _counter("allot_holds_lost_total", "Holds another worker took over.")
HOLDS_EXTENDED = _counter("allot_holds_extended_total", "Holds kept for longer.")
STALE_FENCES = _counter("allot_stale_fences_total", "Writes and verbs refused because a newer hold had acted.")
INVARIANT_VIOLATIONS = _gauge("allot_invariant_violations", "Broken invariants at the last audit.")
INVARIANTS_AUDITED = _gauge("allot_invariants_audited_timestamp_seconds", "When the invariants were audited last; 0: not yet.")

# -- back ends ---------------------------------------------------------------------------------------------------------
DRIVER_CALLS = _counter("allot_driver_calls_total", "Calls to back ends.", "pool", "verb")
DRIVER_FAULTS = _counter("allot_driver_faults_total", "Calls to back ends that failed.", "pool", "kind")
DRIVER_HUNG = _counter("allot_driver_hung_calls_total", "Calls that outlived their deadline and were given up.")
BREAKER_OPEN = _gauge("allot_driver_breaker_open", "Hosts this controller leaves alone because they failed in a row.", "pool")

# -- the service itself ------------------------------------------------------------------------------------------------
STATE_WRITE_DURATION = _histogram(
    "allot_state_write_duration_seconds", "Duration of committed write transactions, waiting for the turn included."
)
HTTP_REQUESTS = _counter("allot_http_requests_total", "Requests answered.", "method", "route", "status")
HTTP_DURATION = _histogram("allot_http_request_duration_seconds", "Duration of requests.", "method", "route")
BUILD_INFO = _gauge("allot_build_info", "1, with the version and the kind of state.", "version", "state")
SNAPSHOT_TIMESTAMP = _gauge("allot_snapshot_timestamp_seconds", "When the figures of the state were collected; 0: not yet.")
SNAPSHOT_DURATION = _gauge("allot_snapshot_duration_seconds", "How long collecting them took.")
SNAPSHOT_FAILURES = _counter("allot_snapshot_failures_total", "Collections that failed: the older figures stay.")
SNAPSHOT_AGE = _gauge("allot_snapshot_age_seconds", "Age of the figures of the state at this scrape.")

#: In the order of this page.
ALL: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
