"""The cost side on both engines: what hosts had is written down as it changes; cost goes where capacity went."""

from pathlib import Path

import pytest
from sqlalchemy import select

from controller.identity import audit
from controller.identity.caller import Role
from controller.reconcile.ledger import LedgerKeeper
from controller.workflows import costs, tickets
from controller.workflows import hosts as host_workflow
from inventory.domain.claim import MOVE, Held
from inventory.domain.errors import Invalid
from inventory.domain.host import AdminState, ForeignDomain
from inventory.domain.scope import PLATFORM
from inventory.store import claims, foreign, hosts
from inventory.store import tables as t
from inventory.store.engine import Database
from metering.costs import PLATFORM_ROWS
from metering.rating import month_at
from tests.support.database import open_for_test
from tests.support.platform import Furnished, furnish
from tests.support.race import race
from tests.support.samples import ticket_text

ROOT = Path(__file__).parents[2]


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Furnished:
    """A furnished platform whose hosts were looked at."""
    found = furnish(database, tmp_path)
    costs.record(found.platform)
    return found


def tick(here: Furnished, seconds: int = 0) -> None:
    here.clock.now_s += seconds
    LedgerKeeper(platform=here.platform, interval_s=5, compare_interval_s=86_400).tick()


def month(here: Furnished) -> str:
    return str(month_at(here.clock.now_s, here.platform.zone))


def test_what_a_ticket_holds_what_is_repaired_and_what_is_idle_are_the_capacity(here: Furnished) -> None:
    tick(here, 100)
    tickets.submit(here.platform, ticket_text("mail", count=2), here.caller())
    tick(here, 500)
    tick(here, 0)
    with here.platform.db.write() as connection:
        empty = next(h for h in here.hosts if not _used(here, h.id))
        hosts.set_admin_state(connection, empty.id, AdminState.MAINTENANCE, reason="fan", by="wang", until_s=None)
    tick(here, 0)
    tick(here, 1000)
    found = costs.places(here.platform, month(here))
    assert found["overfull"] == []
    assert found["unplaced"] == {}
    for place in found["places"]:
        assert sum(place["departments"].values()) + sum(place[row] for row in PLATFORM_ROWS) == place["capacity"]
        assert place["capacity"] > 0
    of_vcpu = {p["host"]: p for p in found["places"] if p["meter"] == "vcpu"}
    assert of_vcpu[empty.name]["reserve"] == of_vcpu[empty.name]["capacity"] * 1000 // 1600
    assert sum(p["building"] for p in of_vcpu.values()) > 0, "machines are being built: nobody's but the platform's"
    assert all(not p["departments"] for p in found["places"])
    assert sum(p["building"] for p in found["places"] if p["meter"].startswith("disk_gib:")) > 0, "and so are their disks"


def test_room_that_is_held_a_second_time_while_a_machine_moves_is_a_row_of_its_own(here: Furnished) -> None:
    tickets.submit(here.platform, ticket_text("mail", count=1), here.caller())
    tick(here, 0)
    target = next(h for h in here.hosts if not _used(here, h.id))
    with here.platform.db.read() as connection:
        machine = connection.execute(select(t.claims).where(t.claims.c.resource_kind == "instance")).one()
    where = {(str(target.id), "vcpu"): 1, (str(target.id), "memory_mib"): 128}
    own = [(*key, amount) for key, amount in sorted(where.items())]
    with here.platform.db.write() as connection:
        assert claims.hold(connection, where) == []
        claims.insert_held(connection, [Held.of(machine.resource_id, MOVE, machine.project_id, own)])
    tick(here, 0)
    tick(here, 100)
    with here.platform.db.write() as connection:
        assert claims.give_up_move(connection, [machine.resource_id])
    tick(here, 0)
    tick(here, 400)
    [place] = [p for p in costs.places(here.platform, month(here))["places"] if p["host"] == target.name and p["meter"] == "vcpu"]
    assert (place["transfer"], place["departments"]) == (100, {})
    assert place["transfer"] + place["idle"] == place["capacity"]


def _used(here: Furnished, host_id: str) -> int:
    with here.platform.db.read() as connection:
        return sum(r.used for r in hosts.inventories(connection) if r.host_id == host_id)


def test_an_unchanged_host_is_written_down_once_and_a_retired_one_ends(here: Furnished) -> None:
    here.clock.now_s += 10
    assert costs.record(here.platform) == 0
    with here.platform.db.write() as connection:
        for state in (AdminState.MAINTENANCE, AdminState.RETIRED):
            hosts.set_admin_state(connection, here.hosts[0].id, state, reason="old", by="wang", until_s=None)
    assert costs.record(here.platform) > 0
    here.clock.now_s += 10
    found = costs.places(here.platform, month(here))
    [gone] = [p for p in found["places"] if p["host_id"] == here.hosts[0].id and p["meter"] == "vcpu"]
    [kept] = [p for p in found["places"] if p["host_id"] == here.hosts[1].id and p["meter"] == "vcpu"]
    assert gone["capacity"] * 2 == kept["capacity"]


def test_a_recorder_looks_at_what_was_noted_and_misses_nothing(here: Furnished) -> None:
    recorder = costs.RoomRecorder(here.platform)
    assert recorder.record() == 0

    def is_followed() -> bool:
        here.clock.now_s += 1
        return recorder.record() > 0 and costs.record(here.platform) == 0

    host, other = here.hosts[:2]
    operator = here.caller(Role.OPERATOR, name="wang")
    host_workflow.set_state(here.platform, host.id, AdminState.MAINTENANCE, operator, reason="fan")
    assert is_followed()
    found = ForeignDomain(host_id=other.id, uuid="u-1", name="old", vcpu_count=3, memory_mib=1024, is_running=True)
    with here.platform.db.write() as connection:
        foreign.save_foreign(connection, other.id, [found], here.clock.now_s)
        foreign.recount_foreign(connection, other.id)
    assert is_followed()
    tickets.submit(here.platform, ticket_text("mail", count=2), here.caller())
    here.clock.now_s += 1
    assert (recorder.record(), costs.record(here.platform)) == (0, 0), "what is promised is no matter of rooms"
    # Somebody forgot to note it.
    with here.platform.db.write() as connection:
        connection.execute(t.inventories.update().where(t.inventories.c.host_id == other.id).values(capacity=5))
    here.clock.now_s += 60
    assert recorder.record() == 0
    here.clock.now_s += 3600
    assert recorder.record() > 0


def test_cost_pools_are_set_whole_audited_and_shared_to_the_micro_yuan(here: Furnished) -> None:
    document = (ROOT / "etc" / "examples" / "finance" / "cost-pools.yaml").read_bytes()
    officer = here.caller(Role.FINANCE, name="wang")
    assert len(costs.set_pools(here.platform, document, officer)) == 3
    assert [p.name for p in costs.pools(here.platform)] == ["hosts-2026", "power-2026", "staff-2026"]
    tick(here, 3600)
    found = costs.shares(here.platform, month(here))
    assert found["micro_yuan"] == sum(p["micro_yuan"] for p in found["pools"]) > 0
    for pool in found["pools"]:
        assert sum(pool["departments"].values()) + sum(pool["platform"].values()) + pool["unallocated"] == pool["micro_yuan"]
    assert found["surplus_micro_yuan"] == -found["micro_yuan"]
    with here.platform.db.read() as connection:
        [event] = audit.page(connection, PLATFORM, limit=5, action="cost.set")
    assert event["detail"]["pools"] == ["hosts-2026", "power-2026", "staff-2026"]
    wrong = document.replace(b"over: vcpu", b"over: address").replace(b"to: 2027", b"to: 2025")
    with pytest.raises(Invalid) as refused:
        costs.set_pools(here.platform, wrong, officer)
    codes = [p.code for p in refused.value.problems]
    assert codes.count("cost.meter_without_capacity") == 2
    assert codes.count("cost.window_empty") == 2
    assert len(costs.pools(here.platform)) == 3


@pytest.mark.postgres
def test_two_controllers_that_write_at_once_write_every_host_once(postgres_url: str, tmp_path: Path) -> None:
    with open_for_test(postgres_url, pool_size=8) as database:
        here = furnish(database, tmp_path)
        result = race(lambda _, __: costs.record(here.platform) > 0, contenders=4, rounds=1, between=lambda _: None, threads=4)
        assert result.wins == (1,), "one wrote, the others found it written"
        assert costs.record(here.platform) == 0
