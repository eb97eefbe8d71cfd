"""A period's life on both engines: begun, reviewed, closed, sealed, proven, corrected, never changed."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from controller.identity import audit
from controller.workflows import corrections, periods, price_books
from inventory.domain.errors import AllotError, Conflict, Forbidden, NotFound
from inventory.domain.scope import PLATFORM, of_departments
from inventory.store import directory
from inventory.store.engine import Database
from metering import period_store, period_tables
from metering.line_columns import BILLED, LineColumns, merged
from metering.lines import Kind, Line
from metering.rating import yuan
from tests.support.billing import BOOK, GRACE_S, JULY_S, JUNE_S, MAY_S, Billing, billing, finance
from tests.support.report_city import made

DAY = 86_400
MACHINE = {"vcpu": 4, "memory_mib": 8192, "disk_gib:standard": 40, "address": 1}


@pytest.fixture
def city(database: Database, tmp_path: Path) -> Billing:
    """May and June: machines of two departments, a resize, a stop, a release."""
    found = billing(database, tmp_path)
    found.price()
    found.tell("inst_a", MAY_S + 3600, MACHINE, state="allocated")
    found.tell("inst_a", MAY_S + 3733, MACHINE)
    found.tell("inst_a", MAY_S + 5 * DAY + 1, {**MACHINE, "vcpu": 8})
    found.tell("inst_b", MAY_S + DAY, {"vcpu": 2}, project="P-gauges")
    found.tell("inst_c", MAY_S + 2 * DAY + 7, {"vcpu": 1, "memory_mib": 1000}, project="P-mail")
    found.tell("inst_c", MAY_S + 3 * DAY, {"vcpu": 1, "memory_mib": 1000}, state="stopped", project="P-mail")
    found.tell("inst_c", MAY_S + 4 * DAY + 11, None, project="P-mail")
    found.at(JUNE_S + 60)
    return found


def lines(city: Billing, month: str = "2026-05") -> list[Line]:
    with city.platform.db.read() as connection:
        return [line for _, line in period_store.lines(connection, month)]


def ids(city: Billing, month: str = "2026-05") -> list[bytes]:
    with city.platform.db.read() as connection:
        return [line_id for line_id, _ in period_store.lines(connection, month)]


def code(refused: pytest.ExceptionInfo[AllotError]) -> str:
    return refused.value.code


def test_a_month_is_begun_reviewed_by_one_and_closed_by_another(city: Billing) -> None:
    wang, li = finance("wang"), finance("li")
    assert periods.show(city.platform, "2026-05")["state"] == "open"
    periods.begin_closing(city.platform, "2026-05", wang)
    with pytest.raises(Conflict) as refused:
        periods.review(city.platform, "2026-05", wang)
    assert code(refused) == "period.in_grace"
    city.at(JUNE_S + GRACE_S)
    reviewed = periods.review(city.platform, "2026-05", wang)
    assert reviewed["state"] == "reviewed"
    with pytest.raises(Forbidden) as own:
        periods.close(city.platform, "2026-05", wang)
    assert code(own) == "period.own_review"
    closed = periods.close(city.platform, "2026-05", li)
    assert (closed["state"], closed["reviewed_by"], closed["closed_by"]) == ("closed", "wang", "li")
    assert closed["seal"] == reviewed["seal"] != ""
    with pytest.raises(Conflict) as twice:
        periods.close(city.platform, "2026-05", li)
    assert code(twice) == "period.state_forbids"
    with city.platform.db.read() as connection:
        [event] = audit.page(connection, PLATFORM, limit=5, action="period.close")
    assert (event["target"], event["detail"]["seal"]) == ("2026-05", closed["seal"])


def test_lines_are_right_to_the_micro_yuan_and_statements_add_up(city: Billing) -> None:
    city.closed("2026-05")
    own = [x for x in lines(city) if x.resource_id == "inst_a" and x.meter == "vcpu"]
    first, second = sorted(own, key=lambda x: x.start_s)
    assert (first.start_s, first.end_s, first.amount) == (MAY_S + 3733, MAY_S + 5 * DAY + 1, 4)
    assert (second.start_s, second.end_s, second.closed_by) == (MAY_S + 5 * DAY + 1, JUNE_S, 0)
    seconds = 5 * DAY + 1 - 3733
    assert first.list_micro_yuan == (2 * 4 * seconds * 76_400 + 3600) // 7200
    assert first.micro_yuan == (2 * 4 * seconds * 76_400 * 8763 + 36_000_000) // 72_000_000
    with city.platform.db.read() as connection:
        found = period_store.statements(connection, "2026-05", PLATFORM)
        rows = {
            s["department_id"]: period_store.statement_rows(connection, "2026-05", of_departments(s["department_id"]))
            for s in found
        }
    period = periods.show(city.platform, "2026-05")
    assert sum(s["fen"] for s in found) == period["fen"]
    assert sum(s["micro_yuan"] for s in found) == period["micro_yuan"] == sum(x.micro_yuan for x in lines(city))
    for statement in found:
        its = rows[statement["department_id"]]
        assert sum(r["fen"] for r in its) == statement["fen"]
        assert sum(r["micro_yuan"] for r in its) == statement["micro_yuan"]
        assert statement["fen"] * 10_000 == statement["micro_yuan"] + statement["rounding_micro_yuan"]
    assert {(r["budget_code"], r["meter"]) for r in rows[city.city.departments["civil-it"].id]} >= {("B-P-portal", "vcpu")}


def test_a_closed_month_is_proven_byte_by_byte_after_everything_that_came_later(city: Billing) -> None:
    city.closed("2026-05")
    before = ids(city)
    city.tell("inst_a", MAY_S + 6 * DAY, MACHINE, state="stopped")
    city.tell("inst_b", JUNE_S + DAY, None, project="P-gauges")
    city.tell("inst_d", JUNE_S + DAY, MACHINE)
    city.at(JUNE_S + 10 * DAY)
    with city.platform.db.write() as connection:
        home = city.city.departments["civil-it"]
        directory.save_department(connection, type(home)(id=home.id, code=home.code, name="Renamed", parent_id=home.parent_id))
    proof = periods.verify(city.platform, "2026-05")
    assert proof["faults"] == ()
    assert proof["is_proven"]
    assert ids(city) == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE line_blocks SET line_count = 0",
        "DELETE FROM line_blocks",
        "UPDATE statements SET fen = 0",
        "DELETE FROM statements",
        "UPDATE statement_rows SET fen = 0",
        "DELETE FROM statement_rows",
        "UPDATE periods SET state = 'closing'",
        "DELETE FROM periods",
        "INSERT INTO line_blocks SELECT * FROM line_blocks",
    ],
)
def test_the_database_refuses_to_touch_a_closed_month(city: Billing, statement: str) -> None:
    city.closed("2026-05")
    with pytest.raises(DBAPIError, match=r"closed|permission denied"), city.platform.db.write() as connection:
        connection.execute(text(statement))
    assert periods.verify(city.platform, "2026-05")["is_proven"]


@pytest.mark.postgres
def test_on_postgresql_not_even_the_owner_may_change_or_empty_what_is_sealed(postgres_database: Database) -> None:
    """Below the triggers: rights that are taken from the owner too, whoever else has them."""
    held = text(
        "SELECT c.relname, a.privilege_type FROM pg_class c, aclexplode(c.relacl) a"
        " WHERE a.grantee IN (c.relowner, 0) AND c.relname IN ('line_blocks', 'statements', 'statement_rows')"
    )
    rights: dict[str, set[str]] = {}
    with postgres_database.read() as connection:
        for table, right in connection.execute(held):
            rights.setdefault(table, set()).add(right)
    assert rights.keys() == {"line_blocks", "statements", "statement_rows"}
    for table, found in rights.items():
        assert {"SELECT", "INSERT", "DELETE"} <= found, table
        assert "TRUNCATE" not in found, table
        # Of a statement it is still written that the department has seen it; the trigger guards the rest.
        assert ("UPDATE" in found) == (table == "statements"), table


def _disarm(city: Billing) -> None:
    """Take the database's own guards away, as somebody with every right could."""
    with city.platform.db.write() as connection:
        if city.platform.db.is_sqlite:
            names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
            for name in names:
                connection.execute(text(f"DROP TRIGGER {name}"))
        else:
            connection.execute(text("SET session_replication_role = replica"))
            connection.execute(text("ALTER TABLE line_blocks DISABLE TRIGGER ALL"))
            for table in ("statements", "statement_rows", "periods"):
                connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))


def _one_dearer(lines: LineColumns) -> LineColumns:
    figures = lines.figures.copy()
    figures[BILLED, 0] += 1
    return replace(lines, figures=figures)


def _one_gone(lines: LineColumns) -> LineColumns:
    return lines.part(slice(1, None))


def _one_twice(lines: LineColumns) -> LineColumns:
    return merged([lines.part(slice(0, 1)), lines])


def _forge(connection: Connection, damage: Callable[[LineColumns], LineColumns]) -> None:
    """Put other lines in the place of a department's, in the very form they are kept in."""
    first = next(period_store.columns(connection, "2026-05"))
    [department_id] = {owner[0] for owner in first.owners}
    mine = (period_tables.line_blocks.c.period_id == "2026-05") & (period_tables.line_blocks.c.department_id == department_id)
    connection.execute(period_tables.line_blocks.delete().where(mine))
    period_store.add_lines(connection, "2026-05", department_id, damage(first))


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (_one_dearer, "fault.line_altered"),
        (_one_gone, "fault.line_missing"),
        (_one_twice, "fault.line_twice"),
        ("UPDATE line_blocks SET ids = body", "fault.lines_unreadable"),
        ("UPDATE line_blocks SET line_count = line_count + 1", "fault.lines_unreadable"),
        ("UPDATE statements SET fen = fen + 1", "fault.statement_differs"),
        ("UPDATE statement_rows SET budget_code = 'X'", "fault.statement_differs"),
        ("UPDATE periods SET seal = 'forged'", "fault.seal_differs"),
        ("UPDATE periods SET previous_seal = 'forged'", "fault.previous_seal_differs"),
    ],
)
def test_a_proof_finds_what_was_forged_with_every_right(
    city: Billing, damage: str | Callable[[LineColumns], LineColumns], fault: str
) -> None:
    city.closed("2026-05")
    _disarm(city)
    with city.platform.db.write() as connection:
        if isinstance(damage, str):
            connection.execute(text(damage))
        else:
            _forge(connection, damage)
    proof = periods.verify(city.platform, "2026-05")
    assert not proof["is_proven"]
    assert fault in {f.code for f in proof["faults"]} or not proof["is_sealed_in_audit"]


def test_a_closed_month_is_proven_while_word_of_it_waits_for_the_ledger(city: Billing) -> None:
    city.closed("2026-05")
    before = periods.verify(city.platform, "2026-05")
    city.tell("inst_a", MAY_S + 20 * DAY + 5, {**MACHINE, "vcpu": 8}, state="stopped")
    city.tell("inst_e", MAY_S + 21 * DAY, MACHINE)
    assert periods.verify(city.platform, "2026-05") == before
    city.at(JULY_S + 1)
    assert periods.verify(city.platform, "2026-05") == before
    assert before["is_proven"]


def test_late_word_is_corrected_to_the_micro_yuan_in_the_next_month(city: Billing) -> None:
    """What was closed plus its correction is what correct data would have come to."""
    city.closed("2026-05")
    # A controller that was away: the machine had stopped on the 20th, and one more had run for a day.
    city.tell("inst_a", MAY_S + 20 * DAY + 5, {**MACHINE, "vcpu": 8}, state="stopped")
    city.tell("inst_e", MAY_S + 21 * DAY, MACHINE)
    city.tell("inst_e", MAY_S + 22 * DAY + 9, None)
    city.at(JULY_S + 1)
    city.closed("2026-06")
    booked = lines(city) + [x for x in lines(city, "2026-06") if x.kind == Kind.CORRECTION]
    with city.platform.db.read() as connection:
        from metering import book_store
        from metering.books import Books
        from metering.charging import Charging

        truth = list(
            Charging(Books(book_store.approved(connection)), "2026-05", MAY_S, JUNE_S, JUNE_S).lines(
                period_store.usage(connection, MAY_S, JUNE_S), period_store.entries(connection, MAY_S, JUNE_S)
            )
        )

    def sums(found: list[Line]) -> dict[tuple[str, str, str], int]:
        totals: dict[tuple[str, str, str], int] = {}
        for line in found:
            key = (line.department_id, line.resource_id, line.meter)
            totals[key] = totals.get(key, 0) + line.micro_yuan
        return {key: micro for key, micro in totals.items() if micro}

    assert sums(booked) == sums(truth)
    corrected = [x for x in lines(city, "2026-06") if x.kind == Kind.CORRECTION]
    assert {(x.start_s, x.end_s) for x in corrected} == {(MAY_S, JUNE_S)}
    assert all(bytes.fromhex(x.reference) in ids(city) for x in corrected if x.resource_id == "inst_a")
    assert any(x.resource_id == "inst_e" for x in corrected)
    for month in ("2026-05", "2026-06"):
        assert periods.verify(city.platform, month)["is_proven"], month
    city.at(JULY_S + 40 * DAY)
    city.closed("2026-07")
    assert [x for x in lines(city, "2026-07") if x.kind == Kind.CORRECTION] == [], "corrected once"


def test_an_open_statement_says_how_much_late_word_waits_for_the_review(city: Billing) -> None:
    city.closed("2026-05")
    home = city.city.departments
    own, other = home["civil-it"].id, home["water-it"].id

    def waits(month: str, department_id: str = own) -> int:
        return int(periods.statement(city.platform, month, department_id)["late_word_count"])

    city.at(JUNE_S + 5 * DAY)
    assert waits("2026-06") == 0
    city.tell("inst_a", MAY_S + 20 * DAY + 5, {**MACHINE, "vcpu": 8}, state="stopped")
    city.tell("inst_a", MAY_S + 21 * DAY, {**MACHINE, "vcpu": 8})
    city.at(city.clock.now_s + 60)
    assert (waits("2026-05"), waits("2026-06"), waits("2026-06", other)) == (0, 2, 0)
    page = made(city, "statement", month="2026-06", department="civil-it", language="en").path.read_text("utf-8")
    assert "Told too late about reviewed months" in page
    city.at(JULY_S + 1)
    city.closed("2026-06")
    city.at(JULY_S + 5 * DAY)
    assert (waits("2026-06"), waits("2026-07")) == (0, 0)


def test_word_that_comes_after_the_review_asks_for_another_review(city: Billing) -> None:
    city.reviewed("2026-05")
    before = periods.show(city.platform, "2026-05")["seal"]
    city.tell("inst_b", JUNE_S - 100, None, project="P-gauges")
    city.at(city.clock.now_s + 60)
    with pytest.raises(Conflict) as refused:
        periods.close(city.platform, "2026-05", finance("li"))
    assert (code(refused), refused.value.params["count"]) == ("period.changed", 1)
    assert periods.review(city.platform, "2026-05", finance("wang"))["seal"] != before
    assert periods.close(city.platform, "2026-05", finance("li"))["state"] == "closed"
    assert periods.verify(city.platform, "2026-05")["is_proven"]


def test_a_month_that_somebody_tried_to_close_in_vain_is_proven_all_the_same(city: Billing) -> None:
    refused = audit.event_by(
        finance("wang"), at_s=city.clock(), action="period.close", target="2026-05", result=audit.Result.REFUSED, detail={}
    )
    with city.platform.db.write() as connection:
        audit.append(connection, refused)
    city.closed("2026-05")
    assert periods.verify(city.platform, "2026-05")["is_proven"]


def test_reviewing_again_without_news_gives_the_same_bytes(city: Billing) -> None:
    city.reviewed("2026-05")
    first = (ids(city), periods.show(city.platform, "2026-05")["seal"])
    periods.review(city.platform, "2026-05", finance("zhao"))
    assert (ids(city), periods.show(city.platform, "2026-05")["seal"]) == first


def test_a_correction_by_hand_refers_to_its_line_and_stands_in_the_open_month(city: Billing) -> None:
    city.closed("2026-05")
    line_id = ids(city)[0].hex()
    entered = corrections.adjust(city.platform, line_id, "-12.34", "billed twice", finance("wang"))
    with pytest.raises(Forbidden, match=r"adjustment\.own"):
        corrections.decide(city.platform, entered.id, finance("wang"), "approved")
    assert corrections.decide(city.platform, entered.id, finance("li"), "approved").period_id == "2026-06"
    with pytest.raises(Conflict, match=r"adjustment\.decided"):
        corrections.decide(city.platform, entered.id, finance("zhao"), "approved")
    _assert_shown_while_open(city, "2026-06", -12_340_000)
    city.at(JULY_S + 1)
    city.closed("2026-06")
    [line] = [x for x in lines(city, "2026-06") if x.kind == Kind.ADJUSTMENT]
    assert (line.micro_yuan, line.reference) == (-12_340_000, line_id)
    assert (line.start_s >= MAY_S, line.end_s <= JUNE_S) == (True, True), "the original time is kept"
    assert periods.verify(city.platform, "2026-06")["is_proven"]
    with pytest.raises(DBAPIError, match="never change"), city.platform.db.write() as connection:
        connection.execute(text("UPDATE adjustments SET micro_yuan = 1"))
    with city.platform.db.write() as connection:
        connection.execute(text("UPDATE adjustments SET state = 'rejected'"))
    proof = periods.verify(city.platform, "2026-06")
    assert not proof["is_proven"]
    assert proof["faults"][0].code == "fault.line_extra", "a correction is derived from the decision, not from its line"


def _assert_shown_while_open(city: Billing, month: str, micro_yuan: int) -> None:
    """What was agreed to is in the open month's statement and files from that second on, and in no picture of before."""
    agreed_s = int(city.clock.now_s)
    city.at(agreed_s + 60)
    with city.platform.db.read() as connection:
        homes = [d.id for d in directory.departments(connection)]
    shown = []
    for home in homes:
        with suppress(NotFound):
            shown.append(periods.statement(city.platform, month, home))
    assert [r["micro_yuan"] for s in shown for r in s["rows"] if r["kind"] == Kind.ADJUSTMENT] == [micro_yuan]
    after, before = (made(city, "lines", "csv", month=month, as_of_s=at_s).manifest for at_s in (agreed_s + 60, agreed_s - 1))
    assert after["yuan"] == yuan(sum(s["micro_yuan"] for s in shown))
    assert (before["rows"], after["rows"]) == (after["rows"] - 1, sum(s["line_count"] for s in shown))


def test_a_line_leads_to_its_journal_rows_and_an_approved_price(city: Billing) -> None:
    city.closed("2026-05")
    for line_id in ids(city):
        found = corrections.trace(city.platform, line_id.hex(), PLATFORM)
        assert len(found["price"]["approved_by"]) == 2
        assert found["price"]["created_by"] not in found["price"]["approved_by"]
        if found["line"]["kind"] in (Kind.USAGE, Kind.COMMITMENT_USED):
            assert found["opened_by"]["revision"] == found["line"]["opened_by"] >= 1
            assert (found["closed_by"] is None) == (found["line"]["closed_by"] == 0)
    with pytest.raises(AllotError, match=r"line\.not_found"):
        corrections.trace(city.platform, ids(city)[0].hex(), of_departments())


def test_a_month_before_the_last_closed_or_after_a_gap_is_refused(city: Billing) -> None:
    city.at(JULY_S + 1)
    with pytest.raises(Conflict, match=r"period\.out_of_order"):
        periods.begin_closing(city.platform, "2026-06", finance("wang"))
    city.closed("2026-05")
    with pytest.raises(Conflict, match=r"period\.not_over"):
        periods.begin_closing(city.platform, "2026-12", finance("wang"))
    with pytest.raises(Conflict, match=r"period\.out_of_order"):
        periods.begin_closing(city.platform, "2026-04", finance("wang"))
    city.closed("2026-06")
    may, june = (periods.show(city.platform, m) for m in ("2026-05", "2026-06"))
    assert june["previous_seal"] == may["seal"]


def test_a_month_without_prices_or_with_decisions_waiting_cannot_be_reviewed(database: Database, tmp_path: Path) -> None:
    city = billing(database, tmp_path)
    city.tell("inst_a", MAY_S, {"vcpu": 1})
    city.at(JUNE_S + GRACE_S)
    periods.begin_closing(city.platform, "2026-05", finance("wang"))
    with pytest.raises(Conflict, match=r"usage\.price_gap"):
        periods.review(city.platform, "2026-05", finance("wang"))
    assert periods.show(city.platform, "2026-05")["state"] == "closing"
    assert lines(city) == [], "nothing half done"
    city.price()
    entered = price_books.enter(
        city.platform,
        finance("wang"),
        project="P-mail",
        meter="service:move",
        amount=1,
        start_s=MAY_S + 5,
        end_s=None,
        reason="moved",
    )
    with pytest.raises(Conflict, match=r"period\.decisions_wait"):
        periods.review(city.platform, "2026-05", finance("wang"))
    price_books.decide_entry(city.platform, entered.id, finance("li"), "approved")
    assert periods.review(city.platform, "2026-05", finance("wang"))["state"] == "reviewed"
    assert [x.micro_yuan for x in lines(city) if x.kind == Kind.ENTRY] == [5_000_000_000]


def test_prices_and_entries_for_a_reviewed_month_are_refused(city: Billing) -> None:
    city.reviewed("2026-05")
    with pytest.raises(Conflict, match=r"book\.period_frozen"):
        price_books.submit(
            city.platform, BOOK.partition("commitments")[0].replace("2026-01-01", "2026-05-20").encode(), finance("wang")
        )
    with pytest.raises(Conflict, match=r"entry\.period_frozen"):
        price_books.enter(
            city.platform,
            finance("wang"),
            project="P-mail",
            meter="service:move",
            amount=1,
            start_s=MAY_S,
            end_s=None,
            reason="late",
        )


def test_an_open_months_statement_is_what_the_month_will_come_to_so_far(city: Billing) -> None:
    department = city.city.departments["civil-it"].id
    city.clock.now_s = JUNE_S + GRACE_S
    open_ = periods.statement(city.platform, "2026-05", department)
    city.closed("2026-05")
    closed = periods.statement(city.platform, "2026-05", department)
    assert (open_["period_state"], closed["period_state"]) == ("open", "closed")
    for name in ("micro_yuan", "fen", "list_micro_yuan", "line_count"):
        assert open_[name] == closed[name]
    assert open_["rows"] == closed["rows"]
