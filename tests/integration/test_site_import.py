"""`allot import`: planned, applied, idempotent, and careful with what is in use. On both engines."""

import hashlib
import struct
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from sqlalchemy import select

from controller.identity.caller import local_operator
from controller.identity.tables import audit
from controller.paths import data_dir
from controller.scheduling.columns import TRAITS_MAX
from controller.scheduling.policy import DEFAULT_POLICY, read_policies
from controller.workflows import hosts as host_work
from controller.workflows.place import load_snapshot
from controller.workflows.platform import Platform
from controller.workflows.site import ImportPlan, apply_import, plan_import
from controller.workflows.site_changes import Verb
from drivers.faults import Transient
from drivers.fencing import FencingPrograms
from drivers.protocol import ComputeDriver, DriverContext
from drivers.registry import driver_factory
from inventory.domain.claim import Claim
from inventory.domain.errors import AllotError, Conflict, Invalid, NotFound
from inventory.domain.host import AdminState, LossPolicy, Reachability
from inventory.domain.ids import ResourceId, random_ids
from inventory.domain.organisation import Billing, Project, billing_of
from inventory.store import claims, directory, hosts
from inventory.store import tables as t
from inventory.store.engine import Database
from metering import store as price_store
from quotas import store as quota_store
from tests.support.directory import add_resource
from tests.support.empty_image import qcow2
from tests.support.samples import Clock

OPERATOR = local_operator("li")


def site(**changes: object) -> bytes:
    """Return the small site document, with whole sections replaced (None: left out)."""
    sections: dict[str, object] = {
        "apiVersion": "allotment/v1",
        "kind": "Site",
        "departments": [
            {"code": "city", "name": "市政府"},
            {"code": "civil", "name": "民政局", "parent": "city"},
            {"code": "water", "name": "水务局", "parent": "city"},
            {"code": "civil-it", "name": "民政局信息科", "parent": "civil"},
        ],
        "projects": [{"code": "GZ2026-017", "name": "门户", "department": "civil-it", "budget-code": "2080299"}],
        "zones": [zone("gov", "10.96.0.0/16")],
        "pools": [
            {"code": "sim", "name": "模拟", "zone": "gov", "driver": "simulated", "mlps-max": "3", "overcommit": {"vcpu": "4.0"}}
        ],
        "hosts": [
            {
                "name": "rack3-07",
                "pool": "sim",
                "connection": "simulated://site-import/rack3-07?cpus=64&memory_mib=262144&disk_gib=4000",
                "rack": "A03",
                "warranty": "2029-05-31",
                "reserved": {"cpu": "4"},
                "storage": [{"name": "default", "class": "standard", "overcommit": "1.5"}],
            }
        ],
        "sizes": [{"name": "small", "vcpu": "2", "memory": "4GiB", "root-disk": "20GiB"}],
        "images": [{"name": "demo-linux", "title": "演示", "arch": "x86_64", "file": "demo.qcow2"}],
        "quotas": [
            {"department": "city", "vcpu": "256", "memory": "512GiB", "volumes": "unlimited", "addresses": "inherit"},
            {"project": "GZ2026-017", "vcpu": "48"},
        ],
        "prices": [price("vcpu", "0.0764", "2026-01-01"), price("memory_gib", "0.0389", "2026-01-01")],
    }
    sections |= changes
    return yaml.safe_dump({k: v for k, v in sections.items() if v is not None}, allow_unicode=True).encode()


def zone(code: str, address_range: str, **more: object) -> dict[str, object]:
    return {"code": code, "name": "政务外网", "network-class": "gov", "mlps-max": "3", "address-range": address_range, **more}


def pool(**changes: object) -> dict[str, object]:
    return {"code": "sim", "name": "模拟", "zone": "gov", "driver": "simulated", "mlps-max": "3"} | changes


def price(meter: str, yuan: str, valid_from: str) -> dict[str, str]:
    units = {"vcpu": "vcpu-hour", "memory_gib": "GiB-hour"}
    return {"meter": meter, "unit": units[meter], "price": yuan, "valid-from": valid_from}


@pytest.fixture
def platform(database: Database, tmp_path: Path) -> Platform:
    (tmp_path / "demo.qcow2").write_bytes(qcow2())
    return Platform(
        db=database,
        clock=Clock(),
        new_id=random_ids(),
        zone=ZoneInfo("Asia/Shanghai"),
        policy=DEFAULT_POLICY,
        images_dir=tmp_path / "library",
    )


def open_driver(name: str, context: DriverContext) -> ComputeDriver:
    return driver_factory(name)(context)


def apply(platform: Platform, data: bytes, *, drivers: bool = False) -> ImportPlan:
    base_dir = platform.images_dir.parent
    return apply_import(platform, data, OPERATOR, base_dir=base_dir, open_driver=open_driver if drivers else None)


def verbs(plan: ImportPlan) -> dict[tuple[str, str], str]:
    return {(c.kind, c.name): c.verb.value for c in plan.changes}


def refused(platform: Platform, data: bytes) -> AllotError:
    """Return the refusal of a document, by the plan and by the import alike."""
    before = dump(platform)
    with pytest.raises(AllotError) as planned:
        plan_import(platform, data, base_dir=platform.images_dir.parent)
    with pytest.raises(AllotError) as applied:
        apply(platform, data)
    assert applied.value.code == planned.value.code
    assert dump(platform) == before
    return planned.value


def dump(platform: Platform) -> list[object]:
    """Return everything that an import could change."""
    with platform.db.read() as connection:
        return [
            directory.departments(connection), directory.projects(connection), directory.zones(connection),
            directory.pools(connection), directory.sizes(connection), directory.images(connection),
            hosts.hosts(connection), hosts.storage_pools(connection), hosts.inventories(connection),
            price_store.prices(connection), quota_store.levels(connection),
        ]  # fmt: skip


def test_a_plan_shows_everything_and_writes_nothing(platform: Platform) -> None:
    before = dump(platform)
    plan = plan_import(platform, site(), base_dir=platform.images_dir.parent)
    assert plan.has_changes
    assert plan.to_json()["counts"] == {"create": 12, "update": 2, "none": 0}
    assert dump(platform) == before
    assert not platform.images_dir.exists()


def test_an_import_does_what_its_plan_said_and_the_second_changes_nothing(platform: Platform) -> None:
    planned = plan_import(platform, site(), base_dir=platform.images_dir.parent)
    first = apply(platform, site())
    assert verbs(first) == verbs(planned)
    state = dump(platform)
    second = apply(platform, site())
    assert {c.verb for c in second.changes} == {Verb.NONE}
    assert not plan_import(platform, site(), base_dir=platform.images_dir.parent).has_changes
    assert dump(platform) == state
    with platform.db.read() as connection:
        assert [r.action for r in connection.execute(select(audit))] == ["site.import"]


def test_what_was_imported_is_what_the_document_says(platform: Platform) -> None:
    apply(platform, site())
    with platform.db.read() as connection:
        by_code = {d.code: d for d in directory.departments(connection)}
        assert by_code["civil-it"].parent_id == by_code["civil"].id
        [project] = directory.projects(connection)
        assert (project.department_id, project.is_open) == (by_code["civil-it"].id, True)
        [image] = directory.images(connection)
        assert (image.sha256, image.virtual_size_gib) == (hashlib.sha256(qcow2()).hexdigest(), 1)
        assert Path(image.path).read_bytes() == qcow2()
        [host] = hosts.hosts(connection)
        assert (host.admin_state, host.reachability, host.facts) == (AdminState.ENROLLED, Reachability.UNKNOWN, None)
        levels = {(x.scope, x.dimension): (x.mode.value, x.limit_amount) for x in quota_store.levels(connection)}
        assert levels["city", "memory_mib"] == ("limit", 512 * 1024)
        assert levels["city", "volumes"] == ("unlimited", None)
        assert levels["city", "addresses"] == ("inherit", None)
        assert levels["water", "vcpu"] == ("inherit", None)
        assert len(levels) == 5 * 6
        prices = price_store.prices(connection)
        assert [(p.meter, p.micro_yuan_per_unit_hour) for p in prices] == [("memory_mib", 38_900), ("vcpu", 76_400)]
        # Midnight of 2026-01-01 in Shanghai.
        assert {p.valid_from_s for p in prices} == {1_767_196_800}


def test_hosts_that_answer_are_read_at_once(platform: Platform) -> None:
    apply(platform, site(), drivers=True)
    with platform.db.read() as connection:
        [host] = hosts.hosts(connection)
        assert host.facts is not None
        assert (host.admin_state, host.reachability, host.facts.cpu_count) == (AdminState.ENROLLED, Reachability.REACHABLE, 64)
        room = {r.dimension: r.capacity for r in hosts.inventories(connection)}
        assert room == {"vcpu": (64 - 4) * 4, "memory_mib": 262_144, "disk_gib:standard": 6000}


def test_a_host_that_does_not_answer_is_stored_and_read_by_a_later_import(platform: Platform) -> None:
    def nobody_answers(name: str, context: DriverContext) -> ComputeDriver:
        raise Transient("driver.unreachable", host=context.host_name)

    apply_import(platform, site(), OPERATOR, base_dir=platform.images_dir.parent, open_driver=nobody_answers)
    with platform.db.read() as connection:
        assert [h.facts for h in hosts.hosts(connection)] == [None]
    again = apply(platform, site(), drivers=True)
    assert {key for key, verb in verbs(again).items() if verb != "none"} == {("host", "rack3-07")}
    with platform.db.read() as connection:
        assert [h.facts is not None for h in hosts.hosts(connection)] == [True]


def test_a_change_shows_only_the_fields_that_differ(platform: Platform) -> None:
    apply(platform, site())
    plan = apply(platform, site(sizes=[{"name": "small", "vcpu": "4", "memory": "4GiB", "root-disk": "20GiB"}]))
    [change] = [c for c in plan.changes if c.verb is not Verb.NONE]
    assert (change.kind, change.verb, change.before, change.after) == ("size", Verb.UPDATE, {"vcpu_count": 2}, {"vcpu_count": 4})


def test_how_departments_are_billed_is_imported_changed_and_taken_back(platform: Platform) -> None:
    apply(platform, site())
    tree = [{"code": "city", "name": "市政府"}, {"code": "civil", "name": "民政局", "parent": "city", "billing": "仅展示"}]
    [change] = [c for c in apply(platform, site(departments=tree)).changes if c.verb is Verb.UPDATE]
    assert (change.name, change.before, change.after) == ("civil", {"billing": None}, {"billing": "showback"})
    with platform.db.read() as connection:
        assert directory.department_by_code(connection, "civil").billing is Billing.SHOWBACK
        known = directory.departments(connection)
    held = {d.code: billing_of(known, Billing.CHARGEBACK)[d.id].value for d in known}
    assert held == {"city": "chargeback", "civil": "showback", "civil-it": "showback", "water": "chargeback"}
    assert verbs(apply(platform, site(departments=tree)))["department", "civil"] == "none"
    apply(platform, site())
    with platform.db.read() as connection:
        assert directory.department_by_code(connection, "civil").billing is None


def test_what_a_document_does_not_name_is_not_touched(platform: Platform) -> None:
    apply(platform, site())
    state = dump(platform)
    plan = apply(
        platform, site(departments=[{"code": "city", "name": "市政府"}], projects=None, hosts=None, quotas=None, prices=None)
    )
    assert not plan.has_changes
    assert dump(platform) == state


def test_an_overcommit_that_changes_reaches_the_hosts_of_the_pool(platform: Platform) -> None:
    apply(platform, site(), drivers=True)
    apply(platform, site(pools=[pool(overcommit={"vcpu": "2.0"})]))
    with platform.db.read() as connection:
        assert {r.dimension: r.capacity for r in hosts.inventories(connection)}["vcpu"] == (64 - 4) * 2


def test_a_pool_names_its_placement_policy_and_decisions_follow_it(platform: Platform) -> None:
    known = replace(platform, policy=read_policies((data_dir("etc") / "placement.yaml").read_text(encoding="utf-8")).policy())
    apply(known, site(pools=[pool(placement="spread")]), drivers=True)
    with platform.db.read() as connection:
        shot = load_snapshot(connection, revision="")
    assert [shot.policy_name(host) for host in range(shot.host_count)] == ["spread"]
    plan = apply(known, site(pools=[pool()]))
    [change] = [c for c in plan.changes if c.verb is not Verb.NONE]
    assert (change.before, change.after) == ({"placement": "spread"}, {"placement": ""})


def test_a_pool_gives_lost_hosts_up_by_itself_only_where_it_can_cut_their_power(platform: Platform, tmp_path: Path) -> None:
    wanted = site(pools=[pool(**{"lost-hosts": {"after-minutes": 15, "most": 2}})])
    code = str(pool()["code"])
    for fencing in (FencingPrograms(), FencingPrograms(directory=tmp_path)):
        assert "site.fencing_missing" in {p.code for p in refused(replace(platform, fencing=fencing), wanted).problems}
    (tmp_path / code).write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    (tmp_path / code).chmod(0o700)
    able = replace(platform, fencing=FencingPrograms(directory=tmp_path))
    apply(able, wanted)
    with platform.db.read() as connection:
        assert [p.loss for p in directory.pools(connection)] == [LossPolicy(after_s=900, most=2)]
    plan = apply(platform, site(pools=[pool()]))
    [change] = [c for c in plan.changes if c.verb is not Verb.NONE]
    assert (change.before, change.after) == ({"lost_hosts": {"after_s": 900, "most": 2}}, {"lost_hosts": {}})
    for lost in ({"after-minutes": 4}, {"most": 1}, {"after-minutes": 15, "most": 9}):
        with pytest.raises(Invalid):
            apply(able, site(pools=[pool(**{"lost-hosts": lost})]))


def test_a_pool_has_answers_of_its_own_to_drift(platform: Platform) -> None:
    answers = {"stopped": "report", "started": "report", "edited": "repair"}
    apply(platform, site(pools=[pool(drift={"stopped": "report", "started": "只报告", "edited": "修复"})]))
    with platform.db.read() as connection:
        assert [p.drift for p in directory.pools(connection)] == [answers]
    plan = apply(platform, site(pools=[pool()]))
    [change] = [c for c in plan.changes if c.verb is not Verb.NONE]
    assert (change.before, change.after) == ({"drift": answers}, {"drift": {}})
    with pytest.raises(Invalid):
        apply(platform, site(pools=[pool(drift={"stopped": "ignore"})]))
    with pytest.raises(Invalid):
        apply(platform, site(pools=[pool(drift={"moved": "report"})]))


def test_a_placement_policy_nobody_knows_is_refused(platform: Platform) -> None:
    error = refused(platform, site(pools=[pool(placement="tetris")]))
    assert error.code == "placement.policy_unknown"


def test_a_department_cannot_stand_below_itself(platform: Platform) -> None:
    apply(platform, site())
    moved = [{"code": "civil", "name": "民政局", "parent": "civil-it"}]
    error = refused(platform, site(departments=moved, projects=None))
    assert (error.code, error.params["department"]) == ("site.department_below_itself", "civil")


def hold(platform: Platform, amount: int) -> None:
    """Promise vCPUs to a machine of the one project."""
    with platform.db.write() as connection:
        [project] = directory.projects(connection)
        quota_store.hold(connection, directory.departments(connection), project, {"vcpu": amount, "instances": 1})
        add_resource(connection, project, "inst_1")
        [host] = hosts.hosts(connection)
        claim = Claim(
            resource_id=ResourceId("inst_1"), resource_kind="instance", project_id=project.id,
            provider_id=host.id, dimension="vcpu", amount=amount,
        )  # fmt: skip
        claims.insert(connection, [claim])
        connection.execute(t.inventories.update().where(t.inventories.c.dimension == "vcpu").values(used=amount))


def move(parent: str) -> list[dict[str, str]]:
    return [{"code": "civil-it", "name": "民政局信息科", "parent": parent}]


def test_a_moved_department_takes_what_it_holds_along(platform: Platform) -> None:
    apply(platform, site())
    hold(platform, 8)
    apply(platform, site(departments=move("water")))
    with platform.db.read() as connection:
        used = {x.scope: x.used for x in quota_store.levels(connection) if x.dimension == "vcpu"}
        assert used == {"GZ2026-017": 8, "civil-it": 8, "civil": 0, "water": 8, "city": 8}
        assert quota_store.recount(connection) == []


def test_a_move_that_would_pass_a_limit_is_refused_whole(platform: Platform) -> None:
    apply(platform, site(quotas=[{"department": "water", "vcpu": "4"}]))
    hold(platform, 8)
    before = dump(platform)
    with pytest.raises(Conflict) as caught:
        apply(platform, site(departments=move("water"), quotas=None))
    assert (caught.value.code, caught.value.params["scope"], caught.value.params["limit"]) == (
        "site.move_exceeds_quota",
        "water",
        4,
    )
    assert dump(platform) == before


@pytest.mark.parametrize("elsewhere", ["10.98.0.0/16", "10.96.0.0/17", "10.0.0.0/12"])
def test_the_range_of_a_zone_in_use_only_gets_wider(platform: Platform, elsewhere: str) -> None:
    apply(platform, site())
    with platform.db.write() as connection:
        [project] = directory.projects(connection)
        add_resource(connection, project, "seg_1", "segment")
        [stored] = directory.zones(connection)
        connection.execute(t.subnets.insert().values(cidr="10.96.0.0/26", zone_id=stored.id, segment_id="seg_1"))
    error = refused(platform, site(zones=[zone("gov", elsewhere)]))
    assert error.code == "site.zone_in_use"
    apply(platform, site(zones=[zone("gov", "10.96.0.0/15")]))
    with platform.db.read() as connection:
        assert [z.address_range for z in directory.zones(connection)] == ["10.96.0.0/15"]
    assert error.problems[0].where is not None
    assert error.problems[0].where.line
    apply(platform, site(zones=[zone("gov", "10.96.0.0/15", name="新名称")]))


def test_a_range_must_not_overlap_a_zone_that_is_not_in_the_document(platform: Platform) -> None:
    apply(platform, site())
    error = refused(platform, site(zones=[zone("inner", "10.96.128.0/17")], pools=None, hosts=None))
    assert (error.code, error.params["other"]) == ("site.ranges_overlap", "gov")


def test_a_project_with_systems_stays_with_its_department(platform: Platform) -> None:
    apply(platform, site())
    with platform.db.write() as connection:
        [project] = directory.projects(connection)
        connection.execute(t.systems.insert().values(_a_system_of(project)))
    elsewhere = {"code": "GZ2026-017", "name": "门户", "department": "water", "budget-code": "2080299"}
    error = refused(platform, site(projects=[elsewhere]))
    assert (error.code, error.params["project"]) == ("site.project_in_use", "GZ2026-017")
    with platform.db.write() as connection:
        connection.execute(t.systems.update().values(state="released"))
    apply(platform, site(projects=[elsewhere]))


def _a_system_of(project: Project) -> dict[str, object]:
    home = {"project_id": project.id, "department_id": project.department_id}
    state = {"state": "active", "revision": 1, "spec": {}, "spec_digest": "", "lease_end_s": 0, "created_at_s": 0.0}
    return {"id": "sys_1", "name": "portal", **home, **state}


def test_a_pool_with_hosts_keeps_zone_and_driver(platform: Platform) -> None:
    apply(platform, site())
    assert refused(platform, site(pools=[pool(driver="libvirt")], hosts=None)).code == "site.pool_in_use"


def test_a_pool_of_an_unknown_driver_is_refused(platform: Platform) -> None:
    assert refused(platform, site(pools=[pool(driver="vmware")], hosts=None)).code == "driver.unknown"


def test_a_price_in_force_is_never_changed(platform: Platform) -> None:
    apply(platform, site())
    error = refused(platform, site(prices=[price("vcpu", "0.0900", "2026-01-01")]))
    assert (error.code, error.params["yuan"]) == ("site.price_fixed", "0.076400")


def test_a_price_from_a_past_day_is_refused_once_there_is_one(platform: Platform) -> None:
    apply(platform, site())
    assert refused(platform, site(prices=[price("vcpu", "0.0900", "2026-03-01")])).code == "site.price_in_past"


def test_a_price_may_fill_time_that_had_none(platform: Platform) -> None:
    apply(platform, site())
    assert apply(platform, site(prices=[price("vcpu", "0.0900", "2025-01-01")])).has_changes


def test_a_price_of_the_future_may_be_added_and_changed(platform: Platform) -> None:
    apply(platform, site())
    apply(platform, site(prices=[price("vcpu", "0.0900", "2027-01-01")]))
    plan = apply(platform, site(prices=[price("vcpu", "0.0800", "2027-01-01")]))
    [change] = [c for c in plan.changes if c.verb is not Verb.NONE]
    assert (change.before, change.after) == ({"yuan_per_unit_hour": "0.090000"}, {"yuan_per_unit_hour": "0.080000"})


def test_other_content_under_the_name_of_an_image_is_refused(platform: Platform) -> None:
    apply(platform, site())
    (platform.images_dir.parent / "demo.qcow2").write_bytes(qcow2() + b"\0" * 65536)
    assert refused(platform, site()).code == "site.image_changed"


def test_an_image_file_that_is_missing_leaves_nothing_behind(platform: Platform) -> None:
    (platform.images_dir.parent / "demo.qcow2").unlink()
    error = refused(platform, site())
    assert isinstance(error, NotFound)
    assert error.code == "image.not_found"


def test_a_hostile_image_stops_the_whole_import(platform: Platform) -> None:
    hostile = bytearray(qcow2())
    struct.pack_into(">QI", hostile, 8, 0x200, 11)
    hostile[0x200:0x20B] = b"/etc/passwd"
    (platform.images_dir.parent / "demo.qcow2").write_bytes(hostile)
    before = dump(platform)
    with pytest.raises(Invalid, match=r"image\."):
        apply(platform, site())
    assert dump(platform) == before
    assert list(platform.images_dir.iterdir()) == []


def test_a_relative_file_needs_a_directory(platform: Platform) -> None:
    with pytest.raises(Invalid, match=r"site\.file_without_base"):
        plan_import(platform, site())


def test_two_hosts_of_one_connection_are_refused(platform: Platform) -> None:
    twins = [{"name": name, "pool": "sim", "connection": "simulated://site-import/one"} for name in ("a1", "a2")]
    assert refused(platform, site(hosts=twins)).code == "host.connection_taken"


def test_a_host_in_service_keeps_its_connection_and_its_state(platform: Platform) -> None:
    apply(platform, site(), drivers=True)
    host_work.set_state(platform, "rack3-07", AdminState.ACTIVE, OPERATOR, reason="ready")
    rewired = {"name": "rack3-07", "pool": "sim", "connection": "simulated://site-import/other", "storage": []}
    assert refused(platform, site(hosts=[rewired])).code == "site.host_in_service"
    document = yaml.safe_load(site())
    document["hosts"][0]["rack"] = "B01"
    apply(platform, site(hosts=document["hosts"]))
    with platform.db.read() as connection:
        [host] = hosts.hosts(connection)
    assert (host.admin_state, host.rack, host.state_by, host.facts is not None) == (AdminState.ACTIVE, "B01", "li", True)


def test_a_document_of_hosts_alone_refers_to_what_is_stored(platform: Platform) -> None:
    apply(platform, site())
    alone = {
        "apiVersion": "allotment/v1",
        "kind": "Site",
        "hosts": [{"name": "n2", "pool": "sim", "connection": "simulated://site-import/n2"}],
    }
    plan = apply(platform, yaml.safe_dump(alone).encode())
    assert verbs(plan) == {("host", "n2"): "create"}


def test_every_refusal_is_listed_at_once(platform: Platform) -> None:
    apply(platform, site())
    error = refused(platform, site(pools=[pool(driver="vmware")], hosts=None, prices=[price("vcpu", "1", "2026-01-01")]))
    assert [p.code for p in error.problems] == ["driver.unknown", "site.pool_in_use", "site.price_fixed"]


def test_a_trait_that_no_host_has_is_asked_for_by_no_size(platform: Platform) -> None:
    size = {"name": "fast", "vcpu": "2", "memory": "4GiB", "root-disk": "20GiB", "traits": ["nvme"]}
    [problem] = refused(platform, site(sizes=[size])).problems
    assert (problem.code, problem.params["trait"], problem.params["size"]) == ("site.unknown_trait", "nvme", "fast")


def test_more_traits_than_placement_tells_apart_are_refused(platform: Platform) -> None:
    document = yaml.safe_load(site())
    document["hosts"][0]["traits"] = [f"trait-{n}" for n in range(TRAITS_MAX)]
    apply(platform, site(hosts=document["hosts"]))
    more = {"name": "n2", "pool": "sim", "connection": "simulated://site-import/n2", "traits": ["one-more"]}
    error = refused(platform, site(hosts=[*document["hosts"], more]))
    problem = next(p for p in error.problems if p.code == "site.too_many_traits")
    assert (problem.params["count"], problem.params["highest"]) == (TRAITS_MAX + 1, TRAITS_MAX)


def test_a_storage_pool_keeps_its_class(platform: Platform) -> None:
    apply(platform, site())
    document = yaml.safe_load(site())
    document["hosts"][0]["storage"][0]["class"] = "high-performance"
    [problem] = refused(platform, site(hosts=document["hosts"])).problems
    assert (problem.code, problem.params["known"]) == ("site.storage_class_fixed", "standard")


def test_a_class_of_root_disks_elsewhere_is_not_one_of_any_disk_here(platform: Platform) -> None:
    apply(platform, site(), drivers=True)
    with platform.db.write() as connection:
        [storage] = hosts.storage_pools(connection)
        hosts.save_storage_pool(connection, replace(storage, roots_only=True))
    # Read twice: YAML would write what they share as a reference.
    first, second = (yaml.safe_load(site())["hosts"][0] for _ in range(2))
    second |= {"name": "rack3-08", "connection": "simulated://site-import/rack3-08"}
    before = dump(platform)
    with pytest.raises(AllotError) as caught:
        apply(platform, site(hosts=[first, second]), drivers=True)
    assert ("host.storage_class_mixed", "rack3-08") in {(p.code, p.params["host"]) for p in caught.value.problems}
    assert dump(platform) == before
