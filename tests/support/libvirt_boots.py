"""How often somebody reset a machine on a real host, by QEMU's own events in the order QEMU told them.

libvirt's event of a reboot comes from a worker of its own, some time after the fact; the raw ones are passed on as they come.
"""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import libvirt_qemu

from inventory.domain.ids import ResourceId
from tests.support.libvirt_host import behind

_TOLD_TIMEOUT_S = 60.0


class BootCounts:
    """Counts the resets from outside of every machine of a host while its connection lives."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._told = threading.Condition()
        self._seen: Counter[tuple[str, str]] = Counter()
        for event in ("RESET", "STOP"):
            libvirt_qemu.qemuMonitorEventRegister(connection, None, event, self._on_event, None)

    def of(self, instance_id: ResourceId) -> int:
        """Return how often a running machine was reset so far.

        It is held for a moment first: once that has been told, so has everything before it.
        """
        domain = self._connection.lookupByName(instance_id)
        with self._told:
            before = self._seen[instance_id, "STOP"]
        domain.suspend()
        domain.resume()
        with self._told:
            assert self._told.wait_for(lambda: self._seen[instance_id, "STOP"] > before, _TOLD_TIMEOUT_S), "QEMU tells nothing"
            return self._seen[instance_id, "RESET"]

    def _on_event(self, _connection: Any, domain: Any, event: str, _s: int, _us: int, details: str | None, _opaque: Any) -> None:
        # Firmware that is reset early resets once more by itself.
        if event == "RESET" and json.loads(details or "{}").get("guest", False):
            return
        with self._told:
            self._seen[domain.name(), event] += 1
            self._told.notify_all()


@contextmanager
def boot_counts(uri: str) -> Iterator[BootCounts]:
    """Count on a host for a while."""
    with behind(uri) as connection:
        yield BootCounts(connection)
