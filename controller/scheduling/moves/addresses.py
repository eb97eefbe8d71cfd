"""Addresses as a condition of a plan of moves: what its steps take on a host is added up, like processors and disks.

A machine that goes somewhere takes an address of each of its networks there, and a free block of the zone where it is the
first of a network. What it leaves behind rests: nothing is given back while the plan runs. Networks that no plan could fill
are not looked at.
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
    """The same by index: of networks, and of hosts."""

    zones: tuple[str, ...] = ()
    blocks: Mapping[str, int] = field(default_factory=dict)
    #: Network -> addresses left by host, where there is no segment those of a new one; and where there is a segment.
    left: tuple[Column, ...] = ()
    has_segment: tuple[Flags, ...] = ()
    #: Machine -> the networks of its cards and how many it has on each; machines that lack nothing are not named.
    cards: Mapping[int, tuple[tuple[int, int], ...]] = field(default_factory=dict)


def address_columns(
    left: AddressesLeft, host_ids: Sequence[HostId], cards: Sequence[Sequence[NetworkKey]], host_index: Mapping[HostId, int]
) -> AddressColumns:
    """Return what is left for machines with these cards."""
    keys = sorted(left.networks)
    number = {key: n for n, key in enumerate(keys)}
    columns = [np.full(len(host_ids), left.networks[key].segment_size, np.int64) for key in keys]
    there = [np.zeros(len(host_ids), bool) for _ in keys]
    for n, key in enumerate(keys):
        for host_id, free in left.networks[key].segments.items():
            if host_id in host_index:
                columns[n][host_index[host_id]] = free
                there[n][host_index[host_id]] = True
    scarce = [[number[key] for key in own if key in number] for own in cards]
    return AddressColumns(
        zones=tuple(left.networks[key].zone for key in keys),
        blocks=dict(left.blocks),
        left=tuple(columns),
        has_segment=tuple(there),
        cards={m: tuple((n, own.count(n)) for n in sorted(set(own))) for m, own in enumerate(scarce) if own},
    )


class Takings:
    """What machines on their new hosts take, and what is left."""

    def __init__(self, columns: AddressColumns) -> None:
        self._columns = columns
        self._left = dict(enumerate(columns.left))
        self._has_segment = dict(enumerate(columns.has_segment))
        self._blocks = dict(columns.blocks)
        #: Cards of the plan by network and host.
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
        found: Flags = fits
        return found

    def fits(self, machine: int, host: int) -> bool:
        """Tell whether one host has addresses for a machine."""
        room = self.room(machine)
        return room is None or bool(room[host])

    def book(self, machine: int, host: int, sign: int) -> None:
        """Take what a machine needs on a host (``sign`` 1), or give it back (-1)."""
        for network, count in self._columns.cards.get(machine, ()):
            before = self._taken.get((network, host), 0)
            self._taken[network, host] = now = before + sign * count
            if not self._is_own(self._left, network):
                self._left[network] = self._left[network].copy()
            self._left[network][host] -= sign * count
            if not self._columns.has_segment[network][host] and (before == 0) != (now == 0):
                self._make(network, host, is_there=now > 0)

    def _make(self, network: int, host: int, *, is_there: bool) -> None:
        """Count the block of a segment that the plan is the first to need there."""
        if self._has_segment[network] is self._columns.has_segment[network]:
            self._has_segment[network] = self._has_segment[network].copy()
        self._has_segment[network][host] = is_there
        zone = self._columns.zones[network]
        if zone in self._blocks:
            self._blocks[zone] += -1 if is_there else 1

    def _is_own(self, columns: Mapping[int, Column], network: int) -> bool:
        return columns[network] is not self._columns.left[network]

    def likeness(self, machines: Sequence[int], host: int) -> tuple[int, ...]:
        """Return what tells hosts apart for these machines."""
        networks = sorted({network for m in machines for network, _ in self._columns.cards.get(m, ())})
        return tuple(int(self._left[n][host]) * 2 + bool(self._has_segment[n][host]) for n in networks)
