"""The nightly check of seals: nothing where nothing was touched, and whatever was touched with every right is told of."""

from pathlib import Path

import pytest
from sqlalchemy import text

from controller.reconcile.ledger import LedgerKeeper
from controller.workflows import periods, seals
from inventory.store.engine import Database
from tests.support.billing import JULY_S, JUNE_S, MAY_S, Billing, billing, finance

NIGHT_S = 86_400


@pytest.fixture
def city(database: Database, tmp_path: Path) -> Billing:
    """Two closed months, the first acknowledged by its department."""
    found = billing(database, tmp_path)
    found.price()
    found.tell("inst_a", MAY_S + 3733, {"vcpu": 4, "memory_mib": 2048})
    found.tell("inst_b", MAY_S + 9999, {"vcpu": 2}, project="P-gauges")
    found.at(JUNE_S + 60)
    found.closed("2026-05")
    periods.acknowledge(found.platform, "2026-05", found.city.departments["civil-it"].id, finance("li"))
    found.at(JULY_S + 60)
    found.closed("2026-06")
    return found


def forge(city: Billing, statement: str) -> None:
    """Change what is closed, as somebody with every right could."""
    with city.platform.db.write() as connection:
        if city.platform.db.is_sqlite:
            names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
            for name in names:
                connection.execute(text(f"DROP TRIGGER {name}"))
        else:
            for table in ("line_blocks", "statements", "statement_rows", "periods"):
                connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
        connection.execute(text(statement))


def test_months_nobody_touched_are_what_was_sealed(city: Billing) -> None:
    assert seals.check_all(city.platform, 0) == {}


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE statements SET fen = fen + 1 WHERE period_id = '2026-05'", "fault.statement_differs"),
        ("UPDATE statement_rows SET budget_code = 'X' WHERE period_id = '2026-05'", "fault.statement_differs"),
        ("DELETE FROM statement_rows WHERE period_id = '2026-05'", "fault.statement_differs"),
        ("DELETE FROM line_blocks WHERE period_id = '2026-05'", "fault.statement_differs"),
        ("UPDATE line_blocks SET body = ids WHERE period_id = '2026-05'", "fault.lines_unreadable"),
        ("UPDATE statements SET seal = 'forged' WHERE period_id = '2026-05'", "fault.statement_differs"),
        ("UPDATE periods SET seal = 'forged' WHERE id = '2026-05'", "fault.stored_seal_differs"),
        ("UPDATE periods SET zone = 'UTC' WHERE id = '2026-05'", "fault.stored_seal_differs"),
    ],
)
def test_what_was_forged_is_told_of(city: Billing, statement: str, fault: str) -> None:
    forge(city, statement)
    found = seals.check_all(city.platform, 0)
    assert list(found) == ["2026-05"]
    assert found["2026-05"].code == fault


def test_the_keeper_checks_every_night_and_counts(city: Billing) -> None:
    keeper = LedgerKeeper(platform=city.platform, interval_s=5, compare_interval_s=NIGHT_S)
    keeper.tick()
    assert keeper.counters.seals_checked_at_s == 0
    city.at(city.clock.now_s + NIGHT_S)
    keeper.tick()
    assert (keeper.counters.seals_checked_at_s, keeper.counters.seal_fault_count) == (city.clock.now_s, 0)
    forge(city, "UPDATE line_blocks SET line_count = 7 WHERE period_id = '2026-06'")
    city.at(city.clock.now_s + NIGHT_S)
    keeper.tick()
    assert keeper.counters.seal_fault_count == 1


def test_the_newest_months_have_their_turn_every_night_and_all_others_one_by_one() -> None:
    closed = [{"id": f"month-{n}"} for n in range(7)]
    nights = [[p["id"] for p in seals.chosen(closed, night)] for night in range(5)]
    assert all(turn[1:] == ["month-5", "month-6"] for turn in nights)
    assert sorted(turn[0] for turn in nights) == [f"month-{n}" for n in range(5)]
    assert seals.chosen(closed[:2], 3) == closed[:2]
    assert seals.chosen([], 3) == []
