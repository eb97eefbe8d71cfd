"""What is written column by column for new machines is what is written for resources, claims and journal rows one by one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import Connection

from controller.workflows.alike import Alike, claimed_by, metered
from inventory.domain.claim import Claim, Held, Weights, quota_amounts
from inventory.domain.ids import DepartmentId, HostId, ProjectId, ResourceId, StoragePoolId, SystemId, TicketId
from inventory.domain.journal import JournalRow
from inventory.domain.resource import Desired, InstanceSpec, NewResource, Observed, Phase, Resource, ResourceKind, VolumeSpec
from inventory.domain.resources import counted_as
from inventory.domain.system import ServerSpec
from inventory.store import claims, journal, new_resources, resources
from inventory.store.columns import encoded
from inventory.store.engine import Database

NOW_S = 1_700_000_000.25
SERVER = ServerSpec(name="web", count=9, vcpu_count=2, memory_mib=512, size="tiny", image="demo", root_disk_gib=3, networks=())
ALIKE = Alike(SERVER, "img_1")
PLACES = [("a", "x"), ("b", "y"), ("a", "x"), ("a", "z"), ("b", "y")]
PROJECT = ProjectId("proj_1")


def places() -> list[tuple[HostId, StoragePoolId]]:
    return [(HostId(f"host_{host}"), StoragePoolId(f"stor_{pool}")) for host, pool in PLACES]


def drafted() -> tuple[list[NewResource], list[Held]]:
    """Return machines of two hosts, and a disk."""
    born, held = [], []
    for n, (host, pool) in enumerate(places()):
        own = ResourceId(f"inst_{n}")
        born.append(new(own, ResourceKind.INSTANCE, (host, pool), Desired.RUNNING, ALIKE.spec))
        held.append(Held(own, "instance", PROJECT, *ALIKE.claimed(host, pool)))
    disk = VolumeSpec(size_gib=7, disk_class="fast", storage_pool_id="stor_x", instance_id=ResourceId("inst_0"))
    where = HostId("host_a"), StoragePoolId("stor_x")
    born.append(new(ResourceId("vol_0"), ResourceKind.VOLUME, where, Desired.PRESENT, disk))
    held.append(Held.of(ResourceId("vol_0"), "volume", PROJECT, (("stor_x", "disk_gib:fast", 7),)))
    return born, held


def new(
    id_: ResourceId, kind: ResourceKind, where: tuple[HostId, StoragePoolId], desired: Desired, spec: InstanceSpec | VolumeSpec
) -> NewResource:
    host, pool = where
    own = DepartmentId("dept_1"), PROJECT, SystemId("sys_1"), host, desired, spec, pool, TicketId("tick_1"), NOW_S
    return NewResource(id_, kind, f"name of {id_}", *own)


def as_resource(one: NewResource) -> Resource:
    own = one._asdict()
    own["spec"] = replace(one.spec, storage_pool_id=own.pop("storage_pool_id"))
    return Resource(
        **own, observed=Observed.UNKNOWN, phase=Phase.PENDING, next_try_s=one.created_at_s, revision=1
    )  # fmt: skip


def as_claims(held: Sequence[Held]) -> list[Claim]:
    return [
        Claim(
            resource_id=one.resource_id, resource_kind=one.resource_kind, project_id=one.project_id,
            provider_id=provider_id, dimension=dimension, amount=amount,
        )
        for one in held
        for provider_id, dimension, amount in one.amounts
    ]  # fmt: skip


def test_new_machines_read_back_as_resources_with_nothing_of_their_own_but_that(database: Database) -> None:
    born, held = drafted()
    with database.write() as connection:
        new_resources.insert(connection, born, held, metered(held))
    with database.read() as connection:
        found = resources.by_ids(connection, [one.id for one in born])
        assert [found[one.id] for one in born] == [as_resource(one) for one in born]
        kept = claims.of_resources(connection, [one.id for one in born])
        assert Counter(kept) == Counter(as_claims(held))
        for one, own in zip(born, held, strict=True):
            amounts: Counter[str] = Counter()
            for _, dimension, amount in own.amounts:
                amounts[counted_as(dimension)] += amount
            assert journal.of_resource(connection, one.id) == [first_row(one, amounts)]


def first_row(one: NewResource, amounts: Counter[str]) -> JournalRow:
    return JournalRow(
        resource_id=one.id, revision=1, resource_kind=one.kind.value, resource_name=one.name, department_id=one.department_id,
        project_id=one.project_id, system_id=one.system_id, host_id=one.host_id, state="allocated", amounts=dict(amounts),
        occurred_at_s=int(NOW_S), recorded_at_s=int(NOW_S), source="controller",
    )  # fmt: skip


def test_amounts_that_are_shared_add_up_as_claims_do() -> None:
    _, held = drafted()
    assert claims.totals_held(held) == claims.totals(as_claims(held))
    weights = Weights()
    assert weights.of(held) == quota_amounts(as_claims(held))
    assert [weights.of([one]) for one in held] == [quota_amounts(as_claims([one])) for one in held]


def test_machines_share_what_they_claim_on_a_host_and_what_they_share_wherever_they_are() -> None:
    (host_a, pool_x), (host_b, pool_y), *_ = places()
    assert ALIKE.claimed(host_a, pool_x) is ALIKE.claimed(host_a, pool_x)
    assert ALIKE.claimed(host_b, pool_y) == claimed_by(ALIKE.spec, host_b, pool_y) != ALIKE.claimed(host_a, pool_y)
    assert ALIKE.claimed(host_b, pool_y)[1] is ALIKE.claimed(host_a, pool_y)[1]


def test_a_pool_whose_id_sorts_before_that_of_the_host_is_claimed_first() -> None:
    host, pool = HostId("host_a"), StoragePoolId("a_pool")
    assert ALIKE.claimed(host, pool) == claimed_by(ALIKE.spec, host, pool)
    assert ALIKE.claimed(host, pool)[0][0] == (pool, "disk_gib:standard", 3)


def test_what_a_person_wrote_is_stored_as_it_was_written(database: Database) -> None:
    tricky = '#cloud-config "storage_pool_id":"stor_z" %s %% {0} \\" 张三'
    own = Alike(replace(SERVER, user_data=tricky, ssh_keys=('"storage_pool_id":"',), root_disk_class="50%s"), "img_1")
    host, pool = places()[0]
    born = [new(ResourceId("inst_0"), ResourceKind.INSTANCE, (host, pool), Desired.RUNNING, own.spec)]
    held = [Held(ResourceId("inst_0"), "instance", PROJECT, *own.claimed(host, pool))]
    with database.write() as connection:
        new_resources.insert(connection, born, held, metered(held))
    with database.read() as connection:
        assert resources.by_ids(connection, [born[0].id]) == {born[0].id: as_resource(born[0])}
        assert claims.of_resources(connection, [born[0].id]) == as_claims(held)
        # Equal values are equal bytes, however they came about.
        assert stored(connection, "SELECT spec FROM resources") == encoded(as_resource(born[0]).spec.to_json())
        assert stored(connection, "SELECT amounts FROM claims") == encoded(held[0].amounts)


def stored(connection: Connection, statement: str) -> str:
    return str(connection.exec_driver_sql(statement).scalar_one())


def test_nothing_is_claimed_of_nothing(database: Database) -> None:
    empty = Held.of(ResourceId("inst_9"), "instance", PROJECT, (("host_a", "vcpu", 0),))
    with database.read() as connection, pytest.raises(AssertionError, match="a claim of nothing"):
        claims.insert_held(connection, [empty])
