"""What is written column by column for new machines is what is written for resources, claims and journal rows one by one."""

from collections import Counter
from collections.abc import Sequence

import pytest

from controller.workflows.alike import Alike, machine_amounts, metered
from inventory.domain.claim import Claim, Held, Weights, quota_amounts
from inventory.domain.ids import DepartmentId, HostId, ProjectId, ResourceId, StoragePoolId, SystemId, TicketId
from inventory.domain.journal import JournalRow
from inventory.domain.resource import Desired, NewResource, Observed, Phase, Resource, ResourceKind, Spec, VolumeSpec
from inventory.domain.resources import counted_as
from inventory.domain.system import ServerSpec
from inventory.store import claims, journal, new_resources, resources
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
        born.append(new(own, ResourceKind.INSTANCE, host, Desired.RUNNING, ALIKE.spec(pool)))
        held.append(Held(own, "instance", PROJECT, ALIKE.amounts(host, pool)))
    disk = VolumeSpec(size_gib=7, disk_class="fast", storage_pool_id="stor_x", instance_id=ResourceId("inst_0"))
    born.append(new(ResourceId("vol_0"), ResourceKind.VOLUME, HostId("host_a"), Desired.PRESENT, disk))
    held.append(Held(ResourceId("vol_0"), "volume", PROJECT, (("stor_x", "disk_gib:fast", 7),)))
    return born, held


def new(id_: ResourceId, kind: ResourceKind, host: HostId, desired: Desired, spec: Spec) -> NewResource:
    own = DepartmentId("dept_1"), PROJECT, SystemId("sys_1"), host, desired, spec, TicketId("tick_1"), NOW_S
    return NewResource(id_, kind, f"name of {id_}", *own)


def as_resource(one: NewResource) -> Resource:
    return Resource(
        **one._asdict(), observed=Observed.UNKNOWN, phase=Phase.PENDING, next_try_s=one.created_at_s, revision=1
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
        new_resources.insert(connection, born)
        claims.insert_held(connection, held)
        journal.begin(connection, born, metered(held))
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


def test_machines_share_a_spec_on_a_pool_and_claims_on_a_host() -> None:
    (host_a, pool_x), (host_b, pool_y), *_ = places()
    assert ALIKE.spec(pool_x) is ALIKE.spec(pool_x)
    assert ALIKE.amounts(host_a, pool_x) is ALIKE.amounts(host_a, pool_x)
    assert (ALIKE.spec(pool_x).storage_pool_id, ALIKE.spec(pool_y).storage_pool_id) == (pool_x, pool_y)
    assert ALIKE.amounts(host_b, pool_y) == machine_amounts(ALIKE.spec(pool_y), host_b) != ALIKE.amounts(host_a, pool_y)


def test_nothing_is_claimed_of_nothing(database: Database) -> None:
    empty = Held(ResourceId("inst_9"), "instance", PROJECT, (("host_a", "vcpu", 0),))
    with database.read() as connection, pytest.raises(AssertionError, match="a claim of nothing"):
        claims.insert_held(connection, [empty])
