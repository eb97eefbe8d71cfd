"""The ledger through the API and its keeper: taken, paged, scoped, compared, made again with a seal in the audit chain."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from controller.identity import audit
from controller.identity.caller import Role
from controller.reconcile.ledger import LedgerKeeper
from inventory.domain.scope import PLATFORM
from tests.support.api import YAML, Service, service
from tests.support.samples import ticket_text


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("ledger")) as found:
        for code, project in (("civil-it", "P-portal"), ("water-it", "P-gauges")):
            body = ticket_text(f"{code}-base", department=code, project=project)
            assert found.operator().post("/v1/tickets", content=body, headers=YAML).status_code in (201, 202)
        yield found


def keeper(platform: Service) -> LedgerKeeper:
    return LedgerKeeper(platform=platform.platform, interval_s=5, compare_interval_s=86_400)


def test_what_a_ticket_promised_stands_in_the_ledger_after_a_tick(platform: Service) -> None:
    keeper(platform).tick()
    items = platform.operator().get("/v1/ledger").json()["items"]
    assert {i["meter"] for i in items} >= {"vcpu", "memory_mib", "address"}
    assert {i["state"] for i in items} == {"allocated"}
    assert all(i["end_s"] is None and i["opened_by"] == 1 for i in items)


def test_pages_of_the_ledger_meet_without_gap_or_repeat(platform: Service) -> None:
    keeper(platform).tick()
    whole = platform.operator().get("/v1/ledger").json()["items"]
    found, after = [], ""
    while True:
        page = platform.operator().get("/v1/ledger", params={"limit": 3, **({"after": after} if after else {})}).json()
        found += page["items"]
        after = page["next"]
        if after is None:
            break
    assert found == whole
    assert len(whole) > 3


def test_a_department_sees_its_own_intervals_only(platform: Service) -> None:
    keeper(platform).tick()
    seen = platform.client(Role.DEPARTMENT_READER, "civil-it").get("/v1/ledger").json()["items"]
    assert {i["department_id"] for i in seen} == {platform.city.departments["civil-it"].id}
    refused = platform.client(Role.DEPARTMENT_READER, "civil-it").get("/v1/ledger", params={"department": "water-it"})
    assert refused.status_code == 404


@pytest.mark.parametrize("after", ["x", "a/b", "a/b/c", "a/b/-1", "a/b/999999999999"])
def test_a_mark_of_no_page_is_refused(platform: Service, after: str) -> None:
    answer = platform.operator().get("/v1/ledger", params={"after": after})
    assert (answer.status_code, answer.json()["code"]) == (422, "ledger.cursor_unreadable")


def test_a_damaged_ledger_is_told_by_the_nightly_comparison_and_mended_under_seal(platform: Service) -> None:
    watched = keeper(platform)
    watched.tick()
    with platform.platform.db.write() as connection:
        connection.execute(text("UPDATE usage_intervals SET amount = amount + 1 WHERE meter = 'vcpu'"))
    watched.tick()
    assert watched.counters.difference_count == 0, "not yet: the night has not come"
    platform.clock.now_s += 86_400
    watched.tick()
    assert watched.counters.difference_count > 0
    compared = platform.client(Role.FINANCE).post("/v1/ledger/compare").json()
    assert (compared["is_equal"], compared["differences"][0]["kind"]) == (False, "changed")
    rebuilt = platform.operator().post("/v1/ledger/rebuild").json()
    assert rebuilt["interval_count"] == len(platform.operator().get("/v1/ledger").json()["items"])
    assert platform.client(Role.AUDITOR).post("/v1/ledger/compare").json()["is_equal"]
    with platform.platform.db.read() as connection:
        sealed = audit.page(connection, PLATFORM, limit=10, action="ledger.rebuild")
    assert [e["detail"]["difference_count"] > 0 for e in sealed] == [True]


def test_what_the_platform_does_not_see_is_listed_as_entered_by_hand(platform: Service) -> None:
    meters = {m["name"]: m for m in platform.client(Role.FINANCE).get("/v1/meters").json()["items"]}
    assert {name for name, meter in meters.items() if meter["is_entered"]} == {
        "service:", "labour:", "snapshot_gib:", "backup_gib:", "image_gib", "load_balancer_unit",
    }  # fmt: skip
    assert meters["network_out_bytes:"]["base_per_unit"] == 1 << 30
