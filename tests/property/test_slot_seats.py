"""Seats of machines that draw on a reservation: nothing is promised twice, and one machine uses up one slot."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from controller.scheduling.cells import growth, seats_for
from controller.scheduling.decide import choose
from controller.scheduling.fleet import Fleet
from controller.scheduling.policy import DEFAULT_POLICY
from controller.scheduling.slot_seats import DrawnHost, seated_in_slots
from controller.scheduling.snapshot import HostEntry
from controller.scheduling.units import seat_ask
from inventory.domain.ids import ReservationId
from inventory.domain.layout import Cell, Layout, Seat
from inventory.domain.placement import MemberRequest, Placement
from inventory.domain.reservation import Key, Slot, choose_slots, peaks
from inventory.domain.resources import Resources, is_fine
from tests.property.test_scheduling_cells import ask_of, free_of, some_host, some_member
from tests.support.placement import entry, member, request, snapshot


def slots_on(host: HostEntry, free: Mapping[str, int], shape: MemberRequest, count: int, of: str) -> list[Slot]:
    """Return as many of ``count`` slots of one shape as the host takes."""
    ask = ask_of(shape)
    for many in range(count, 0, -1):
        seats = seats_for([ask] * many, host.host.cells, free)
        coarse = {d: many * n for d, n in shape.compute.items()}
        if seats is not None and all(n <= free.get(d, 0) for d, n in coarse.items()):
            return [slot(host, shape, number, seat, of) for number, seat in enumerate(seats, start=1)]
    return []


def slot(host: HostEntry, shape: MemberRequest, number: int, seat: Seat, of: str = "own") -> Slot:
    ask = ask_of(shape)
    return Slot(
        reservation_id=ReservationId(of),
        slot=number,
        host_id=host.host.id,
        storage_pool_id=None,
        vcpu_count=ask.vcpu_count,
        memory_mib=ask.memory_mib,
        disk_gib=0,
        disk_class="standard",
        starts_s=0,
        ends_s=10,
        layout=shape.layout,
        seat=seat,
    )


def less(free: Mapping[str, int], slots: Sequence[Slot]) -> dict[str, int]:
    left = Counter(free)
    for (_, dimension), amount in peaks(slots).items():
        left[dimension] -= amount
    return dict(left)


def wanted_by(members: Sequence[MemberRequest], placement: Placement) -> Counter[Key]:
    found: Counter[Key] = Counter()
    for one, place in zip(members, placement.members, strict=True):
        assert place.seat is not None
        taken = {**one.compute, **growth([seat_ask(one)], [place.seat])}
        found.update({(place.host_id, dimension): amount for dimension, amount in taken.items()})
    return found


def decided(members: Sequence[MemberRequest], host: HostEntry) -> Placement:
    """Return what the scheduler decides; without members where they do not fit."""
    found = choose(request(*members), Fleet(snapshot([host])), DEFAULT_POLICY)
    return Placement(members=found or (), explanations=())


def room_of(host: HostEntry) -> dict[Key, int]:
    return {(host.host.id, dimension): amount for dimension, amount in free_of(host).items()}


def used_up_by(
    slots: Sequence[Slot], others: Sequence[Slot], members: Sequence[MemberRequest], placement: Placement, host: HostEntry
) -> list[Slot]:
    room = room_of(host)
    alike = [one for one in members if one.layout.is_kind_of(slots[0].layout)]
    of_kind = sum((one.compute for one in alike), start=Resources())
    return choose_slots(slots, others, wanted_by(members, placement), room, of_kind=of_kind)


def drawn(host: HostEntry, others: Sequence[Slot]) -> DrawnHost:
    free = less(free_of(host), others)
    return DrawnHost(cells=host.host.cells, free={d: n for d, n in free.items() if is_fine(d)})


def some_reservations(source: random.Random) -> tuple[HostEntry, MemberRequest, list[Slot], list[Slot]]:
    """Return a host, what one reservation is for, the slots of another one, and some of its own that are left."""
    while True:
        host, shape = some_host(source, 0), some_member(source, "like")
        others = slots_on(host, free_of(host), some_member(source, "other"), source.randint(0, 2), "another")
        # Others had processors then that have gone since, and some slots were used up before: the rest lies scattered.
        then = {d: 0 if d.startswith("cpu:") and source.random() < 0.3 else n for d, n in free_of(host).items()}
        own = slots_on(host, less(then, others), shape, source.randint(1, 4), "own")
        if own:
            return host, shape, others, sorted(source.sample(own, source.randint(1, len(own))), key=lambda s: s.slot)


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_draw_overcommits_nothing_and_a_machine_like_those_reserved_uses_up_one_slot(seed: int) -> None:
    source = random.Random(seed)
    host, shape, others, own = some_reservations(source)
    like = source.randint(0, len(own) + 1)
    members = [replace(shape, name=f"like-{n}") for n in range(like)]
    members += [some_member(source, f"odd-{n}") for n in range(source.randint(0 if like else 1, 2))]
    held = {dimension: amount for (_, dimension), amount in peaks(others).items()}
    while not (decision := decided(members, replace(host, held=held))).members:
        members.pop()
        assume(members)
    like = sum(one.name.startswith("like") for one in members)

    placement = seated_in_slots(request(*members), decision, own, {host.host.id: drawn(host, others)})
    wanted = wanted_by(members, placement)
    room = room_of(host)
    used_up = used_up_by(own, others, members, placement, host)
    left = [s for s in own if s not in used_up]
    promised = Counter(wanted)
    promised.update(peaks([*others, *left]))
    assert all(amount <= room[key] for key, amount in promised.items())
    if len(members) == like:
        assert len(used_up) == min(like, len(own)), "one machine, one slot"


def test_a_machine_that_was_given_processors_of_two_slots_takes_the_seat_of_one() -> None:
    cells = (Cell(id=0, memory_mib=100, cores="0,4 1,5 2,6 3,7"),)
    host = entry(0, cells=cells, dedicated_cpus="0-7")
    shape = member("db", vcpu=2, memory_mib=4, disks=(), layout=Layout.of(is_dedicated=True))
    # Taken when single processors were all there was: every slot has threads of two cores.
    own = [slot(host, shape, n, _seat(shape, cpus)) for n, cpus in enumerate(((0, 1), (4, 5), (2, 3)), start=1)]
    decision = decided([shape], host)
    (before,) = decision.members
    assert before.seat is not None
    assert before.seat.nodes[0].cpus == (0, 4), "a whole core, of two slots"
    assert len(used_up_by(own, [], [shape], decision, host)) == 2

    placement = seated_in_slots(request(shape), decision, own, {host.host.id: drawn(host, [])})
    assert [place.seat for place in placement.members] == [own[0].seat]
    assert used_up_by(own, [], [shape], placement, host) == own[:1]


def test_a_machine_of_another_shape_sits_beside_the_slots_that_are_left() -> None:
    cells = (Cell(id=0, memory_mib=100, cores="0 1 2 3 4 5"),)
    host = entry(0, cells=cells, dedicated_cpus="0-5")
    shape = member("db", vcpu=2, memory_mib=4, disks=(), layout=Layout.of(is_dedicated=True))
    odd = member("odd", vcpu=1, memory_mib=4, disks=(), layout=Layout.of(is_dedicated=True))
    own = [slot(host, shape, n, _seat(shape, cpus)) for n, cpus in enumerate(((0, 1), (2, 3)), start=1)]
    decision = decided([shape, odd], host)
    placement = seated_in_slots(request(shape, odd), decision, own, {host.host.id: drawn(host, [])})
    cpus = [place.seat.nodes[0].cpus for place in placement.members if place.seat]
    assert cpus == [(0, 1), (4,)]


def _seat(shape: MemberRequest, cpus: tuple[int, ...]) -> Seat:
    ask = ask_of(shape)
    (found,) = seats_for([ask], entry(0, cells=(Cell(id=0, memory_mib=100, cores=" ".join(map(str, cpus))),),
                                      dedicated_cpus=",".join(map(str, cpus))).host.cells,
                         {f"cpu:{cpu}": 1 for cpu in cpus} | {"cell:0:memory_mib": ask.memory_mib}) or ()  # fmt: skip
    return found
