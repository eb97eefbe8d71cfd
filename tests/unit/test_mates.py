"""What hard rules of groups ask when a failure domain is lost: where its machines may not go, and what they may not leave."""

from dataclasses import replace

import pytest

from inventory.domain.host import Host, ReserveLevel
from inventory.domain.ids import HostId
from inventory.domain.mates import Bans, Mates, bans, place, places
from inventory.domain.system import SpreadLevel
from tests.support.placement import entry

#: Host -> rack; all in one room.
RACKS = {"a1": "a", "a2": "a", "b1": "b", "b2": "b", "c1": "c"}
HOSTS: dict[HostId, Host] = {HostId(h): replace(entry(0).host, id=HostId(h), name=h, rack=r, room="r") for h, r in RACKS.items()}
OWN = {host_id: str(host_id) for host_id in HOSTS}
A, B, C = (place(HOSTS[HostId(h)], SpreadLevel.RACK) for h in ("a1", "b1", "c1"))


def of(*, most: int = 1, level: SpreadLevel = SpreadLevel.RACK, together: bool = False, **on: int) -> list[Mates]:
    counts = {HostId(h): count for h, count in on.items()}
    return [Mates(level=level, most_per_domain=most, is_together=together, hosts=counts)]


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (of(a1=1, b1=1), {"a1": Bans(shuns={B}), "b1": Bans(shuns={A})}),
        (of(a1=1), {"a1": Bans()}),
        (of(a1=1, b1=1, most=2), {"a1": Bans(), "b1": Bans()}),
        (of(a1=2, b1=1, most=2), {"a1": Bans(shuns={B}), "b1": Bans(shuns={A})}),
        (of(a1=1, b1=1, level=SpreadLevel.ROOM), {"a1": Bans(), "b1": Bans()}),
        (of(a1=1, a2=1, together=True), {"a1": Bans(needs={A}), "a2": Bans(needs={A})}),
        # All of them are lost, and go to one host together.
        (of(a1=2, together=True), {"a1": Bans()}),
    ],
)
def test_rules_of_groups_when_a_host_is_lost(groups: list[Mates], expected: dict[str, Bans]) -> None:
    assert bans(groups, HOSTS, OWN, ReserveLevel.HOST) == expected


def test_a_rack_that_is_lost_as_a_whole_tears_nobody_in_it_apart() -> None:
    racks = {host_id: host.rack for host_id, host in HOSTS.items()}
    assert bans(of(a1=1, a2=1, together=True), HOSTS, racks, ReserveLevel.RACK) == {"a": Bans()}
    assert bans(of(a1=1, b1=1), HOSTS, racks, ReserveLevel.RACK) == {"a": Bans(shuns={B}), "b": Bans(shuns={A})}


def test_mates_on_hosts_of_other_pools_count_and_are_not_lost() -> None:
    assert bans(of(a1=1, c1=1), HOSTS, {HostId("a1"): "a1"}, ReserveLevel.HOST) == {"a1": Bans(shuns={C})}


def test_a_host_is_in_a_rack_a_room_and_a_site() -> None:
    assert places(HOSTS[HostId("a1")]) == {("rack", "", "r", "a"), ("room", "", "r"), ("site", "")}
