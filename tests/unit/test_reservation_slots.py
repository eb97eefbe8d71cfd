"""What slots hold together, and which of them a ticket uses up."""

from inventory.domain.ids import HostId, ReservationId, StoragePoolId
from inventory.domain.reservation import Key, Slot, peaks
from inventory.domain.reservation import choose_slots as choose_slots_of_kind
from inventory.domain.resources import MEMORY_MIB, VCPU


def slot(number: int, host: str = "a", *, of: str = "r", start_s: int = 0, end_s: int = 10, disk_gib: int = 0) -> Slot:
    return Slot(
        reservation_id=ReservationId(of),
        slot=number,
        host_id=HostId(host),
        storage_pool_id=StoragePoolId(f"pool-{host}") if disk_gib else None,
        vcpu_count=4,
        memory_mib=16,
        disk_gib=disk_gib,
        disk_class="standard",
        starts_s=start_s,
        ends_s=end_s,
    )


def test_slots_of_one_time_add_up_and_those_that_follow_share() -> None:
    together = [slot(1), slot(2, start_s=5, end_s=15), slot(3, start_s=10, end_s=20, disk_gib=7)]
    assert peaks(together) == {("a", VCPU): 8, ("a", MEMORY_MIB): 32, ("pool-a", "disk_gib:standard"): 7}
    assert peaks([slot(1), slot(2, start_s=10, end_s=20)])[("a", VCPU)] == 4


def test_a_window_sees_only_what_it_meets() -> None:
    slots = [slot(1), slot(2, start_s=10, end_s=20)]
    assert peaks(slots, 10)[("a", VCPU)] == 4
    assert peaks(slots, 20) == {}
    assert peaks([slot(1, start_s=10, end_s=20)], 0, 10) == {}


def choose_slots(slots: list[Slot], others: list[Slot], wanted: dict[Key, int], room: dict[Key, int]) -> list[Slot]:
    of_kind = {kind: sum(n for (_, d), n in wanted.items() if d == kind) for kind in (VCPU, MEMORY_MIB)}
    return choose_slots_of_kind(slots, others, wanted, room, of_kind=of_kind)


def numbers(chosen: list[Slot]) -> list[int]:
    return [s.slot for s in chosen]


def test_as_many_slots_go_as_the_ticket_is_worth_those_of_its_hosts_first() -> None:
    slots = [slot(1, "a"), slot(2, "b"), slot(3, "b")]
    room = {("b", VCPU): 64, ("b", MEMORY_MIB): 640}
    assert numbers(choose_slots(slots, [], {("b", VCPU): 4, ("b", MEMORY_MIB): 16}, room)) == [2]
    assert numbers(choose_slots(slots, [], {("b", VCPU): 5, ("b", MEMORY_MIB): 1}, room)) == [2, 3]
    assert numbers(choose_slots(slots, [], {("b", VCPU): 40, ("b", MEMORY_MIB): 1}, room)) == [2, 3, 1]
    assert choose_slots([], [], {("b", VCPU): 4}, room) == []


def test_slots_go_whose_place_is_needed_whatever_the_ticket_is_worth() -> None:
    slots = [slot(n) for n in (1, 2, 3)]
    # Two machines of 4 by 1: worth two slots; the host has 12 in all and is wanted whole by another one beside.
    assert numbers(choose_slots(slots, [], {("a", VCPU): 8, ("a", MEMORY_MIB): 2}, {("a", VCPU): 12, ("a", MEMORY_MIB): 48})) == [
        1,
        2,
    ]
    assert numbers(choose_slots(slots, [], {("a", VCPU): 4, ("a", MEMORY_MIB): 2}, {("a", VCPU): 7, ("a", MEMORY_MIB): 48})) == [
        1,
        2,
        3,
    ]


def test_a_place_that_another_reservation_needs_later_is_not_made_free() -> None:
    own, later = [slot(1), slot(2)], [slot(1, of="later", start_s=10, end_s=20)]
    room = {("a", VCPU): 12, ("a", MEMORY_MIB): 64}
    # One slot less changes nothing: the later one still needs 4 of the 12.
    assert numbers(choose_slots(own, later, {("a", VCPU): 4, ("a", MEMORY_MIB): 16}, room)) == [1]
    assert numbers(choose_slots(own, later, {("a", VCPU): 8, ("a", MEMORY_MIB): 16}, room)) == [1, 2]
