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


def gauge(name: str, text: str, *labels: str) -> Metric:
    """Return a family of one value for each set of labels; public for endpoints of their own, which are not in ``ALL``."""
    return Metric(name, Kind.GAUGE, text, labels)


def _counter(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, Kind.COUNTER, text, labels)


def _histogram(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, Kind.HISTOGRAM, text, labels)


# -- capacity ----------------------------------------------------------------------------------------------------------
VCPU_CAPACITY = gauge("allot_vcpu_capacity", "Virtual CPUs that may be promised, overcommit applied.", "pool", "zone")
VCPU_CLAIMED = gauge("allot_vcpu_claimed", "Virtual CPUs promised to machines.", "pool", "zone")
VCPU_FOREIGN = gauge("allot_vcpu_foreign", "Virtual CPUs of guests the platform did not make.", "pool", "zone")
VCPU_FREE = gauge("allot_vcpu_free", "Virtual CPUs free on active and reachable hosts.", "pool", "zone")
MEMORY_CAPACITY = gauge("allot_memory_capacity_bytes", "Memory that may be promised, overcommit applied.", "pool", "zone")
MEMORY_CLAIMED = gauge("allot_memory_claimed_bytes", "Memory promised to machines.", "pool", "zone")
MEMORY_FOREIGN = gauge("allot_memory_foreign_bytes", "Memory of guests the platform did not make.", "pool", "zone")
MEMORY_FREE = gauge("allot_memory_free_bytes", "Memory free on active and reachable hosts.", "pool", "zone")
DISK_CAPACITY = gauge("allot_disk_capacity_bytes", "Disk that may be promised, overcommit applied.", "pool", "zone", "class")
DISK_CLAIMED = gauge("allot_disk_claimed_bytes", "Disk promised to root disks and volumes.", "pool", "zone", "class")
DISK_FOREIGN = gauge(
    "allot_disk_foreign_bytes",
    "Disk of what is in storage pools and not the platform's, as large as it may grow.",
    "pool",
    "zone",
    "class",
)
DISK_FREE = gauge("allot_disk_free_bytes", "Disk free on active and reachable hosts.", "pool", "zone", "class")
VCPU_OVER = gauge("allot_vcpu_over", "Virtual CPUs claimed and foreign beyond the capacity of their hosts.", "pool", "zone")
MEMORY_OVER = gauge("allot_memory_over_bytes", "Memory claimed and foreign beyond the capacity of its hosts.", "pool", "zone")
DISK_OVER = gauge(
    "allot_disk_over_bytes", "Disk claimed and foreign beyond the capacity of its storage pools.", "pool", "zone", "class"
)
_HELD = ("pool", "zone", "reason")
VCPU_HELD = gauge("allot_vcpu_held", "Virtual CPUs held: for the loss of a failure domain, or for reservations.", *_HELD)
MEMORY_HELD = gauge("allot_memory_held_bytes", "Memory held, by the same reasons.", *_HELD)
DISK_HELD = gauge("allot_disk_held_bytes", "Disk held, by the same reasons.", "pool", "zone", "class", "reason")
SIZE_FIT = gauge(
    "allot_size_fit",
    "Machines of a size that still fit, one by one (the 20 smallest sizes without dedicated processors, huge pages and traits).",
    "pool",
    "zone",
    "size",
)
SIZE_LOST = gauge(
    "allot_size_fragmentation_ratio",
    "Part of the machines that would fit if all that is free were one host, and do not fit on the hosts there are.",
    "pool",
    "zone",
    "size",
)
VCPU_STRANDED = gauge("allot_vcpu_stranded", "Virtual CPUs free on hosts that take none of these sizes.", "pool", "zone")
MEMORY_STRANDED = gauge("allot_memory_stranded_bytes", "Memory free on hosts that take none of these sizes.", "pool", "zone")
RESERVE_HOSTS = gauge("allot_reserve_hosts", "Hosts that stand by for the loss of a failure domain.", "pool")
RESERVE_UNCOVERED = gauge(
    "allot_reserve_uncovered_domains", "Failure domains of a pool with a reserve whose loss might not be survived now.", "pool"
)
RESERVATIONS = gauge("allot_reservations", "Reservations: to come, open to tickets, or over their deadline.", "state")
RESERVED_MACHINES = gauge("allot_reservation_machines", "Machines that living reservations are still for.", "zone")
RESERVED_ASTRAY = gauge(
    "allot_reservation_astray_machines",
    "Machines of reservations whose host is out of service, overfull or has to stand by, and that have no other place yet.",
    "zone",
)
HOSTS = gauge("allot_hosts", "Hosts by what is wanted and what was seen.", "pool", "zone", "admin_state", "reachability")
HOST_UNREACHABLE = gauge(
    "allot_host_unreachable", "1 for each host in service that does not answer (at most 200 are named).", "host", "pool", "zone"
)
HOST_STATE_OVERDUE = gauge(
    "allot_host_state_overdue_seconds",
    "How long a host is in its admin state past the time that was said for it; the 200 longest.",
    "host",
    "pool",
    "zone",
    "admin_state",
)

# -- what departments have ---------------------------------------------------------------------------------------------
INSTANCES = gauge("allot_instances", "Living machines.", "zone", "pool", "phase", "observed")
INSTANCES_FAILED = gauge(
    "allot_instances_failed",
    "Living machines the platform has not got as they are wanted: failed, or lost by their back end; 0: none.",
    "zone",
    "pool",
)
VOLUMES = gauge("allot_volumes", "Living data disks.", "zone", "pool", "phase")
SEGMENTS = gauge("allot_segments", "Living department networks on hosts.", "zone", "pool", "phase")
ADDRESSES = gauge("allot_addresses", "Addresses of a zone: given, resting after release, or free.", "zone", "state")
SUBNETS = gauge("allot_subnets", "Subnets of a zone's range: given to a segment, or free.", "zone", "state")
QUOTA_USED_RATIO = gauge(
    "allot_quota_used_ratio",
    "Used part of a department's limit; 1 is full; the 200 fullest.",
    "department",
    "dimension",
)
QUOTA_HIDDEN = gauge("allot_quota_departments_hidden", "Departments with a limit that are not among the fullest.")
_DEPARTMENT = ("department", "zone")
DEPARTMENT_VCPU = gauge(
    "allot_department_vcpu_claimed", "Virtual CPUs promised to a department in a zone; the 200 largest departments.", *_DEPARTMENT
)
DEPARTMENT_MEMORY = gauge(
    "allot_department_memory_claimed_bytes", "Memory promised to a department in a zone; of the same departments.", *_DEPARTMENT
)
DEPARTMENT_DISK = gauge(
    "allot_department_disk_claimed_bytes",
    "Disk promised to a department in a zone; of the same departments.",
    *_DEPARTMENT,
    "class",
)
VCPU_USED_RATIO = gauge(
    "allot_vcpu_used_ratio",
    "Processor time a department's machines in a zone used, by what they were allocated: today and yesterday, as sampled.",
    *_DEPARTMENT,
)
MEMORY_USED_RATIO = gauge(
    "allot_memory_used_ratio", "The same of memory; none where back ends do not tell what guests use.", *_DEPARTMENT
)
LEASES_ENDING = gauge("allot_leases_ending", "Systems whose lease is over (expired), or ends within 7d or 30d.", "within")

# -- the queue ---------------------------------------------------------------------------------------------------------
TICKETS = gauge("allot_tickets", "Tickets by state.", "state")
TICKET_OLDEST_AGE = gauge(
    "allot_ticket_oldest_age_seconds", "Age of the oldest ticket that is not over, since accepted (else handed in).", "state"
)
JOURNAL_LAG = gauge("allot_journal_lag_seconds", "Age of the oldest accepted wish that is not reached; 0: all are.")
JOURNAL_ROWS = _counter("allot_journal_rows_total", "Rows of the journal.")
HOLDS = gauge("allot_holds", "Rights to act on a resource: held now, or expired and not taken over.", "state")
FINDINGS_OPEN = gauge(
    "allot_findings_open", "What was found and is not settled: drift, orphans, hosts past the time of their state.", "kind"
)
FINDINGS_OLDEST_AGE = gauge("allot_findings_oldest_age_seconds", "Age of the oldest open finding.", "kind")
COMMIT_GROUPS = _counter("allot_commit_groups_total", "Groups of tickets this controller decided; a lone ticket is a group.")
COMMIT_GROUPS_BROKEN = _counter(
    "allot_commit_groups_broken_total", "Groups that met something unforeseen: their tickets were decided one by one."
)
COMMIT_SHARED = _counter("allot_commit_tickets_shared_total", "Tickets decided in one transaction with others.")
PLANS_REJECTED = _counter(
    "allot_plans_rejected_total", "Plans the commit rejected because a host had no room any more (at most 200 are named).", "host"
)
AUDIT_EVENTS = _counter("allot_audit_events_total", "Length of the audit chain.")

# -- the reconciler ----------------------------------------------------------------------------------------------------
TICKS = _counter("allot_reconcile_ticks_total", "Rounds of the loop.")
COMMITS = _counter("allot_reconcile_commits_total", "Transactions of the loop.")
CLAIMED = _counter("allot_reconcile_claimed_total", "Resources taken to be worked on.")
IN_FLIGHT = gauge("allot_reconcile_in_flight", "Resources being worked on.")
STATE_ERRORS = _counter("allot_reconcile_state_errors_total", "Transactions the database refused for now.")
BUGS = _counter("allot_reconcile_bugs_total", "Exceptions that nobody expected.")
STEP_DURATION = _histogram("allot_reconcile_step_duration_seconds", "Duration of one step of a workflow.", "step")
PROBLEMS = _counter("allot_reconcile_problems_total", "Problems steps met.", "code")
ENDINGS = _counter("allot_reconcile_endings_total", "Resources settled, gone, failed.", "ending")
OBSERVATIONS = _counter("allot_reconcile_observations_total", "Looks at a whole host.", "result")
DRIFT = _counter("allot_reconcile_drift_total", "Drift met while looking.", "kind")
FENCINGS = _counter(
    "allot_host_fencing_total", "Attempts to cut the power of a host that does not answer: confirmed, failed, outdated.", "result"
)
HOSTS_LOST = _counter("allot_hosts_lost_total", "Hosts given up without a person's word.")
LOSS_HELD_BACK = gauge(
    "allot_host_loss_held_back", "Pools with a host to be given up in which too many are silent at once: none is."
)
HOLDS_LOST = _counter("allot_holds_lost_total", "Holds another worker took over.")
HOLDS_EXTENDED = _counter("allot_holds_extended_total", "Holds kept for longer.")
STALE_FENCES = _counter("allot_stale_fences_total", "Writes and verbs refused because a newer hold had acted.")
INVARIANT_VIOLATIONS = gauge("allot_invariant_violations", "Broken invariants at the last audit.")
INVARIANTS_AUDITED = gauge("allot_invariants_audited_timestamp_seconds", "When the invariants were audited last; 0: not yet.")

# -- the ledger of usage -----------------------------------------------------------------------------------------------
LEDGER_DUE = gauge("allot_ledger_due_rows", "Rows of the journal the ledger of usage has not taken yet.")
LEDGER_OLDEST_DUE = gauge(
    "allot_ledger_oldest_due_age_seconds", "Age of the oldest row of the journal the ledger has not taken; 0: none is due."
)
LEDGER_TAKEN = _counter("allot_ledger_taken_rows_total", "Rows of the journal this controller took into the ledger.")
LEDGER_DIFFERENCES = gauge("allot_ledger_differences", "Resources whose ledger differs from the journal, at the last comparison.")
METERING_UNEXPLAINED = gauge(
    "allot_metering_unexplained", "Resources metered otherwise than they are claimed or seen, twice in a row."
)
LEDGER_COMPARED = gauge(
    "allot_ledger_compared_timestamp_seconds", "When this controller compared the ledger last, or began to count; 0: not yet."
)
SEAL_FAULTS = gauge(
    "allot_ledger_seal_faults", "Closed months whose stored lines are not what was sealed, at the last nightly check."
)
SEALS_CHECKED = gauge("allot_ledger_seal_verified_timestamp_seconds", "When this controller checked seals last; 0: not yet.")
SAMPLED_HOSTS = _counter("allot_sampled_hosts_total", "Times a host was asked what its machines use.", "result")
SAMPLES = _counter(
    "allot_samples_total", "Samples of machines worked into their days, or ignored: late, again, of nobody.", "result"
)

# -- money: for alerts and dashboards; statements are the figures of record -----------------------------------------------
SPEND = gauge("allot_spend_yuan", "What the current month has come to so far; the 200 dearest departments.", "department")
SPEND_DATED = gauge("allot_spend_timestamp_seconds", "Up to when the spend is told; 0: not told.")
PRICE_GAP = gauge(
    "allot_metering_price_gap", "1 where something used in the current month has no approved price: no spend is told."
)
MONTHS_UNCLOSED = gauge("allot_periods_unclosed", "Months that are over and not closed.")
CLOSED_UNTIL = gauge("allot_period_closed_until_timestamp_seconds", "The end of the last closed month; 0: none is.")
BUDGET_SPENT = gauge(
    "allot_budget_spent_ratio",
    "Spent part of a department's fullest budget of this year; 1 is all; the 200 fullest.",
    "department",
)
BUDGET_OBLIGATED = gauge(
    "allot_budget_obligated_ratio",
    "The same with what is held until the end of the year; above 1 it will not be enough.",
    "department",
)

# -- back ends ---------------------------------------------------------------------------------------------------------
DRIVER_CALLS = _counter("allot_driver_calls_total", "Calls to back ends.", "pool", "verb")
DRIVER_FAULTS = _counter("allot_driver_faults_total", "Calls to back ends that failed.", "pool", "kind")
DRIVER_HUNG = _counter("allot_driver_hung_calls_total", "Calls that outlived their deadline and were given up.")
BREAKER_OPEN = gauge("allot_driver_breaker_open", "Hosts this controller leaves alone because they failed in a row.", "pool")
EVENTS_UNHEARD = gauge(
    "allot_driver_events_unheard",
    "Hosts that are only looked at from time to time: the broker named for them is not heard.",
    "pool",
)

# -- the service itself ------------------------------------------------------------------------------------------------
STATE_WRITE_DURATION = _histogram(
    "allot_state_write_duration_seconds", "Duration of committed write transactions, waiting for the turn included."
)
HTTP_REQUESTS = _counter("allot_http_requests_total", "Requests answered.", "method", "route", "status")
HTTP_DURATION = _histogram("allot_http_request_duration_seconds", "Duration of requests.", "method", "route")
BUILD_INFO = gauge("allot_build_info", "1, with the version and the kind of state.", "version", "state")
SNAPSHOT_TIMESTAMP = gauge("allot_snapshot_timestamp_seconds", "When the figures of the state were collected; 0: not yet.")
SNAPSHOT_DURATION = gauge("allot_snapshot_duration_seconds", "How long collecting them took.")
SNAPSHOT_FAILURES = _counter("allot_snapshot_failures_total", "Collections that failed: the older figures stay.")
SNAPSHOT_AGE = gauge("allot_snapshot_age_seconds", "Age of the figures of the state at this scrape.")

#: In the order of this page.
ALL: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
