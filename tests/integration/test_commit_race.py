"""64 departments' tickets for the last machine of a quota, on PostgreSQL: exactly one is accepted, every time.

The first test races the whole ``submit`` (read, resolve, place, commit, store the refusals); the second races the commit
transaction alone, with orders prepared before, so that a thousand rounds fit into a test: 16 threads share the contenders of
a round. In the soak test each of the 64 has a thread and a connection of its own.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, QueuePool, func, select

from controller.reconcile.auditor import audit_invariants
from controller.tickets.approval import ApprovalPolicy
from controller.tickets.model import TicketState
from controller.tickets.tables import tickets as ticket_table
from controller.workflows import commit as commit_module
from controller.workflows import tickets
from controller.workflows.commit import Order
from controller.workflows.obligation import lease_end_s
from controller.workflows.picture import Picture
from controller.workflows.placing import PlacingCounters
from controller.workflows.platform import Platform
from controller.workflows.quote import Quote
from controller.workflows.turns import Turns
from inventory.domain.claim import quota_amounts
from inventory.domain.errors import QuotaExceeded, Unavailable, Unplaceable
from inventory.domain.ids import SystemId, TicketId
from inventory.domain.placement import Placement
from inventory.domain.resource import ResourceKind
from inventory.domain.scope import PLATFORM
from inventory.domain.system import System, SystemState
from inventory.store import claims, hosts, networks, resources, systems
from inventory.store import tables as t
from inventory.store.engine import Database
from quotas import store as quota_store
from tests.support.database import open_for_test
from tests.support.platform import Furnished, furnish
from tests.support.race import race
from tests.support.samples import ticket_text

pytestmark = pytest.mark.postgres
CONTENDERS = 64
LIMIT = 4


@pytest.fixture
def here(postgres_url: str, tmp_path: Path) -> Iterator[Furnished]:
    """A platform with room for everybody, whose city may have ``LIMIT`` machines and has one less."""
    with open_for_test(postgres_url, pool_size=CONTENDERS) as database:
        furnished = furnish(database, tmp_path, host_count=3, cpu_count=512, segment_prefix=24)
        furnished.limit("city", "instances", LIMIT)
        tickets.submit(furnished.platform, ticket_text("first", count=LIMIT - 1), furnished.caller())
        yield furnished


def _controllers(here: Furnished, count: int) -> list[Platform]:
    """Return several controllers on one state, each with its own queue and its own picture of the hosts."""
    return [replace(here.platform, turns=Turns(), picture=Picture(), placing=PlacingCounters()) for _ in range(count)]


def _used(database: Database, code: str, dimension: str) -> int:
    with database.read() as connection:
        return next(x.used for x in quota_store.levels(connection) if (x.scope, x.dimension) == (code, dimension))


def _give_back(here: Furnished, connection: Connection, name: str) -> None:
    """End what a system holds, as the record of a confirmed absence does."""
    system = systems.get(connection, name, PLATFORM)
    ids = [r.id for r in resources.of_system(connection, system.id)]
    freed = claims.release(connection, *ids)
    quota_store.release(connection, here.city.projects["P-portal"].id, quota_amounts(freed))
    for resource_id in ids:
        networks.rest(connection, resource_id, here.clock())


def _no_promise_is_double(database: Database) -> None:
    """Recount capacity, quota and addresses from the claims."""
    with database.read() as connection:
        assert hosts.recount_used(connection) == []
        assert quota_store.recount(connection) == []
        given = connection.execute(select(t.addresses.c.segment_id, t.addresses.c.address)).all()
        assert len(given) == len(set(given))


def test_of_64_tickets_for_the_last_machine_exactly_one_is_accepted(here: Furnished) -> None:
    """Rounds of the whole submit; every loser's ticket is stored as refused, with the limit it met."""
    rounds = 4
    database = here.platform.db
    controllers = _controllers(here, 8)
    overruns: set[tuple[str, str]] = set()

    def reset(round_: int) -> None:
        if round_:
            here.limit("city", "instances", LIMIT + round_)

    def attempt(round_: int, number: int) -> bool:
        try:
            ticket = tickets.submit(controllers[number % 8], ticket_text(f"race-{round_}-{number}"), here.caller())
        except QuotaExceeded as refused:
            overruns.update((over["scope"], over["dimension"]) for over in refused.details["overruns"])
            return False
        assert ticket.state is TicketState.ACCEPTED
        return True

    result = race(attempt, contenders=CONTENDERS, rounds=rounds, between=reset, threads=32)
    assert result.wins == (1,) * rounds
    assert overruns == {("city", "instances")}
    assert _used(database, "city", "instances") == LIMIT + rounds - 1
    with database.read() as connection:
        counted = select(ticket_table.c.state, func.count().label("tickets")).group_by(ticket_table.c.state)
        states = {row.state: row.tickets for row in connection.execute(counted)}
    assert states == {"accepted": 1 + rounds, "refused": rounds * (CONTENDERS - 1)}
    _no_promise_is_double(database)
    with database.read(is_steady=True) as connection:
        assert audit_invariants(connection, {}) == []


def test_of_approvals_for_the_last_room_as_many_succeed_as_fit_on_controllers_that_placed_nothing_yet(
    postgres_url: str, tmp_path: Path
) -> None:
    """Each finds the hosts empty and most of their plans are old when they are written."""
    with open_for_test(postgres_url, pool_size=CONTENDERS) as database:
        here = furnish(database, tmp_path, host_count=2, cpu_count=4)
        asking = replace(here.platform, approval_policy=ApprovalPolicy(machines_over=0))
        waiting = [tickets.submit(asking, ticket_text(f"portal-{n}"), here.caller()) for n in range(16)]
        controllers = _controllers(here, 16)

        def attempt(_round: int, number: int) -> bool:
            try:
                tickets.approve(controllers[number], waiting[number].id, here.caller(name="李四"), "同意")
            except Unplaceable:
                return False
            return True

        assert race(attempt, contenders=16, rounds=1, between=lambda _: None).wins == (8,)
        # Who has no picture of its own cannot say whose capacity was gone.
        assert {host for one in controllers for host in one.placing.rejected_by_host} <= {""}
        _no_promise_is_double(database)


def _prepared(here: Furnished, offer: Quote) -> Order:
    """Return the order of an accepted offer: what ``submit`` hands to the commit."""
    wish = offer.wish
    assert wish.wanted is not None
    assert isinstance(offer.decision, Placement)
    system = System(
        id=SystemId("system_prepared"),
        name=wish.name,
        department_id=wish.department.id,
        project_id=wish.project.id,
        state=SystemState.BUILDING,
        revision=1,
        spec=wish.wanted,
        lease_end_s=lease_end_s(wish.wanted.lease_end, here.platform.zone),
    )
    return Order(
        ticket_id=TicketId("ticket_prepared"),
        system=system,
        base_revision=0,
        department=wish.department,
        project=wish.project,
        zone=wish.zone,
        deltas=offer.deltas,
        placements={m.name: m for m in offer.decision.members},
        images=wish.images,
        now_s=here.clock(),
    )


def test_of_parallel_commits_at_limit_minus_one_exactly_one_wins_in_1000_rounds(here: Furnished) -> None:
    """64 contenders in every twentieth round and 4 in the others; all 64 in each of the 1,000 rounds is the soak test below."""
    _race_commits(here, rounds=1000, contenders=lambda round_: CONTENDERS if round_ % 20 == 0 else 4, threads=16)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_of_64_parallel_commits_at_limit_minus_one_exactly_one_wins_in_1000_rounds(here: Furnished) -> None:
    _race_commits(here, rounds=1000, contenders=lambda _: CONTENDERS, threads=CONTENDERS)


def _race_commits(here: Furnished, rounds: int, contenders: Callable[[int], int], threads: int) -> None:
    database, new_id = here.platform.db, here.platform.new_id
    prepared = _prepared(here, tickets.plan(here.platform, ticket_text("race"), here.caller()))
    winners: list[str] = []

    def reset(round_: int) -> None:
        if round_:
            assert _used(database, "city", "instances") == LIMIT
            with database.write() as connection:
                _give_back(here, connection, winners[-1])

    def attempt(round_: int, number: int) -> bool:
        if number >= contenders(round_):
            return False
        name = f"race-{round_}-{number}"
        system = replace(prepared.system, id=SystemId(new_id("system")), name=name)
        order = replace(prepared, ticket_id=TicketId(new_id("ticket")), system=system)

        def once(connection: Connection) -> None:
            stale = commit_module.commit(connection, order, new_id)
            assert stale is None, f"nothing but the quota is short here: {stale}"

        try:
            database.run(once)
        except QuotaExceeded:
            return False
        winners.append(name)
        return True

    result = race(attempt, contenders=CONTENDERS, rounds=rounds, between=reset, threads=threads)
    assert set(result.wins) == {1}
    assert len(winners) == rounds
    assert _used(database, "city", "instances") == LIMIT
    with database.read() as connection:
        machines = resources.page(connection, PLATFORM, kind=ResourceKind.INSTANCE, limit=10 * rounds)
        assert len(machines) == LIMIT - 1 + rounds, "a refused commit left a machine behind"
    _no_promise_is_double(database)


def test_a_pool_without_a_free_connection_is_busy_and_not_a_bug(postgres_url: str) -> None:
    with open_for_test(postgres_url, pool_size=1) as database, database.read(), database.read():
        pool = database.engine.pool
        assert isinstance(pool, QueuePool)
        pool._timeout = 0.05  # thirty seconds in production
        with pytest.raises(Unavailable) as caught, database.read():
            pytest.fail("a third connection out of a pool of one and one more")
        assert caught.value.code == "state.busy"
