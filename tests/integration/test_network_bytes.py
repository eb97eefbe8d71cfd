"""Bytes as meters on both engines: priced, closed, proven, traced; a closed month never changes, and nothing is lost for it."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from controller.workflows import corrections, ledger, periods, sampled
from inventory.domain.errors import Conflict
from inventory.domain.scope import PLATFORM
from inventory.store.engine import Database
from metering import count_store, period_store
from metering.lines import Kind, Line
from metering.rating import yuan
from metering.sample_store import Taken
from metering.sample_tables import machine_use, network_counts, readings
from metering.samples import Sample, packed
from tests.support.billing import BOOK, GRACE_S, JULY_S, JUNE_S, MAY_S, TRAFFIC, Billing, billing, finance
from tests.support.database import memory_database

DAY_S = 86_400
GIB = 1 << 30
WEB = f"inst_{1:032x}"
SHAPE = {"vcpu": 2, "memory_mib": 4096}
#: Machines of these tests are on no host that is known: their zone has no class.
NO_CLASS = '  - {meter: "network_out_bytes:unknown", unit: GiB, price: "0.8", free: 2}\n'
PRICED = BOOK.replace("discounts:\n", TRAFFIC + NO_CLASS + "discounts:\n")


@pytest.fixture
def city(database: Database, tmp_path: Path) -> Billing:
    found = billing(database, tmp_path)
    found.tell(WEB, MAY_S, SHAPE)
    found.at(MAY_S)
    return found


def told(city: Billing, at_s: int, received: int, sent: int, host: str = "host_a") -> None:
    sampled.keep(city.platform, [Taken(host, at_s * 1000, packed([Sample(WEB, 0, 0, received, sent)]))])


def work_in(city: Billing) -> None:
    sampled.work_in(city.platform, 300, wait_s=0, counts_bytes=True)


def counted(city: Billing) -> list[dict[str, Any]]:
    with city.platform.db.read() as connection:
        return [dict(r._mapping) for r in connection.execute(select(network_counts).order_by(network_counts.c.start_s))]


def lines(city: Billing, month: str) -> list[Line]:
    with city.platform.db.read() as connection:
        return [line for _, line in period_store.lines(connection, month) if line.kind == Kind.COUNTED]


def test_bytes_are_counted_by_the_day_they_were_read_with_what_they_come_from(city: Billing) -> None:
    city.at(MAY_S + 2 * DAY_S)
    for n, (received, sent) in enumerate([(100, 10), (300, 30), (300, 30), (50, 80), (60, 90)]):
        told(city, MAY_S + DAY_S - 650 + n * 300, received, sent)
        work_in(city)
    first, second = counted(city)
    assert (first["received_bytes"], first["sent_bytes"]) == (200, 20)
    assert (second["received_bytes"], second["sent_bytes"]) == (50 + 10, 50 + 10), "a counter that fell shows what came since"
    assert first["runs"] == [["host_a", (MAY_S + DAY_S - 650) * 1000, 100, 10, (MAY_S + DAY_S - 350) * 1000, 300, 30]]
    assert len(second["runs"]) == 1
    assert not ledger.compare(city.platform).differences


def test_what_stands_is_compared_with_its_readings_and_made_again(city: Billing) -> None:
    city.passed(WEB, MAY_S, 1000, 2000)
    city.passed(WEB, MAY_S + DAY_S, 10, 20)
    with city.platform.db.write() as connection:
        changed = update(network_counts).where(network_counts.c.start_s == MAY_S).values(sent_bytes=2001)
        connection.execute(changed)
    [found] = ledger.compare(city.platform).differences
    assert (found.resource_id, found.kind) == (WEB, "counted")
    ledger.rebuild(city.platform, finance("wang"))
    assert counted(city)[0]["sent_bytes"] == 2000
    assert not ledger.compare(city.platform).differences


def test_the_same_readings_in_two_days_are_found(city: Billing) -> None:
    city.passed(WEB, MAY_S, 10, 20)
    with city.platform.db.write() as connection:
        row = dict(connection.execute(select(network_counts)).one()._mapping)
        connection.execute(network_counts.insert().values(**{**row, "start_s": MAY_S + DAY_S, "end_s": MAY_S + 2 * DAY_S}))
    [found] = ledger.compare(city.platform).differences
    assert found.why.code == "fault.counted_twice"


def test_a_month_with_bytes_is_priced_closed_proven_and_traced(city: Billing) -> None:
    city.price(PRICED)
    city.passed(WEB, MAY_S + DAY_S, 7 * GIB, 3 * GIB)
    city.passed(WEB, MAY_S + 2 * DAY_S, 1, GIB + 1)
    city.at(JUNE_S + 1)
    city.closed("2026-05")
    received, sent = sorted(lines(city, "2026-05"), key=lambda x: x.meter)
    assert (received.meter, received.amount, received.micro_yuan) == ("network_in_bytes:public", 7 * GIB + 1, 0)
    # Two are free: 2 GiB and one byte at 0.8 yuan.
    assert (sent.meter, sent.amount, sent.micro_yuan) == ("network_out_bytes:public", 4 * GIB + 1, 1_600_000)
    assert (sent.start_s, sent.end_s) == (MAY_S + DAY_S, MAY_S + 3 * DAY_S)
    assert not periods.verify(city.platform, "2026-05")["faults"]
    traced = corrections.trace(city.platform, sent.id_in("2026-05").hex(), PLATFORM)
    assert [day["sent_bytes"] for day in traced["counted"]] == [3 * GIB, GIB + 1]
    assert traced["counted"][0]["runs"][0]["sent_to"] == 3 * GIB
    assert traced["price"]["approved_by"] == ["li", "zhao"]


def test_bytes_without_a_price_are_an_error_and_never_free(city: Billing) -> None:
    city.price()
    city.passed(WEB, MAY_S + DAY_S, 1, 1)
    city.at(JUNE_S + 1)
    periods.begin_closing(city.platform, "2026-05", finance("wang"))
    city.at(JUNE_S + GRACE_S)
    with pytest.raises(Conflict, match=r"usage\.price_gap"):
        periods.review(city.platform, "2026-05", finance("wang"))


def test_what_comes_late_counts_in_the_next_month_and_the_closed_one_stays(city: Billing) -> None:
    city.price(PRICED)
    city.at(MAY_S + DAY_S)
    told(city, MAY_S + 100, 0, 0)
    told(city, MAY_S + 400, 0, 5 * GIB)
    work_in(city)
    city.at(JUNE_S + 1)
    city.closed("2026-05")
    # Samples of May that a controller kept until now.
    told(city, JUNE_S - 300, 0, 9 * GIB)
    work_in(city)
    may, june = counted(city)
    assert (may["sent_bytes"], june["sent_bytes"]) == (5 * GIB, 4 * GIB)
    assert june["start_s"] == JUNE_S
    assert not periods.verify(city.platform, "2026-05")["faults"]
    for change in (
        update(network_counts).where(network_counts.c.start_s == MAY_S).values(sent_bytes=0),
        delete(network_counts).where(network_counts.c.start_s == MAY_S),
        network_counts.insert().values(**{**may, "department_id": "x"}),
    ):
        with pytest.raises(Exception, match="the month is closed"), city.platform.db.write() as connection:
            connection.execute(change)
    city.at(JULY_S + 1)
    city.closed("2026-06")
    [sent] = lines(city, "2026-06")
    assert (sent.amount, yuan(sent.micro_yuan)) == (4 * GIB, "1.600000")


def test_no_byte_can_be_committed_to(city: Billing) -> None:
    text = (
        PRICED
        + '  - {name: x, department: water-it, meter: "network_out_bytes:public", amount: 1, price: "0.1", '
        + ("from: 2026-01-01, to: 2027-01-01}\n")
    )
    with pytest.raises(Exception, match=r"book\.meter_unpriced"):
        city.price(text)


@st.composite
def deliveries(draw: st.DrawFn) -> list[tuple[str, int, int, int, int]]:
    """Samples of a machine that restarts and moves between two hosts: (host, moment, in, out, what had passed); some are lost,
    repeated, or late."""
    told_, host, shown, passed, at_s = [], "host_a", 0, 0, MAY_S + 10
    for _ in range(draw(st.integers(2, 14))):
        what = draw(st.sampled_from(["go on", "go on", "go on", "restart", "move"]))
        if what != "go on":
            shown = 0
        if what == "move":
            host = "host_b" if host == "host_a" else "host_a"
        more = draw(st.integers(0, 1 << 40))
        shown, passed, at_s = shown + more, passed + more, at_s + draw(st.integers(1, 40_000))
        told_.append((host, at_s, shown, shown // 2, passed))
    order = draw(st.lists(st.integers(0, len(told_) - 1), min_size=1, max_size=25))
    return [told_[n] for n in order]


@settings(max_examples=15, deadline=None)
@given(deliveries(), st.integers(1, 5))
def test_whatever_is_lost_late_or_repeated_no_byte_is_counted_twice(
    told_: list[tuple[str, int, int, int, int]], portion: int
) -> None:
    with memory_database() as database:
        city = billing(database, Path("/nonexistent"))
        city.tell(WEB, MAY_S, SHAPE)
        city.at(MAY_S + 60 * DAY_S)
        for n, (host, at_s, received, sent, _) in enumerate(told_):
            told(city, at_s, received, sent, host)
            if n % portion == 0:
                work_in(city)
        work_in(city)
        rows = counted(city)
        with database.read() as connection:
            assert count_store.compare(connection) == []
            used = connection.execute(select(machine_use.c.received_bytes)).scalars().all()
        total = sum(int(str(r["received_bytes"])) for r in rows)
        assert total <= max(passed for *_, passed in told_)
        assert total == sum(used), "both books count the same"
        assert all(int(str(r["sent_bytes"])) >= 0 for r in rows)
        # All of it once more changes nothing.
        for host, at_s, received, sent, _ in told_:
            told(city, at_s, received, sent, host)
        work_in(city)
        assert counted(city) == rows
        with database.write() as connection:
            assert count_store.rebuild(connection, 0) == 0
            for each in (network_counts, machine_use, readings):
                connection.execute(delete(each))
