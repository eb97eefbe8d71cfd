"""How many machines addresses allow, beside what their hosts allow: the most there can be, counted and not searched.

A new segment costs a block of the zone, and blocks are one count for all its hosts. So a block goes where it serves the most
machines, which is the best there is: what one serves does not depend on where the others go.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.scheduling.columns import Int32

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressFit:
    """What addresses there are in a zone; hosts are those of a snapshot."""

    #: Addresses of a new segment, and free blocks for such.
    segment_size: int
    block_count: int
    #: Addresses left in the segment of the network on each host, -1 where there is none. None: of no network in particular,
    #: so every machine goes to new segments, as many on a host as it takes.
    left: Int64 | None = None
    #: The home of each host by number, where hosts share homes (``Snapshot.home_index``); ``left`` is by home then.
    homes: Int32 | None = None

    def count(self, counts: Int32, hosts: NDArray[np.intp]) -> int:
        """Return how many machines fit on these hosts together, each of which takes so many."""
        most = np.maximum(counts[hosts], 0).astype(np.int64)
        places = hosts
        if self.homes is not None:
            # Hosts of a home take from the same segments.
            places, of = np.unique(self.homes[hosts], return_inverse=True)
            most = np.bincount(of, weights=most, minlength=len(places)).astype(np.int64)
        if self.left is None:
            return self._in_new_segments(most)
        left = self.left[places]
        known = int(np.minimum(most, left)[left >= 0].sum())
        served = np.minimum(most[left < 0], self.segment_size)
        return known + _largest(served, self.block_count)

    def _in_new_segments(self, most: Int64) -> int:
        if self.segment_size == 0:
            return 0
        full, rest = np.divmod(most, self.segment_size)
        full_count = min(int(full.sum()), self.block_count)
        return full_count * self.segment_size + _largest(rest, self.block_count - full_count)

    def domain_count(self, counts: Int32, hosts: NDArray[np.intp], domains: Int32) -> int:
        """Return in how many failure domains a host takes one machine.

        Where hosts share homes, it is the most as long as no domain has hosts of several homes, and may be less otherwise.
        """
        able = hosts[counts[hosts] > 0]
        if self.homes is not None:
            return self._domains_by_home(self.homes[able], domains[able])
        left = np.full(len(able), -1) if self.left is None else self.left[able]
        known = np.unique(domains[able[left > 0]])
        new = np.setdiff1d(domains[able[left < 0]], known) if self.segment_size else known[:0]
        return len(known) + min(len(new), self.block_count)

    def _domains_by_home(self, homes: Int32, domains: Int32) -> int:
        found: set[int] = set()
        new: list[set[int]] = []
        for home in np.unique(homes).tolist():
            own = set(domains[homes == home].tolist())
            if self.left is None or self.left[home] < 0:
                new.append(own)
            else:
                found |= set(sorted(own - found)[: int(self.left[home])])
        blocks = self.block_count
        # Those that serve the most first: there may not be a block for all.
        for own in sorted(new, key=lambda one: (-len(one), min(one))):
            # Of no network in particular, machines of a home may be on several new ones.
            while blocks and self.segment_size and (fresh := sorted(own - found)[: self.segment_size]):
                found |= set(fresh)
                blocks -= 1
                if self.left is not None:
                    break
        return len(found)


def _largest(values: Int64, count: int) -> int:
    """Return the sum of the largest values."""
    return int(np.sort(values)[::-1][: max(0, count)].sum())
