"""Reservations on both engines: held, guarded, counted, drawn on, over."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.identity.caller import Role
from controller.reconcile.auditor import audit_invariants
from controller.tickets.model import TicketState
from controller.workflows import reservations, tickets
from controller.workflows.reservation_wish import ReservationWish
from controller.workflows.reservations import Shown
from inventory.domain.errors import AllotError, Conflict, Invalid, NotFound, QuotaExceeded, Unplaceable
from inventory.domain.ids import ZoneId
from inventory.domain.reservation import ReservationState
from inventory.domain.resources import MEMORY_MIB, VCPU
from inventory.domain.system import SpreadLevel
from inventory.store import directory, hosts
from inventory.store.engine import Database
from quotas import store as quota_store
from tests.support.address_zones import ROOM, furnish_narrow, set_blocks
from tests.support.database import open_for_test
from tests.support.platform import Furnished, furnish
from tests.support.race import race
from tests.support.samples import NOW_S, ticket_text

DAY_S = 86_400
NOW = int(NOW_S)


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Iterator[Furnished]:
    furnished = furnish(database, tmp_path, host_count=2, cpu_count=4)
    yield furnished
    with database.read(is_steady=True) as connection:
        assert audit_invariants(connection, {}) == []


def wish(name: str = "spring", **changes: Any) -> ReservationWish:
    base = ReservationWish(
        name=name, project="P-portal", zone="gov-public", vcpu_count=1, memory_mib=128, disk_gib=2, ends_s=NOW + 10 * DAY_S
    )
    return replace(base, **changes)


def reserve(here: Furnished, name: str = "spring", **changes: Any) -> Shown:
    return reservations.create(here.platform, wish(name, **changes), here.caller())


def drawing(name: str, reservation: str, count: int = 1) -> bytes:
    text = ticket_text(name, count=count)
    return text.replace(b"{code: P-portal}", f"{{code: P-portal, reservation: {reservation}}}".encode())


def held(here: Furnished) -> dict[str, int]:
    found: dict[str, int] = {}
    with here.platform.db.read() as connection:
        for row in hosts.inventories(connection):
            found[row.dimension] = found.get(row.dimension, 0) + row.held_reservations
    return found


def quota_used(here: Furnished) -> dict[str, int]:
    with here.platform.db.read() as connection:
        return {x.dimension: x.used for x in quota_store.levels(connection) if x.scope == "city" and x.used}


def test_what_is_reserved_is_given_to_nobody_else(here: Furnished) -> None:
    made = reserve(here, count=6)
    assert made.left_count == 6
    assert held(here) == {VCPU: 6, MEMORY_MIB: 6 * 128, "disk_gib:standard": 12}
    assert quota_used(here) == {"vcpu": 6, "memory_mib": 768, "disk_gib": 12, "instances": 6}
    for name in ("one", "two"):
        tickets.submit(here.platform, ticket_text(name), here.caller())
    with pytest.raises(Unplaceable):
        tickets.submit(here.platform, ticket_text("one-more"), here.caller())


def test_a_ticket_of_the_project_draws_on_it_until_it_is_used_up(here: Furnished) -> None:
    made = reserve(here, count=8)
    before = quota_used(here)
    plan = tickets.plan(here.platform, drawing("portal", "spring", 3), here.caller()).to_json()
    assert plan["reservation"] == {"id": made.reservation.id, "name": "spring", "machines": 3}
    assert {line["dimension"] for line in plan["quota"]} == {"volumes", "addresses"}, "the rest was counted already"
    assert tickets.submit(here.platform, drawing("portal", "spring", 3), here.caller()).state is TicketState.ACCEPTED
    after = quota_used(here)
    assert {d: after[d] - before[d] for d in before} == {"vcpu": 0, "memory_mib": 0, "disk_gib": 0, "instances": 0}
    assert reservations.show(here.platform, "spring", here.caller().scope).left_count == 5
    tickets.submit(here.platform, drawing("mail", made.reservation.id, 4), here.caller())
    tickets.submit(here.platform, drawing("maps", "spring", 1), here.caller())
    found = reservations.show(here.platform, made.reservation.id, here.caller().scope)
    assert (found.reservation.state, found.left_count) == (ReservationState.CONVERTED, 0)
    assert not any(held(here).values())


def test_the_rest_of_a_ticket_comes_from_what_is_free(here: Furnished) -> None:
    reserve(here, count=2, spread=SpreadLevel.HOST)
    tickets.submit(here.platform, drawing("portal", "spring", 4), here.caller())
    assert not any(held(here).values())
    assert quota_used(here)["vcpu"] == 4


def test_a_reservation_that_is_over_frees_itself(here: Furnished) -> None:
    made = reserve(here, count=8)
    here.clock.now_s += 10 * DAY_S - 1
    assert reservations.expire(here.platform) == 0
    here.clock.now_s += 1
    with pytest.raises(Conflict) as over:
        tickets.submit(here.platform, drawing("portal", "spring"), here.caller())
    assert over.value.code == "reservation.is_over"
    assert reservations.expire(here.platform) == 1
    assert reservations.expire(here.platform) == 0
    found = reservations.show(here.platform, made.reservation.id, here.caller().scope)
    assert (found.reservation.state, found.left_count) == (ReservationState.EXPIRED, 0)
    assert not any(held(here).values())
    assert quota_used(here) == {}
    tickets.submit(here.platform, ticket_text("portal", count=4), here.caller())


def test_one_that_is_given_up_frees_the_rest_once(here: Furnished) -> None:
    reserve(here, count=4)
    tickets.submit(here.platform, drawing("portal", "spring", 1), here.caller())
    found = reservations.release(here.platform, "spring", here.caller())
    assert (found.reservation.state, found.left_count) == (ReservationState.RELEASED, 0)
    assert quota_used(here)["vcpu"] == 1
    with pytest.raises(Conflict) as twice:
        reservations.release(here.platform, found.reservation.id, here.caller())
    assert twice.value.code == "reservation.is_over"


def test_two_that_follow_each_other_share_a_place(here: Furnished) -> None:
    reserve(here, "first", count=8, ends_s=NOW + 5 * DAY_S)
    with pytest.raises(Unplaceable) as refused:
        reserve(here, "second", count=1, starts_s=NOW + 4 * DAY_S)
    assert refused.value.code == "reservation.no_host_fits"
    assert refused.value.details["explanations"][0]["misses"]
    reserve(here, "second", count=8, starts_s=NOW + 5 * DAY_S)
    assert held(here)[VCPU] == 8
    with pytest.raises(Conflict) as early:
        tickets.submit(here.platform, drawing("portal", "second"), here.caller())
    assert early.value.code == "reservation.not_started"
    # A ticket has no end: drawn on the first one it would stand in the way of the second.
    with pytest.raises(Unplaceable):
        tickets.submit(here.platform, drawing("portal", "first"), here.caller())


def test_it_counts_against_quota(here: Furnished) -> None:
    here.limit("P-portal", "instances", 3)
    with pytest.raises(QuotaExceeded):
        reserve(here, count=4)
    assert quota_used(here) == {}
    reserve(here, count=3)
    with pytest.raises(QuotaExceeded):
        tickets.submit(here.platform, ticket_text("portal"), here.caller())
    tickets.submit(here.platform, drawing("portal", "spring"), here.caller())


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"starts_s": NOW - 1}, "reservation.starts_in_past"),
        ({"starts_s": NOW + 20 * DAY_S}, "reservation.ends_before_start"),
        ({"ends_s": NOW}, "reservation.ends_before_start"),
        ({"ends_s": NOW + 2000 * DAY_S}, "reservation.too_far"),
        ({"count": 0}, "reservation.count_invalid"),
        ({"count": 1_000_000}, "reservation.count_invalid"),
        ({"vcpu_count": -1}, "reservation.amount_invalid"),
        ({"memory_mib": 0}, "reservation.amount_invalid"),
        ({"disk_gib": -5}, "reservation.amount_invalid"),
        ({"vcpu_count": 10**11}, "reservation.no_host_fits"),
        ({"size": "gigantic"}, "size.not_found"),
        ({"zone": "nowhere"}, "zone.not_found"),
        ({"project": "P-none"}, "project.not_found"),
        ({"project": "P-gauges"}, "project.not_found"),
    ],
)
def test_a_wish_that_makes_no_sense_is_answered_and_leaves_nothing(here: Furnished, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(AllotError) as refused:
        reserve(here, **changes)
    assert refused.value.code == code
    assert not any(held(here).values())
    assert quota_used(here) == {}


def test_nothing_is_reserved_for_a_closed_project(here: Furnished) -> None:
    with here.platform.db.write() as connection:
        directory.save_project(connection, replace(here.city.projects["P-portal"], is_open=False))
    with pytest.raises(AllotError, match=r"reservation\.project_closed"):
        reserve(here)
    assert not any(held(here).values())
    assert quota_used(here) == {}


def test_a_name_that_two_projects_use_is_refused_and_each_is_found_by_its_id(here: Furnished) -> None:
    everyone = here.caller(Role.OPERATOR)
    made = [reservations.create(here.platform, wish(project=code), everyone) for code in ("P-portal", "P-gauges")]
    before = held(here)
    with pytest.raises(Conflict, match=r"reservation\.name_ambiguous"):
        reservations.release(here.platform, "spring", everyone)
    assert held(here) == before
    for one in made:
        reservations.release(here.platform, one.reservation.id, everyone)
    assert not any(held(here).values())


def test_what_is_reserved_in_one_zone_is_not_drawn_on_in_another(here: Furnished) -> None:
    reserve(here)
    before = held(here)
    with here.platform.db.write() as connection:
        [zone] = directory.zones(connection)
        other = replace(zone, id=ZoneId(here.platform.new_id("zone")), code="inner", name="内网", address_range="10.200.0.0/16")
        directory.save_zone(connection, replace(other, network_class="gov-inner"))
    text = drawing("portal", "spring").replace(b"network: gov-public", b"network: inner")
    with pytest.raises(Invalid, match=r"reservation\.other_zone"):
        tickets.submit(here.platform, text, here.caller())
    assert held(here) == before


def test_another_departments_reservation_is_not_found(here: Furnished) -> None:
    made = reserve(here)
    stranger = here.caller(department="water-it")
    for verb in (
        lambda: reservations.show(here.platform, made.reservation.id, stranger.scope),
        lambda: reservations.release(here.platform, made.reservation.id, stranger),
        lambda: tickets.submit(
            here.platform,
            ticket_text("gauges", department="water-it", project="P-gauges").replace(
                b"{code: P-gauges}", f"{{code: P-gauges, reservation: {made.reservation.id}}}".encode()
            ),
            stranger,
        ),
    ):
        with pytest.raises(NotFound):
            verb()
    assert reservations.page(here.platform, stranger.scope, limit=10, after="", with_ended=True) == []
    assert len(reservations.page(here.platform, here.caller(Role.OPERATOR).scope, limit=10, after="", with_ended=False)) == 1


def test_a_name_is_used_once_while_it_lives(here: Furnished) -> None:
    reserve(here)
    with pytest.raises(Conflict) as taken:
        reserve(here)
    assert taken.value.code == "reservation.name_taken"
    reservations.release(here.platform, "spring", here.caller())
    reserve(here)


def test_a_renewal_has_no_use_for_a_reservation(here: Furnished) -> None:
    with pytest.raises(Invalid) as refused:
        tickets.check(here.platform, drawing("portal", "spring").replace(b"action: create", b"action: renew"), here.caller())
    assert "ticket.field_out_of_place" in {p.code for p in refused.value.problems}


def suggested(here: Furnished, document: bytes) -> dict[str, Any]:
    with pytest.raises(Unplaceable) as refused:
        tickets.submit(here.platform, document, here.caller())
    return dict(refused.value.details["explanations"][0]["suggestions"])


def test_a_refusal_names_the_day_on_which_reservations_end(here: Furnished) -> None:
    reserve(here, "short", count=4, ends_s=NOW + 5 * DAY_S)
    reserve(here, "long", count=4, ends_s=NOW + 9 * DAY_S)
    found = suggested(here, ticket_text("portal", count=4))
    later = found["placement.suggest.later"]
    assert later["at_s"] in (NOW + 5 * DAY_S, NOW + 9 * DAY_S)
    assert later["departments"]
    here.clock.now_s = later["at_s"] - 1
    reservations.expire(here.platform)
    with pytest.raises(Unplaceable):
        tickets.submit(here.platform, ticket_text("too-early", count=4), here.caller())
    here.clock.now_s = later["at_s"]
    reservations.expire(here.platform)
    assert tickets.submit(here.platform, ticket_text("portal", count=4), here.caller()).state is TicketState.ACCEPTED


def test_a_refusal_names_the_projects_own_reservation(here: Furnished) -> None:
    reserve(here, count=8)
    assert suggested(here, ticket_text("portal", count=3))["placement.suggest.draw"] == {"reservation": "spring"}
    tickets.submit(here.platform, drawing("portal", "spring", 3), here.caller())


def test_a_refusal_names_no_reservation_that_would_not_help(here: Furnished) -> None:
    reserve(here, count=2)
    found = suggested(here, ticket_text("portal", count=5))
    assert not {"placement.suggest.later", "placement.suggest.draw"} & found.keys(), "five fit on no host at all"


@pytest.mark.postgres
def test_the_last_room_is_promised_once_to_tickets_and_reservations(postgres_url: str, tmp_path: Path) -> None:
    """Room for eight; tickets, reservations and draws of four each race for it, round after round."""
    rounds = 6
    with open_for_test(postgres_url, pool_size=12) as database:
        here = furnish(database, tmp_path, host_count=2, cpu_count=4 * rounds)

        def attempt(round_: int, number: int) -> bool:
            try:
                if number < 3:
                    tickets.submit(here.platform, ticket_text(f"t-{round_}-{number}", count=4), here.caller())
                elif number < 6:
                    reserve(here, f"r-{round_}-{number}", count=4)
                else:
                    tickets.submit(here.platform, drawing(f"d-{round_}-{number}", "standing", 2), here.caller())
            except (Unplaceable, NotFound, Conflict):
                return False
            return True

        def between(round_: int) -> None:
            with database.read(is_steady=True) as connection:
                assert audit_invariants(connection, {}) == []
            if round_ == 0:
                reserve(here, "standing", count=rounds)

        result = race(attempt, contenders=8, rounds=rounds, between=between, threads=8)
        assert sum(result.wins) >= rounds
        with database.read(is_steady=True) as connection:
            assert audit_invariants(connection, {}) == []
            rows = [r for r in hosts.inventories(connection) if r.dimension == VCPU]
            assert all(r.used + r.held_reservations <= r.capacity for r in rows)
            assert sum(r.used + r.held_reservations for r in rows) > 0.9 * sum(r.capacity for r in rows)
            assert quota_store.recount(connection) == []


def test_a_reservation_says_for_how_many_of_its_machines_there_is_no_address_now(database: Database, tmp_path: Path) -> None:
    narrow = furnish_narrow(database, tmp_path, host_count=1, blocks=1)
    tickets.submit(narrow.platform, ticket_text("portal", count=ROOM - 2), narrow.caller())
    made = reserve(narrow, count=3)
    assert (made.left_count, made.no_address_count) == (3, 1), "two are left in the only block"
    [listed] = reservations.page(narrow.platform, narrow.caller().scope, limit=9, after="", with_ended=False)
    assert listed.no_address_count is None
    tickets.submit(narrow.platform, drawing("mail", "spring", count=2), narrow.caller())
    with pytest.raises(Unplaceable):
        tickets.submit(narrow.platform, drawing("maps", "spring"), narrow.caller())
    assert reservations.show(narrow.platform, "spring", narrow.caller().scope).no_address_count == 1
    set_blocks(narrow, 2)
    assert reservations.show(narrow.platform, "spring", narrow.caller().scope).no_address_count == 0
    tickets.submit(
        narrow.platform, drawing("maps", "spring").replace(b"size: tiny", b"size: tiny, networks: [data]"), narrow.caller()
    )
    with database.read(is_steady=True) as connection:
        assert audit_invariants(connection, {}) == []


def test_where_addresses_are_plenty_a_reservation_warns_of_nothing(here: Furnished) -> None:
    assert reserve(here, count=6).no_address_count == 0
    assert reservations.release(here.platform, "spring", here.caller()).no_address_count == 0
