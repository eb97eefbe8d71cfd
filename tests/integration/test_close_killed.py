"""A review or a close that dies by SIGKILL before any of its statements leaves the period as it was, and then goes on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from controller.workflows import periods
from inventory.store.engine import Database
from metering import period_store
from tests.support.billing import GRACE_S, JUNE_S, MAY_S, Billing, billing, finance
from tests.support.database import open_for_test
from tests.support.killing import dies_at


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a fresh database with all tables."""
    if request.param == "postgresql":
        found: str = request.getfixturevalue("postgres_url")
        return found
    address = f"sqlite:///{tmp_path / 'state.db'}"
    with open_for_test(address, create=True):
        return address


def picture(city: Billing) -> tuple[str, str, list[bytes]]:
    with city.platform.db.read() as connection:
        lines = [line_id for line_id, _ in period_store.lines(connection, "2026-05")]
        period = period_store.get(connection, "2026-05")
    assert period is not None
    return period["state"], period["seal"], lines


def test_a_review_and_a_close_killed_anywhere_leave_nothing_half_done(url: str, tmp_path: Path) -> None:
    with open_for_test(url) as database:
        city = billing(database, tmp_path)
        city.price()
        city.tell("inst_a", MAY_S + 3733, {"vcpu": 4, "memory_mib": 2048})
        city.tell("inst_b", MAY_S + 9999, {"vcpu": 2}, project="P-gauges")
        city.at(JUNE_S + GRACE_S)
        periods.begin_closing(city.platform, "2026-05", finance("wang"))
        empty = picture(city)
        assert (empty[0], empty[2]) == ("closing", [])
        kills = _kill_through(url, city, lambda c: periods.review(c.platform, "2026-05", finance("wang")), empty)
        reviewed = picture(city)
        assert reviewed[0] == "reviewed"
        assert len(reviewed[2]) == 4
        kills += _kill_through(url, city, lambda c: periods.close(c.platform, "2026-05", finance("li")), reviewed)
        assert picture(city) == ("closed", *reviewed[1:])
        assert kills > 20
        assert periods.verify(city.platform, "2026-05")["is_proven"]


def _kill_through(url: str, city: Billing, act: Callable[[Billing], object], before: tuple[str, str, list[bytes]]) -> int:
    """Die at statement 1, 2, 3 … until the act is done; returns how often it died."""
    nth = 1

    def work(database: Database) -> None:
        # The child's own connections; everything else of the city is what it was when the child was made.
        act(Billing(replace(city.platform, db=database), city.clock, city.city))

    while True:
        city.platform.db.dispose()
        if not dies_at(url, work, nth):
            return nth - 1
        if picture(city) != before:
            # It died after its commit: the caller looks whether all of it is there.
            return nth
        nth += 1
