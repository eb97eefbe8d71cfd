"""What Nova's diagnostics tell of a machine: processor time and bytes of its cards. One call each, so that they take turns.

Nova asks the hypervisor for each; a region is asked no more often in a second than its settings say, by all its hosts together.
Counters only grow while a machine runs, so that one that was not asked this time has lost nothing: the next answer holds it.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from openstack import exceptions as sdk_errors

from drivers.faults import Permanent, Transient
from drivers.openstack.calls import Calls
from drivers.openstack.mapping import ServerReading, state_of
from drivers.protocol import InstanceStats
from inventory.domain.ids import ResourceId
from inventory.domain.resource import Observed

#: Nova's first version in which answers are the same whatever hypervisor gives them.
STANDARD = "2.48"
#: Longest a host's machines are asked in one go, and one of them is waited for: together well below the bound of a look.
TURN_S = 5.0
CALL_S = 4.0
#: A region or hypervisor that refuses is asked again after a day.
REFUSED_FOR_S = 86_400.0
#: Of a machine that stopped, or went, since it was listed.
_NOT_NOW = frozenset({400, 404, 409})
_FORBIDDEN, _NOT_OFFERED = 403, 501
#: Stands for the region.
_EVERYWHERE = ""


class Diagnostics:
    """Whose turn it is in one region, and who refuses. Any thread may call."""

    def __init__(
        self,
        sdk: Any,
        calls: Calls,
        *,
        per_s: float,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sdk, self._calls, self._per_s = sdk, calls, per_s
        self._monotonic, self._pause = monotonic, pause
        self._lock = threading.Lock()
        self._next_at = float("-inf")
        #: When each machine was asked last, by the region's id.
        self._asked_at: dict[str, float] = {}
        #: Until when nobody is asked, by hypervisor; of the region under the empty name.
        self._refused_until: dict[str, float] = {}

    def is_offered(self, hypervisor: str) -> bool:
        """Tell whether machines of a hypervisor (of any, where none is named) may be asked for."""
        now = self._monotonic()
        refused = (self._refused_until.get(name, now) for name in (_EVERYWHERE, hypervisor))
        return self._per_s > 0 and all(until <= now for until in refused)

    def of(self, servers: Iterable[ServerReading]) -> list[InstanceStats]:
        """Return the counters of those of these machines whose turn it is: who was not asked for longest comes first.

        Raises:
            Permanent: ``openstack.diagnostics_refused``: once for a region or hypervisor and day.
            Transient: Nova does not answer, for none of them.
        """
        end = self._monotonic() + TURN_S
        found: list[InstanceStats] = []
        for server in self._in_turn(servers):
            if not self.is_offered(server.hypervisor) or not self._has_slot(end):
                continue
            try:
                told = self._ask(server)
            except Transient:
                if not found:
                    raise
                # What was told is worth more than to say that it was not all.
                break
            if told is not None:
                found.append(told)
        return found

    def _in_turn(self, servers: Iterable[ServerReading]) -> Sequence[ServerReading]:
        running = [s for s in servers if s.mark is not None and state_of(s) is Observed.RUNNING and s.is_at_rest]
        with self._lock:
            return sorted(running, key=lambda s: (self._asked_at.get(s.server_id, float("-inf")), s.server_id))

    def forget_all_but(self, server_ids: Iterable[str]) -> None:
        """Forget the turns of machines that are gone."""
        with self._lock:
            self._asked_at = {i: at for i in server_ids if (at := self._asked_at.get(i)) is not None}

    def _has_slot(self, end: float) -> bool:
        """Wait for the next moment in which a call may be made; False where it comes too late."""
        with self._lock:
            now = self._monotonic()
            at = max(now, self._next_at)
            if at > end:
                return False
            self._next_at = at + 1 / self._per_s
        if at > now:
            self._pause(at - now)
        return True

    def _ask(self, server: ServerReading) -> InstanceStats | None:
        with self._lock:
            self._asked_at[server.server_id] = self._monotonic()
        body = self._calls.once("diagnostics", lambda: self._answered(server))
        return None if body is None or server.mark is None else stats_of(ResourceId(server.mark.resource_id), body)

    def _answered(self, server: ServerReading) -> Mapping[str, Any] | None:
        answer = self._sdk.compute.get(f"/servers/{server.server_id}/diagnostics", microversion=STANDARD, timeout=CALL_S)
        if answer.status_code in _NOT_NOW:
            return None
        if answer.status_code in (_FORBIDDEN, _NOT_OFFERED):
            where = _EVERYWHERE if answer.status_code == _FORBIDDEN else server.hypervisor
            self._refused_until[where] = self._monotonic() + REFUSED_FOR_S
            name = where or self._calls.connection
            raise Permanent("openstack.diagnostics_refused", internal=answer.text[:500], name=name, status=answer.status_code)
        sdk_errors.raise_from_response(answer)
        body: Mapping[str, Any] = answer.json()
        return body


def stats_of(instance_id: ResourceId, body: Mapping[str, Any]) -> InstanceStats:
    """Read Nova's answer; what the hypervisor does not tell is not known. Memory is what it was given, not what it uses. Pure."""
    cards, disks = body.get("nic_details") or (), body.get("disk_details") or ()
    return InstanceStats(
        instance_id=instance_id,
        cpu_time_ns=_sum(body.get("cpu_details") or (), "time"),
        disk_read_bytes=_sum(disks, "read_bytes"),
        disk_written_bytes=_sum(disks, "write_bytes"),
        network_received_bytes=_sum(cards, "rx_octets"),
        network_sent_bytes=_sum(cards, "tx_octets"),
    )


def _sum(parts: Sequence[Mapping[str, Any]], name: str) -> int | None:
    """Return the sum over all parts; None where one does not tell, or there is none."""
    values = [part.get(name) for part in parts]
    return sum(int(v) for v in values if v is not None) if values and None not in values else None
