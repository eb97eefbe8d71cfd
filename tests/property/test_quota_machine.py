"""The quota rows behave like a plain model of a tree, whatever is held, released, limited, moved or broken by hand."""

from collections.abc import Mapping
from contextlib import ExitStack

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import Connection

from inventory.domain.claim import Claim, quota_amounts
from inventory.domain.errors import QuotaExceeded
from inventory.domain.ids import ResourceId
from inventory.store import claims as claim_store
from inventory.store import directory
from inventory.store.engine import Database
from quotas import store
from quotas.limits import Mode, ScopeKind
from quotas.tables import quotas
from tests.support.database import memory_database
from tests.support.directory import PROJECTS, TREE, City, add_resource, build_city

DIMENSIONS = ("vcpu", "memory_mib", "disk_gib", "instances", "volumes", "addresses")


class QuotaTree(RuleBasedStateMachine):
    """Model: a dict of parents, a dict of limits, a list of what is held."""

    def __init__(self) -> None:
        super().__init__()
        self.resources = ExitStack()
        self.database: Database = self.resources.enter_context(memory_database())
        self.parents: dict[str, str | None] = dict(TREE)
        self.limits: dict[tuple[str, str], int] = {}
        self.held: dict[str, tuple[str, list[Claim]]] = {}
        self.count = 0
        with self.database.write() as connection:
            self.city: City = build_city(connection)

    def teardown(self) -> None:
        self.resources.close()

    def chain(self, project: str) -> list[str]:
        found, here = [project], PROJECTS[project]
        while here:
            found.append(here)
            here = self.parents[here] or ""
        return found

    def used(self, scope: str, dimension: str) -> int:
        return sum(quota_amounts(claims)[dimension] for project, claims in self.held.values() if scope in self.chain(project))

    @initialize()
    def some_limits(self) -> None:
        self.set_limit("city", "vcpu", 12)
        self.set_limit("P-mail", "instances", 2)

    @rule(scope=st.sampled_from([*TREE, *PROJECTS]), dimension=st.sampled_from(DIMENSIONS), limit=st.none() | st.integers(0, 20))
    def set_limit(self, scope: str, dimension: str, limit: int | None) -> None:
        kind = ScopeKind.DEPARTMENT if scope in TREE else ScopeKind.PROJECT
        self.limits.pop((scope, dimension), None)
        if limit is not None:
            self.limits[scope, dimension] = limit
        with self.database.write() as connection:
            mode = Mode.UNLIMITED if limit is None else Mode.LIMIT
            store.set_limit(connection, kind, self.id_of(scope), dimension, mode, limit)

    def id_of(self, scope: str) -> str:
        return self.city.departments[scope].id if scope in TREE else self.city.projects[scope].id

    @rule(project=st.sampled_from(sorted(PROJECTS)), vcpu=st.integers(1, 8), disk=st.integers(0, 6), addresses=st.integers(0, 2))
    def hold(self, project: str, vcpu: int, disk: int, addresses: int) -> None:
        claims = self.machine(project, vcpu, disk, addresses)
        asked = {d: n for d, n in quota_amounts(claims).items() if n}
        expected = sorted(
            (scope, d, self.limits[scope, d], self.used(scope, d), n)
            for scope in self.chain(project)
            for d, n in asked.items()
            if (scope, d) in self.limits and self.used(scope, d) + n > self.limits[scope, d]
        )
        if not expected:
            self.database.run(lambda c: self.commit(c, project, claims))
            self.held[claims[0].resource_id] = (project, claims)
            return
        with pytest.raises(QuotaExceeded) as caught:
            self.database.run(lambda c: self.commit(c, project, claims))
        found = [(o["scope"], o["dimension"], o["limit"], o["used"], o["asked"]) for o in caught.value.details["overruns"]]
        assert found == expected
        assert len(caught.value.problems) == len(expected)

    def commit(self, connection: Connection, project: str, claims: list[Claim]) -> None:
        store.hold(connection, directory.departments(connection), self.city.projects[project], quota_amounts(claims))
        add_resource(connection, self.city.projects[project], claims[0].resource_id)
        claim_store.insert(connection, claims)

    def machine(self, project: str, vcpu: int, disk: int, addresses: int) -> list[Claim]:
        self.count += 1
        amounts: Mapping[tuple[str, str], int] = {
            ("host_a", "vcpu"): vcpu,
            ("host_a", "memory_mib"): vcpu * 2,
            ("stor_a", "disk_gib:fast"): disk,
            ("seg_a", "address"): addresses,
        }
        return [
            Claim(
                resource_id=ResourceId(f"inst_{self.count}"),
                resource_kind="instance",
                project_id=self.city.projects[project].id,
                provider_id=provider,
                dimension=dimension,
                amount=amount,
            )
            for (provider, dimension), amount in amounts.items()
            if amount
        ]

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        resource = data.draw(st.sampled_from(sorted(self.held)))
        project, _ = self.held.pop(resource)

        def unit(connection: Connection) -> None:
            freed = claim_store.release(connection, ResourceId(resource))
            store.release(connection, self.city.projects[project].id, quota_amounts(freed))

        self.database.run(unit)

    @rule(department=st.sampled_from(["civil-it", "water-it"]), parent=st.sampled_from(["civil", "water", "city"]))
    def move(self, department: str, parent: str) -> None:
        self.parents[department] = parent
        moved = self.city.departments[department]

        def unit(connection: Connection) -> None:
            row = type(moved)(id=moved.id, code=moved.code, name=moved.name, parent_id=self.city.departments[parent].id)
            directory.save_department(connection, row)
            store.repair(connection)

        self.database.run(unit)

    @rule(scope=st.sampled_from([*TREE, *PROJECTS]), dimension=st.sampled_from(DIMENSIONS), wrong=st.integers(0, 50))
    def break_and_repair(self, scope: str, dimension: str, wrong: int) -> None:
        truth = self.used(scope, dimension)
        with self.database.write() as connection:
            kind = ScopeKind.DEPARTMENT if scope in TREE else ScopeKind.PROJECT
            store.ensure_rows(connection, [(kind, self.id_of(scope))])
            key = (quotas.c.scope_id == self.id_of(scope)) & (quotas.c.dimension == dimension)
            connection.execute(quotas.update().where(key).values(used=wrong))
        with self.database.write() as connection:
            expected = [] if wrong == truth else [(self.id_of(scope), dimension, wrong, truth)]
            assert [(d.scope_id, d.dimension, d.used, d.counted) for d in store.repair(connection)] == expected

    @invariant()
    def counters_equal_the_model_and_the_claims(self) -> None:
        with self.database.read() as connection:
            assert store.recount(connection) == []
            for level in store.levels(connection):
                assert level.used == self.used(level.scope, level.dimension), (level.scope, level.dimension)


QuotaTree.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
TestQuotaTree = QuotaTree.TestCase
