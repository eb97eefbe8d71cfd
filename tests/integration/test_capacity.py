"""What-if questions on both engines, against the platform itself."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.metrics import fragmentation
from controller.scheduling.explain import explanation_from_json
from controller.scheduling.snapshot import HostEntry, SnapshotBuilder
from controller.workflows import tickets
from controller.workflows.capacity import hosts_needed as hosts_needed_module
from controller.workflows.capacity.failure import Fate, what_if_hosts_fail
from controller.workflows.capacity.fit import FitQuestion, how_many_more
from controller.workflows.capacity.hosts_needed import HostShape, ZoneNeed, hosts_needed
from controller.workflows.capacity.trend import DAY_S, PoolTrend, when_full
from inventory.domain.catalogue import Size
from inventory.domain.errors import AllotError, Invalid, Unplaceable
from inventory.domain.host import AdminState, Reserve, ReserveLevel
from inventory.domain.ids import PoolId, SizeId
from inventory.domain.layout import NO_LAYOUT, Layout
from inventory.domain.resources import VCPU
from inventory.domain.system import SpreadLevel
from inventory.store import directory, history, hosts, summary
from inventory.store import tables as t
from inventory.store.engine import Database
from tests.support.address_zones import ROOM, furnish_narrow, set_blocks
from tests.support.platform import Furnished, furnish
from tests.support.reserves import set_reserve
from tests.support.samples import NOW_S, ticket_text


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Furnished:
    return furnish(database, tmp_path, host_count=3, cpu_count=4)


def fate(here: Furnished, *names: str) -> list[Fate]:
    with here.platform.db.read() as connection:
        return list(what_if_hosts_fail(connection, here.platform, names).machines)


def where(here: Furnished) -> dict[str, str]:
    names = {h.id: h.name for h in here.hosts}
    with here.platform.db.read() as connection:
        rows = connection.execute(t.resources.select().where(t.resources.c.kind == "instance")).all()
    return {r.name: names[r.host_id] for r in rows}


def test_how_many_more_is_what_can_be_submitted(here: Furnished) -> None:
    set_reserve(here.platform.db, Reserve(level=ReserveLevel.HOST))
    tickets.submit(here.platform, ticket_text("portal", count=3), here.caller())
    with here.platform.db.read() as connection:
        answer = how_many_more(connection, FitQuestion(size="tiny"), NOW_S)
    (line,) = answer.pools
    assert (line.pool, line.zone, line.count) == ("sim", "gov-public", 5)
    assert answer.levels == (("gov-public", 1, 5), ("gov-public", 2, 5), ("gov-public", 3, 5))
    for number in range(line.count):
        tickets.submit(here.platform, ticket_text(f"more-{number}"), here.caller())
    with pytest.raises(Unplaceable):
        tickets.submit(here.platform, ticket_text("one-too-many"), here.caller())
    with here.platform.db.read() as connection:
        assert how_many_more(connection, FitQuestion(size="tiny"), NOW_S).pools[0].count == 0


def test_how_many_more_looks_at_addresses_and_names_what_is_short(database: Database, tmp_path: Path) -> None:
    narrow = furnish_narrow(database, tmp_path, host_count=1, blocks=2)
    tickets.submit(narrow.platform, ticket_text("portal", count=ROOM - 2), narrow.caller())

    def asked(department: str = "", network: str = "default") -> tuple[int, str]:
        with database.read() as connection:
            question = FitQuestion(size="tiny", department=department, network=network)
            answer = how_many_more(connection, question, narrow.clock())
        (line,) = answer.pools
        assert {count for _, _, count in answer.levels} == {line.count}
        assert (answer.department, answer.network) == (department, network if department else "")
        return line.count, line.limit

    assert asked() == (ROOM, "address_blocks")
    assert asked(department="civil-it") == (2, "addresses")
    assert asked(department="civil-it", network="data") == (ROOM, "addresses")
    for number in range(2):
        tickets.submit(narrow.platform, ticket_text(f"more-{number}"), narrow.caller())
    with pytest.raises(Unplaceable):
        tickets.submit(narrow.platform, ticket_text("one-too-many"), narrow.caller())
    assert asked(department="civil-it") == (0, "addresses")
    tickets.submit(narrow.platform, ticket_text("other", more=", networks: [data]"), narrow.caller())
    assert asked() == (0, "address_blocks")
    set_blocks(narrow, 512)
    assert asked() == (10, "vcpu")


def test_machines_of_hosts_that_fail_find_addresses_or_are_left_out(database: Database, tmp_path: Path) -> None:
    """Addresses are added up over the systems, as when the host is really lost."""
    narrow = furnish_narrow(database, tmp_path, host_count=2, blocks=2)
    first, other = narrow.hosts
    with database.write() as connection:
        hosts.set_admin_state(connection, other.id, AdminState.CORDONED, reason="检修", by="op", until_s=None)
    for name in ("portal", "mail"):
        tickets.submit(narrow.platform, ticket_text(name), narrow.caller())
    with database.write() as connection:
        hosts.set_admin_state(connection, other.id, AdminState.ACTIVE, reason="", by="op", until_s=None)
        hosts.set_admin_state(connection, first.id, AdminState.CORDONED, reason="检修", by="op", until_s=None)
    tickets.submit(narrow.platform, ticket_text("maps", count=ROOM - 1), narrow.caller())
    found = fate(narrow, first.name)
    assert sorted(f.to_host for f in found) == ["", other.name], "one address is left there"
    [left] = [f for f in found if not f.to_host]
    assert left.explanation is not None
    assert {miss.filter for miss in explanation_from_json(left.explanation).misses} == {"addresses", "state"}


def test_pools_of_a_zone_share_its_blocks(database: Database, tmp_path: Path) -> None:
    narrow = furnish_narrow(database, tmp_path, host_count=2, blocks=1)
    with database.write() as connection:
        [pool] = directory.pools(connection)
        other = replace(pool, id=PoolId("pool_other"), code="other")
        directory.save_pool(connection, other)
        connection.execute(t.hosts.update().where(t.hosts.c.id == narrow.hosts[0].id).values(pool_id=other.id))
    with database.read() as connection:
        answer = how_many_more(connection, FitQuestion(size="tiny"), narrow.clock())
    assert [(line.pool, line.count) for line in answer.pools] == [("other", ROOM), ("sim", ROOM)]
    assert {count for _, _, count in answer.levels} == {ROOM}


def test_machines_of_hosts_that_fail_find_a_place_or_a_reason(here: Furnished) -> None:
    for name, count in (("portal", 4), ("mail", 3), ("maps", 2)):
        tickets.submit(here.platform, ticket_text(name, count=count), here.caller())
    with here.platform.db.read() as connection:
        placed = {r.system_id: r.host_id for r in connection.execute(t.resources.select()) if r.kind == "instance"}
        portal = next(r.id for r in connection.execute(t.systems.select()) if r.name == "portal")
    lost = next(h.name for h in here.hosts if h.id == placed[portal])
    found = fate(here, lost)
    assert [(f.system, f.machine, f.from_host) for f in found] == [("portal", f"web-{n}", lost) for n in range(1, 5)]
    # One vCPU is left beside mail and two beside maps, and machines that share a network stay together: two fit, beside maps.
    assert [bool(f.to_host) for f in found] == [True, True, False, False]
    assert len({f.to_host for f in found[:2]}) == 1
    for stuck in found[2:]:
        assert stuck.explanation is not None
        assert {m[1] for m in stuck.explanation["misses"]} == {"capacity"}


def test_small_systems_are_not_left_out_for_a_large_one_that_takes_their_room(database: Database, tmp_path: Path) -> None:
    here = furnish(database, tmp_path, host_count=2, cpu_count=4)
    tickets.submit(here.platform, ticket_text("large").replace(b"size: tiny", b"size: small"), here.caller())
    for name, count in (("one", 1), ("two", 1), ("beside", 2)):
        tickets.submit(here.platform, ticket_text(name, count=count), here.caller())
    with here.platform.db.read() as connection:
        host_of = {r.system_id: r.host_id for r in connection.execute(t.resources.select()) if r.kind == "instance"}
        home = {s.name: host_of[s.id] for s in connection.execute(t.systems.select())}
    assert home["large"] == home["one"] == home["two"] != home["beside"], "the case is another one"
    found = fate(here, next(h.name for h in here.hosts if h.id == home["large"]))
    # Two vCPUs are left: for the large machine, or for the two small ones.
    assert {f.system: bool(f.to_host) for f in found} == {"large": False, "one": True, "two": True}


def test_the_reserve_takes_what_a_lost_host_had(here: Furnished) -> None:
    set_reserve(here.platform.db, Reserve(level=ReserveLevel.HOST))
    for name in ("portal", "mail"):
        tickets.submit(here.platform, ticket_text(name, count=4), here.caller())
    for host in sorted(set(where(here).values())):
        found = fate(here, host)
        assert len(found) == 4
        assert all(f.to_host for f in found)
    set_reserve(here.platform.db, Reserve())
    assert fate(here, next(h.name for h in here.hosts if h.name not in where(here).values())) == []
    both = fate(here, *sorted(set(where(here).values())))
    assert [bool(f.to_host) for f in both].count(True) == 4, "one host is left for two"


def needed(here: Furnished, *documents: bytes, **changes: Any) -> list[ZoneNeed]:
    shape = HostShape(**{"vcpu_count": 4, "memory_mib": 4096, "disks_gib": {"standard": 100}, **changes})
    return hosts_needed(here.platform, documents, shape, here.caller())


def test_a_list_of_tickets_needs_so_many_hosts(here: Furnished) -> None:
    many = [ticket_text(f"portal-{n}", count=3) for n in range(4)]
    # Three machines that share a network stay together: one ticket a host of four, though the volume is that of three hosts.
    assert needed(here, *many) == [ZoneNeed(zone="gov-public", host_count=4, standby_count=0, lower_bound=3, machine_count=12)]
    (one,) = needed(here, ticket_text("one"))
    assert one == ZoneNeed(zone="gov-public", host_count=1, standby_count=0, lower_bound=1, machine_count=1)


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (lambda here, c: how_many_more(c, FitQuestion(size="gigantic"), NOW_S), "size.not_found"),
        (lambda here, c: how_many_more(c, FitQuestion(size="tiny", pool="none"), NOW_S), "pool.not_found"),
        (lambda here, c: how_many_more(c, FitQuestion(size="tiny", zone="none"), NOW_S), "zone.not_found"),
        (lambda here, c: how_many_more(c, FitQuestion(size="tiny", department="none"), NOW_S), "department.not_found"),
        (lambda here, c: how_many_more(c, FitQuestion(vcpu_count=-1, memory_mib=1), NOW_S), "capacity.amount_invalid"),
        (lambda here, c: how_many_more(c, FitQuestion(), NOW_S), "capacity.amount_invalid"),
        (lambda here, c: when_full(c, here.platform, "none"), "pool.not_found"),
        (lambda here, c: what_if_hosts_fail(c, here.platform, []), "capacity.hosts_missing"),
        (lambda here, c: what_if_hosts_fail(c, here.platform, ["nobody"]), "host.not_found"),
        (lambda here, c: what_if_hosts_fail(c, here.platform, [str(n) for n in range(99)]), "capacity.too_many_hosts"),
        (lambda here, c: needed(here), "capacity.tickets_count"),
        (lambda here, c: needed(here, ticket_text("x"), vcpu_count=0), "capacity.amount_invalid"),
        (lambda here, c: needed(here, ticket_text("x"), disks_gib={}), "capacity.larger_than_shape"),
        (lambda here, c: needed(here, ticket_text("x", count=5)), "capacity.rules_fit_no_number"),
        (lambda here, c: needed(here, ticket_text("x"), arch="aarch64"), "capacity.machine_of_other_arch"),
        (lambda here, c: needed(here, b"kind: Ticket"), "document.missing_field"),
    ],
)
def test_a_question_that_makes_no_sense_is_answered(here: Furnished, ask: Any, code: str) -> None:
    with here.platform.db.read() as connection, pytest.raises(AllotError) as refused:
        ask(here, connection)
    assert code in {refused.value.code, *(p.code for p in refused.value.problems)}


def refused(here: Furnished, *documents: bytes, **changes: Any) -> Mapping[str, Any]:
    """Return code and parameters of a refusal; not a single host may have been made for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SnapshotBuilder, "add_host", lambda *_: pytest.fail("hosts were made"))
        with pytest.raises(Invalid) as found:
            needed(here, *documents, **changes)
    return {"code": found.value.code, **found.value.params}


@pytest.mark.parametrize(
    ("changes", "dimension", "amount", "room"),
    [
        ({"vcpu_count": 1}, "vcpu", 2, 1),
        ({"memory_mib": 4095}, "memory_mib", 4096, 4095),
        ({"disks_gib": {"standard": 1}}, "disk_gib:standard", 2, 1),
    ],
)
def test_a_machine_larger_than_a_host_is_named_with_what_it_is_larger_in(
    here: Furnished, changes: dict[str, Any], dimension: str, amount: int, room: int
) -> None:
    large, shape = ticket_text("large", size="small"), {"vcpu_count": 2, "memory_mib": 4096, "disks_gib": {"standard": 2}}
    (found,) = needed(here, large, **shape)
    assert found.host_count == 1
    told = refused(here, large, **shape | changes)
    assert (told["code"], told["machine"]) == ("capacity.machine_larger_than_shape", "web-1")
    assert (told["dimension"], told["amount"], told["room"]) == (dimension, amount, room)


def test_a_machine_of_another_architecture_than_the_hosts_is_named_with_both(here: Furnished) -> None:
    """Its image has one, though the ticket names none."""
    told = refused(here, ticket_text("portal"), arch="aarch64")
    assert told["code"] == "capacity.machine_of_other_arch"
    assert (told["zone"], told["machine"], told["asked"], told["arch"]) == ("gov-public", "web-1", "x86_64", "aarch64")
    own = ticket_text("portal", more=", arch: x86_64")
    assert refused(here, own, arch="aarch64")["asked"] == "x86_64"
    assert needed(here, own)[0].host_count == 1


def test_a_list_that_needs_more_hosts_than_are_reckoned_with_is_told_how_many_at_least(
    here: Furnished, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts_needed_module, "HOSTS_MAX", 3)
    many = [ticket_text(f"one-{n}") for n in range(4)]
    told = refused(here, *many, vcpu_count=1)
    assert (told["code"], told["lower_bound"]) == ("capacity.too_many_hosts_needed", 4)
    # Each ticket's machines share a network and stay together: four hosts, though three would do by volume.
    with pytest.raises(Invalid) as found:
        needed(here, *[ticket_text(f"three-{n}", count=3) for n in range(4)])
    assert (found.value.code, found.value.params["lower_bound"]) == ("capacity.too_many_hosts_needed", 3)


def test_thousands_of_hosts_are_made_once_and_closed_for_the_numbers_below(
    here: Furnished, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[HostEntry] = []
    add_host = SnapshotBuilder.add_host

    def counted(builder: SnapshotBuilder, entry: HostEntry) -> None:
        made.append(entry)
        add_host(builder, entry)

    monkeypatch.setattr(SnapshotBuilder, "add_host", counted)
    # Two of three vCPUs of each host by pairs that stay together.
    many = [ticket_text(f"pair-{n}", count=2) for n in range(200)]
    (found,) = needed(here, *many, vcpu_count=3, disks_gib={"standard": 10_000})
    assert (found.host_count, found.lower_bound) == (200, 134)
    assert len(made) == 134 + 268


def test_growth_is_what_the_journal_says(here: Furnished) -> None:
    for day, name in enumerate(("a", "b", "c")):
        here.clock.now_s = NOW_S + day * DAY_S + 60
        tickets.submit(here.platform, ticket_text(name, count=day + 1), here.caller())
    now_s = int(NOW_S) + 3 * DAY_S + 60
    with here.platform.db.read() as connection:
        growth = history.daily_growth(connection, since_s=0, now_s=now_s, day_s=DAY_S)
    assert growth["sim"][VCPU] == [1, 2, 3]
    assert growth["sim"]["disk_gib:standard"] == [2, 4, 6]
    assert "address" not in growth["sim"]


def trend(here: Furnished) -> PoolTrend:
    with here.platform.db.read() as connection:
        (found,) = when_full(connection, here.platform)
    return found


def test_a_pool_is_full_when_its_trend_says(here: Furnished) -> None:
    assert not trend(here).trend.is_enough
    here.clock.now_s = NOW_S - 40 * DAY_S
    tickets.submit(here.platform, ticket_text("first"), here.caller())
    # One machine every fourth day of the last forty; nine of twelve vCPUs are used then.
    for number in range(8):
        here.clock.now_s = NOW_S - (32 - 4 * number) * DAY_S
        tickets.submit(here.platform, ticket_text(f"more-{number}"), here.caller())
    here.clock.now_s = NOW_S
    found = trend(here)
    assert found.trend.history_days == 40
    assert found.free[VCPU] == 3
    assert found.trend.dimension == VCPU
    assert found.p10 is not None
    assert found.p90 is not None
    assert "2026-06-04" <= found.p10 <= str(found.p50) <= found.p90 <= "2026-07-15"


def test_the_metric_of_what_fits_agrees_with_the_question_for_every_size_it_counts(here: Furnished) -> None:
    tickets.submit(here.platform, ticket_text("portal", count=3), here.caller())
    set_reserve(here.platform.db, Reserve(level=ReserveLevel.HOST))
    with here.platform.db.write() as connection:
        for name, traits, layout in (("trusted", ("tpm",), NO_LAYOUT), ("alone", (), Layout.of(is_dedicated=True))):
            size = Size(id=SizeId(name), name=name, vcpu_count=1, memory_mib=128, root_disk_gib=1, traits=traits, layout=layout)
            directory.save_size(connection, size)
    with here.platform.db.read() as connection:
        (counted,) = fragmentation.by_pool(summary.free_rooms(connection), directory.sizes(connection)).values()
        assert set(counted.fit) == {"tiny", "small"}, "no other host has a module, or processors of its own for machines"
        for name, count in counted.fit.items():
            assert count == how_many_more(connection, FitQuestion(size=name), NOW_S).pools[0].count > 0


def test_one_per_domain_is_the_number_of_domains(here: Furnished) -> None:
    with here.platform.db.read() as connection:
        for spread in (SpreadLevel.HOST, SpreadLevel.RACK):
            assert how_many_more(connection, FitQuestion(size="tiny", spread=spread), NOW_S).pools[0].count == 3
        assert how_many_more(connection, FitQuestion(size="tiny", spread=SpreadLevel.SITE), NOW_S).pools[0].count == 1
