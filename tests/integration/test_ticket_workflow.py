"""Tickets up to acceptance, on both engines: commit, refusal, repetition, approval, change, release, races."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from controller.identity.caller import Role
from controller.tickets import store
from controller.tickets.approval import ApprovalPolicy
from controller.tickets.model import TicketState
from controller.workflows import tickets
from inventory.domain.catalogue import Price
from inventory.domain.claim import quota_amounts
from inventory.domain.errors import Conflict, Forbidden, Invalid, NotFound, QuotaExceeded, Unplaceable
from inventory.domain.host import AdminState
from inventory.domain.ids import ResourceId, StoragePoolId
from inventory.domain.resource import Desired, ResourceKind
from inventory.domain.scope import PLATFORM
from inventory.store import claims, hosts, journal, networks, resources, systems
from inventory.store.engine import Database
from inventory.store.tables import resources as resource_table
from metering import store as price_store
from quotas import store as quota_store
from tests.support.platform import Furnished, furnish
from tests.support.samples import change_text, release_text, ticket_text


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Furnished:
    return furnish(database, tmp_path)


def test_an_accepted_ticket_leaves_rows_claims_addresses_and_journal(here: Furnished) -> None:
    ticket = tickets.submit(here.platform, ticket_text("portal", count=2), here.caller())
    assert ticket.state is TicketState.ACCEPTED
    with here.platform.db.read() as connection:
        system = systems.get(connection, "portal", PLATFORM)
        found = resources.of_system(connection, system.id)
        machines = [r for r in found if r.kind is ResourceKind.INSTANCE]
        assert [m.name for m in machines] == ["web-1", "web-2"]
        assert len({m.host_id for m in machines}) == 1, "servers that share a network stay on one host"
        assert sorted(v.name for v in found if v.kind is ResourceKind.VOLUME) == ["web-1/data", "web-2/data"]
        assert [m.instance.nics[0].address for m in machines] == ["10.96.0.2", "10.96.0.3"]
        held = claims.of_resources(connection, [r.id for r in found])
        assert quota_amounts(held) == {
            "vcpu": 2, "memory_mib": 256, "disk_gib": 4, "instances": 2, "volumes": 2, "addresses": 2,
        }  # fmt: skip
        assert hosts.recount_used(connection) == []
        assert quota_store.recount(connection) == []
        rows = journal.of_resource(connection, machines[0].id)
        assert [(r.revision, r.state, r.amounts) for r in rows] == [
            (1, "allocated", {"vcpu": 1, "memory_mib": 128, "disk_gib:standard": 1, "address": 1})
        ]


def test_the_same_bytes_again_are_the_same_ticket(here: Furnished) -> None:
    first = tickets.submit(here.platform, ticket_text("portal"), here.caller())
    again = tickets.submit(here.platform, ticket_text("portal"), here.caller())
    assert again.id == first.id
    with here.platform.db.read() as connection:
        assert len(store.page(connection, PLATFORM, limit=10)) == 1


def test_a_create_of_a_name_in_use_is_refused_with_its_revision(here: Furnished) -> None:
    tickets.submit(here.platform, ticket_text("portal"), here.caller())
    with pytest.raises(Conflict) as caught:
        tickets.submit(here.platform, ticket_text("portal", count=2), here.caller())
    assert (caught.value.code, caught.value.params["revision"]) == ("system.exists", 1)


def test_what_fits_nowhere_is_refused_whole_and_explained(here: Furnished) -> None:
    with pytest.raises(Unplaceable) as caught:
        tickets.submit(here.platform, ticket_text("portal", count=50), here.caller())
    with here.platform.db.read() as connection:
        ticket = store.get(connection, caught.value.details["ticket_id"], PLATFORM)
        assert ticket.state is TicketState.REFUSED
        explanation = store.explanations(connection, PLATFORM, ticket_id=ticket.id)[0]
        assert explanation["kind"] == "refusal"
        assert explanation["body"]["misses"]
        assert resources.page(connection, PLATFORM, kind=ResourceKind.INSTANCE, limit=9) == []
        assert hosts.recount_used(connection) == []


def test_over_quota_lists_every_overrun_and_holds_nothing(here: Furnished) -> None:
    here.limit("P-portal", "vcpu", 1)
    here.limit("city", "memory_mib", 128)
    with pytest.raises(QuotaExceeded) as caught:
        tickets.submit(here.platform, ticket_text("portal", count=2), here.caller())
    assert {(o["scope"], o["dimension"]) for o in caught.value.details["overruns"]} == {
        ("P-portal", "vcpu"),
        ("city", "memory_mib"),
    }
    with here.platform.db.read() as connection:
        assert all(level.used == 0 for level in quota_store.levels(connection))
        assert resources.page(connection, PLATFORM, kind=ResourceKind.INSTANCE, limit=9) == []


def test_a_plan_changes_nothing_and_says_where_it_would_go(here: Furnished) -> None:
    offer = tickets.plan(here.platform, ticket_text("portal", count=2), here.caller()).to_json()
    assert offer["is_possible"]
    assert offer["impact"] == "none"
    assert float(offer["month_price_after_yuan"]) > 0
    assert [p["member"] for p in offer["placements"]] == ["web-1", "web-2"]
    assert {(q["scope"], q["dimension"], q["after"]) for q in offer["quota"]} >= {
        ("P-portal", "vcpu", 2),
        ("city", "instances", 2),
    }
    with here.platform.db.read() as connection:
        assert store.page(connection, PLATFORM, limit=10) == []


def test_only_what_was_planned_is_accepted(here: Furnished) -> None:
    offer = tickets.plan(here.platform, ticket_text("portal"), here.caller())
    tickets.submit(here.platform, ticket_text("other"), here.caller())
    with pytest.raises(Conflict, match=r"plan\.changed"):
        tickets.submit(here.platform, ticket_text("portal"), here.caller(), plan_digest=offer.digest())


def test_another_department_does_not_see_the_system(here: Furnished) -> None:
    tickets.submit(here.platform, ticket_text("portal"), here.caller())
    with pytest.raises(NotFound):
        tickets.submit(here.platform, release_text("portal"), here.caller(department="water-it", name="李四"), confirm="portal")


def test_at_most_so_many_in_one_place_counts_the_machines_that_are_there_when_a_system_grows(here: Furnished) -> None:
    spread = ticket_text("portal", count=2).replace(b"count: 2,", "count: 2, 分散: 不同机房, 每处上限: 2,".encode())
    assert tickets.submit(here.platform, spread, here.caller()).state is TicketState.ACCEPTED
    with pytest.raises(Unplaceable):
        tickets.submit(here.platform, change_text("portal", "{name: web, count: 3}"), here.caller())
    with here.platform.db.read() as connection:
        assert systems.get(connection, "portal", PLATFORM).revision == 1
    wider = change_text("portal", "{name: web, count: 3, spread-max: 3}")
    assert tickets.submit(here.platform, wider, here.caller()).state is TicketState.ACCEPTED
    together = change_text("portal", "{name: web, spread: soft-same-rack}", base=2)
    tickets.submit(here.platform, together, here.caller())
    with here.platform.db.read() as connection:
        web = systems.get(connection, "portal", PLATFORM).spec.servers[0]
    assert (web.spread_word(), web.spread_max) == ("soft-same-rack", 1)


def test_a_cordoned_host_takes_nothing_new(here: Furnished) -> None:
    with here.platform.db.write() as connection:
        for host in here.hosts:
            hosts.set_admin_state(connection, host.id, AdminState.CORDONED, reason="检修", by="op", until_s=None)
    with pytest.raises(Unplaceable):
        tickets.submit(here.platform, ticket_text("portal"), here.caller())


def test_a_change_grows_claims_at_once_and_keeps_old_names(here: Furnished) -> None:
    tickets.submit(here.platform, ticket_text("portal"), here.caller())
    changed = tickets.submit(here.platform, change_text("portal", "{name: web, size: small, count: 2}"), here.caller())
    assert changed.state is TicketState.ACCEPTED
    with here.platform.db.read() as connection:
        system = systems.get(connection, "portal", PLATFORM)
        assert system.revision == 2
        found = {r.name: r for r in resources.of_system(connection, system.id)}
        assert found["web-1"].instance.vcpu_count == 2
        assert found["web-1"].generation == 2
        assert found["web-2"].generation == 1
        held = claims.of_resources(connection, [r.id for r in found.values()])
        assert quota_amounts(held)["vcpu"] == 4
        assert hosts.recount_used(connection) == []
        assert quota_store.recount(connection) == []


def test_the_same_change_again_is_the_same_ticket(here: Furnished) -> None:
    tickets.submit(here.platform, ticket_text("portal"), here.caller())
    text = change_text("portal", "{name: web, count: 2}")
    first = tickets.submit(here.platform, text, here.caller())
    assert tickets.submit(here.platform, text, here.caller()).id == first.id


def test_a_disk_is_added_and_another_taken_away(here: Furnished) -> None:
    tickets.submit(here.platform, ticket_text("portal"), here.caller())
    servers = "{name: web, disks: [{name: data, state: absent}, {name: logs, size: 2GiB}]}"
    with pytest.raises(Invalid, match=r"ticket\.confirmation_missing"):
        tickets.submit(here.platform, change_text("portal", servers), here.caller())
    tickets.submit(here.platform, change_text("portal", servers), here.caller(), confirm="portal")
    with here.platform.db.read() as connection:
        system = systems.get(connection, "portal", PLATFORM)
        found = {r.name: r for r in resources.of_system(connection, system.id)}
        assert found["web-1/data"].desired is Desired.ABSENT
        assert [d.name for d in found["web-1"].instance.disks] == ["logs"]
        assert quota_store.recount(connection) == []


def test_a_release_needs_the_typed_name_and_wishes_everything_gone(here: Furnished) -> None:
    tickets.submit(here.platform, ticket_text("portal"), here.caller())
    with pytest.raises(Invalid, match=r"ticket\.confirmation_missing"):
        tickets.submit(here.platform, release_text("portal"), here.caller())
    released = tickets.submit(here.platform, release_text("portal"), here.caller(), confirm="portal")
    assert released.state is TicketState.ACCEPTED
    with here.platform.db.read() as connection:
        system = systems.get(connection, "portal", PLATFORM)
        assert all(r.desired is Desired.ABSENT for r in resources.of_system(connection, system.id))
    again = tickets.submit(here.platform, release_text("portal"), here.caller(), confirm="portal")
    assert again.id == released.id


def test_releasing_production_waits_for_a_second_person(here: Furnished) -> None:
    text = ticket_text("portal").replace(b"environment: test", b"environment: production")
    tickets.submit(here.platform, text, here.caller())
    waiting = tickets.submit(here.platform, release_text("portal"), here.caller(), confirm="portal")
    assert waiting.state is TicketState.AWAITING_APPROVAL
    with pytest.raises(Forbidden, match=r"approval\.own_ticket"):
        tickets.approve(here.platform, waiting.id, here.caller(), "我自己")
    accepted = tickets.approve(here.platform, waiting.id, here.caller(name="李四"), "同意")
    assert accepted.state is TicketState.ACCEPTED


def test_what_has_another_price_by_now_is_not_approved(here: Furnished) -> None:
    platform = replace(here.platform, approval_policy=ApprovalPolicy(machines_over=0))
    waiting = tickets.submit(platform, ticket_text("portal"), here.caller())
    assert waiting.state is TicketState.AWAITING_APPROVAL
    with platform.db.write() as connection:
        price_store.save_price(connection, Price(meter="vcpu", micro_yuan_per_unit_hour=2000, valid_from_s=0))
    with pytest.raises(Conflict, match=r"plan\.changed"):
        tickets.approve(platform, waiting.id, here.caller(name="李四"), "同意")
    with platform.db.write() as connection:
        assert store.get(connection, waiting.id, PLATFORM).state is TicketState.AWAITING_APPROVAL
        assert store.approvals(connection, waiting.id) == []
        price_store.save_price(connection, Price(meter="vcpu", micro_yuan_per_unit_hour=1000, valid_from_s=0))
    assert tickets.approve(platform, waiting.id, here.caller(name="李四"), "同意").state is TicketState.ACCEPTED


def test_a_rejected_ticket_says_who_and_why(here: Furnished) -> None:
    text = ticket_text("portal").replace(b"environment: test", b"environment: production")
    tickets.submit(here.platform, text, here.caller())
    waiting = tickets.submit(here.platform, release_text("portal"), here.caller(), confirm="portal")
    rejected = tickets.reject(here.platform, waiting.id, here.caller(Role.OPERATOR, name="王五"), "仍在使用")
    assert rejected.problem is not None
    assert rejected.problem.params == {"by": "王五", "reason": "仍在使用"}


def test_addresses_rest_before_they_are_given_again(database: Database, tmp_path: Path) -> None:
    here = furnish(database, tmp_path, host_count=1)
    tickets.submit(here.platform, ticket_text("portal"), here.caller())
    with here.platform.db.write() as connection:
        machine = resources.page(connection, PLATFORM, kind=ResourceKind.INSTANCE, limit=1)[0]
        networks.rest(connection, machine.id, here.clock() + 60)
    tickets.submit(here.platform, ticket_text("second"), here.caller())
    here.clock.now_s += 61
    tickets.submit(here.platform, ticket_text("third"), here.caller())
    with here.platform.db.read() as connection:
        given = {
            systems.get(connection, str(m.system_id), PLATFORM).name: m.instance.nics[0].address
            for m in resources.page(connection, PLATFORM, kind=ResourceKind.INSTANCE, limit=9)
        }
    assert given["second"] == "10.96.0.3"
    assert given["third"] == "10.96.0.2"


def _at_once(count: int, work: Callable[[int], object]) -> list[object]:
    gate = threading.Barrier(count)

    def one(number: int) -> object:
        gate.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        found = [pool.submit(one, number) for number in range(count)]
    return [each.exception() or each.result() for each in found]


def test_parallel_tickets_never_promise_anything_twice(here: Furnished) -> None:
    here.limit("city", "instances", 5)
    results = _at_once(8, lambda n: tickets.submit(here.platform, ticket_text(f"s-{n}"), here.caller()))
    accepted = [r for r in results if getattr(r, "state", None) is TicketState.ACCEPTED]
    refused = [r for r in results if isinstance(r, QuotaExceeded)]
    assert (len(accepted), len(refused)) == (5, 3), results
    with here.platform.db.read() as connection:
        assert hosts.recount_used(connection) == []
        assert quota_store.recount(connection) == []
        machines = resources.page(connection, PLATFORM, kind=ResourceKind.INSTANCE, limit=50)
        places = [(m.instance.nics[0].segment_id, m.instance.nics[0].address) for m in machines]
        assert len(set(places)) == len(places) == 5


def test_a_relative_lease_handed_in_again_tomorrow_is_still_the_same_ticket(here: Furnished) -> None:
    text = ticket_text("portal").replace(b'{end: "2027-02-28"}', "{end: 12个月}".encode())
    first = tickets.submit(here.platform, text, here.caller())
    here.clock.now_s += 86_400
    assert tickets.submit(here.platform, text, here.caller()).id == first.id


def test_a_segment_that_is_not_ready_holds_no_ticket_up(here: Furnished) -> None:
    ticket = tickets.submit(here.platform, ticket_text("portal"), here.caller())
    with here.platform.db.write() as connection:
        for part in resources.page(connection, PLATFORM, kind=ResourceKind.INSTANCE, limit=9) + resources.page(
            connection, PLATFORM, kind=ResourceKind.VOLUME, limit=9
        ):
            connection.execute(update(resource_table).where(resource_table.c.id == part.id).values(phase="settled"))
        store.refresh_states(connection, [ticket.id], here.clock())
        assert store.get(connection, ticket.id, PLATFORM).state is TicketState.DONE


def test_who_decides_on_a_ticket_that_was_decided_meanwhile_is_told_so(here: Furnished) -> None:
    made = tickets.submit(here.platform, ticket_text("portal"), here.caller())
    with here.platform.db.write() as connection:
        seen = store.get(connection, made.id, PLATFORM)
        moved = store.move(connection, seen, TicketState.RUNNING, now_s=here.clock())
    with pytest.raises(Conflict, match=r"ticket\.changed_meanwhile"), here.platform.db.write() as connection:
        store.move(connection, seen, TicketState.FAILED, now_s=here.clock())
    with here.platform.db.read() as connection:
        assert store.get(connection, made.id, PLATFORM) == moved


def test_a_system_that_changed_since_it_was_read_is_not_written_over(here: Furnished) -> None:
    tickets.submit(here.platform, ticket_text("portal"), here.caller())
    with here.platform.db.write() as connection:
        read = systems.get(connection, "portal", PLATFORM)
        systems.replace(connection, replace(read, revision=2), base_revision=1)
    with pytest.raises(Conflict, match=r"system\.changed_meanwhile"), here.platform.db.write() as connection:
        systems.replace(connection, replace(read, revision=2), base_revision=1)
    with here.platform.db.read() as connection:
        assert systems.get(connection, "portal", PLATFORM).revision == 2


def test_what_is_not_in_the_books_is_said_not_to_be_there(here: Furnished) -> None:
    with here.platform.db.read() as connection:
        with pytest.raises(NotFound, match=r"resource\.not_found"):
            resources.get(connection, ResourceId("inst_" + "0" * 32), PLATFORM)
        with pytest.raises(NotFound, match=r"storage_pool\.not_found"):
            hosts.storage_pool(connection, StoragePoolId("stor_" + "0" * 32))
