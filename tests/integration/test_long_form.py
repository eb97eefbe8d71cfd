"""Explanations in their long form: every host, on the state of then, whatever became of it since. On both engines."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from controller.identity.caller import Role
from controller.tickets import store, tables
from controller.workflows import hosts as host_work
from controller.workflows import reservations, tickets
from controller.workflows.long_form import Retold, retold
from controller.workflows.place import load_snapshot
from controller.workflows.reservation_wish import ReservationWish
from controller.workflows.submission import Submission, lead
from controller.workflows.wish import parse
from inventory.domain.errors import NotFound, Unplaceable
from inventory.domain.host import AdminState, Reserve, ReserveLevel
from inventory.domain.ids import HostId
from inventory.domain.scope import PLATFORM
from inventory.store import capacities, changes, directory, hosts, standby
from inventory.store.changes import Mark
from inventory.store.engine import Database
from tests.support.past import snapshot_of
from tests.support.placement import is_same_snapshot
from tests.support.platform import Furnished, furnish
from tests.support.samples import release_text, ticket_text

CPUS = 8


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Furnished:
    return furnish(database, tmp_path, host_count=4, cpu_count=CPUS, segment_prefix=24)


def _submit(here: Furnished, name: str, count: int = 1) -> str:
    return tickets.submit(here.platform, ticket_text(name, count=count), here.caller()).id


def _explanations(here: Furnished, ticket_id: str) -> list[dict[str, Any]]:
    with here.platform.db.read() as connection:
        return store.explanations(connection, PLATFORM, ticket_id=ticket_id)


def _retold(here: Furnished, explanation: Mapping[str, Any]) -> Retold:
    return retold(here.platform, explanation["id"], here.caller(Role.OPERATOR))


def _agrees(here: Furnished, ticket_id: str) -> Retold:
    """Return the long form of the first explanation of a ticket; all of them say what is stored."""
    found = [_retold(here, explanation) for explanation in _explanations(here, ticket_id)]
    for told in found:
        body = told.stored["body"]
        assert told.mismatches == ()
        assert len(told.verdicts) == len({v.host for v in told.verdicts}) == body["hosts_total"]
        _same_counts(told, body)
    return found[0]


def _same_counts(told: Retold, body: Mapping[str, Any]) -> None:
    fell, before = Counter(v.filter for v in told.verdicts if v.filter), body["hosts_total"]
    for name, left in body["left_after"]:
        assert fell[name] == before - left, name
        before = left
    scored = {v.candidate.host: v.candidate for v in told.verdicts if v.candidate}
    for shown in [body["winner"], *body.get("runners_up", ())] if body["is_placed"] else ():
        assert scored[shown["host"]].score == shown["score"]
        assert dict(scored[shown["host"]].parts) == shown["parts"]
        assert sum(shown["parts"].values()) == shown["score"]


def _move_on(here: Furnished) -> None:
    """Change everything that a placement is decided on."""
    first, second, third, _ = here.hosts
    for name in ("later-1", "later-2"):
        _submit(here, name, count=3)
    tickets.submit(here.platform, release_text("later-1"), here.caller(), confirm="later-1")
    host_work.set_state(here.platform, first.id, AdminState.CORDONED, here.caller(Role.OPERATOR), reason="test")
    with here.platform.db.write() as connection:
        pool, zone = directory.pools(connection)[0], directory.zones(connection)[0]
        assert second.facts is not None
        smaller = replace(second, facts=replace(second.facts, cpu_count=2, arch="aarch64"), rack="R9", revision=2)
        hosts.save_host(connection, smaller)
        capacities.save_capacity(
            connection, smaller, pool, [s for s in hosts.storage_pools(connection) if s.host_id == second.id]
        )
        directory.save_pool(connection, replace(pool, mlps_max=1, reserve=Reserve(level=ReserveLevel.HOST)))
        directory.save_zone(connection, replace(zone, mlps_max=2))
        hosts.save_storage_pool(
            connection, replace(next(s for s in hosts.storage_pools(connection) if s.host_id == third.id), disk_class="fast")
        )
        standby.renew(connection)


def test_a_placement_is_told_as_it_was_after_everything_moved_on(here: Furnished) -> None:
    _submit(here, "before", count=2)
    ticket_id = _submit(here, "portal", count=3)
    at_once = _agrees(here, ticket_id)
    _move_on(here)
    assert _agrees(here, ticket_id).verdicts == at_once.verdicts


def test_a_refusal_is_told_with_every_host_and_its_numbers(here: Furnished) -> None:
    with pytest.raises(Unplaceable) as refused:
        _submit(here, "large", count=4 * CPUS + 1)
    ticket_id = str(refused.value.details["ticket_id"])
    _move_on(here)
    told = _agrees(here, ticket_id)
    stored = {(host, name): params for host, name, params in told.stored["body"]["misses"]}
    assert stored
    assert {(v.host, v.filter): dict(v.params) for v in told.verdicts} == stored


def test_each_ticket_of_a_group_is_told_as_it_found_its_predecessors(here: Furnished) -> None:
    texts = [ticket_text(f"system-{n}", count=CPUS // 2 + 1) for n in range(4)]
    group = [Submission(data=text, document=parse(here.platform, text), caller=here.caller()) for text in texts]
    lead(here.platform, group)
    assert here.platform.placing.shared == len(group)
    _move_on(here)
    for submission in group:
        _agrees(here, submission.outcome().id)


def test_a_ticket_that_draws_is_told_with_the_room_of_its_reservation(here: Furnished) -> None:
    wish = ReservationWish(
        name="spring",
        project="P-portal",
        zone="gov-public",
        vcpu_count=1,
        memory_mib=128,
        disk_gib=2,
        ends_s=int(here.platform.clock()) + 86_400,
    )
    reservations.create(here.platform, replace(wish, count=4 * CPUS - 2), here.caller())
    text = ticket_text("portal", count=4).replace(b"{code: P-portal}", b"{code: P-portal, reservation: spring}")
    ticket_id = tickets.submit(here.platform, text, here.caller()).id
    reservations.release(here.platform, "spring", here.caller())
    _move_on(here)
    _agrees(here, ticket_id)


def test_what_is_stored_holds_where_both_differ_and_the_difference_is_named(here: Furnished) -> None:
    ticket_id = _submit(here, "portal")
    (explanation,) = _explanations(here, ticket_id)
    body = explanation["body"]
    wrong = {
        **body,
        "left_after": [[name, left - 1] if name == "capacity" else [name, left] for name, left in body["left_after"]],
    }
    with here.platform.db.write() as connection:
        connection.execute(update(tables.explanations).values(body={**wrong, "policy": "other@1"}))
    mismatches = {(m.what, m.name): (m.stored, m.derived) for m in _retold(here, explanation).mismatches}
    assert mismatches == {("filter", "capacity"): ("3", "4"), ("policy", ""): ("other@1", "balanced@3")}


def test_a_state_whose_changes_were_forgotten_is_not_told(here: Furnished) -> None:
    ticket_id = _submit(here, "portal")
    (explanation,) = _explanations(here, ticket_id)
    with here.platform.db.write() as connection:
        for _ in range(changes.KEPT + 1):
            changes.note(connection, [here.hosts[0].id], {})
        needed = store.oldest_state(connection, 0.0)
        assert needed == Mark.of_text(explanation["body"]["state_revision"])
        changes.forget_old(connection, needed=needed)
    assert _retold(here, explanation).mismatches == ()
    with here.platform.db.write() as connection:
        assert changes.forget_old(connection) > 0
    with pytest.raises(NotFound) as forgotten:
        _retold(here, explanation)
    assert forgotten.value.code == "explanation.state_forgotten"


def test_hosts_that_came_later_were_not_there(here: Furnished) -> None:
    with here.platform.db.write() as connection:
        before = load_snapshot(connection)
        pool = directory.pools(connection)[0]
        new = replace(here.hosts[0], id=HostId(here.platform.new_id("host")), name="newcomer")
        hosts.save_host(connection, new)
        capacities.save_capacity(connection, new, pool, [])
    with here.platform.db.read() as connection:
        assert load_snapshot(connection).host_count == before.host_count + 1
        assert is_same_snapshot(snapshot_of(connection, before.revision), before)


def test_a_change_that_is_not_committed_yet_is_not_part_of_the_state(postgres_database: Database, tmp_path: Path) -> None:
    here = furnish(postgres_database, tmp_path, host_count=2)
    host = here.hosts[0].id
    with here.platform.db.write() as slow:
        hosts.try_use(slow, {(host, "vcpu"): 1})
        with here.platform.db.write() as quick:
            hosts.try_use(quick, {(here.hosts[1].id, "vcpu"): 2})
        with here.platform.db.read() as connection:
            seen = load_snapshot(connection)
    with here.platform.db.read() as connection:
        assert is_same_snapshot(snapshot_of(connection, seen.revision), seen)
        assert not is_same_snapshot(load_snapshot(connection, revision=seen.revision), seen)
