"""The plan: every kind of change with its impact, and what is refused because a machine would be replaced."""

from dataclasses import replace
from typing import Any

import pytest

from controller.tickets.plan import Change, Impact, Verb, diff, worst_impact
from controller.tickets.resolve import resolve_change
from inventory.domain.system import DiskSpec, ServerSpec, SpreadLevel, SystemSpec
from tests.support.tickets import DIRECTORY, change, codes_of, created, stored

SPEC = created()


def with_web(**changes: Any) -> SystemSpec:
    return replace(SPEC, servers=(SPEC.servers[0], replace(SPEC.servers[1], **changes)))


def plan(wanted: SystemSpec | None, action: str = "change", before: SystemSpec = SPEC) -> tuple[Change, ...]:
    return diff(stored(before), wanted, action)


def lines(changes: tuple[Change, ...]) -> list[tuple[str, str, str, str]]:
    return [(c.verb.value, c.kind, c.member, c.impact.value) for c in changes]


def test_a_create_makes_every_machine_and_disk() -> None:
    assert lines(diff(None, SPEC, "create")) == [
        ("create", "instance", "db-1", "none"),
        ("create", "volume", "db-1/data", "none"),
        ("create", "instance", "web-1", "none"),
        ("create", "instance", "web-2", "none"),
    ]


def test_a_release_is_data_loss_throughout() -> None:
    changes = plan(None, "release")
    assert [c.member for c in changes] == ["db-1", "db-1/data", "web-1", "web-2"]
    assert {(c.verb, c.impact) for c in changes} == {(Verb.DELETE, Impact.DATA_LOSS)}
    assert diff(None, None, "release") == ()


def test_a_renewal_names_both_days() -> None:
    (change_,) = plan(replace(SPEC, lease_end="2028-02-29"), "renew")
    assert (change_.verb, change_.impact, change_.before, change_.after) == (
        Verb.RENEW,
        Impact.NONE,
        {"lease_end": "2027-02-28"},
        {"lease_end": "2028-02-29"},
    )


@pytest.mark.parametrize("action", ["create", "change", "renew"])
def test_nothing_to_do_is_an_empty_plan(action: str) -> None:
    assert plan(SPEC, action) == ()
    assert worst_impact(()) is Impact.NONE


def test_a_higher_count_adds_and_keeps_who_is_there() -> None:
    assert lines(plan(with_web(count=3))) == [("create", "instance", "web-3", "none")]


def test_a_group_of_one_keeps_its_machine_when_it_grows() -> None:
    one = with_web(count=1)
    assert one.servers[1].member_names() == ("web-1",)
    assert lines(plan(with_web(count=2), before=one)) == [("create", "instance", "web-2", "none")]


def test_a_lower_count_removes_the_highest_numbers_and_is_data_loss() -> None:
    assert lines(plan(with_web(count=1))) == [("delete", "instance", "web-2", "data_loss")]


def test_new_members_bring_their_disks_and_leaving_ones_take_them() -> None:
    db = SPEC.servers[0]
    two = replace(SPEC, servers=(replace(db, count=2), SPEC.servers[1]))
    assert lines(plan(two)) == [("create", "instance", "db-2", "none"), ("create", "volume", "db-2/data", "none")]
    assert lines(plan(SPEC, before=two)) == [
        ("delete", "instance", "db-2", "data_loss"),
        ("delete", "volume", "db-2/data", "data_loss"),
    ]


def test_a_resize_is_downtime_of_every_member_with_both_shapes() -> None:
    changes = plan(with_web(vcpu_count=2, memory_mib=4096, size="small"))
    assert lines(changes) == [("resize", "instance", "web-1", "downtime"), ("resize", "instance", "web-2", "downtime")]
    assert changes[0].before == {"vcpu_count": 1, "memory_mib": 128, "size": "tiny"}
    assert changes[0].after == {"vcpu_count": 2, "memory_mib": 4096, "size": "small"}


def test_another_name_for_the_same_size_stops_nothing() -> None:
    assert {(c.verb, c.impact) for c in plan(with_web(size=""))} == {(Verb.UPDATE, Impact.NONE)}


def test_a_new_data_disk_is_attached_without_harm_and_a_removed_one_is_data_loss() -> None:
    disk = DiskSpec(name="logs", size_gib=5)
    assert lines(plan(with_web(disks=(disk,)))) == [
        ("attach", "volume", "web-1/logs", "none"),
        ("attach", "volume", "web-2/logs", "none"),
    ]
    assert {(c.verb, c.impact) for c in plan(SPEC, before=with_web(disks=(disk,)))} == {(Verb.DELETE, Impact.DATA_LOSS)}


def test_a_removed_group_is_data_loss_and_an_added_one_is_not() -> None:
    without = replace(SPEC, servers=SPEC.servers[1:])
    assert lines(plan(without)) == [("delete", "instance", "db-1", "data_loss"), ("delete", "volume", "db-1/data", "data_loss")]
    assert worst_impact(plan(SPEC, before=without)) is Impact.NONE


def test_facts_about_a_system_change_in_one_line() -> None:
    (change_,) = plan(replace(SPEC, title="新标题", owner="李四", labels={}))
    assert (change_.verb, change_.kind, sorted(change_.after)) == (Verb.UPDATE, "system", ["labels", "owner", "title"])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"image": "kylin-v10"}, "plan.replace_refused"),
        ({"root_disk_gib": 5}, "plan.root_disk_fixed"),
        ({"root_disk_class": "high-performance"}, "plan.root_disk_fixed"),
        ({"user_data": "#!/bin/sh"}, "plan.first_boot_only"),
        ({"ssh_keys": ("ssh-ed25519 x",)}, "plan.first_boot_only"),
        ({"networks": ("office",)}, "plan.field_fixed"),
        ({"spread": SpreadLevel.HOST}, "plan.field_fixed"),
        ({"spread": SpreadLevel.RACK}, "plan.field_fixed"),
        ({"spread": SpreadLevel.SITE, "spread_max": 2}, "plan.field_fixed"),
        ({"spread": SpreadLevel.ROOM, "is_together": True}, "plan.field_fixed"),
    ],
)
def test_nothing_is_replaced_implicitly(changes: dict[str, object], code: str) -> None:
    assert codes_of(lambda: plan(with_web(**changes))) == [code]


@pytest.mark.parametrize(
    "disk", [DiskSpec(name="data", size_gib=2), DiskSpec(name="data", size_gib=1, disk_class="high-performance")]
)
def test_a_data_disk_keeps_its_size_and_class(disk: DiskSpec) -> None:
    wanted = replace(SPEC, servers=(replace(SPEC.servers[0], disks=(disk,)), SPEC.servers[1]))
    assert codes_of(lambda: plan(wanted)) == ["plan.disk_fixed"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ((SpreadLevel.RACK, True), (SpreadLevel.HOST, True)),
        ((SpreadLevel.HOST, True), (SpreadLevel.NONE, True)),
        ((SpreadLevel.NONE, True), (SpreadLevel.RACK, False)),
    ],
)
def test_a_spread_rule_may_become_weaker(old: tuple[SpreadLevel, bool], new: tuple[SpreadLevel, bool]) -> None:
    before, after = (with_web(spread=level, spread_is_hard=is_hard) for level, is_hard in (old, new))
    assert lines(plan(after, before=before)) == [("update", "group", "web", "none")]


@pytest.mark.parametrize(
    ("old", "new", "is_kept"),
    [
        ((SpreadLevel.RACK, False, 1), (SpreadLevel.RACK, False, 2), True),
        ((SpreadLevel.SITE, False, 2), (SpreadLevel.HOST, False, 2), True),
        ((SpreadLevel.RACK, False, 2), (SpreadLevel.RACK, False, 1), False),
        ((SpreadLevel.RACK, False, 1), (SpreadLevel.ROOM, False, 1), False),
        ((SpreadLevel.HOST, True, 1), (SpreadLevel.RACK, True, 1), True),
        ((SpreadLevel.ROOM, True, 1), (SpreadLevel.RACK, True, 1), False),
        ((SpreadLevel.HOST, True, 1), (SpreadLevel.HOST, False, 1), False),
    ],
)
def test_a_rule_changes_only_to_one_that_placed_machines_keep(
    old: tuple[SpreadLevel, bool, int], new: tuple[SpreadLevel, bool, int], is_kept: bool
) -> None:
    before, after = (with_web(spread=level, is_together=together, spread_max=most) for level, together, most in (old, new))
    if is_kept:
        assert lines(plan(after, before=before)) == [("update", "group", "web", "none")]
    else:
        assert codes_of(lambda: plan(after, before=before)) == ["plan.field_fixed"]


def test_a_single_machine_may_take_any_spread_rule() -> None:
    assert worst_impact(plan(with_web(count=3, spread=SpreadLevel.HOST), before=with_web(count=1))) is Impact.NONE


def test_a_level_does_not_rise_under_running_machines_but_may_fall() -> None:
    assert codes_of(lambda: plan(replace(SPEC, mlps_level=3))) == ["plan.mlps_raise_refused"]
    assert worst_impact(plan(replace(SPEC, mlps_level=1))) is Impact.NONE


def test_the_protection_of_production_is_not_taken_away_by_a_change() -> None:
    production = replace(SPEC, environment="production")
    assert codes_of(lambda: plan(SPEC, before=production)) == ["plan.field_fixed"]
    assert worst_impact(plan(production)) is Impact.NONE


@pytest.mark.parametrize(
    "moved",
    [replace(SPEC, department="elsewhere"), replace(SPEC, project="elsewhere"), replace(SPEC, zone="elsewhere")],
    ids=["department", "project", "zone"],
)
def test_a_system_does_not_move(moved: SystemSpec) -> None:
    assert codes_of(lambda: plan(moved)) == ["plan.field_fixed"]


def test_all_refusals_come_at_once() -> None:
    wanted = with_web(image="x", root_disk_gib=9, networks=("a",))
    assert codes_of(lambda: plan(wanted)) == ["plan.replace_refused", "plan.root_disk_fixed", "plan.field_fixed"]


def test_the_worst_impact_wins() -> None:
    changes = plan(resolve_change(change("{name: web, count: 1}, {name: db, size: small}"), stored(SPEC), DIRECTORY))
    assert {c.impact for c in changes} == {Impact.DOWNTIME, Impact.DATA_LOSS}
    assert worst_impact(changes) is Impact.DATA_LOSS


def test_a_change_is_stored_as_plain_values() -> None:
    change_ = diff(None, SPEC, "create")[0]
    assert change_.to_json() == {
        "verb": "create",
        "kind": "instance",
        "member": "db-1",
        "impact": "none",
        "before": {},
        "after": {
            "vcpu_count": 1,
            "memory_mib": 128,
            "size": "tiny",
            "image": "demo-linux",
            "root_disk_gib": 1,
            "root_disk_class": "standard",
        },
    }


def test_member_names_never_depend_on_the_count() -> None:
    server: ServerSpec = SPEC.servers[1]
    for count in range(1, 12):
        names = replace(server, count=count).member_names()
        assert names == replace(server, count=count + 1).member_names()[:count]
