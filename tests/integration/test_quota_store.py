"""quotas.store on both engines: refusals, counters, recount, and moves of departments under a hold."""

import threading
from dataclasses import replace

import pytest
from sqlalchemy import Connection, event, select
from sqlalchemy.exc import IntegrityError

from inventory.domain.claim import Claim
from inventory.domain.errors import Conflict, Invalid, NotFound, QuotaExceeded
from inventory.domain.ids import ProjectId, ResourceId
from inventory.store import claims, directory
from inventory.store.engine import Database
from quotas import store
from quotas.limits import Mode, ScopeKind
from quotas.tables import quotas
from tests.support.directory import City, add_resource, build_city
from tests.support.race import race


@pytest.fixture
def city(database: Database) -> City:
    with database.write() as connection:
        return build_city(connection)


def used(connection: Connection, scope: str, dimension: str = "vcpu") -> int:
    return next((x.used for x in store.levels(connection) if (x.scope, x.dimension) == (scope, dimension)), 0)


def test_a_hold_counts_in_the_project_and_every_department_above(database: Database, city: City) -> None:
    with database.write() as connection:
        store.hold(connection, city.all_departments, city.projects["P-portal"], {"vcpu": 4, "instances": 1, "volumes": 0})
    with database.read() as connection:
        counted = {scope: used(connection, scope) for scope in ("P-portal", "civil-it", "civil", "city", "water", "P-mail")}
        assert counted == {"P-portal": 4, "civil-it": 4, "civil": 4, "city": 4, "water": 0, "P-mail": 0}


def test_a_refusal_lists_every_overrun_with_the_names_people_know_and_holds_nothing(database: Database, city: City) -> None:
    with database.write() as connection:
        store.set_limit(connection, ScopeKind.DEPARTMENT, city.departments["civil"].id, "vcpu", Mode.LIMIT, 3)
        store.set_limit(connection, ScopeKind.PROJECT, city.projects["P-portal"].id, "memory_mib", Mode.LIMIT, 1024)
        store.set_limit(connection, ScopeKind.DEPARTMENT, city.departments["city"].id, "vcpu", Mode.LIMIT, 2)
    asked = {"vcpu": 4, "memory_mib": 2048, "disk_gib": 10, "instances": 2}
    with pytest.raises(QuotaExceeded) as caught, database.write() as connection:
        store.hold(connection, city.all_departments, city.projects["P-portal"], asked)
    found = [(o["scope"], o["scope_kind"], o["dimension"], o["limit"], o["asked"]) for o in caught.value.details["overruns"]]
    assert found == [
        ("P-portal", "project", "memory_mib", 1024, 2048),
        ("city", "department", "vcpu", 2, 4),
        ("civil", "department", "vcpu", 3, 4),
    ]
    assert caught.value.params["scope_name"] == "P-portal"
    assert [p.code for p in caught.value.problems] == ["quota.exceeded"] * 3
    with database.read() as connection:
        assert {x.used for x in store.levels(connection)} == {0}


def test_a_lowered_limit_stops_growth_only(database: Database, city: City) -> None:
    project = city.projects["P-portal"]
    with database.write() as connection:
        store.hold(connection, city.all_departments, project, {"vcpu": 8})
        level = store.set_limit(connection, ScopeKind.PROJECT, project.id, "vcpu", Mode.LIMIT, 2)
        assert (level.used, level.limit_amount, level.scope) == (8, 2, "P-portal")
        store.hold(connection, city.all_departments, project, {"vcpu": 0, "volumes": 1})
        store.release(connection, project.id, {"vcpu": 1})
    with pytest.raises(QuotaExceeded), database.write() as connection:
        store.hold(connection, city.all_departments, project, {"vcpu": 1})


def test_a_release_gives_back_everywhere_and_never_below_zero(database: Database, city: City) -> None:
    project = city.projects["P-portal"]
    with database.write() as connection:
        store.hold(connection, city.all_departments, project, {"vcpu": 4})
        store.release(connection, project.id, {"vcpu": 4, "instances": 0})
        assert {x.used for x in store.levels(connection)} == {0}
    with pytest.raises(IntegrityError), database.write() as connection:
        store.release(connection, project.id, {"vcpu": 1})


def test_a_release_of_an_unknown_project_is_not_found(database: Database, city: City) -> None:
    with pytest.raises(NotFound, match=r"project\.not_found"), database.write() as connection:
        store.release(connection, ProjectId("proj_none"), {"vcpu": 1})


def test_modes_are_explicit_and_checked(database: Database, city: City) -> None:
    scope = city.projects["P-mail"].id
    with database.write() as connection:
        for mode, limit in ((Mode.LIMIT, None), (Mode.UNLIMITED, 3), (Mode.INHERIT, 0), (Mode.LIMIT, -1), (Mode.LIMIT, 10**13)):
            with pytest.raises(Invalid, match=r"quota\.limit_invalid"):
                store.set_limit(connection, ScopeKind.PROJECT, scope, "vcpu", mode, limit)
        with pytest.raises(Invalid, match=r"quota\.dimension_unknown"):
            store.set_limit(connection, ScopeKind.PROJECT, scope, "cpu", Mode.LIMIT, 1)
        store.set_limit(connection, ScopeKind.PROJECT, scope, "vcpu", Mode.LIMIT, 1)
        level = store.set_limit(connection, ScopeKind.PROJECT, scope, "vcpu", Mode.UNLIMITED)
        assert (level.mode, level.limit_amount) == (Mode.UNLIMITED, None)


def test_levels_of_a_project_are_those_on_the_way_up(database: Database, city: City) -> None:
    with database.write() as connection:
        kinds = [(ScopeKind.DEPARTMENT, d.id) for d in city.departments.values()]
        store.ensure_rows(connection, [*kinds, *((ScopeKind.PROJECT, p.id) for p in city.projects.values())])
        found = store.levels_of(connection, city.all_departments, city.projects["P-portal"])
    assert {x.scope for x in found} == {"P-portal", "civil-it", "civil", "city"}
    assert len(found) == 4 * 6


def test_ensure_rows_may_run_twice_and_keeps_what_is_set(database: Database, city: City) -> None:
    scope = city.projects["P-mail"].id
    with database.write() as connection:
        store.set_limit(connection, ScopeKind.PROJECT, scope, "vcpu", Mode.LIMIT, 7)
        store.ensure_rows(connection, [(ScopeKind.PROJECT, scope)])
        [level] = [x for x in store.levels(connection) if x.scope_id == scope and x.dimension == "vcpu"]
    assert level.limit_amount == 7


def test_recount_finds_drift_and_repair_ends_it(database: Database, city: City) -> None:
    project = city.projects["P-gauges"]
    rows = [("host_a", "vcpu", 4), ("host_a", "memory_mib", 512), ("stor_a", "disk_gib:fast", 10), ("seg_a", "address", 1)]
    held = [
        Claim(
            resource_id=ResourceId("inst_1"), resource_kind="instance", project_id=project.id,
            provider_id=provider, dimension=dimension, amount=amount,
        )
        for provider, dimension, amount in rows
    ]  # fmt: skip
    with database.write() as connection:
        add_resource(connection, project, "inst_1")
        claims.insert(connection, held)
        found = {(d.scope_id, d.dimension): (d.used, d.counted) for d in store.recount(connection)}
        assert found[project.id, "vcpu"] == (0, 4)
        assert found[city.departments["city"].id, "instances"] == (0, 1)
        assert len(found) == 4 * 5
        assert len(store.repair(connection)) == len(found)
        assert store.recount(connection) == []
        assert used(connection, "water", "disk_gib") == 10


def test_promises_that_fit_together_are_taken_at_once_and_others_judged_one_by_one(database: Database, city: City) -> None:
    portal, mail = city.projects["P-portal"], city.projects["P-mail"]
    asked = [(portal, {"vcpu": 2, "memory_mib": -5}), (mail, {"vcpu": 3}), (portal, {"vcpu": 1})]
    with database.write() as connection:
        store.set_limit(connection, ScopeKind.DEPARTMENT, city.departments["city"].id, "vcpu", Mode.LIMIT, 6)
        ledger = store.Ledger(connection, city.all_departments, asked)
        assert ledger.take_all(asked)
        assert not ledger.take_all([(mail, {"vcpu": 1})])
        ledger.write()
        assert used(connection, "city", "vcpu") == 6
    with database.write() as connection:
        store.set_limit(connection, ScopeKind.DEPARTMENT, city.departments["city"].id, "vcpu", Mode.LIMIT, 11)
        ledger = store.Ledger(connection, city.all_departments, asked)
        assert not ledger.take_all(asked)
        ledger.take(*asked[0])
        ledger.take(*asked[1])
        with pytest.raises(QuotaExceeded):
            ledger.take(*asked[2])
        ledger.write()
        assert used(connection, "city", "vcpu") == 11


def test_a_hold_on_an_old_tree_is_told_to_read_again(database: Database, city: City) -> None:
    moved = replace(city.departments["civil-it"], parent_id=city.departments["water"].id)
    with database.write() as connection:
        directory.save_department(connection, moved)
    with pytest.raises(Conflict, match=r"quota\.departments_moved"), database.write() as connection:
        store.hold(connection, city.all_departments, city.projects["P-portal"], {"vcpu": 1})


def test_the_guard_stands_in_the_write_itself(database: Database, city: City) -> None:
    """Read and write are two statements: the second must not trust the first."""
    project = city.projects["P-portal"]
    with database.write() as connection:
        store.set_limit(connection, ScopeKind.PROJECT, project.id, "vcpu", Mode.LIMIT, 2)
    statements: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda _c, _u, sql, *_: statements.append(sql))
    with database.write() as connection:
        store.hold(connection, city.all_departments, project, {"vcpu": 2})
    [update] = [s for s in statements if s.startswith("UPDATE quotas")]
    assert "<= quotas.limit_amount" in update


@pytest.mark.postgres
def test_a_department_moved_during_a_hold_waits_for_it_and_counts_it(postgres_database: Database) -> None:
    """A hold not yet committed and a move with its recount: whichever order, the counters end right."""
    with postgres_database.write() as connection:
        city = build_city(connection)
    project, done = city.projects["P-portal"], threading.Event()
    moved = replace(city.departments["civil-it"], parent_id=city.departments["water"].id)

    def move() -> None:
        with postgres_database.write() as other:
            directory.save_department(other, moved)
            store.repair(other)
        done.set()

    mover = threading.Thread(target=move)
    with postgres_database.write() as connection:
        store.hold(connection, city.all_departments, project, {"vcpu": 3, "instances": 1})
        mover.start()
        assert not done.wait(0.3)
        one = Claim(
            resource_id=ResourceId("inst_1"), resource_kind="instance", project_id=project.id,
            provider_id="host_a", dimension="vcpu", amount=3,
        )  # fmt: skip
        add_resource(connection, project, "inst_1")
        claims.insert(connection, [one])
    mover.join(timeout=20)
    with postgres_database.read() as connection:
        assert store.recount(connection) == []
        assert (used(connection, "civil"), used(connection, "water"), used(connection, "city")) == (0, 3, 3)


@pytest.mark.postgres
def test_holds_and_releases_that_cross_never_deadlock(postgres_database: Database) -> None:
    with postgres_database.write() as connection:
        city = build_city(connection)
    projects = sorted(city.projects.values(), key=lambda p: p.code)
    wishes = [{"vcpu": 1, "volumes": 1}, {"volumes": 1, "addresses": 2}, {"addresses": 1, "vcpu": 2, "memory_mib": 1}]

    def attempt(round_: int, number: int) -> bool:
        project, wish = projects[number % 3], wishes[(round_ + number) % 3]
        # Not ``run``: that would try again after a deadlock and hide it.
        with postgres_database.write() as connection:
            store.hold(connection, city.all_departments, project, wish)
        with postgres_database.write() as connection:
            store.release(connection, project.id, dict(reversed(wish.items())))
        return True

    result = race(attempt, contenders=12, rounds=15, between=lambda _: None, threads=12)
    assert set(result.wins) == {12}
    with postgres_database.read() as connection:
        assert set(connection.scalars(select(quotas.c.used))) == {0}
