"""The stored ledger under any delivery: late, twice, out of order, in any portions, rebuilt: always what the journal says.

The database is SQLite in memory with its own guard against overlap. The oracle is ``metering.intervals`` over the whole
journal, which knows nothing of portions.
"""

from collections.abc import Mapping

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import delete, insert

from inventory.domain.journal import JournalRow
from inventory.domain.scope import PLATFORM
from inventory.store import journal
from inventory.store import tables as t
from inventory.store.engine import Database
from metering import ledger_store
from metering.intervals import intervals
from metering.ledger_tables import intervals as table
from metering.ledger_tables import positions
from tests.support.database import memory_database
from tests.support.journal import row

HORIZON_S = 1 << 40
RESOURCES = ("inst_a", "inst_b", "vol_c")
AMOUNTS = st.dictionaries(st.sampled_from(("vcpu", "memory_mib", "disk_gib:standard")), st.integers(0, 9), min_size=1)
Key = tuple[str, str, int, int, int, str, int]


class Ledger(RuleBasedStateMachine):
    """Model: the rows that were told, and which of them the ledger may know of."""

    def __init__(self) -> None:
        super().__init__()
        self._open = memory_database()
        self.database: Database = self._open.__enter__()
        self.told: dict[str, list[JournalRow]] = {name: [] for name in RESOURCES}
        #: Written to the journal, and held back from the ledger: delivery that is late.
        self.withheld: list[tuple[str, int]] = []
        self.now_s = 1_000

    def teardown(self) -> None:
        self._open.__exit__(None, None, None)

    @initialize()
    def empty(self) -> None:
        with self.database.write() as connection:
            for each in (table, positions, t.journal_due):
                connection.execute(delete(each))

    @rule(
        name=st.sampled_from(RESOURCES),
        amounts=AMOUNTS,
        step_s=st.integers(-500, 5_000),
        is_last=st.booleans(),
        late=st.booleans(),
        state=st.sampled_from(("allocated", "running", "stopped", "lost")),
    )
    def tell(self, name: str, amounts: Mapping[str, int], step_s: int, is_last: bool, late: bool, state: str) -> None:
        """A change of a resource; the clock may jump back, the word of it may come late."""
        history = self.told[name]
        if history and history[-1].state == "released":
            return
        self.now_s = max(0, self.now_s + step_s)
        ended = is_last and bool(history)
        shown, held = ("released", {}) if ended else (state, amounts)
        one = row(len(history) + 1, resource=name, state=shown, occurred_at_s=self.now_s, amounts=held)
        history.append(one)
        with self.database.write() as connection:
            journal.append(connection, [one])
            if late:
                due = t.journal_due.c
                connection.execute(delete(t.journal_due).where(due.resource_id == name, due.revision == one.revision))
                self.withheld.append((name, one.revision))

    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        """Something that was held back arrives, in any order."""
        if self.withheld:
            name, revision = self.withheld.pop(data.draw(st.integers(0, len(self.withheld) - 1)))
            self._due(name, revision)

    @rule(name=st.sampled_from(RESOURCES), number=st.integers(1, 6))
    def deliver_again(self, name: str, number: int) -> None:
        """Tell once more what the ledger already took."""
        taken = self._taken(name)
        if number <= taken:
            self._due(name, number)

    @rule(most=st.integers(1, 3))
    def take_some(self, most: int) -> None:
        with self.database.write() as connection:
            ledger_store.take(connection, most_count=most)

    @rule(most=st.integers(1, 3))
    def die_while_taking(self, most: int) -> None:
        """Nothing of a transaction that was not committed stays."""
        with self.database.read() as connection:
            ledger_store.take(connection, most_count=most)

    @rule()
    def rebuild(self) -> None:
        with self.database.write() as connection:
            ledger_store.rebuild(connection)
        self.withheld.clear()

    @invariant()
    def the_ledger_is_what_the_rows_it_took_say(self) -> None:
        with self.database.read() as connection:
            stored = ledger_store.page(connection, PLATFORM, limit=10_000)
            comparison = ledger_store.compare(connection)
        found: list[Key] = [
            (i.resource_id, i.meter, i.start_s, i.end_s or HORIZON_S, i.amount, i.state, i.opened_by) for i in stored
        ]
        rows = [r for name in RESOURCES for r in self.told[name][: self._taken(name)]]
        wanted: list[Key] = [
            (i.resource_id, i.meter, i.start_s, i.end_s, i.amount, i.state, i.opened_by) for i in intervals(rows, 0, HORIZON_S)
        ]
        assert found == sorted(wanted)
        lost = {(d.resource_id, d.why.code, d.why.params["revision"]) for d in comparison.differences}
        assert lost == {(name, "fault.not_due", revision) for name, revision in self.withheld}

    def _taken(self, name: str) -> int:
        with self.database.read() as connection:
            found = connection.execute(positions.select().where(positions.c.resource_id == name)).one_or_none()
        return found.revision if found else 0

    def _due(self, name: str, revision: int) -> None:
        with self.database.write() as connection:
            known = t.journal_due.c
            connection.execute(delete(t.journal_due).where(known.resource_id == name, known.revision == revision))
            connection.execute(insert(t.journal_due).values(resource_id=name, revision=revision))


Ledger.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestLedger = Ledger.TestCase
