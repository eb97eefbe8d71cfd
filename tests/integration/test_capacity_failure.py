"""What happens to reserved room when hosts fail, on both engines: as foretold, so it comes."""

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.cli.fates_view import show_slot_fates
from controller.cli.output import Out
from controller.cli.session import Format
from controller.identity.caller import Role
from controller.workflows import hosts as host_work
from controller.workflows import loss, reservations, tickets
from controller.workflows.capacity.failure import Failure, what_if_hosts_fail
from controller.workflows.reservation_wish import ReservationWish
from inventory.domain.errors import Unplaceable
from inventory.domain.host import AdminState, Host, Reachability, Reserve, ReserveLevel
from inventory.domain.ids import HostId, PoolId
from inventory.domain.system import SpreadLevel
from inventory.store import directory, hosts, standby
from inventory.store import reservations as reservation_store
from inventory.store import tables as t
from inventory.store.engine import Database
from tests.support.answers import check
from tests.support.api import service
from tests.support.database import sqlite_database
from tests.support.platform import CellSpec, Furnished, furnish
from tests.support.reserves import set_reserve
from tests.support.samples import NOW_S, ticket_text

NOW = int(NOW_S)
DAY_S = 86_400


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Furnished:
    return furnish(database, tmp_path, host_count=3, cpu_count=4, segment_prefix=24)


def reserve(here: Furnished, name: str, **changes: Any) -> None:
    wish = ReservationWish(
        name=name, project="P-portal", zone="gov-public", vcpu_count=1, memory_mib=128, disk_gib=2, ends_s=NOW + 10 * DAY_S
    )
    reservations.create(here.platform, replace(wish, **changes), here.caller())


def foretold(here: Furnished, *lost: Host) -> Failure:
    with here.platform.db.read() as connection:
        return what_if_hosts_fail(connection, here.platform, [h.name for h in lost])


def slots_on(here: Furnished) -> Counter[HostId]:
    with here.platform.db.read() as connection:
        return Counter(slot.host_id for slot in reservation_store.all_slots(connection))


def only(here: Furnished, *active: Host) -> None:
    """Have these hosts take machines, and no others."""
    with here.platform.db.write() as connection:
        for host in here.hosts:
            state = AdminState.ACTIVE if host in active else AdminState.CORDONED
            if hosts.host(connection, host.id).admin_state is not state:
                hosts.set_admin_state(connection, host.id, state, reason="检修", by="op", until_s=None)


def lose(here: Furnished, lost: Host) -> Counter[str]:
    """Lose a host; return how many of its machines went where."""
    with here.platform.db.write() as connection:
        hosts.set_reachability(connection, lost.id, Reachability.UNREACHABLE, here.clock())
        standby.renew(connection, [lost.pool_id])
    operator = here.caller(Role.OPERATOR, name="李四")
    host_work.set_state(here.platform, lost.id, AdminState.CORDONED, operator, reason="烧毁")
    second = here.caller(Role.OPERATOR, name="王五")
    fates = loss.declare_lost(here.platform, lost.id, second, confirm=lost.name, reason="烧毁")
    return Counter(fate.to_host for fate in fates)


def test_reserved_room_is_held_where_there_is_some_after_the_machines_and_told_where_there_is_none(here: Furnished) -> None:
    first, other, third = here.hosts
    only(here, first)
    reserve(here, "spring", count=2)
    tickets.submit(here.platform, ticket_text("portal", count=2), here.caller())
    only(here, first, other)
    (fate,) = foretold(here, first).reservations
    assert (fate.reservation, fate.project, fate.count, fate.left_count) == ("spring", "P-portal", 2, 0)
    assert (fate.from_hosts, fate.to_hosts, fate.explanation) == ((first.name,), (other.name,), None)
    # One processor is left when the machines came there: theirs go before room that is only held.
    only(here, other)
    tickets.submit(here.platform, ticket_text("mail"), here.caller())
    only(here, first, other)
    told = foretold(here, first)
    assert [f.to_host for f in told.machines] == [other.name] * 2
    (fate,) = told.reservations
    assert (fate.count, fate.left_count, fate.to_hosts) == (2, 1, (other.name,))
    assert fate.explanation is not None
    assert {m[1] for m in fate.explanation["misses"] if m[0] == other.name} == {"capacity"}
    both = foretold(here, first, other).reservations
    assert [(f.left_count, f.to_hosts) for f in both] == [(2, ())]
    assert foretold(here, third) == Failure(machines=(), reservations=())


def test_room_that_others_reserved_on_a_host_that_stays_is_not_given_to_those_of_a_lost_one(here: Furnished) -> None:
    first, other, _ = here.hosts
    only(here, first)
    tickets.submit(here.platform, ticket_text("portal", count=2), here.caller())
    only(here, other)
    reserve(here, "spring", count=3)
    reserve(here, "later", count=1, starts_s=NOW + 20 * DAY_S, ends_s=NOW + 30 * DAY_S, vcpu_count=4)
    only(here, first, other)
    told = foretold(here, first)
    assert [f.to_host for f in told.machines] == ["", ""], "what is reserved from a later day on is not to be had either"
    assert told.reservations == ()


def test_reservations_that_follow_each_other_share_a_place_on_the_new_host_too(here: Furnished) -> None:
    first, other, _ = here.hosts
    only(here, first)
    reserve(here, "spring", count=2, vcpu_count=2)
    reserve(here, "summer", count=2, vcpu_count=2, starts_s=NOW + 10 * DAY_S, ends_s=NOW + 20 * DAY_S)
    only(here, first, other)
    assert [(f.reservation, f.left_count, f.to_hosts) for f in foretold(here, first).reservations] == [
        ("spring", 0, (other.name,)),
        ("summer", 0, (other.name,)),
    ]


def test_machines_that_must_stand_apart_keep_clear_of_those_of_their_reservation_that_stay(here: Furnished) -> None:
    reserve(here, "spring", count=2, spread=SpreadLevel.HOST)
    lost, beside = (next(h for h in here.hosts if h.id == host_id) for host_id in slots_on(here))
    (fate,) = foretold(here, lost).reservations
    (third,) = (h for h in here.hosts if h not in (lost, beside))
    assert (fate.to_hosts, fate.left_count) == ((third.name,), 0)
    only(here, lost, beside)
    (fate,) = foretold(here, lost).reservations
    assert (fate.to_hosts, fate.left_count) == ((), 1)


def test_the_reserve_takes_what_is_reserved_too(here: Furnished) -> None:
    set_reserve(here.platform.db, Reserve(level=ReserveLevel.HOST))
    reserve(here, "spring", count=8)
    for host in here.hosts:
        assert all(f.left_count == 0 for f in foretold(here, host).reservations)
    assert sum(f.count for host in here.hosts for f in foretold(here, host).reservations) == 8


def test_what_stands_by_in_another_pool_takes_nothing(here: Furnished) -> None:
    first, other, third = here.hosts
    only(here, first)
    tickets.submit(here.platform, ticket_text("portal"), here.caller())
    reserve(here, "spring")
    with here.platform.db.write() as connection:
        [pool] = directory.pools(connection)
        second = replace(pool, id=PoolId("pool_second"), code="second", reserve=Reserve(level=ReserveLevel.HOST))
        directory.save_pool(connection, second)
        for host in (other, third):
            connection.execute(t.hosts.update().where(t.hosts.c.id == host.id).values(pool_id=second.id))
    only(here, first, other)
    with here.platform.db.write() as connection:
        standby.renew(connection)
        assert standby.standing_by(connection) == {other.id}, "the case is another one"
    told = foretold(here, first)
    assert [f.to_host for f in told.machines] == [""]
    assert [f.left_count for f in told.reservations] == [1]
    assert lose(here, first) == Counter([""])


def test_cells_that_are_reserved_count_for_what_comes(database: Database, tmp_path: Path) -> None:
    cells = CellSpec(dedicated_cpus="0-3")
    here = furnish(database, tmp_path, host_count=2, cpu_count=8, segment_prefix=24, cells=cells)
    first, other = here.hosts
    only(here, first)
    tickets.submit(here.platform, ticket_text("portal", size="pinned-2"), here.caller())
    only(here, other)
    tickets.submit(here.platform, ticket_text("mail", size="pinned-1"), here.caller())
    only(here, first)
    reserve(here, "spring", size="pinned-1", vcpu_count=0, memory_mib=0, count=2)
    only(here, first, other)
    told = foretold(here, first)
    assert [f.to_host for f in told.machines] == [other.name]
    assert [(f.count, f.left_count) for f in told.reservations] == [(2, 1)], "four dedicated processors: 1 + 2 are taken"


@pytest.mark.parametrize("seed", range(12))
def test_as_it_is_foretold_it_comes(tmp_path: Path, seed: int) -> None:
    source = random.Random(seed)
    with sqlite_database(tmp_path / "state.db") as database:
        here = furnish(database, tmp_path, host_count=3, cpu_count=4, segment_prefix=24)
        for number in range(8):
            try:
                if source.random() < 0.5:
                    tickets.submit(here.platform, ticket_text(f"system-{number}"), here.caller())
                else:
                    starts_s = NOW + source.randint(0, 2) * DAY_S
                    reserve(here, f"room-{number}", count=source.randint(1, 2), starts_s=starts_s, ends_s=starts_s + DAY_S)
            except Unplaceable:
                continue
        lost = source.choice(here.hosts)
        told = foretold(here, lost)
        assert told.machines or told.reservations or not slots_on(here)[lost.id]
        before = slots_on(here)
        assert lose(here, lost) == Counter(fate.to_host for fate in told.machines)
        after = slots_on(here)
        assert after[lost.id] == sum(fate.left_count for fate in told.reservations)
        assert before[lost.id] == sum(fate.count for fate in told.reservations)
        went = {h.name for h in here.hosts if after[h.id] > before[h.id]}
        assert went == {name for fate in told.reservations for name in fate.to_hosts}


def test_the_api_and_the_command_tell_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with service(tmp_path) as here:
        asked = {"name": "spring", "project": "P-portal", "zone": "gov-public", "size": "tiny", "count": 1}
        asked["ends_s"] = int(here.clock.now_s) + DAY_S
        made = here.operator().post("/v1/reservations", json=asked)
        assert made.status_code == 201, made.text
        every = [h["name"] for h in here.operator().get("/v1/hosts").json()["items"]]
        answer = here.operator().get("/v1/capacity/failure", params={"host": every})
        check(answer, "GET /v1/capacity/failure")
        (fate,) = answer.json()["reservations"]
        assert (fate["reservation"], fate["count"], fate["left_count"]) == ("spring", 1, 1)
    for language, said in (("en", "of reservation spring would be held no more"), ("zh-CN", "预留 spring 的 1 台中有 1 台不再")):
        show_slot_fates(Out(language, Format.TABLE, here.platform.zone), [fate])
        assert said in capsys.readouterr().out
