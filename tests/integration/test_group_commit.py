"""Tickets that share a transaction: each whole or not at all, and none to the harm of another. On both engines."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, func, select

from controller.identity import audit
from controller.reconcile.auditor import audit_invariants
from controller.tickets import store
from controller.tickets.model import TicketState
from controller.tickets.tables import tickets as ticket_table
from controller.workflows import commit as commit_module
from controller.workflows import tickets
from controller.workflows.picture import Picture
from controller.workflows.place import load_snapshot
from controller.workflows.placing import PlacingCounters
from controller.workflows.platform import Platform
from controller.workflows.reading import KeptLists
from controller.workflows.segments import AddressesTaken
from controller.workflows.submission import Submission, explained, lead
from controller.workflows.turns import Turns
from controller.workflows.wish import parse
from inventory.domain.errors import AllotError, Invalid, QuotaExceeded, Unavailable, Unplaceable
from inventory.domain.host import AdminState
from inventory.domain.ids import HostId, NewId, TicketId
from inventory.domain.organisation import Department
from inventory.domain.resources import VCPU
from inventory.domain.scope import PLATFORM
from inventory.store import changes, claims, hosts
from inventory.store.engine import Database
from inventory.store.tables import capacity_changes
from quotas import store as quota_store
from tests.support.placement import is_same_snapshot
from tests.support.platform import Furnished, furnish
from tests.support.race import race
from tests.support.samples import release_text, ticket_text

CPUS = 4
#: What orders of a commit promise.
Wanted = Mapping[TicketId, Mapping[hosts.ProviderDimension, int]]


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Furnished:
    return furnish(database, tmp_path, host_count=2, cpu_count=CPUS, segment_prefix=24)


def _submission(here: Furnished, text: bytes) -> Submission:
    return Submission(data=text, document=parse(here.platform, text), caller=here.caller())


def _led(here: Furnished, *texts: bytes) -> list[Submission]:
    group = [_submission(here, text) for text in texts]
    lead(here.platform, group)
    assert all(s.is_done for s in group)
    for submission in group:
        if submission.refusal is not None:
            assert explained(here.platform, submission, submission.refusal, is_last=True)
    return group


def _commits(database: Database, work: Callable[[], object]) -> int:
    """Count the transactions that were committed meanwhile."""
    seen: list[Connection] = []

    def committed(connection: Connection) -> None:
        seen.append(connection)

    event.listen(database.engine, "commit", committed)
    try:
        work()
    finally:
        event.remove(database.engine, "commit", committed)
    return len(seen)


def _all_is_counted(here: Furnished) -> None:
    with here.platform.db.read(is_steady=True) as connection:
        assert audit_invariants(connection, {}) == []
        assert quota_store.recount(connection) == []
        assert audit.verify(connection).is_intact


def test_tickets_of_a_group_share_one_transaction_and_each_has_all_of_its_own(here: Furnished) -> None:
    texts = [ticket_text(f"system-{n}") for n in range(4)]
    led: list[Submission] = []
    assert _commits(here.platform.db, lambda: led.extend(_led(here, *texts))) == 1
    with here.platform.db.read() as connection:
        for submission in led:
            ticket = submission.outcome()
            assert ticket == store.get(connection, ticket.id, PLATFORM)
            assert ticket.state is TicketState.ACCEPTED
            assert [e.code for e in store.events(connection, ticket.id)] == ["step.accepted"]
            assert [x["kind"] for x in store.explanations(connection, PLATFORM, ticket_id=ticket.id)] == ["placement"]
            assert store.submitted_bytes(connection, ticket.id) == submission.data
        assert [e["action"] for e in audit.page(connection, PLATFORM, limit=10)] == ["ticket.submit"] * 4
    assert here.platform.placing.shared == 4
    _all_is_counted(here)


def test_the_same_bytes_again_give_the_same_ticket_inside_a_group_too(here: Furnished) -> None:
    first = tickets.submit(here.platform, ticket_text("system-1"), here.caller())
    again, other = _led(here, ticket_text("system-1"), ticket_text("system-2"))
    assert again.outcome().id == first.id
    assert other.outcome().id != first.id
    _all_is_counted(here)


def test_a_neighbour_that_does_not_fit_is_refused_alone_and_kept(here: Furnished) -> None:
    small, large, last = _led(here, ticket_text("small"), ticket_text("large", count=3 * CPUS), ticket_text("last"))
    assert small.outcome().state is last.outcome().state is TicketState.ACCEPTED
    with pytest.raises(Unplaceable) as refused:
        large.outcome()
    with here.platform.db.read() as connection:
        kept = store.get(connection, str(refused.value.details["ticket_id"]), PLATFORM)
    assert kept.state is TicketState.REFUSED
    _all_is_counted(here)


def test_a_group_over_a_limit_gets_as_many_as_the_limit_allows(here: Furnished) -> None:
    here.limit("city", "instances", 3)
    led = _led(here, *(ticket_text(f"system-{n}") for n in range(5)))
    accepted = [s for s in led if s.ticket is not None]
    assert len(accepted) == 3
    for submission in led:
        if submission.ticket is None:
            with pytest.raises(QuotaExceeded):
                submission.outcome()
    _all_is_counted(here)


def test_a_mistake_in_one_ticket_is_told_to_its_own_and_the_rest_shares_the_transaction(here: Furnished) -> None:
    good, wrong, fine = _led(here, ticket_text("good"), ticket_text("wrong").replace(b"tiny", b"no-such"), ticket_text("fine"))
    with pytest.raises(Invalid):
        wrong.outcome()
    assert good.outcome().state is fine.outcome().state is TicketState.ACCEPTED
    assert here.platform.placing.shared == 3
    _all_is_counted(here)


def test_a_group_that_meets_something_unforeseen_is_decided_one_by_one(here: Furnished, monkeypatch: pytest.MonkeyPatch) -> None:
    together = commit_module.commit_many

    def breaks_for_many(
        connection: Connection, orders: list[commit_module.Order], new_id: NewId, departments: list[Department]
    ) -> object:
        if len(orders) > 1:
            raise AddressesTaken
        return together(connection, orders, new_id, departments)

    monkeypatch.setattr(commit_module, "commit_many", breaks_for_many)
    led = _led(here, ticket_text("system-1"), ticket_text("system-2"))
    assert [s.outcome().state for s in led] == [TicketState.ACCEPTED] * 2
    assert here.platform.placing.groups_broken == 1
    _all_is_counted(here)


def test_an_order_whose_host_is_full_is_left_out_and_its_neighbours_are_held(here: Furnished) -> None:
    """Behind the back of the picture one host is filled: only the ticket that was to go there is decided again."""
    first, second = here.hosts

    class Late(Picture):
        """A picture of before the host was filled, the first time it is used."""

        def follow(self, connection: Connection) -> None:
            if self.loads == 0:
                super().follow(connection)
                hosts.try_use(connection, {(first.id, VCPU): CPUS})
            else:
                super().follow(connection)

    picture = Late()
    platform = replace(here.platform, picture=picture, placing=PlacingCounters())
    group = [_submission(here, ticket_text(f"system-{n}", count=2)) for n in range(2)]
    lead(platform, group)
    with platform.db.read() as connection:
        placed = {r.provider_id: r.used for r in hosts.inventories(connection) if r.dimension == VCPU}
    assert placed == {first.id: CPUS, second.id: CPUS}
    assert sorted(platform.placing.rejected_by_host) == [first.name]
    assert [s.outcome().state for s in group] == [TicketState.ACCEPTED] * 2


def test_nothing_stays_promised_of_an_order_that_is_left_out_last(here: Furnished, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first round leaves one order out, and the host of the other fills up before it is tried once more."""
    first, second = here.hosts
    hold = claims.hold_orders
    rounds: list[int] = []

    def fills_up(connection: Connection, wanted: Wanted) -> list[hosts.ProviderDimension]:
        rounds.append(len(wanted))
        of_others: dict[hosts.ProviderDimension, int] = (
            {((first, second)[len(rounds) - 1].id, VCPU): CPUS} if len(rounds) <= 2 else {}
        )
        hosts.try_use(connection, of_others)
        refused = hold(connection, wanted)
        hosts.give_back(connection, of_others)
        return refused

    monkeypatch.setattr(claims, "hold_orders", fills_up)
    led = _led(here, *(ticket_text(f"system-{n}", count=CPUS) for n in range(2)))
    assert rounds[0] > rounds[1], "the second round is that of one order"
    assert [s.outcome().state for s in led] == [TicketState.ACCEPTED] * 2
    _all_is_counted(here)


def test_nothing_stays_promised_of_the_only_order_of_a_group_when_it_is_left_out(
    here: Furnished, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its neighbour never came to be an order, and the transaction is committed all the same."""
    hold = claims.hold_orders
    rounds: list[int] = []

    def fills_up(connection: Connection, wanted: Wanted) -> list[hosts.ProviderDimension]:
        of_others: dict[hosts.ProviderDimension, int] = {} if rounds else {(host.id, VCPU): CPUS for host in here.hosts}
        hosts.try_use(connection, of_others)
        rounds.append(len(wanted))
        refused = hold(connection, wanted)
        hosts.give_back(connection, of_others)
        return refused

    monkeypatch.setattr(claims, "hold_orders", fills_up)
    wrong, right = _led(here, ticket_text("wrong").replace(b"tiny", b"no-such"), ticket_text("right"))
    assert isinstance(wrong.error, Invalid)
    assert right.outcome().state is TicketState.ACCEPTED
    _all_is_counted(here)


def test_a_picture_follows_what_others_change(here: Furnished) -> None:
    picture = Picture()
    with here.platform.db.read() as connection:
        picture.follow(connection)
    tickets.submit(here.platform, ticket_text("system-1", count=2), here.caller())
    with here.platform.db.read() as connection:
        picture.follow(connection)
        assert is_same_snapshot(replace(picture.snapshot, revision=""), replace(load_snapshot(connection), revision=""))
    assert picture.loads == 1
    with here.platform.db.write() as connection:
        hosts.set_admin_state(connection, here.hosts[0].id, AdminState.CORDONED, reason="", by="ops", until_s=None)
    with here.platform.db.read() as connection:
        picture.follow(connection)
        assert is_same_snapshot(replace(picture.snapshot, revision=""), replace(load_snapshot(connection), revision=""))
    assert picture.loads == 2


def test_each_note_is_read_once_and_a_reader_that_was_away_reads_everything(
    here: Furnished, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "KEPT", 6)
    database = here.platform.db
    with database.read() as connection:
        mark = changes.mark_now(connection)
    with database.write() as connection:
        changes.note(connection, [here.hosts[0].id], {})
    with database.read() as connection:
        news = changes.since(connection, mark)
        assert (news.host_ids, news.is_everything) == (frozenset({here.hosts[0].id}), False)
        assert changes.since(connection, news.mark).host_ids == set()
    for _ in range(4):
        with database.write() as connection:
            changes.note(connection, [here.hosts[1].id], {})
    with database.read() as connection:
        assert changes.since(connection, mark).is_everything
    for _ in range(6):
        with database.write() as connection:
            changes.note(connection, [here.hosts[1].id], {})
    with database.write() as connection:
        assert changes.forget_old(connection) > 0
        assert connection.execute(select(func.count()).select_from(capacity_changes)).scalar_one() == changes.KEPT


@pytest.mark.postgres
def test_a_note_that_is_committed_after_a_later_one_is_not_missed(postgres_database: Database) -> None:
    with postgres_database.read() as connection:
        mark = changes.mark_now(connection)
    with postgres_database.write() as slow:
        changes.note(slow, [HostId("host_slow")], {})
        with postgres_database.write() as quick:
            changes.note(quick, [HostId("host_quick")], {})
        with postgres_database.read() as connection:
            first = changes.since(connection, mark)
        assert first.host_ids == {"host_quick"}
    with postgres_database.read() as connection:
        second = changes.since(connection, first.mark)
        assert second.host_ids == {"host_slow"}
        assert changes.since(connection, second.mark).host_ids == set()


@pytest.mark.postgres
def test_several_controllers_that_plan_at_once_never_promise_a_host_twice(postgres_database: Database, tmp_path: Path) -> None:
    """Room for 24 machines, 60 tickets at four controllers with pictures of their own: 24 are accepted, the others refused."""
    here = furnish(postgres_database, tmp_path, host_count=6, cpu_count=CPUS, segment_prefix=24)
    controllers = [_another(here.platform) for _ in range(4)]

    def attempt(_round: int, number: int) -> bool:
        try:
            ticket = tickets.submit(controllers[number % 4], ticket_text(f"race-{number}"), here.caller())
        except Unplaceable:
            return False
        return ticket.state is TicketState.ACCEPTED

    result = race(attempt, contenders=60, rounds=1, between=lambda _: None, threads=20)
    assert result.wins == (6 * CPUS,)
    with postgres_database.read() as connection:
        assert {r.used for r in hosts.inventories(connection) if r.dimension == VCPU} == {CPUS}
        counted = select(ticket_table.c.state, func.count().label("tickets")).group_by(ticket_table.c.state)
        assert {r.state: r.tickets for r in connection.execute(counted)} == {"accepted": 24, "refused": 36}
    _all_is_counted(here)


def _another(platform: Platform) -> Platform:
    return replace(platform, turns=Turns(), picture=Picture(), lists=KeptLists(), placing=PlacingCounters())


def test_a_release_waits_its_turn_and_goes_alone(here: Furnished) -> None:
    tickets.submit(here.platform, ticket_text("system-1"), here.caller())
    text = release_text("system-1")
    group = [Submission(data=text, document=parse(here.platform, text), caller=here.caller(), confirm="system-1")]
    assert group[0].is_alone
    lead(here.platform, group)
    assert group[0].outcome().system_name == "system-1"
    _all_is_counted(here)


def test_a_state_that_cannot_be_used_is_told_to_everybody_who_waits(here: Furnished, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_self: Database, _unit: object) -> object:
        raise Unavailable("state.unreachable")

    group = [_submission(here, ticket_text(f"system-{n}")) for n in range(2)]
    monkeypatch.setattr(Database, "run", away)
    lead(here.platform, group)
    for submission in group:
        with pytest.raises(AllotError):
            submission.outcome()
