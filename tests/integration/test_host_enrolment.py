"""Hosts enrolled from simulated back ends, read again, moved between states. On both engines."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from controller.identity.caller import local_operator
from controller.identity.tables import audit
from controller.scheduling.columns import TRAITS_MAX
from controller.texts.catalogue import say
from controller.workflows import hosts as work
from controller.workflows.hosts import EnrolRequest, StorageRequest
from drivers.faults import Transient
from drivers.protocol import ComputeDriver, DriverContext
from drivers.registry import driver_factory
from inventory.domain.errors import AllotError, Conflict, Invalid, NotFound
from inventory.domain.host import AdminState, Host, HostFacts, Reachability
from inventory.domain.ids import HostId
from inventory.store import hosts
from inventory.store import tables as t
from inventory.store.engine import Database
from tests.support.platform import Furnished, furnish
from tests.support.race import race

OPERATOR = local_operator("li")


@pytest.fixture
def furnished(database: Database, tmp_path: Path) -> Furnished:
    return furnish(database, tmp_path, host_count=1)


def connection_of(name: str, options: str = "cpus=32&memory_mib=65536&pools=default:1000,fast:200") -> str:
    return f"simulated://enrolment/{name}?{options}"


def request(name: str = "n1", **changes: Any) -> EnrolRequest:
    storage = (
        StorageRequest(name="default"),
        StorageRequest(name="fast", disk_class="high-performance", overcommit_permille=2000),
    )
    base = EnrolRequest(
        name=name, pool="sim", connection=connection_of(name), rack="A01", reserved={"memory_mib": 4096}, storage=storage
    )
    return replace(base, **changes)


def driver(furnished: Furnished, connection: str, name: str = "n1") -> ComputeDriver:
    context = DriverContext(host_id="host_x", host_name=name, connection=connection, clock=furnished.clock)
    return driver_factory("simulated")(context)


def enrol(furnished: Furnished, wanted: EnrolRequest | None = None) -> Host:
    wanted = wanted or request()
    return work.enrol(furnished.platform, wanted, driver(furnished, wanted.connection, wanted.name), OPERATOR)


def test_an_enrolled_host_is_what_the_driver_read_and_what_the_operator_said(furnished: Furnished) -> None:
    host = enrol(furnished, request(overcommit_permille={"vcpu": 4000}))
    with furnished.platform.db.read() as connection:
        stored = hosts.host(connection, "n1")
        room = {r.dimension: (r.total, r.capacity, r.used) for r in hosts.inventories_of(connection, [host.id])[host.id]}
        assert [r.action for r in connection.execute(select(audit))] == ["host.enrol"]
    assert stored == host
    assert stored.facts is not None
    assert (stored.admin_state, stored.reachability, stored.rack) == (AdminState.ENROLLED, Reachability.REACHABLE, "A01")
    assert room == {
        "vcpu": (32, 128, 0),
        "memory_mib": (65536, 61440, 0),
        "disk_gib:standard": (1000, 1000, 0),
        "disk_gib:high-performance": (200, 400, 0),
    }


def test_the_id_a_driver_was_opened_with_is_kept(furnished: Furnished) -> None:
    assert enrol(furnished, request(host_id=HostId("host_given"))).id == "host_given"


@pytest.mark.parametrize(
    ("changes", "kind", "code"),
    [
        ({"name": "host-0000"}, Conflict, "host.name_taken"),
        ({"pool": "none"}, NotFound, "pool.not_found"),
        ({"storage": (StorageRequest(name="missing"),)}, Invalid, "host.storage_missing"),
        ({"storage": (StorageRequest(name="fast"), StorageRequest(name="fast"))}, Invalid, "host.storage_twice"),
        ({"storage": (StorageRequest(name="fast", overcommit_permille=0),)}, Invalid, "host.amount_invalid"),
        ({"reserved": {"memory_mib": -1}}, Invalid, "host.amount_invalid"),
        ({"reserved": {"memory": 1}}, Invalid, "host.amount_invalid"),
        ({"overcommit_permille": {"vcpu": 0}}, Invalid, "host.amount_invalid"),
    ],
)
def test_a_wrong_enrolment_is_refused_and_leaves_nothing(
    furnished: Furnished, changes: dict[str, object], kind: type[AllotError], code: str
) -> None:
    with furnished.platform.db.read() as connection:
        before = (hosts.hosts(connection), hosts.storage_pools(connection), hosts.inventories(connection))
    wanted = request(str(changes.get("name", "n1")), **{k: v for k, v in changes.items() if k != "name"})
    with pytest.raises(kind) as caught:
        enrol(furnished, wanted)
    assert caught.value.code == code
    with furnished.platform.db.read() as connection:
        assert (hosts.hosts(connection), hosts.storage_pools(connection), hosts.inventories(connection)) == before


def test_one_machine_cannot_be_enrolled_twice(furnished: Furnished) -> None:
    enrol(furnished)
    with pytest.raises(Conflict) as caught:
        enrol(furnished, request("n2", connection=connection_of("n1")))
    assert (caught.value.code, caught.value.params["other"]) == ("host.connection_taken", "n1")


def test_of_eight_enrolments_of_one_machine_at_once_one_wins(furnished: Furnished) -> None:
    codes: list[str] = []

    def attempt(round_: int, number: int) -> bool:
        try:
            enrol(furnished, request(f"n{number}", connection=connection_of(f"machine-{round_}")))
        except Conflict as refused:
            codes.append(refused.code)
            return False
        return True

    def clear(round_: int) -> None:
        with furnished.platform.db.write() as connection:
            for table in (t.inventories, t.storage_pools):
                connection.execute(table.delete())
            connection.execute(t.hosts.delete())

    assert set(race(attempt, contenders=8, rounds=5, between=clear, threads=8).wins) == {1}
    assert codes == ["host.connection_taken"] * 35


def test_a_host_that_does_not_answer_is_not_enrolled(furnished: Furnished) -> None:
    class Silent:
        def inspect_host(self) -> None:
            raise Transient("driver.unreachable", host="n1")

    silent: Any = Silent()  # only inspect_host is asked
    with pytest.raises(Transient):
        work.enrol(furnished.platform, request(), silent, OPERATOR)
    with pytest.raises(NotFound), furnished.platform.db.read() as connection:
        hosts.host(connection, "n1")


def test_reading_again_takes_over_more_memory_and_keeps_what_is_used(furnished: Furnished) -> None:
    host = enrol(furnished)
    with furnished.platform.db.write() as connection:
        connection.execute(t.inventories.update().where(t.inventories.c.host_id == host.id).values(used=7))
    grown = driver(furnished, connection_of("n1-grown", "cpus=32&memory_mib=131072&pools=default:1000,fast:200"))
    again = work.refresh(furnished.platform, host.id, grown)
    assert again.revision == host.revision + 1
    with furnished.platform.db.read() as connection:
        room = {r.dimension: (r.capacity, r.used) for r in hosts.inventories_of(connection, [host.id])[host.id]}
    assert room["memory_mib"] == (131072 - 4096, 7)


def test_reading_again_without_news_changes_no_revision(furnished: Furnished) -> None:
    host = enrol(furnished)
    assert work.refresh(furnished.platform, host.id, driver(furnished, host.connection)).revision == host.revision


def test_where_a_host_stands_is_offered_and_offered_no_more_once_it_was_read_otherwise(furnished: Furnished) -> None:
    class Standing:
        def inspect_host(self) -> HostFacts:
            return replace(driver(furnished, connection_of("n1")).inspect_host(), places=places)

    def offered() -> list[str]:
        with furnished.platform.db.read() as connection:
            return hosts.traits(connection, TRAITS_MAX)

    standing: Any = Standing()  # only inspect_host is asked
    places: tuple[str, ...] = ("aggregate-ssd", "az-east")
    host = work.enrol(furnished.platform, request(traits=["sriov"]), standing, OPERATOR)
    assert host.offers == {"aggregate-ssd", "az-east", "sriov"}
    assert offered() == ["aggregate-ssd", "az-east", "sriov"]
    places = ("az-west",)
    assert work.refresh(furnished.platform, host.id, standing).revision == host.revision + 1
    assert offered() == ["az-west", "sriov"]
    with furnished.platform.db.read() as connection:
        assert hosts.traits(connection, 1) == ["sriov"]


def test_a_storage_pool_that_went_away_changes_nothing_and_is_told(furnished: Furnished) -> None:
    host = enrol(furnished)
    with furnished.platform.db.read() as connection:
        before = hosts.inventories(connection)
    smaller = driver(furnished, connection_of("n1-less", "cpus=32&memory_mib=65536&pools=default:1000"))
    with pytest.raises(Invalid) as caught:
        work.refresh(furnished.platform, host.id, smaller)
    assert (caught.value.code, caught.value.params["storage_pool"]) == ("host.storage_missing", "fast")
    with furnished.platform.db.read() as connection:
        assert hosts.inventories(connection) == before


def test_a_state_is_kept_with_who_why_and_until(furnished: Furnished) -> None:
    enrol(furnished)
    work.set_state(furnished.platform, "n1", AdminState.ACTIVE, OPERATOR, reason="验收完成")
    until_s = int(furnished.clock()) + 3600
    host = work.set_state(furnished.platform, "n1", AdminState.MAINTENANCE, OPERATOR, reason="换内存", until_s=until_s)
    assert (host.admin_state, host.state_by, host.state_reason, host.state_until_s) == (
        AdminState.MAINTENANCE,
        "li",
        "换内存",
        until_s,
    )


def test_a_host_that_was_never_read_cannot_become_active(furnished: Furnished) -> None:
    enrol(furnished)
    with furnished.platform.db.write() as connection:
        connection.execute(t.hosts.update().where(t.hosts.c.name == "n1").values(facts=None))
    with pytest.raises(Conflict, match=r"host\.facts_missing"):
        work.set_state(furnished.platform, "n1", AdminState.ACTIVE, OPERATOR, reason="")


def test_a_host_with_promises_on_it_cannot_be_retired(furnished: Furnished) -> None:
    host = enrol(furnished)
    with furnished.platform.db.write() as connection:
        connection.execute(t.inventories.update().where(t.inventories.c.provider_id == host.id).values(used=1))
    with pytest.raises(Conflict, match=r"host\.not_empty") as refused:
        work.set_state(furnished.platform, "n1", AdminState.RETIRED, OPERATOR, reason="")
    told = {language: say(refused.value.code, refused.value.params, language) for language in ("zh-CN", "en")}
    assert told["zh-CN"].endswith("已分配的资源：内存 MiB 1、vCPU 1。")
    assert told["en"].endswith("promised resources: memory MiB 1, vCPU 1.")


def test_a_host_that_was_changed_since_it_was_read_is_not_moved(furnished: Furnished) -> None:
    host = enrol(furnished)
    work.set_state(furnished.platform, host.id, AdminState.CORDONED, OPERATOR, reason="", base_revision=host.revision)
    with pytest.raises(Conflict, match=r"host\.changed_meanwhile"):
        work.set_state(furnished.platform, host.id, AdminState.ACTIVE, OPERATOR, reason="", base_revision=host.revision)


def test_a_retired_machine_may_be_enrolled_anew(furnished: Furnished) -> None:
    enrol(furnished)
    work.set_state(furnished.platform, "n1", AdminState.RETIRED, OPERATOR, reason="搬迁")
    assert enrol(furnished, request("n1-new", connection=connection_of("n1"))).name == "n1-new"


def test_states_that_do_not_follow_and_times_that_have_passed_are_refused(furnished: Furnished) -> None:
    enrol(furnished)
    with pytest.raises(Conflict, match=r"host\.state_forbids"):
        work.set_state(furnished.platform, "n1", AdminState.DRAINING, OPERATOR, reason="")
    with pytest.raises(Invalid, match=r"host\.until_past"):
        work.set_state(furnished.platform, "n1", AdminState.ACTIVE, OPERATOR, reason="", until_s=1)
