"""What a controller counts of its commits: groups, and plans the database rejected, by host. Read by the metrics."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from controller.workflows.commit import Stale


@dataclass(slots=True)
class PlacingCounters:
    """Written by whoever has the turn, rejected plans by others too; read by any thread."""

    groups: int = 0
    #: Groups that met something unforeseen: each of their tickets was decided again by itself.
    groups_broken: int = 0
    #: Tickets that were decided in a transaction with others.
    shared: int = 0
    #: Plans rejected at the commit, by name of the host that had no room any more.
    rejected_by_host: dict[str, int] = field(default_factory=dict)
    _guard: Lock = field(default_factory=Lock, repr=False, compare=False)

    def rejected(self, stale: Stale, host_name: Callable[[str], str]) -> None:
        """Count a plan that was made on an old picture, once for each host that refused it.

        ``host_name``: the host of a provider of capacity, empty where nobody knows.
        """
        for host in {host_name(provider_id) for provider_id, _ in stale.refused}:
            with self._guard:
                self.rejected_by_host[host] = self.rejected_by_host.get(host, 0) + 1
