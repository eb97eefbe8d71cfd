"""The named filters, in their fixed order: each takes the hosts that are left and returns those that pass.

Used to explain and to search; ``Fleet.best`` decides by the same conditions without listing hosts, and the property tests
compare the two. To add one: write the function, give it a place in ``FILTERS``, add its condition to ``scoring``, say in
``misses.py`` with which numbers a host fell, and add its text ``placement.miss.<name>``.
"""

from collections.abc import Callable, Sequence

import numpy as np

from controller.scheduling.columns import Bool, Int32
from controller.scheduling.fleet import Fleet
from controller.scheduling.groups import Groups
from controller.scheduling.scoring import reserve_bits, storage_asks, trait_bits
from controller.scheduling.snapshot import Snapshot
from controller.scheduling.units import Need
from inventory.domain.ids import HostId

Filter = Callable[[Need, Fleet, Int32], Int32]
#: (filter, hosts left after it), in the order they ran.
Trail = list[tuple[str, Int32]]

NOBODY = np.empty(0, dtype=np.int32)


def _kept(hosts: Int32, is_kept: Bool) -> Int32:
    return np.asarray(hosts[is_kept], dtype=np.int32)


def state(_need: Need, fleet: Fleet, hosts: Int32) -> Int32:
    """Keep hosts that are active and reachable."""
    return _kept(hosts, fleet.snapshot.is_eligible[hosts] > 0)


def zone(need: Need, fleet: Fleet, hosts: Int32) -> Int32:
    """Keep hosts of the zone."""
    snapshot = fleet.snapshot
    if need.zone_id not in snapshot.zone_ids:
        return NOBODY
    return _kept(hosts, snapshot.zone_index[hosts] == snapshot.zone_ids.index(need.zone_id))


def mlps(need: Need, fleet: Fleet, hosts: Int32) -> Int32:
    """Keep hosts that may carry a system of this MLPS level (GB/T 22239: none above the platform's own)."""
    return _kept(hosts, fleet.snapshot.mlps_max[hosts] >= need.mlps_level)


def arch(need: Need, fleet: Fleet, hosts: Int32) -> Int32:
    """Keep hosts of the architecture asked for."""
    snapshot = fleet.snapshot
    if not need.archs:
        return hosts
    if len(need.archs) > 1 or need.archs[0] not in snapshot.archs:
        return NOBODY
    return _kept(hosts, snapshot.arch_index[hosts] == snapshot.archs.index(need.archs[0]))


def traits(need: Need, fleet: Fleet, hosts: Int32) -> Int32:
    """Keep hosts that have everything asked for by name."""
    bits = trait_bits(need, fleet.snapshot)
    return NOBODY if bits is None else hosts[(fleet.snapshot.bits[hosts] & bits) == bits]


def reserve(need: Need, fleet: Fleet, hosts: Int32) -> Int32:
    """Keep groups with a hard rule by rack, room or site where it would still hold after a lost host's machines were moved."""
    asked = reserve_bits(need)
    return _kept(hosts, (fleet.snapshot.bits[hosts] & asked) == asked)


def pinned(need: Need, fleet: Fleet, hosts: Int32) -> Int32:
    """Keep the host that a machine must stay on."""
    return hosts if not need.pins else _only(need.pins, fleet.snapshot, hosts)


def network_reach(need: Need, fleet: Fleet, hosts: Int32) -> Int32:
    """Keep the host where the unit's networks live; none if a hard spread tears machines of one network apart.

    Where hosts share a home, ``Groups.reaches`` keeps those of the home.
    """
    if need.conflict:
        return NOBODY
    return hosts if not need.reach else _only(need.reach, fleet.snapshot, hosts)


def _only(wanted: Sequence[HostId], snapshot: Snapshot, hosts: Int32) -> Int32:
    host = snapshot.index_of.get(wanted[0]) if len(wanted) == 1 else None
    return NOBODY if host is None else hosts[hosts == host]


def capacity(need: Need, fleet: Fleet, hosts: Int32) -> Int32:
    """Keep hosts with enough free in every dimension."""
    for dimension, amount in need.ask:
        row = fleet.snapshot.rows.row_of.get(dimension)
        hosts = NOBODY if row is None else _kept(hosts, fleet.on(row, hosts) >= amount)
    return hosts


def storage(need: Need, fleet: Fleet, hosts: Int32) -> Int32:
    """Keep hosts whose storage pools take every disk whole."""
    for ask in storage_asks(need.disks):
        row = fleet.snapshot.rows.room_row_of.get(ask.disk_class)
        if row is None:
            return NOBODY
        hosts = hosts[(fleet.on(row, hosts) >= ask.largest_gib) & (fleet.on(row + 1, hosts) >= ask.together_gib)]
        if not ask.is_plain:
            # In the roomiest pool alone they all fit; otherwise it takes a look at the pools.
            tight = fleet.on(row, hosts) < max(1, ask.together_gib)
            fits = [not t or fleet.pools_for(need.disks, int(i)) is not None for t, i in zip(tight, hosts, strict=True)]
            hosts = hosts[np.array(fits, dtype=np.bool_)]
    return hosts


def numa(need: Need, fleet: Fleet, hosts: Int32) -> Int32:
    """Keep hosts whose cells take the machines as they ask: dedicated processors, huge pages, nodes."""
    if not need.seats:
        return hosts
    return hosts[np.array([fleet.has_seats(need, host) for host in hosts.tolist()], dtype=np.bool_)]


#: All filters but the last two, ``addresses`` and ``spread``: what these ask is kept with the groups of the request.
FILTERS: tuple[tuple[str, Filter], ...] = (
    ("state", state),
    ("zone", zone),
    ("mlps", mlps),
    ("arch", arch),
    ("traits", traits),
    ("reserve", reserve),
    ("pinned", pinned),
    ("network_reach", network_reach),
    ("capacity", capacity),
    ("storage", storage),
    ("numa", numa),
)
#: The first six depend on facts only, not on what is free: their answer is kept with the snapshot.
_BASE_COUNT = 6
ADDRESSES, SPREAD = "addresses", "spread"
FILTER_NAMES = (*(name for name, _ in FILTERS), ADDRESSES, SPREAD)


def survey(need: Need, fleet: Fleet, groups: Groups) -> Trail:
    """Run all filters; return the hosts left after each."""
    if need.is_staying:
        return _survey_staying(need, fleet)
    trail = list(base_trail(need, fleet))
    hosts = trail[-1][1]
    for name, keep in FILTERS[_BASE_COUNT:]:
        hosts = keep(need, fleet, hosts) if hosts.size else hosts
        if keep is network_reach and groups.reach is not None:
            hosts = hosts[groups.reaches(need, hosts)]
        trail.append((name, hosts))
    hosts = hosts[groups.addresses.allows(need, hosts)] if need.cards else hosts
    trail.append((ADDRESSES, hosts))
    trail.append((SPREAD, hosts[groups.allows(need, hosts)] if need.hard else hosts))
    return trail


def _survey_staying(need: Need, fleet: Fleet) -> Trail:
    """A machine that asks for nothing may stay on a host that takes no new ones; its networks and storage pools must be there."""
    everywhere = np.arange(fleet.snapshot.host_count, dtype=np.int32)
    here = _only(need.pins, fleet.snapshot, everywhere)
    reached = network_reach(need, fleet, here)
    stored = storage(need, fleet, reached)
    after_storage = len(FILTER_NAMES) - FILTER_NAMES.index("storage")
    left = [everywhere] * _BASE_COUNT + [here, reached, reached] + [stored] * after_storage
    return list(zip(FILTER_NAMES, left, strict=True))


def base_trail(need: Need, fleet: Fleet) -> Trail:
    """Return the hosts left after each of the filters that ask facts only."""
    memory = fleet.snapshot.memory.setdefault("base", {})
    key = (need.zone_id, need.mlps_level, need.archs, need.traits, reserve_bits(need))
    if key not in memory:
        hosts = np.arange(fleet.snapshot.host_count, dtype=np.int32)
        trail: Trail = []
        for name, keep in FILTERS[:_BASE_COUNT]:
            hosts = keep(need, fleet, hosts) if hosts.size else hosts
            trail.append((name, hosts))
        memory[key] = trail
    found: Trail = memory[key]
    return found
