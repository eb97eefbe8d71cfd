"""What the reconciler counts; the metrics room exports it. Plain numbers, written by the loop thread only."""

from dataclasses import dataclass, field

#: Upper bounds of the step latency buckets, in seconds; the last one is infinite.
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, float("inf"))


@dataclass(slots=True)
class Histogram:
    """A latency histogram: one count per bucket, not cumulative."""

    counts: list[int] = field(default_factory=lambda: [0] * len(BUCKETS_S))
    sum_s: float = 0.0
    count: int = 0

    def observe(self, value_s: float) -> None:
        """Count one value."""
        self.sum_s += value_s
        self.count += 1
        for index, bound in enumerate(BUCKETS_S):
            if value_s <= bound:
                self.counts[index] += 1
                return


@dataclass(slots=True)
class ReconcileCounters:
    """Numbers since the process started."""

    ticks: int = 0
    commits: int = 0
    state_errors: int = 0
    claimed: int = 0
    #: By step name.
    steps: dict[str, Histogram] = field(default_factory=dict)
    #: By code of the problem.
    problems: dict[str, int] = field(default_factory=dict)
    #: By ending (settled, gone …), and ``failed``.
    endings: dict[str, int] = field(default_factory=dict)
    holds_lost: int = 0
    holds_extended: int = 0
    stale_fences: int = 0
    hung_calls: int = 0
    observations: int = 0
    observations_failed: int = 0
    #: By kind.
    drift: dict[str, int] = field(default_factory=dict)
    hosts_unreachable: int = 0
    #: Hosts whose breaker is open, by pool id; replaced, never changed.
    cut_by_pool: dict[str, int] = field(default_factory=dict)
    #: Hosts whose events are to be heard and are not, by pool id; replaced, never changed.
    unheard_by_pool: dict[str, int] = field(default_factory=dict)
    #: Attempts to cut the power of a host that does not answer, by result: confirmed, failed, outdated.
    fencings: dict[str, int] = field(default_factory=dict)
    #: Hosts given up without a person's word.
    hosts_lost: int = 0
    #: Pools in which more hosts are silent than may be given up.
    loss_held_back: int = 0
    in_flight: int = 0
    #: Violations at the last audit, and when it was (epoch s).
    violations: int = 0
    audited_at_s: float = 0.0
    #: Exceptions that are bugs of ours.
    bugs: int = 0

    def step(self, name: str, took_s: float) -> None:
        """Count one step."""
        self.steps.setdefault(name, Histogram()).observe(took_s)

    def add(self, table: dict[str, int], key: str) -> None:
        """Count one up in a table of this object."""
        table[key] = table.get(key, 0) + 1
