"""Addresses as a condition of placement: where a unit's networks have none left for its cards, it may not go.

On each host (or home: hosts that share one share its segments) a network of a department has a segment, or gets one out of a free
block of the zone. Units that share a network go to one home, and each asks for what all of them take there; so what a segment has
left is a fact of the request. Free blocks are one count for the whole zone, which goes down with the first unit of a network. A
request that says nothing of addresses has plenty of them, and none of this costs it anything.
"""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from controller.scheduling.columns import Bool, Int32
from controller.scheduling.snapshot import Snapshot
from controller.scheduling.units import Need
from inventory.domain.placement import AddressRoom


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """What a host lacks for the cards of a unit: addresses in a segment, or blocks for new segments."""

    network: str
    asked: int
    free: int
    is_block: bool = False


@dataclass(slots=True)
class Addresses:
    """What is left while a request is placed; hosts are those of the snapshot."""

    room: AddressRoom | None
    snapshot: Snapshot
    #: Blocks that units placed so far take.
    taken_blocks: int = 0
    #: Units placed so far by what all take that hang together with them: only the first takes blocks.
    _placed: Counter[tuple[tuple[str, int], ...]] = field(default_factory=Counter)
    #: What does not change: which hosts have addresses for each unit, and how many blocks it needs there.
    _known: dict[Need, tuple[Bool, Int32]] = field(default_factory=dict)

    def allows(self, need: Need, hosts: Int32) -> Bool:
        """Tell for each host whether a unit finds addresses there."""
        if self.room is None or not need.cards:
            return np.ones(len(hosts), dtype=np.bool_)
        has_addresses, blocks = self._facts(need)
        allowed = has_addresses[hosts]
        if self.room.block_count is not None and not self._placed[need.cards]:
            allowed &= blocks[hosts] <= max(0, self.room.block_count - self.taken_blocks)
        return allowed

    def takes(self, need: Need, host: int) -> bool:
        """Tell the same of one host."""
        return not need.cards or bool(self.allows(need, np.array([host], dtype=np.int32))[0])

    def blocks_on(self, need: Need, host: int) -> int:
        """Return how many blocks a unit takes on a host if it is the first: one for each network without a segment there."""
        return int(self._facts(need)[1][host]) if need.cards and self.room is not None else 0

    @property
    def blocks_left(self) -> int | None:
        """Return how many blocks may still be taken; nothing where they are plenty."""
        count = self.room.block_count if self.room is not None else None
        return None if count is None else max(0, count - self.taken_blocks)

    def place(self, need: Need, host: int, sign: int) -> None:
        """Count the blocks of a unit on a host, or take them off again (``sign`` -1)."""
        self._placed[need.cards] += sign
        if self._placed[need.cards] == (1 if sign > 0 else 0):
            self.taken_blocks += sign * self.blocks_on(need, host)

    def lack(self, need: Need, host: int) -> Lack:
        """Return what a host lacks that fell: the network that is shortest, or blocks."""
        assert self.room is not None, "asked only for hosts that fell"
        home_id = self.snapshot.home_of(host)
        found = [Lack(network=n, asked=c, free=self.room.free_on(n, home_id)) for n, c in need.cards]
        short = [lack for lack in found if lack.free < lack.asked]
        if short:
            return max(short, key=lambda lack: (lack.asked - lack.free, lack.network))
        new = [network for network, _ in need.cards if not self.room.has_segment(network, home_id)]
        return Lack(network=", ".join(new), asked=len(new), free=self.blocks_left or 0, is_block=True)

    def _facts(self, need: Need) -> tuple[Bool, Int32]:
        found = self._known.get(need)
        if found is None:
            found = self._known[need] = self._look(need)
        return found

    def _look(self, need: Need) -> tuple[Bool, Int32]:
        assert self.room is not None
        number_of, home_index = self.snapshot.home_number, self.snapshot.home_index
        count = len(self.snapshot.homes) or self.snapshot.host_count
        has_addresses, blocks = np.ones(count, dtype=np.bool_), np.zeros(count, dtype=np.int32)
        for network, cards in need.cards:
            segments = {number_of[h]: n for h, n in self.room.segments.get(network, {}).items() if h in number_of}
            there = np.array(sorted(segments), dtype=np.int32)
            enough, new = np.full(count, cards <= self.room.segment_size), np.ones(count, dtype=np.int32)
            enough[there] = [segments[home] >= cards for home in there.tolist()]
            new[there] = 0
            has_addresses &= enough
            blocks += new
        return has_addresses[home_index], blocks[home_index]
