"""Addresses as a condition of a plan of moves: what its steps take on a host is added up, like processors and disks.

A machine that goes somewhere takes an address of each of its networks there, and a free block of the zone where it is the
first of a network. What it leaves behind rests: nothing is given back while the plan runs. Between hosts of one home it keeps
what it has. Networks that no plan could fill are not looked at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from inventory.domain.ids import HostId

Column = NDArray[np.int64]
Flags = NDArray[np.bool_]
#: A network of a department in a zone.
NetworkKey = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkLeft:
    """What one network has left."""

    zone: str
    #: Addresses of a new segment, and those left in the segments there are.
    segment_size: int
    segments: Mapping[HostId, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressesLeft:
    """What networks that a plan could fill have left; of the others, and of zones not named in ``blocks``, there is plenty."""

    networks: Mapping[NetworkKey, NetworkLeft] = field(default_factory=dict)
    #: Zone -> free blocks.
    blocks: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressColumns:
    """The same by index: of networks, and of homes (``Host.home``), which share their segments."""

    zones: tuple[str, ...] = ()
    blocks: Mapping[str, int] = field(default_factory=dict)
    #: Network -> addresses left by home, where there is no segment those of a new one; and where there is a segment.
    left: tuple[Column, ...] = ()
    has_segment: tuple[Flags, ...] = ()
    #: Machine -> the networks of its cards and how many it has on each; machines that lack nothing are not named.
    cards: Mapping[int, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    #: Host -> home; and the home each machine comes from, where it keeps the addresses it has.
    home: Column = field(default_factory=lambda: np.empty(0, np.int64))
    own_home: Column = field(default_factory=lambda: np.empty(0, np.int64))


def address_columns(
    left: AddressesLeft, home_ids: Sequence[HostId], cards: Sequence[Sequence[NetworkKey]], host_of: Sequence[int]
) -> AddressColumns:
    """Return what is left for machines with these cards; ``home_ids`` are those of hosts, ``host_of`` the hosts of machines."""
    keys = sorted(left.networks)
    number = {key: n for n, key in enumerate(keys)}
    homes: dict[HostId, int] = {}
    home = np.array([homes.setdefault(home_id, len(homes)) for home_id in home_ids], np.int64)
    columns = [np.full(len(homes), left.networks[key].segment_size, np.int64) for key in keys]
    there = [np.zeros(len(homes), bool) for _ in keys]
    for n, key in enumerate(keys):
        for home_id, free in left.networks[key].segments.items():
            if home_id in homes:
                columns[n][homes[home_id]] = free
                there[n][homes[home_id]] = True
    scarce = [[number[key] for key in own if key in number] for own in cards]
    return AddressColumns(
        zones=tuple(left.networks[key].zone for key in keys),
        blocks=dict(left.blocks),
        left=tuple(columns),
        has_segment=tuple(there),
        cards={m: tuple((n, own.count(n)) for n in sorted(set(own))) for m, own in enumerate(scarce) if own},
        home=home,
        own_home=home[np.asarray(host_of, np.int64)],
    )


class Takings:
    """What machines on their new hosts take, and what is left."""

    def __init__(self, columns: AddressColumns) -> None:
        self._columns = columns
        self._left = dict(enumerate(columns.left))
        self._has_segment = dict(enumerate(columns.has_segment))
        self._blocks = dict(columns.blocks)
        #: Cards of the plan by network and home.
        self._taken: dict[tuple[int, int], int] = {}

    def room(self, machine: int) -> Flags | None:
        """Return which hosts have addresses for a machine; nothing where every host has."""
        cards = self._columns.cards.get(machine)
        if cards is None:
            return None
        fits = np.logical_and.reduce([self._left[network] >= count for network, count in cards])
        for zone in {self._columns.zones[network] for network, _ in cards} & self._blocks.keys():
            new = sum(~self._has_segment[network] for network, _ in cards if self._columns.zones[network] == zone)
            fits &= np.asarray(new <= self._blocks[zone])
        found: Flags = np.asarray(fits)[self._columns.home]
        found |= self._columns.home == self._columns.own_home[machine]
        return found

    def fits(self, machine: int, host: int) -> bool:
        """Tell whether one host has addresses for a machine."""
        room = self.room(machine)
        return room is None or bool(room[host])

    def book(self, machine: int, host: int, sign: int) -> None:
        """Take what a machine needs on a host (``sign`` 1), or give it back (-1)."""
        cards = self._columns.cards.get(machine)
        if cards is None or (home := int(self._columns.home[host])) == self._columns.own_home[machine]:
            return
        for network, count in cards:
            before = self._taken.get((network, home), 0)
            self._taken[network, home] = now = before + sign * count
            if not self._is_own(self._left, network):
                self._left[network] = self._left[network].copy()
            self._left[network][home] -= sign * count
            if not self._columns.has_segment[network][home] and (before == 0) != (now == 0):
                self._make(network, home, is_there=now > 0)

    def _make(self, network: int, home: int, *, is_there: bool) -> None:
        """Count the block of a segment that the plan is the first to need there."""
        if self._has_segment[network] is self._columns.has_segment[network]:
            self._has_segment[network] = self._has_segment[network].copy()
        self._has_segment[network][home] = is_there
        zone = self._columns.zones[network]
        if zone in self._blocks:
            self._blocks[zone] += -1 if is_there else 1

    def _is_own(self, columns: Mapping[int, Column], network: int) -> bool:
        return columns[network] is not self._columns.left[network]

    def likeness(self, machines: Sequence[int], host: int) -> tuple[int, ...]:
        """Return what tells hosts apart for these machines."""
        networks = sorted({network for m in machines for network, _ in self._columns.cards.get(m, ())})
        if not networks:
            return ()
        home = int(self._columns.home[host])
        own = tuple(home for m in machines if m in self._columns.cards and self._columns.own_home[m] == home)[:1]
        return (*(int(self._left[n][home]) * 2 + bool(self._has_segment[n][home]) for n in networks), *own)
