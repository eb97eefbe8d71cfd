"""From words to a complete spec: names looked up, limits of the platform kept, changes applied by name."""

import json
from dataclasses import replace

import pytest

from controller.tickets.resolve import Defaults, Offer, resolve_change, resolve_create, resolve_renew
from inventory.domain.errors import Conflict
from inventory.domain.system import DiskSpec, SpreadLevel, SystemSpec
from tests.support.tickets import DIRECTORY, EXAMPLES, change, codes_of, created, parse, portal, problems_of, stored


def test_the_portal_becomes_a_complete_spec() -> None:
    spec = created()
    assert (spec.department, spec.project, spec.zone) == ("civil-affairs", "GZ2026-MZJ-017", "gov-public")
    assert (spec.lease_end, spec.owner, spec.contact_name) == ("2027-02-28", "张三", "张三")
    db, web = spec.servers
    assert (web.count, web.vcpu_count, web.memory_mib, web.size, web.root_disk_gib) == (2, 1, 128, "tiny", 1)
    assert (web.arch, web.networks, web.spread, web.root_disk_class) == ("x86_64", ("default",), SpreadLevel.NONE, "standard")
    assert db.disks == (DiskSpec(name="data", size_gib=1, disk_class="standard"),)


def test_a_silent_ticket_gets_the_most_protected_environment() -> None:
    spec = created(("environment: test\n", ""), ("  title: 市民政局门户网站\n", ""))
    assert (spec.environment, spec.title) == ("production", "civil-affairs-portal")


def test_defaults_of_the_platform_are_an_argument() -> None:
    defaults = Defaults(environment="development", disk_class="high-performance", network="office")
    spec = resolve_create(parse(portal(("environment: test\n", ""), (", class: standard", ""))), DIRECTORY, defaults)
    db = spec.servers[0]
    assert (spec.environment, db.disks[0].disk_class, db.networks) == ("development", "high-performance", ("office",))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("department: 市民政局", "department: civil-affairs"),
        ("network: 政务外网", "network: gov-public"),
        ("size: tiny", "size: 微型"),
        ("image: demo-linux", "image: 演示系统"),
        ("class: standard", "class: 标准"),
        ("class: standard", "class: ｓｔａｎｄａｒｄ"),
        ("action: create", "操作: 新建"),
        ("environment: test", "环境: 测试"),
        ("12个月", "2027年2月28日"),
        ("12个月", "1 year"),
        ("spread: none", "分散: 不限"),
        ("count: 2", "count: 2台"),
    ],
)
def test_codes_and_chinese_names_mean_the_same(old: str, new: str) -> None:
    assert created((old, new)).digest() == created().digest()


def test_what_the_size_asks_of_a_host_comes_with_it_and_the_ticket_may_ask_for_more() -> None:
    db, web = created(("size: tiny", "size: db\n      主机特性: [nvme]")).servers
    asked = next(s for s in (db, web) if s.size == "db")
    assert (asked.layout.is_dedicated, asked.layout.node_count, asked.traits) == (True, 1, ("nvme", "ssd"))
    again = SystemSpec.from_json(json.loads(json.dumps(created(("size: tiny", "size: db\n      traits: [nvme]")).to_json())))
    assert again == created(("size: tiny", "size: db\n      traits: [nvme]"))
    plain = created().to_json()["servers"][0]
    assert "layout" not in plain
    assert "traits" not in plain


def test_a_trait_no_host_has_is_refused_with_those_there_are() -> None:
    (problem,) = problems_of(lambda: created(("size: tiny", "size: tiny\n      traits: [nvmee]")))
    assert (problem.code, problem.params["suggestion"]) == ("ticket.unknown_name", "nvme")


def test_a_change_of_size_drops_what_only_the_old_size_asked_for() -> None:
    before = created(("size: tiny", "size: db\n      traits: [nvme]"))
    name = next(s.name for s in before.servers if s.size == "db")
    after = resolve_change(change(f"{{name: {name}, size: small}}"), stored(before), DIRECTORY)
    server = next(s for s in after.servers if s.name == name)
    assert (server.traits, bool(server.layout)) == (("nvme",), False)
    kept = resolve_change(change(f"{{name: {name}, traits: []}}"), stored(before), DIRECTORY)
    assert next(s for s in kept.servers if s.name == name).traits == ("ssd",)


def test_the_order_of_servers_and_labels_means_nothing() -> None:
    one = created(("labels: {batch: 2026-first}", "labels: {a: x, b: y}"))
    other = created(("labels: {batch: 2026-first}", "labels: {b: y, a: x}"))
    assert one.digest() == other.digest()
    lines = portal().split("    - name: ")
    tail = lines[2].split("notes:")
    swapped = lines[0] + "    - name: " + tail[0] + "    - name: " + lines[1] + "notes:" + tail[1]
    assert resolve_create(parse(swapped), DIRECTORY).digest() == created().digest()


def test_the_spec_survives_its_json_form() -> None:
    spec = created(("spread: none", "spread: soft-rack"))
    assert SystemSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    ("old", "new", "suggestion"),
    [
        ("department: 市民政局", "department: 市民政府", "市政府"),
        ("network: 政务外网", "network: 政务内网", "政务外网"),
        ("code: GZ2026-MZJ-017", "code: GZ2026-MZJ-071", "GZ2026-MZJ-017"),
        ("size: tiny", "size: tinny", "tiny"),
        ("image: demo-linux", "image: demolinux", "demo-linux"),
        ("class: standard", "class: standart", "standard"),
    ],
)
def test_unknown_names_come_with_what_was_probably_meant(old: str, new: str, suggestion: str) -> None:
    problem = problems_of(lambda: created((old, new)))[0]
    assert (problem.code, problem.params["suggestion"]) == ("ticket.unknown_name", suggestion)
    assert problem.where is not None
    assert problem.where.line


LOCAL = replace(DIRECTORY, disk_classes=(*DIRECTORY.disk_classes, Offer(code="local")), root_only_classes=frozenset({"local"}))


def test_a_class_of_root_disks_takes_no_data_disk_named_or_by_default() -> None:
    named = parse(portal(("class: standard", "class: local")))
    [problem] = problems_of(lambda: resolve_create(named, LOCAL))
    assert (problem.code, problem.params["disk_class"]) == ("ticket.disk_class_roots_only", "local")
    assert problem.params["offered"].startswith("standard")
    assert problem.where is not None
    assert problem.where.line
    silent = parse(portal((", class: standard", "")))
    assert codes_of(lambda: resolve_create(silent, LOCAL, Defaults(disk_class="local"))) == ["ticket.disk_class_roots_only"]
    only = replace(LOCAL, disk_classes=(Offer(code="local"),))
    [problem] = problems_of(lambda: resolve_create(named, only))
    assert problem.params["offered"] == "—"


def test_a_class_of_root_disks_takes_root_disks_and_no_disk_is_added_there() -> None:
    spec = resolve_create(parse(portal(("size: tiny", "size: tiny\n      root-disk: {class: local}"))), LOCAL)
    assert "local" in {server.root_disk_class for server in spec.servers}
    added = change("{name: db, disks: [{name: more, size: 1GiB, class: local}]}")
    assert codes_of(lambda: resolve_change(added, stored(created()), LOCAL)) == ["ticket.disk_class_roots_only"]


def test_a_name_of_two_departments_asks_for_the_code() -> None:
    problem = problems_of(lambda: created(("department: 市民政局", "department: 办公室")))[0]
    assert (problem.code, problem.params["codes"]) == ("ticket.ambiguous_name", "civil-office、education-office")


def test_a_department_name_with_full_width_brackets_is_found() -> None:
    assert codes_of(lambda: created(("department: 市民政局", "department: 市民政局（本级）"))) == [
        "ticket.project_of_other_department"
    ]
    assert codes_of(lambda: created(("department: 市民政局", "department: 市民政局(本级)"))) == [
        "ticket.project_of_other_department"
    ]


def test_the_project_of_another_department_is_refused() -> None:
    assert codes_of(lambda: created(("code: GZ2026-MZJ-017", "code: GZ2026-JW-003"))) == ["ticket.project_of_other_department"]


def test_a_closed_project_is_refused() -> None:
    assert codes_of(lambda: created(("code: GZ2026-MZJ-017", "code: GZ2025-MZJ-001"))) == ["ticket.project_closed"]


def test_a_level_above_the_zone_is_refused_where_it_was_written() -> None:
    problem = problems_of(lambda: created(("level: 2", "level: 4")))[0]
    assert (problem.code, problem.params["maximum"]) == ("ticket.mlps_above_zone", 3)
    assert problem.where is not None
    assert problem.where.pointer == "/system/mlps/level"


def test_a_root_disk_below_the_image_is_refused_and_the_default_is_large_enough() -> None:
    kylin = ("image: demo-linux", "image: kylin-v10")
    assert created(kylin).servers[1].root_disk_gib == 10
    assert codes_of(lambda: created(kylin, ("      spread: none", "      root-disk: {size: 5GiB}"))) == [
        "ticket.root_disk_below_image"
    ]
    assert created(kylin, ("      spread: none", "      root-disk: {size: 50GiB, class: 高性能}")).servers[1].root_disk_gib == 50


def test_an_architecture_the_image_has_not_is_refused() -> None:
    assert codes_of(lambda: created(("spread: none", "arch: aarch64"))) == ["ticket.arch_mismatch"]
    assert created(("spread: none", "arch: any")).servers[1].arch == "x86_64"


def test_a_server_without_size_or_image_says_which() -> None:
    found = problems_of(lambda: created(("      size: tiny\n      image: demo-linux\n      spread", "      spread")))
    assert [p.params["field"] for p in found] == ["resources.servers.0.size", "resources.servers.0.image"]


def test_everything_wrong_with_names_comes_at_once() -> None:
    edits = (
        ("department: 市民政局", "department: x1"),
        ("network: 政务外网", "network: x2"),
        ("size: tiny", "size: x3"),
        ("class: standard", "class: x4"),
    )
    assert [p.params["written"] for p in problems_of(lambda: created(*edits))] == ["x1", "x2", "x3", "x4"]


@pytest.mark.parametrize(
    ("written", "level", "is_hard", "is_together"),
    [
        ("host", SpreadLevel.HOST, True, False),
        ("soft-host", SpreadLevel.HOST, False, False),
        ("不同机架", SpreadLevel.RACK, True, False),
        ("尽量不同机架", SpreadLevel.RACK, False, False),
        ("room", SpreadLevel.ROOM, True, False),
        ("不同数据中心", SpreadLevel.SITE, True, False),
        ("same-host", SpreadLevel.HOST, True, True),
        ("同一机房", SpreadLevel.ROOM, True, True),
        ("soft-same-rack", SpreadLevel.RACK, False, True),
        ("尽量同一数据中心", SpreadLevel.SITE, False, True),
    ],
)
def test_spreads_are_hard_or_soft_apart_or_together(written: str, level: SpreadLevel, is_hard: bool, is_together: bool) -> None:
    web = created(("spread: none", f"spread: {written}")).servers[1]
    assert (web.spread, web.spread_is_hard, web.is_together, web.spread_max) == (level, is_hard, is_together, 1)


def test_some_servers_may_share_a_domain() -> None:
    web = created(("spread: none", "分散: 不同机架\n      每处上限: 2台")).servers[1]
    assert (web.spread, web.spread_max) == (SpreadLevel.RACK, 2)


@pytest.mark.parametrize("written", ["none", "same-rack", "尽量同一主机"])
def test_how_many_may_share_a_domain_is_asked_of_spread_servers_only(written: str) -> None:
    edit = ("spread: none", f"spread: {written}\n      spread-max: 2")
    assert codes_of(lambda: created(edit)) == ["ticket.spread_max_without_spread"]


def test_a_change_says_only_what_differs() -> None:
    before = created()
    after = resolve_change(change("{name: web, count: 3}"), stored(before), DIRECTORY)
    assert after == replace(before, servers=(before.servers[0], replace(before.servers[1], count=3)))


def test_the_example_change_fits_the_example_portal() -> None:
    document = parse((EXAMPLES / "portal-change.yaml").read_bytes())
    db, web = resolve_change(document, stored(created()), DIRECTORY).servers
    assert (web.count, db.memory_mib, db.size, [d.name for d in db.disks]) == (3, 192, "", ["backup", "data"])


def test_removal_is_only_by_absent() -> None:
    spec = resolve_change(change("{name: db, disks: [{name: data, state: absent}]}"), stored(created()), DIRECTORY)
    assert spec.servers[0].disks == ()
    assert [s.name for s in resolve_change(change("{name: db, state: absent}"), stored(created()), DIRECTORY).servers] == ["web"]
    assert resolve_change(change("{name: web}"), stored(created()), DIRECTORY) == created()


def test_the_last_server_is_not_removed_by_a_change() -> None:
    both = change("{name: db, state: absent}, {name: web, state: absent}")
    assert codes_of(lambda: resolve_change(both, stored(created()), DIRECTORY)) == ["ticket.no_server_left"]


def test_a_change_of_a_name_that_does_not_exist_is_a_slip_not_a_new_server() -> None:
    problem = problems_of(lambda: resolve_change(change("{name: wep, count: 3}"), stored(created()), DIRECTORY))[0]
    assert (problem.code, problem.params["suggestion"]) == ("ticket.unknown_item", "web")
    assert codes_of(lambda: resolve_change(change("{name: wep, state: absent}"), stored(created()), DIRECTORY)) == [
        "ticket.unknown_item"
    ]


def test_a_new_server_in_a_change_needs_all_a_new_server_needs() -> None:
    added = resolve_change(change("{name: cache, size: tiny, image: demo-linux}"), stored(created()), DIRECTORY)
    assert [s.name for s in added.servers] == ["cache", "db", "web"]
    assert codes_of(lambda: resolve_change(change("{name: cache, size: tiny}"), stored(created()), DIRECTORY)) == [
        "ticket.missing_of_new"
    ]
    assert codes_of(lambda: resolve_change(change("{name: db, disks: [{name: x}]}"), stored(created()), DIRECTORY)) == [
        "ticket.missing_of_new"
    ]


def test_a_stale_base_is_a_conflict() -> None:
    with pytest.raises(Conflict) as caught:
        resolve_change(change("{name: web, count: 3}"), stored(created(), revision=2), DIRECTORY)
    assert (caught.value.code, caught.value.params["revision"]) == ("ticket.base_stale", 2)
    assert caught.value.problems[0].where is not None


def test_a_change_that_was_applied_already_changes_nothing_whatever_its_base() -> None:
    document = change("{name: web, count: 3}, {name: db, disks: [{name: data, state: absent}]}")
    applied = resolve_change(document, stored(created()), DIRECTORY)
    assert resolve_change(document, stored(applied, revision=2), DIRECTORY) == applied


def test_a_stale_base_hides_no_problem_behind_another_code() -> None:
    with pytest.raises(Conflict):
        resolve_change(change("{name: wep, count: 3}"), stored(created(), revision=2), DIRECTORY)


@pytest.mark.parametrize(
    "more", ["applicant: {department: education}", "project: {code: GZ2026-JW-003}", "system: {network: 互联网接入区}"]
)
def test_a_change_does_not_move_a_system(more: str) -> None:
    assert codes_of(lambda: resolve_change(change("{name: web, count: 3}", more=more), stored(created()), DIRECTORY)) == [
        "ticket.move_refused"
    ]


@pytest.mark.parametrize(
    "more",
    [
        "applicant: {department: 市民政局}",
        "project: {code: GZ2026-MZJ-017}",
        "system: {network: 政务外网}",
        "system: {mlps: {level: 2}}",
    ],
)
def test_a_change_may_name_where_the_system_is(more: str) -> None:
    assert resolve_change(change("{name: web}", more=more), stored(created()), DIRECTORY) == created()


def test_a_change_of_a_closed_project_still_works() -> None:
    closed = replace(DIRECTORY, projects=tuple(replace(p, is_open=False) for p in DIRECTORY.projects))
    assert resolve_change(change("{name: web, count: 3}"), stored(created()), closed).servers[1].count == 3


def renewal(end: str) -> str:
    head = "apiVersion: allotment/v1\nkind: Ticket\nmetadata: {name: civil-affairs-portal, action: renew}\n"
    return f"{head}lease: {{end: {end}}}\n"


def test_a_renewal_changes_the_lease_only() -> None:
    spec = resolve_renew(parse(renewal("2028-02-29")), stored(created()))
    assert spec == replace(created(), lease_end="2028-02-29")


def test_a_renewal_never_shortens() -> None:
    assert codes_of(lambda: resolve_renew(parse(renewal("2027-02-27")), stored(created()))) == ["ticket.lease_not_extended"]
    assert resolve_renew(parse(renewal("2027-02-28")), stored(created())) == created()
