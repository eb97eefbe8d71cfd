"""What decides what a month comes to waits for a review under way: else it would be rated by one and proven by another word."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from controller.workflows import corrections, price_books
from inventory.domain.errors import AllotError
from inventory.store.engine import Database
from metering import ledger_store, period_store
from tests.support.billing import BOOK, JUNE_S, MAY_S, Billing, billing, finance

pytestmark = pytest.mark.postgres
_HERE = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
_WAITING = text(f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND {_HERE}")


def _city(database: Database, folder: Path) -> Billing:
    city = billing(database, folder)
    city.price()
    city.tell("inst_a", MAY_S, {"vcpu": 1})
    city.at(JUNE_S + 60)
    return city


def _book(city: Billing) -> Callable[[], object]:
    [old] = price_books.listed(city.platform, limit=5, after="")
    later = BOOK.replace("valid-from: 2026-01-01", f"valid-from: 2026-06-10\nreplaces: {old['id']}")
    later = later.replace("from: 2026-01-01, to", "from: 2026-06-10, to")
    id_ = str(price_books.submit(city.platform, later.encode(), finance("wang"))["id"])
    price_books.decide(city.platform, id_, finance("li"), "approved", "checked")
    return lambda: price_books.decide(city.platform, id_, finance("zhao"), "approved", "checked")


def _entry(city: Billing) -> Callable[[], object]:
    return lambda: _entered(city)


def _entered(city: Billing) -> str:
    return price_books.enter(
        city.platform, finance("wang"), project="P-portal", meter="service:move", amount=1, start_s=JUNE_S, end_s=None, reason="x"
    ).id


def _agreed_entry(city: Billing) -> Callable[[], object]:
    id_ = _entered(city)
    return lambda: price_books.decide_entry(city.platform, id_, finance("li"), "approved")


def _adjustment(city: Billing) -> Callable[[], object]:
    city.closed("2026-05")
    with city.platform.db.read() as connection:
        line_id = next(iter(period_store.lines(connection, "2026-05")))[0]
    id_ = corrections.adjust(city.platform, line_id.hex(), "-1", "twice", finance("wang")).id
    return lambda: corrections.decide(city.platform, id_, finance("li"), "approved")


@pytest.mark.parametrize("prepared", [_book, _entry, _agreed_entry, _adjustment])
def test_it_waits_until_the_review_is_over(
    postgres_database: Database, tmp_path: Path, prepared: Callable[[Billing], Callable[[], object]]
) -> None:
    act = prepared(_city(postgres_database, tmp_path))
    done: list[object] = []

    def attempt() -> None:
        try:
            done.append(act())
        except AllotError as error:
            done.append(error)

    thread = threading.Thread(target=attempt, name="decision")
    with postgres_database.write() as connection:
        # As a review has it for all of its transaction.
        ledger_store.lock(connection)
        thread.start()
        while thread.is_alive() and not connection.execute(_WAITING).scalar_one():
            thread.join(0.01)
        was_waiting = not done
    thread.join(30)
    assert was_waiting, done
    assert len(done) == 1
    assert not isinstance(done[0], AllotError)
