"""Plans of moves add up the addresses their steps take, judged by a count that shares no line with the planners."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.scheduling.moves.addresses import AddressesLeft, NetworkKey, NetworkLeft, Takings
from controller.scheduling.moves.board import Board
from controller.scheduling.moves.check import first_stale
from controller.scheduling.moves.cluster import Cluster, cluster_of
from controller.scheduling.moves.consolidate import consolidate
from controller.scheduling.moves.drain import drain
from controller.scheduling.moves.plan import Limits, Plan
from controller.scheduling.moves.rebalance import rebalance
from controller.scheduling.moves.repair import repair
from inventory.domain.ids import HostId
from tests.support.moves import Town, random_town

SEEDS = st.integers(0, 2**32 - 1)
KEYS: tuple[NetworkKey, ...] = (("d1", "a", "default"), ("d1", "a", "data"), ("d2", "a", "default"), ("d2", "b", "default"))
PLENTY = 1000


class Count:
    """What is left, counted move by move."""

    def __init__(self, left: AddressesLeft, town: Town) -> None:
        self._left = left
        self._home_of = {h.host.id: h.host.home for h in town.hosts}
        self._taken: Counter[tuple[NetworkKey, HostId]] = Counter()

    def take(self, cards: Sequence[NetworkKey], source_id: HostId, host_id: HostId, sign: int = 1) -> None:
        home_id = self._home_of[host_id]
        for key in cards if home_id != self._home_of[source_id] else ():
            self._taken[key, home_id] += sign

    def is_kept(self) -> bool:
        """Tell whether nothing is taken that is not there."""
        blocks: Counter[str] = Counter()
        for (key, host_id), count in self._taken.items():
            network = self._left.networks.get(key)
            if network is None or count == 0:
                continue
            if count > network.segments.get(host_id, network.segment_size):
                return False
            blocks[network.zone] += host_id not in network.segments
        return all(blocks[zone] <= free for zone, free in self._left.blocks.items())

    def takes(self, cards: Sequence[NetworkKey], source_id: HostId, host_id: HostId) -> bool:
        """Tell whether a machine with these cards would still find its addresses."""
        self.take(cards, source_id, host_id)
        is_kept = self.is_kept()
        self.take(cards, source_id, host_id, -1)
        return is_kept


def wired_town(source: random.Random) -> Town:
    """Return a town whose machines have cards on few networks."""
    town = random_town(source)
    machines = [replace(m, cards=tuple(source.choices(KEYS, k=source.choice([0, 1, 1, 2])))) for m in town.machines]
    hosts = list(town.hosts)
    if source.random() < 0.5:
        first: dict[tuple[str, int], HostId] = {}
        for n, entry in enumerate(hosts):
            home_id = first.setdefault((entry.pool.id, source.choice([0, 0, 1])), entry.host.id)
            hosts[n] = replace(entry, host=replace(entry.host, home_id=None if home_id == entry.host.id else home_id))
        machines = [replace(m, is_homebound=source.random() < 0.3) for m in machines]
    return replace(town, machines=tuple(machines), hosts=type(town.hosts)(hosts))


def homes(town: Town) -> dict[HostId, HostId]:
    return {h.host.id: h.host.home for h in town.hosts}


def some_left(source: random.Random, town: Town) -> AddressesLeft:
    """Return little: a network has a segment where a machine of it stands, and here and there besides."""
    networks = {}
    for key in KEYS:
        there = {homes(town)[m.host_id] for m in town.machines if key in m.cards}
        there |= {h.host.home for h in town.hosts if source.random() < 0.3}
        segments = {host_id: source.randint(0, 2) for host_id in sorted(there)}
        if source.random() < 0.8:
            networks[key] = NetworkLeft(zone=key[1], segment_size=source.randint(1, 3), segments=segments)
    return AddressesLeft(networks=networks, blocks={zone: source.randint(0, 2) for zone in "ab" if source.random() < 0.7})


def picture(town: Town, left: AddressesLeft | None) -> Cluster:
    return cluster_of(town.hosts, town.machines, town.watts, left)


def plans(seed: int, cluster: Cluster) -> list[Plan]:
    """Return one plan of each kind; the same for equal seeds and pictures."""
    limits = random.Random(seed).choice([Limits(), Limits(gain_least_micro=0), Limits(saving_least_wh_per_gib=0)])
    host_id = random.Random(seed).choice(cluster.host_ids)
    return [drain(cluster, [host_id], limits), rebalance(cluster, limits), repair(cluster, limits), consolidate(cluster, limits)]


@given(SEEDS)
@settings(max_examples=150, deadline=None)
def test_all_steps_of_a_plan_together_take_no_more_addresses_and_blocks_than_there_are(seed: int) -> None:
    source = random.Random(seed)
    town = wired_town(source)
    left = some_left(source, town)
    cards, origin = {m.id: m.cards for m in town.machines}, {m.id: m.host_id for m in town.machines}
    bound = {m.id for m in town.machines if m.is_homebound}
    cluster = picture(town, left)
    for plan in plans(seed, cluster):
        count = Count(left, town)
        for number, move in enumerate(plan.moves):
            count.take(cards[move.machine_id], origin[move.machine_id], move.target_id)
            is_home = homes(town)[origin[move.machine_id]] == homes(town)[move.target_id]
            assert is_home or move.machine_id not in bound, "a machine left the home of those it shares a network with"
            assert count.is_kept(), (plan.kind, number)
        assert first_stale(cluster, plan) is None


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_where_there_is_plenty_plans_are_what_they_are_without_a_word_of_addresses(seed: int) -> None:
    town = wired_town(random.Random(seed))
    networks = {key: NetworkLeft(zone=key[1], segment_size=PLENTY, segments={}) for key in KEYS}
    plenty = AddressesLeft(networks=networks, blocks={"a": PLENTY, "b": PLENTY})
    assert plans(seed, picture(town, plenty)) == plans(seed, picture(town, None))


@given(SEEDS)
@settings(max_examples=100, deadline=None)
def test_what_is_left_is_right_after_any_machines_were_put_and_lifted(seed: int) -> None:
    source = random.Random(seed)
    town = wired_town(source)
    left = some_left(source, town)
    cluster = picture(town, left)
    takings, count, placed = Takings(cluster.addresses), Count(left, town), dict[int, int]()
    origin = [cluster.host_ids[int(h)] for h in cluster.host]
    cards = [town.machines[[m.id for m in town.machines].index(i)].cards for i in cluster.machine_ids]
    for _ in range(12):
        machine, host = source.randrange(cluster.machine_count), source.randrange(cluster.host_count)
        if machine in placed:
            old = placed.pop(machine)
            takings.book(machine, old, -1)
            count.take(cards[machine], origin[machine], cluster.host_ids[old], -1)
        elif takings.fits(machine, host):
            takings.book(machine, host, 1)
            count.take(cards[machine], origin[machine], cluster.host_ids[host])
            placed[machine] = host
        asked = source.randrange(cluster.machine_count)
        room = takings.room(asked)
        for number, host_id in enumerate(cluster.host_ids):
            assert (room is None or bool(room[number])) == count.takes(cards[asked], origin[asked], host_id)


def test_a_machine_taken_back_to_where_it_was_took_nothing() -> None:
    towns = (wired_town(random.Random(s)) for s in range(200))
    town = next(t for t in towns if len(set(homes(t).values())) == len(t.hosts) > 1 and t.machines[0].cards)
    networks = {key: NetworkLeft(zone=key[1], segment_size=3, segments={}) for key in KEYS}
    cluster = picture(town, AddressesLeft(networks=networks, blocks={"a": 2, "b": 2}))
    board = Board(cluster)
    machine = cluster.machine_index[town.machines[0].id]
    origin, pools = int(board.where[machine]), board.disk_pools[machine]
    other = next(h for h in range(cluster.host_count) if h != origin)
    before = [board.address_likeness([machine], h) for h in range(cluster.host_count)]
    board.put(machine, other, tuple(-1 for _ in pools))
    assert board.address_likeness([machine], other) != before[other]
    board.put(machine, origin, pools)
    assert [board.address_likeness([machine], h) for h in range(cluster.host_count)] == before
