"""A month of some thousand lines behind the API, and work on it that is held where a test wants to look at it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from controller.workflows import periods
from inventory.store import journal
from metering import period_store
from tests.support.api import Service
from tests.support.billing import GRACE_S, JUNE_S, MAY_S, Billing, finance
from tests.support.journal import row

MONTH = "2026-05"
#: Machines of each project; every one comes to four lines.
MACHINES = {"P-mail": 150, "P-portal": 350, "P-gauges": 200}
LINES = 4 * sum(MACHINES.values())
#: Longest something is waited for that is sure to come.
PATIENCE_S = 120.0
_AMOUNTS = {"vcpu": 1, "memory_mib": 1024, "disk_gib:standard": 10, "address": 1}
#: Each department pays the same, so that lines and intervals are one and the same number.
_BOOK = """\
apiVersion: allotment/v1
kind: PriceBook
name: city
valid-from: 2026-01-01
prices:
  - {meter: vcpu, unit: vcpu-hour, price: "0.0764"}
  - {meter: memory_gib, unit: GiB-hour, price: "0.0389"}
  - {meter: disk_gib:standard, unit: GiB-hour, price: "0.0007"}
  - {meter: address, unit: address-hour, price: "0.003"}
"""


def large_month(service: Service) -> Billing:
    """Use 700 machines of three departments in May, and begin to close it."""
    found = Billing(service.platform, service.clock, service.city)
    found.clock.now_s = MAY_S
    found.price(_BOOK)
    rows = [
        row(
            1, resource=f"inst_{project}-{number}", occurred_at_s=MAY_S + number, amounts=_AMOUNTS,
            department=service.city.projects[project].department_id, project=service.city.projects[project].id,
        )
        for project, count in MACHINES.items() for number in range(count)
    ]  # fmt: skip
    with found.platform.db.write() as connection:
        journal.append(connection, rows)
    found.at(JUNE_S + 60)
    periods.begin_closing(found.platform, MONTH, finance("wang"))
    found.at(JUNE_S + GRACE_S)
    return found


class Gate:
    """Stops work each time before it writes the lines of a department, until it is let on."""

    def __init__(self) -> None:
        self._came, self._go = threading.Semaphore(0), threading.Semaphore(0)

    def wait(self) -> None:
        """Wait until the work stands before the gate."""
        assert self._came.acquire(timeout=PATIENCE_S), "the work never came to the gate"

    def let_on(self, times: int = 1) -> None:
        """Let it write."""
        self._go.release(times)

    def pass_(self) -> None:
        """Come to the gate, as the work."""
        self._came.release()
        assert self._go.acquire(timeout=PATIENCE_S), "nobody opened the gate"


@contextmanager
def held_at_writing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Hold whatever writes lines of a month; nobody stands before a closed gate afterwards."""
    gate, write = Gate(), period_store.add_lines

    def held(*means: Any) -> None:
        gate.pass_()
        write(*means)

    monkeypatch.setattr(period_store, "add_lines", held)
    try:
        yield gate
    finally:
        gate.let_on(100)
