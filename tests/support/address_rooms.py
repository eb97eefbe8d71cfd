"""Random rooms of addresses for the property tests of the scheduler, and what a plain reader makes of them."""

import random
from collections import Counter
from collections.abc import Sequence

from inventory.domain.ids import HostId
from inventory.domain.placement import AddressRoom, MemberRequest


def some_room(source: random.Random, networks: Sequence[str], host_count: int, *, blocks_max: int = 3) -> AddressRoom:
    """Return addresses left in segments on some of ``host_count`` homes."""
    segments = {
        network: {HostId(f"host_{n:05d}"): source.randint(0, 3) for n in range(host_count) if source.random() < 0.5}
        for network in networks
    }
    block_count = source.choice([None, source.randint(0, blocks_max)])
    return AddressRoom(segments=segments, segment_size=source.randint(1, 4), block_count=block_count)


def breaks_addresses(room: AddressRoom | None, new: Sequence[tuple[MemberRequest, HostId]]) -> bool:
    """Tell whether new machines on their homes need addresses or blocks that are not there."""
    if room is None:
        return False
    cards = Counter((network, host_id) for one, host_id in new for network in one.networks)
    for (network, host_id), count in cards.items():
        if count > room.segments.get(network, {}).get(host_id, room.segment_size):
            return True
    blocks = sum(host_id not in room.segments.get(network, {}) for network, host_id in cards)
    return room.block_count is not None and blocks > room.block_count
