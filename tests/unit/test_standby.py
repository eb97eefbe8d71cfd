"""Which failure domains stand by: few, empty, as large as what they stand by for, and the same ones while they serve."""

from collections.abc import Sequence
from dataclasses import replace

from inventory.domain.host import Reserve, ReserveLevel
from inventory.domain.ids import HostId
from inventory.domain.standby import PoolHost, Shape, Standby, choose_standby, is_enough, shape, uncovered

ONE_HOST = Reserve(level=ReserveLevel.HOST, count=1)
KIND = ("x86_64", "kvm", 1)


def big(vcpu: int = 32, storage: Sequence[int] = (1000,), kind: tuple[str, str, int] = KIND) -> Shape:
    return shape(kind, {"vcpu": vcpu, "memory_mib": vcpu * 4096}, [("standard", gib) for gib in storage])


def host(
    name: str,
    offers: Shape | None = None,
    *,
    domain: str = "",
    room: Shape | None = None,
    is_ready: bool = True,
    is_empty: bool = True,
    is_standby: bool = False,
) -> PoolHost:
    load = offers or big()
    return PoolHost(
        id=HostId(name),
        domain=domain or name,
        load=load,
        room=room or load,
        is_ready=is_ready,
        is_empty=is_empty,
        is_standby=is_standby,
    )


def test_of_equal_hosts_one_empty_host_stands_by() -> None:
    hosts = [host("a", is_empty=False), host("b"), host("c")]
    assert choose_standby(hosts, ONE_HOST) == Standby(domains=frozenset({"b"}))


def test_the_host_that_stands_by_goes_on_doing_so() -> None:
    hosts = [host("a"), host("b"), host("c", is_standby=True)]
    assert choose_standby(hosts, ONE_HOST).domains == {"c"}


def test_a_stand_by_host_that_does_not_answer_is_replaced() -> None:
    hosts = [host("a", is_empty=False), host("b"), host("c", is_standby=True, is_ready=False)]
    assert choose_standby(hosts, ONE_HOST).domains == {"b"}


def test_a_small_host_is_no_stand_by_for_a_large_one() -> None:
    assert choose_standby([host("a", big(64)), host("b", big(32)), host("c", big(32))], ONE_HOST).domains == {"a"}
    # A second large one: either of them stands by for all.
    assert choose_standby([host("a", big(64)), host("b", big(32)), host("d", big(64))], ONE_HOST).domains == {"a"}


def test_two_kinds_of_hosts_have_a_stand_by_of_each_kind() -> None:
    arm = ("aarch64", "kvm", 1)
    hosts = [host("a"), host("b"), host("c", big(kind=arm)), host("d", big(kind=arm))]
    assert choose_standby(hosts, ONE_HOST).domains == {"a", "c"}


def test_every_storage_pool_needs_one_as_large() -> None:
    hosts = [host("a", big(storage=(500, 500))), host("b", big(storage=(1000,))), host("c", big(storage=(600, 500)))]
    # b's one large pool takes neither a's two nor is it matched by c's: both b and c are needed.
    assert choose_standby(hosts, ONE_HOST).domains == {"b", "c"}


def test_what_foreign_guests_use_is_no_room() -> None:
    hosts = [host("a", room=big(30)), host("b"), host("c", is_empty=False)]
    assert choose_standby(hosts, ONE_HOST).domains == {"b"}


def test_the_only_host_of_a_pool_is_held_whole() -> None:
    assert choose_standby([host("a")], ONE_HOST) == Standby(domains=frozenset({"a"}))
    assert choose_standby([], ONE_HOST) == Standby()


def test_a_full_pool_says_who_is_not_covered() -> None:
    hosts = [host("a", is_empty=False), host("b", is_empty=False)]
    found = choose_standby(hosts, ONE_HOST)
    assert found == Standby(domains=frozenset({"a"}), uncovered=("a", "b"))
    assert is_enough(hosts, found.domains, ONE_HOST)
    assert uncovered(hosts, found.domains, ONE_HOST) == ("a", "b")


def test_two_losses_need_two_stand_by_hosts() -> None:
    hosts = [host(name) for name in "abcd"]
    assert choose_standby(hosts, Reserve(level=ReserveLevel.HOST, count=2)).domains == {"a", "b"}
    assert not is_enough(hosts, {"a"}, Reserve(level=ReserveLevel.HOST, count=2))


def test_a_rack_stands_by_host_for_host() -> None:
    racks = {"r1": [32, 32], "r2": [64, 32], "r3": [32, 32, 16]}
    hosts = [host(f"{rack}-{n}", big(vcpu), domain=rack) for rack, sizes in racks.items() for n, vcpu in enumerate(sizes)]
    # r2 has the only host of 64; r3 has three hosts, which no rack of two can take.
    assert choose_standby(hosts, Reserve(level=ReserveLevel.RACK)).domains == {"r2", "r3"}


def test_a_host_beside_a_mate_of_those_it_would_take_over_stands_by_last_and_does_not_cover_them() -> None:
    rack = {name: frozenset({("rack", "", "", name)}) for name in ("one", "two", "three")}
    home = replace(host("a", is_empty=False), places=rack["one"], shuns=rack["two"])
    mate = replace(host("b", is_empty=False), places=rack["two"], shuns=rack["one"])
    beside, apart = replace(host("c"), places=rack["two"]), replace(host("d"), places=rack["three"])
    assert choose_standby([home, mate, beside, apart], ONE_HOST) == Standby(domains=frozenset({"d"}))
    stood = [home, mate, replace(beside, is_standby=True), apart]
    assert choose_standby(stood, ONE_HOST).domains == {"d"}, "it stood by where a rule would break"
    assert choose_standby(stood[:3], ONE_HOST) == Standby(domains=frozenset({"c"}), uncovered=("a",))
    assert is_enough(stood[:3], {"c"}, ONE_HOST), "no better choice: nobody forgot to choose"


def test_machines_that_stay_together_are_covered_within_their_rack_only() -> None:
    one, two = frozenset({("rack", "", "", "one")}), frozenset({("rack", "", "", "two")})
    home = replace(host("a", is_empty=False), places=one, needs=one)
    away, near = replace(host("b"), places=two), replace(host("c"), places=one)
    assert choose_standby([home, away, near], ONE_HOST) == Standby(domains=frozenset({"c"}))
    assert choose_standby([home, away], ONE_HOST) == Standby(domains=frozenset({"b"}), uncovered=("a",))
