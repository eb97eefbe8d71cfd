"""The decision as it is: which host is chosen, what is refused and what is told about it."""

import json
import time
from collections import Counter
from dataclasses import replace

import pytest

from controller.scheduling import suggest, units
from controller.scheduling.decide import decide
from controller.scheduling.explain import explanation_from_json, explanation_to_json
from controller.scheduling.fleet import Fleet
from controller.scheduling.gang import Attempt, tried_on
from controller.scheduling.policy import DEFAULT_POLICY, Policy, read_policies
from controller.scheduling.snapshot import HostEntry, SnapshotBuilder
from controller.scheduling.units import MEMBERS_MAX
from inventory.domain.errors import Invalid
from inventory.domain.host import AdminState
from inventory.domain.ids import HostId, PoolId
from inventory.domain.placement import AddressRoom, GroupRule, MemberRequest, Placement, PlacementRequest, Refusal
from inventory.domain.resources import MEMORY_MIB, VCPU, Resources
from inventory.domain.system import SpreadLevel
from tests.support.placement import GIB, entry, is_same_snapshot, member, request, snapshot, zone


def placed(answer: Placement | Refusal) -> dict[str, str]:
    assert isinstance(answer, Placement), answer
    return {m.name: str(m.host_id) for m in answer.members}


def refused(answer: Placement | Refusal) -> Refusal:
    assert isinstance(answer, Refusal)
    return answer


def rule(group: str, spread: SpreadLevel, *, is_hard: bool = True, existing: tuple[str, ...] = ()) -> GroupRule:
    return GroupRule(group=group, spread=spread, is_hard=is_hard, existing_host_ids=tuple(HostId(h) for h in existing))


def test_ties_go_to_the_lowest_host_id() -> None:
    assert placed(decide(request(member("m")), snapshot([entry(3), entry(1), entry(2)]))) == {"m": "host_00001"}


def test_packing_prefers_the_fuller_host_and_spreading_the_emptier_one() -> None:
    hosts = snapshot([entry(0), entry(1, used={VCPU: 16, MEMORY_MIB: 64 * GIB})])
    asked = request(member("m"))
    assert placed(decide(asked, hosts, Policy(name="pack", version=1, weights={"pack": 1}))) == {"m": "host_00001"}
    assert placed(decide(asked, hosts, Policy(name="spread", version=1, weights={"spread_load": 1}))) == {"m": "host_00000"}


def test_balance_prefers_the_host_that_is_used_evenly_afterwards() -> None:
    hosts = snapshot([entry(0, used={VCPU: 20}), entry(1, used={MEMORY_MIB: 60 * GIB})])
    policy = Policy(name="b", version=1, weights={"balance": 1})
    assert placed(decide(request(member("m", vcpu=12, memory_mib=GIB)), hosts, policy)) == {"m": "host_00001"}


def test_storage_weight_prefers_the_host_with_more_storage_left() -> None:
    hosts = snapshot([entry(0, storage=[("standard", 1000, 900)]), entry(1, storage=[("standard", 1000, 100)])])
    assert placed(decide(request(member("m")), hosts, Policy(name="s", version=1, weights={"storage": 1}))) == {"m": "host_00001"}


def test_hosts_with_accelerators_are_kept_for_those_who_ask_for_one() -> None:
    hosts = snapshot([entry(0, accelerators={"accelerator:gpu": 4}), entry(1)])
    assert placed(decide(request(member("m")), hosts)) == {"m": "host_00001"}
    assert placed(decide(request(member("m", accelerators={"accelerator:gpu": 1})), hosts)) == {"m": "host_00000"}


def test_an_accelerator_that_no_host_has_is_refused_with_its_name() -> None:
    answer = refused(decide(request(member("m", accelerators={"accelerator:fpga": 1})), snapshot([entry(0)])))
    miss = answer.explanations[0].misses[0]
    assert (miss.filter, miss.params["dimension"], miss.params["free"]) == ("capacity", "accelerator:fpga", 0)


def test_foreign_guests_count_against_capacity() -> None:
    hosts = snapshot([entry(0, vcpu=8, foreign={VCPU: 7})])
    assert refused(decide(request(member("m")), hosts)).explanations[0].misses[0].params["free"] == 1


def test_a_soft_spread_is_even_and_gives_way_when_hosts_run_out() -> None:
    hosts = snapshot([entry(n, rack=f"r{n % 3}") for n in range(6)])
    asked = request(*(member(f"m{n}") for n in range(7)), rules=(rule("web", SpreadLevel.RACK, is_hard=False),))
    racks = Counter(int(h[-1]) % 3 for h in placed(decide(asked, hosts)).values())
    assert sorted(racks.values()) == [2, 2, 3]


def test_a_hard_spread_keeps_clear_of_machines_that_exist() -> None:
    hosts = snapshot([entry(0), entry(1)])
    asked = request(member("m"), rules=(rule("web", SpreadLevel.HOST, existing=("host_00000",)),))
    assert placed(decide(asked, hosts)) == {"m": "host_00001"}


def test_a_hard_spread_keeps_clear_of_a_machine_that_is_changed_in_the_same_request() -> None:
    hosts = snapshot([entry(0), entry(1)])
    held = {VCPU: 2, MEMORY_MIB: 4 * GIB, "disk_gib:standard": 20}
    asked = request(member("new"), member("old", pinned="host_00000", held=held), rules=(rule("web", SpreadLevel.HOST),))
    assert placed(decide(asked, hosts)) == {"new": "host_00001", "old": "host_00000"}


def test_hosts_without_a_known_rack_count_as_one_rack() -> None:
    hosts = snapshot([entry(0), entry(1)])
    asked = request(member("a"), member("b"), rules=(rule("web", SpreadLevel.RACK),))
    answer = refused(decide(asked, hosts))
    assert {m.params["domain"] for m in answer.explanations[0].misses} == {"?/?/?"}
    assert ("placement.suggest.soft_spread", {"group": "web"}) in answer.explanations[0].suggestions


def test_machines_that_share_a_network_go_to_one_host() -> None:
    hosts = snapshot([entry(n, vcpu=8) for n in range(3)])
    asked = request(
        member("a", vcpu=3, networks=("n",)), member("b", vcpu=3, networks=("n", "k")), member("c", vcpu=2, networks=("k",))
    )
    assert len(set(placed(decide(asked, hosts)).values())) == 1


def test_a_network_that_lives_on_a_host_pulls_new_machines_there() -> None:
    hosts = snapshot([entry(0), entry(1)])
    asked = request(member("a", networks=("n",)), network_hosts={"n": HostId("host_00001")})
    assert placed(decide(asked, hosts)) == {"a": "host_00001"}


def test_a_hard_spread_within_one_network_is_refused_as_network_reach() -> None:
    hosts = snapshot([entry(0), entry(1)])
    members = (member("a", networks=("n",)), member("b", networks=("n",)))
    page = refused(decide(request(*members, rules=(rule("web", SpreadLevel.HOST),)), hosts)).explanations[0]
    assert dict(page.left_after)["pinned"] == 2
    assert dict(page.left_after)["network_reach"] == 0
    assert {(m.filter, m.params["group"]) for m in page.misses} == {("network_reach", "web")}
    codes = {code.removeprefix("placement.suggest.") for code, _ in page.suggestions}
    assert codes == {"fewer", "separate_networks", "soft_spread"}


def test_machines_that_share_a_network_spread_over_the_hosts_of_one_home_and_no_further() -> None:
    hosts = snapshot([entry(0, vcpu=3), entry(1, vcpu=8, home=1), entry(2, vcpu=8, home=1), entry(3, vcpu=8, home=1)])
    members = [member(f"m{n}", vcpu=4, networks=("n",)) for n in range(5)]
    found = placed(decide(request(*members), hosts))
    assert set(found.values()) == {"host_00001", "host_00002", "host_00003"}
    # Where the fullest host is not large enough for all, its home is given up for another one.
    alone = snapshot([entry(0, vcpu=4), *(entry(n, vcpu=8, home=1) for n in (1, 2, 3))])
    assert set(placed(decide(request(*members), alone)).values()) == {"host_00001", "host_00002", "host_00003"}
    spread = (rule("web", SpreadLevel.HOST),)
    found = placed(decide(request(*members[:3], rules=spread), hosts))
    assert sorted(found.values()) == ["host_00001", "host_00002", "host_00003"]
    page = refused(decide(request(*members[:4], rules=spread), hosts)).explanations[0]
    assert {(m.host, m.filter) for m in page.misses} >= {("h00000", "network_reach"), ("h00001", "spread")}
    assert {m.params["network_host"] for m in page.misses if m.filter == "network_reach"} == {"h00001"}


def test_a_network_that_lives_on_a_home_lets_new_machines_go_to_all_its_hosts() -> None:
    hosts = snapshot([entry(0), entry(1, vcpu=2, home=1), entry(2, home=1)])
    asked = request(member("a", vcpu=4, networks=("n",)), network_hosts={"n": HostId("host_00001")})
    answer = decide(asked, hosts)
    assert placed(answer) == {"a": "host_00002"}
    assert isinstance(answer, Placement)
    assert answer.members[0].home == "host_00001"
    torn = request(member("a", networks=("n", "k")), network_hosts={"n": HostId("host_00001"), "k": HostId("host_00000")})
    assert dict(refused(decide(torn, hosts)).explanations[0].left_after)["network_reach"] == 0


def test_addresses_of_a_home_are_counted_once_for_all_its_hosts() -> None:
    hosts = snapshot([entry(n, home=0) for n in range(3)])
    members = [member(f"m{n}", networks=("n",)) for n in range(4)]
    spread = (rule("web", SpreadLevel.HOST),)
    three = AddressRoom(segments={"n": {HostId("host_00000"): 3}}, segment_size=5)
    assert isinstance(decide(request(*members[:3], rules=spread, addresses=three), hosts), Placement)
    page = refused(decide(request(*members, addresses=three), hosts)).explanations[0]
    assert {(m.filter, m.params["asked"], m.params["free"]) for m in page.misses} == {("addresses", 4, 3)}
    one_block = AddressRoom(segments={}, segment_size=5, block_count=1)
    assert isinstance(decide(request(*members[:3], rules=spread, addresses=one_block), hosts), Placement)


def test_a_change_in_place_asks_for_growth_only() -> None:
    hosts = snapshot([entry(0, vcpu=8, used={VCPU: 6, MEMORY_MIB: 64 * GIB})])
    held = {VCPU: 6, MEMORY_MIB: 64 * GIB}
    bigger = member("m", vcpu=8, memory_mib=64 * GIB, pinned="host_00000", held=held, disks=())
    too_big = member("m", vcpu=9, memory_mib=64 * GIB, pinned="host_00000", held=held, disks=())
    assert placed(decide(request(bigger), hosts)) == {"m": "host_00000"}
    page = refused(decide(request(too_big), hosts)).explanations[0]
    assert ("placement.suggest.smaller", {"group": "web", "dimension": VCPU, "asked": 9, "fits": 8}) in page.suggestions


def test_disks_that_are_held_are_not_asked_for_again() -> None:
    hosts = snapshot([entry(0, storage=[("standard", 100, 95)])])
    held = {VCPU: 2, MEMORY_MIB: 4 * GIB, "disk_gib:standard": 80}
    fitting = member("m", disks=(("standard", 80), ("standard", 5)), pinned="host_00000", held=held)
    too_big = member("m", disks=(("standard", 80), ("standard", 6)), pinned="host_00000", held=held)
    assert placed(decide(request(fitting), hosts)) == {"m": "host_00000"}
    assert refused(decide(request(too_big), hosts)).explanations[0].misses[0].params["asked"] == 6


def test_a_machine_that_does_not_grow_stays_on_a_draining_host_and_one_that_grows_does_not() -> None:
    hosts = snapshot([entry(0, admin_state=AdminState.DRAINING), entry(1)])
    held = {VCPU: 4, MEMORY_MIB: 8 * GIB, "disk_gib:standard": 20}
    smaller = member("m", vcpu=2, pinned="host_00000", held=held)
    bigger = member("m", vcpu=6, pinned="host_00000", held=held)
    assert placed(decide(request(smaller), hosts)) == {"m": "host_00000"}
    page = refused(decide(request(bigger), hosts)).explanations[0]
    assert [(m.host, m.filter) for m in page.misses] == [("h00000", "state")]
    assert ("placement.suggest.without_pin", {"member": "m"}) in page.suggestions


def test_several_disks_are_packed_exactly_where_best_fit_fails() -> None:
    hosts = snapshot([entry(0, storage=[("standard", 10, 0), ("standard", 11, 0)])])
    sizes = (("standard", 6), ("standard", 5), ("standard", 5), ("standard", 5))
    answer = decide(request(member("m", disks=sizes)), hosts)
    assert isinstance(answer, Placement)
    assert answer.members[0].storage_pool_ids == ("stor_00000_1", "stor_00000_0", "stor_00000_0", "stor_00000_1")


def test_earlier_machines_move_over_when_a_later_one_has_nowhere_else_to_go() -> None:
    hosts = snapshot([entry(0, vcpu=8, arch="aarch64"), entry(1, vcpu=8)])
    wide = member("wide", group="a", vcpu=8)
    narrow = member("narrow", group="b", vcpu=6, arch="aarch64")
    policy = Policy(name="pack", version=1, weights={"pack": 1})
    answer = decide(request(wide, narrow), hosts, policy)
    assert placed(answer) == {"wide": "host_00001", "narrow": "host_00000"}


def test_a_refusal_explains_every_machine_that_fits_nowhere_the_binding_one_first() -> None:
    asked = request(member("big", group="a", vcpu=99), member("odd", group="b", arch="riscv64"), member("fine", group="c"))
    answer = refused(decide(asked, snapshot([entry(0)])))
    assert [page.member for page in answer.explanations] == ["big", "odd"]


def test_the_largest_free_memory_is_suggested() -> None:
    hosts = snapshot([entry(0, used={MEMORY_MIB: 100 * GIB}), entry(1, used={MEMORY_MIB: 80 * GIB})])
    page = refused(decide(request(member("m", memory_mib=64 * GIB)), hosts)).explanations[0]
    wanted = {"group": "web", "dimension": MEMORY_MIB, "asked": 64 * GIB, "fits": 48 * GIB}
    assert ("placement.suggest.smaller", wanted) in page.suggestions
    assert [(m.host, m.params["free"]) for m in page.misses] == [("h00001", 48 * GIB), ("h00000", 28 * GIB)]


def test_a_shape_is_suggested_when_both_vcpu_and_memory_are_short() -> None:
    page = refused(decide(request(member("m", vcpu=64, memory_mib=256 * GIB)), snapshot([entry(0)]))).explanations[0]
    assert ("placement.suggest.shape", {"group": "web", VCPU: 32, MEMORY_MIB: 128 * GIB}) in page.suggestions


def test_another_zone_and_a_smaller_disk_are_suggested() -> None:
    hosts = snapshot([entry(0, storage=[("standard", 50, 0)]), entry(1, in_zone=zone("b"))])
    page = refused(decide(request(member("m", disks=(("standard", 60),))), hosts)).explanations[0]
    assert ("placement.suggest.other_zone", {"zone": "b", "zone_id": "zone_b"}) in page.suggestions
    smaller = {"group": "web", "disk_class": "standard", "asked": 60, "fits": 50}
    assert ("placement.suggest.smaller_disk", smaller) in page.suggestions


def test_equal_machines_share_one_small_explanation() -> None:
    hosts = snapshot([entry(n) for n in range(100)])
    answer = decide(request(*(member(f"m{n}") for n in range(500))), hosts)
    assert isinstance(answer, Placement)
    assert len(answer.explanations) == 1
    assert answer.explanations[0].members == tuple(f"m{n}" for n in range(500))
    assert len(json.dumps([explanation_to_json(page) for page in answer.explanations])) < 20_000


def test_an_explanation_says_of_every_machine_where_it_went() -> None:
    hosts = snapshot([entry(n, used={VCPU: 28}) for n in range(3)])
    answer = decide(request(*(member(f"m{n}", vcpu=2) for n in range(5))), hosts)
    (page,) = answer.explanations
    assert page.winner is not None
    names = {str(h.host.id): h.host.name for h in (entry(n) for n in range(3))}
    went = {name: names[host] for name, host in placed(answer).items()}
    assert len(set(went.values())) == 3
    told = dict.fromkeys(page.members, page.winner.host) | {name: host for host, those in page.elsewhere for name in those}
    assert told == went


def test_at_most_fifty_misses_are_kept() -> None:
    page = refused(decide(request(member("m", vcpu=99)), snapshot([entry(n) for n in range(80)]))).explanations[0]
    assert len(page.misses) == 50


def test_a_request_without_machines_is_placed_without_hosts() -> None:
    assert decide(request(), snapshot([])) == Placement(members=(), explanations=())


def test_no_hosts_at_all_is_a_refusal() -> None:
    page = refused(decide(request(member("m")), snapshot([]))).explanations[0]
    assert page.hosts_total == 0
    assert page.suggestions == ()


def test_an_unknown_zone_falls_at_the_zone_filter() -> None:
    page = refused(decide(request(member("m"), zone_code="nowhere"), snapshot([entry(0)]))).explanations[0]
    assert dict(page.left_after)["state"] == 1
    assert dict(page.left_after)["zone"] == 0
    assert page.misses[0].params == {"asked": "zone_nowhere", "zone": "a"}


def test_a_pin_to_a_host_that_is_gone_is_a_refusal() -> None:
    page = refused(decide(request(member("m", pinned="host_99999")), snapshot([entry(0)]))).explanations[0]
    assert dict(page.left_after)["pinned"] == 0
    assert page.suggestions == (("placement.suggest.without_pin", {"member": "m"}),)


def test_huge_sizes_are_refused_with_their_numbers() -> None:
    page = refused(decide(request(member("m", memory_mib=10**30)), snapshot([entry(0)]))).explanations[0]
    assert page.misses[0].params["asked"] == 10**30


def test_a_million_machines_are_turned_away_at_once() -> None:
    asked = request(*([member("m")] * 1_000_000))
    start = time.thread_time()
    with pytest.raises(Invalid) as caught:
        decide(asked, snapshot([entry(0)]))
    assert (caught.value.code, caught.value.params["highest"]) == ("placement.too_many_members", MEMBERS_MAX)
    assert time.thread_time() - start < 0.1


@pytest.mark.parametrize(
    ("members", "rules", "code"),
    [
        ((member("m"), member("m")), (), "placement.member_twice"),
        ((member("m"),), (rule("web", SpreadLevel.HOST), rule("web", SpreadLevel.RACK)), "placement.rule_twice"),
        ((member("m"),), (replace(rule("web", SpreadLevel.HOST), max_per_domain=0),), "placement.max_per_domain_too_small"),
        ((member("m", disks=(("standard", 0),)),), (), "placement.disk_size_not_positive"),
        ((member("m", accelerators={"disk_gib:standard": 5}),), (), "placement.disk_in_compute"),
        (
            (MemberRequest(name="m", group="web", compute=Resources((("vcpu", -1),)), disks=(), arch="any"),),
            (),
            "placement.amount_negative",
        ),
    ],
)
def test_a_request_that_makes_no_sense_is_invalid(
    members: tuple[MemberRequest, ...], rules: tuple[GroupRule, ...], code: str
) -> None:
    with pytest.raises(Invalid) as caught:
        decide(request(*members, rules=rules), snapshot([entry(0)]))
    assert caught.value.code == code


def test_a_host_cannot_be_added_twice() -> None:
    builder = SnapshotBuilder()
    builder.add_host(entry(1))
    with pytest.raises(ValueError, match="twice"):
        builder.add_host(entry(1))


def test_deciding_leaves_the_snapshot_as_it_was() -> None:
    hosts = [entry(n, vcpu=8) for n in range(3)]
    shot: PlacementRequest = request(*(member(f"m{n}") for n in range(9)), rules=(rule("web", SpreadLevel.HOST, is_hard=False),))
    one = snapshot(hosts)
    first = decide(shot, one)
    assert is_same_snapshot(one, snapshot(hosts))
    assert decide(shot, one) == first


POLICY = "version: 1\ndefault: a\npolicies: {a: {pack: 1}}\n"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (POLICY.replace("pack: 1", "pack: -1"), "placement.weight_out_of_range"),
        (POLICY.replace("pack: 1", "pack: 1.5"), "placement.weight_out_of_range"),
        (POLICY.replace("pack: 1", "pack: true"), "placement.weight_out_of_range"),
        (POLICY.replace("pack", "pakc"), "placement.weight_unknown"),
        (POLICY.replace("default: a", "default: b"), "placement.policy_unknown"),
        (POLICY.replace("{pack: 1}", "3"), "placement.policy_malformed"),
        ("[", "placement.policy_malformed"),
        ("", "placement.policy_malformed"),
    ],
)
def test_a_wrong_policy_file_is_refused(text: str, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_policies(text)
    assert caught.value.code == code


def test_the_policy_that_ships_is_the_one_built_in(pytestconfig: pytest.Config) -> None:
    table = read_policies((pytestconfig.rootpath / "etc" / "placement.yaml").read_text(encoding="utf-8"))
    assert table.policy() == DEFAULT_POLICY
    assert set(table.policies) == {"balanced", "pack", "spread"}


def in_pool(host: HostEntry, placement: str) -> HostEntry:
    return replace(host, pool=replace(host.pool, id=PoolId(f"pool_{placement}"), placement=placement))


def test_each_pool_follows_its_own_policy_and_the_platform_chooses_between_them(pytestconfig: pytest.Config) -> None:
    table = read_policies((pytestconfig.rootpath / "etc" / "placement.yaml").read_text(encoding="utf-8"))
    half, most, empty = ({VCPU: n, MEMORY_MIB: 4 * n * GIB} for n in (16, 24, 0))
    spread = [in_pool(entry(n, used=used), "spread") for n, used in enumerate((half, empty, most))]
    packed = [in_pool(entry(n, used=used), "pack") for n, used in enumerate((half, empty, most), 3)]
    one = request(member("m", vcpu=2, memory_mib=8 * GIB))
    assert placed(decide(one, snapshot(spread), table.policy()))["m"] == "host_00001", "the emptiest of a pool that spreads"
    assert placed(decide(one, snapshot(packed), table.policy()))["m"] == "host_00005", "the fullest of a pool that packs"
    both = decide(one, snapshot([*spread, *packed]), table.policy("pack"))
    assert isinstance(both, Placement)
    assert placed(both)["m"] == "host_00005", "of those two the better one for the platform's policy"
    explained = both.explanations[0]
    assert explained.policy == "pack@3"
    assert {c.host: c.policy for c in explained.runners_up} == {"h00003": "", "h00001": "spread@3"}
    other = decide(one, snapshot([*spread, *packed[1:2]]), table.policy("spread"))
    assert isinstance(other, Placement)
    assert other.explanations[0].policy == "spread@3"
    assert "pack@3" in {c.policy for c in other.explanations[0].runners_up}
    assert explanation_from_json(explanation_to_json(other.explanations[0])) == other.explanations[0]


def test_a_pool_whose_policy_is_gone_from_the_table_follows_the_platform() -> None:
    hosts = snapshot([in_pool(entry(0), "gone"), in_pool(entry(1, used={VCPU: 16}), "gone")])
    plain = snapshot([entry(0), entry(1, used={VCPU: 16})])
    assert placed(decide(request(member("m")), hosts)) == placed(decide(request(member("m")), plain))


def test_the_kind_that_got_stuck_goes_first_in_gangs_too_large_to_search() -> None:
    hosts = snapshot([entry(0, vcpu=8, arch="aarch64"), *(entry(n, vcpu=8) for n in range(1, 71))])
    wide = [member(f"wide-{n}", group="a", vcpu=8) for n in range(70)]
    narrow = member("narrow", group="b", vcpu=6, arch="aarch64")
    assert placed(decide(request(*wide, narrow), hosts))["narrow"] == "host_00000"


def test_needs_are_kept_within_a_bound_and_stay_true(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "_KNOWN", {})
    monkeypatch.setattr(units, "_KNOWN_MAX", 2)
    apart = GroupRule(group="web", spread=SpreadLevel.HOST, is_hard=True)
    for vcpu in (1, 2, 3, 1):
        for rules in ((), (apart,), (replace(apart, is_hard=False),)):
            [unit] = units.units_of(request(member("m", vcpu=vcpu), rules=rules))
            assert dict(unit.need.ask)[VCPU] == vcpu
            assert bool(unit.need.hard) == any(rule.is_hard for rule in rules)
            assert bool(unit.need.soft) == any(not rule.is_hard for rule in rules)
            assert len(units._KNOWN) <= 2


@pytest.mark.parametrize("count", [20, 200, MEMBERS_MAX])
def test_what_is_tried_for_a_refusal_is_bounded_whatever_its_size(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    placed_counts: list[int] = []

    def counted(asked: PlacementRequest, fleet: Fleet, policy: Policy) -> Attempt:
        attempt = tried_on(asked, fleet, policy)
        placed_counts.append(len(attempt.chosen))
        return attempt

    monkeypatch.setattr(suggest, "tried_on", counted)
    hosts = snapshot([entry(n, vcpu=count // 4, storage=[("standard", 100_000, 0)]) for n in range(5)])
    kinds = [member(f"{g}-{n}", group=g, vcpu=vcpu, memory_mib=1) for vcpu, g in ((1, "a"), (2, "b")) for n in range(count // 2)]
    page = refused(decide(request(*kinds), hosts)).explanations[0]
    assert any(code == "placement.suggest.fewer" for code, _ in page.suggestions)
    # The last one tried may pass the bound.
    assert 0 < sum(placed_counts) <= suggest.MACHINES_TRIED_MAX + count


def test_no_zone_is_suggested_that_a_request_may_not_name() -> None:
    hosts = snapshot([entry(0, vcpu=1), entry(1, in_zone=zone("b"))])
    asked = request(member("m", networks=("data",)))
    there = hosts.zone_ids[hosts.zone_codes.index("b")]
    full = AddressRoom(segments={}, segment_size=9, block_count=0)

    def codes(elsewhere: suggest.Elsewhere | None) -> set[str]:
        return {code for code, _ in refused(decide(asked, hosts, elsewhere=elsewhere)).explanations[0].suggestions}

    assert "placement.suggest.other_zone" in codes(None) & codes({there: None})
    assert "placement.suggest.other_zone" not in codes({}) | codes({there: full})
