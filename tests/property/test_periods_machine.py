"""Months closed one after the other while word keeps coming, late and out of time: what is closed stays, errors are corrected.

Model: the ids of every closed month as they were when it was closed, and the journal. After every step each closed month
is proven again; at every moment all that was booked for a month, corrections included, is what the ledger says now, as far
as it was told before the last review.
"""

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from controller.workflows import periods
from inventory.domain.errors import Conflict
from metering import book_store, period_store
from metering.books import Books
from metering.charging import Charging
from metering.lines import Kind
from metering.rating import Month
from tests.support.billing import MAY_S, Billing, billing, finance
from tests.support.database import memory_database

DAY = 86_400
PROJECTS = ("P-portal", "P-gauges")
NAMES = ("inst_a", "inst_b", "inst_c")
Sums = dict[tuple[str, str, str], int]


class Months(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self._open = memory_database()
        self._folder = tempfile.TemporaryDirectory()
        self.city: Billing = billing(self._open.__enter__(), Path(self._folder.name))
        self.city.price()
        self.city.tell("inst_first", MAY_S, {"vcpu": 1})
        self.city.at(MAY_S + 10 * DAY)
        self.month = Month(2026, 5)
        self.closed: dict[str, tuple[str, list[bytes]]] = {}
        #: Whether something was told that no review has seen.
        self.is_news = False

    def teardown(self) -> None:
        self._open.__exit__(None, None, None)
        self._folder.cleanup()

    @rule(
        name=st.sampled_from(NAMES),
        back_days=st.integers(0, 70),
        seconds=st.integers(0, DAY),
        vcpu=st.integers(0, 6),
        memory=st.sampled_from((0, 1000, 4096)),
        state=st.sampled_from(("allocated", "running", "stopped", "lost")),
        project=st.sampled_from(PROJECTS),
        is_taken=st.booleans(),
    )
    def tell(
        self, name: str, back_days: int, seconds: int, vcpu: int, memory: int, state: str, project: str, is_taken: bool
    ) -> None:
        """A change now, or word of one from long ago, which the ledger may not have heard of yet."""
        history = self.city.told.get(name, [])
        if history and history[-1].state == "released":
            return
        # Never before the platform's first second: that month has no price.
        at_s = max(MAY_S, int(self.city.clock.now_s) - back_days * DAY - seconds)
        amounts = {"vcpu": vcpu, "memory_mib": memory} if vcpu else None
        if amounts is None and not history:
            return
        self.city.tell(name, at_s, amounts, state=state, project=project)
        if is_taken:
            self.city.at(self.city.clock.now_s)
        self.is_news = True

    @rule(days=st.integers(1, 20))
    def wait(self, days: int) -> None:
        self.city.at(self.city.clock.now_s + days * DAY)

    @precondition(lambda self: len(self.closed) < 3)
    @rule()
    def close(self) -> None:
        """Bring the next month to its end."""
        self.city.at(max(self.city.clock.now_s, periods.window(self.city.platform, str(self.month))["end_s"]))
        self.city.closed(str(self.month))
        period = periods.show(self.city.platform, str(self.month))
        self.closed[str(self.month)] = (period["seal"], self._ids(str(self.month)))
        self.month = self.month.next()
        self.is_news = False

    @precondition(lambda self: bool(self.closed))
    @rule()
    def try_to_close_again(self) -> None:
        for month in self.closed:
            for act in (periods.review, periods.close, periods.begin_closing):
                with pytest.raises(Conflict, match=r"period\.state_forbids"):
                    act(self.city.platform, month, finance("chen"))

    @invariant()
    def what_is_closed_stays_and_is_proven(self) -> None:
        for month, (seal, ids) in self.closed.items():
            assert periods.show(self.city.platform, month)["seal"] == seal
            assert self._ids(month) == ids
            proof = periods.verify(self.city.platform, month)
            assert proof["is_proven"], proof["faults"]

    @invariant()
    def what_is_booked_is_what_was_known(self) -> None:
        if self.is_news:
            return
        for month in self.closed:
            assert self._booked(month) == self._true(month), month

    def _ids(self, month: str) -> list[bytes]:
        with self.city.platform.db.read() as connection:
            return [line_id for line_id, _ in period_store.lines(connection, month)]

    def _booked(self, month: str) -> Sums:
        """What a month came to, corrections of it in later months included."""
        bounds = periods.window(self.city.platform, month)
        sums: Sums = {}
        with self.city.platform.db.read() as connection:
            for each in self.closed:
                for _, line in period_store.lines(connection, each):
                    is_correction = line.kind == Kind.CORRECTION
                    if (is_correction and line.start_s == bounds["start_s"]) or (not is_correction and each == month):
                        key = (line.department_id, line.resource_id, line.meter)
                        sums[key] = sums.get(key, 0) + line.micro_yuan
        return {key: micro for key, micro in sums.items() if micro}

    def _true(self, month: str) -> Sums:
        bounds = periods.window(self.city.platform, month)
        sums: Sums = {}
        with self.city.platform.db.read() as connection:
            books = Books(book_store.approved(connection))
            charging = Charging(books, month, bounds["start_s"], bounds["end_s"], bounds["end_s"])
            for line in charging.lines(period_store.usage(connection, bounds["start_s"], bounds["end_s"]), []):
                key = (line.department_id, line.resource_id, line.meter)
                sums[key] = sums.get(key, 0) + line.micro_yuan
        return {key: micro for key, micro in sums.items() if micro}


Months.TestCase.settings = settings(max_examples=12, stateful_step_count=12, deadline=None)
TestMonths = Months.TestCase
