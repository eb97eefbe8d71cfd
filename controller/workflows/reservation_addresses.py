"""Addresses behind a reservation: it holds none, so what its machines would find now is counted whenever it is shown.

Which network they will be on is said by the tickets that draw on it. So the most is counted that there can be: any network of
the department on the hosts that are held, and new segments out of the zone's free blocks.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from sqlalchemy import Connection

from controller.networks import address_plan
from controller.scheduling.address_fit import AddressFit
from controller.workflows.segments import segment_name
from inventory.domain.ids import HostId
from inventory.domain.reservation import Reservation, Slot
from inventory.store import directory, homes, networks


def count_without_address(connection: Connection, reservation: Reservation, slots: Sequence[Slot], now_s: float) -> int:
    """Return for how many machines a reservation is left for there is no address now, whatever their networks."""
    if not slots:
        return 0
    zone = next(z for z in directory.zones(connection) if z.id == reservation.zone_id)
    free: Counter[HostId] = Counter()
    for room in networks.rooms(connection, reservation.department_id, now_s):
        if room.name.startswith(segment_name(zone.code, "")):
            free[room.host_id] += max(0, address_plan.usable_count(room.cidr) - room.held_count)
    home_of = homes.homes(connection)
    wanted = Counter(home_of.get(slot.host_id, slot.host_id) for slot in slots)
    rest = np.array([max(0, count - free[host_id]) for host_id, count in sorted(wanted.items())], dtype=np.int32)
    blocks = address_plan.free_count(zone.address_range, zone.segment_prefix, networks.subnets_taken(connection))
    new = AddressFit(segment_size=address_plan.usable_count(zone.segment_prefix), block_count=blocks)
    return int(rest.sum()) - new.count(rest, np.arange(len(rest)))
