"""64 wishes for the last unit: exactly one gets it, on PostgreSQL.

The guarded write alone: 100 rounds in one project, 20 across projects; 16 threads share the 64 wishes of a round. The 1,000
rounds through the whole commit are ``test_commit_race.py``'s.
"""

from collections.abc import Mapping

import pytest
from sqlalchemy import Connection

from inventory.domain.errors import QuotaExceeded
from inventory.domain.ids import ProjectId
from inventory.store.engine import Database, open_database
from quotas import store
from quotas.limits import Mode, ScopeKind
from tests.support.directory import build_city
from tests.support.race import race

pytestmark = pytest.mark.postgres
LIMIT = 10
CONTENDERS = 64


#: 6,400 transactions.
@pytest.mark.timeout(900)
def test_of_64_parallel_holds_at_limit_minus_one_exactly_one_wins_in_100_rounds(postgres_url: str) -> None:
    _race_for_the_last_unit(postgres_url, rounds=100, same_project=True, wish={"vcpu": 1})


def test_of_64_parallel_holds_from_different_projects_below_one_limit_exactly_one_wins(postgres_url: str) -> None:
    _race_for_the_last_unit(postgres_url, rounds=20, same_project=False, wish={"vcpu": 1, "memory_mib": 1024, "instances": 1})


def _race_for_the_last_unit(url: str, *, rounds: int, same_project: bool, wish: Mapping[str, int]) -> None:
    database = open_database(url, pool_size=16)
    try:
        with database.write() as connection:
            city = build_city(connection)
            limited = city.departments["city"].id
            store.set_limit(connection, ScopeKind.DEPARTMENT, limited, "vcpu", Mode.LIMIT, LIMIT)
            store.hold(connection, city.all_departments, city.projects["P-portal"], {"vcpu": LIMIT - 1, "instances": 1})
        projects = sorted(city.projects.values(), key=lambda p: p.code)

        def reset(round_: int) -> None:
            if round_:
                assert _used(database, limited) == LIMIT
                with database.write() as connection:
                    store.release(connection, winner[-1], wish)

        winner: list[ProjectId] = []
        refusals: set[str] = set()

        def attempt(round_: int, number: int) -> bool:
            project = projects[0] if same_project else projects[number % len(projects)]

            def unit(connection: Connection) -> None:
                store.hold(connection, city.all_departments, project, wish)

            try:
                database.run(unit)
            except QuotaExceeded as refused:
                refusals.add(str([(o["scope"], o["dimension"]) for o in refused.details["overruns"]]))
                return False
            winner.append(project.id)
            return True

        result = race(attempt, contenders=CONTENDERS, rounds=rounds, between=reset, threads=16)
        assert set(result.wins) == {1}
        assert len(winner) == rounds
        assert refusals == {"[('city', 'vcpu')]"}
        assert _used(database, limited) == LIMIT
    finally:
        database.dispose()


def _used(database: Database, scope_id: str) -> int:
    with database.read() as connection:
        return next(x.used for x in store.levels(connection) if x.scope_id == scope_id and x.dimension == "vcpu")
