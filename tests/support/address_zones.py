"""Platforms whose zone has small blocks of addresses, and few of them."""

from dataclasses import replace
from pathlib import Path

from inventory.store import directory
from inventory.store.engine import Database
from tests.support.platform import Furnished, furnish

#: A block of 8 addresses: 5 machines beside the network, its gateway and its broadcast.
PREFIX, ROOM = 29, 5


def furnish_narrow(database: Database, path: Path, *, host_count: int, blocks: int, cpu_count: int = 16) -> Furnished:
    """Return a platform whose zone has so many blocks, a power of two, of ``ROOM`` machines each."""
    here = furnish(database, path, host_count=host_count, segment_prefix=PREFIX, cpu_count=cpu_count)
    set_blocks(here, blocks)
    return here


def set_blocks(here: Furnished, blocks: int) -> None:
    """Let the zone's range have so many blocks, a power of two."""
    with here.platform.db.write() as connection:
        [zone] = directory.zones(connection)
        directory.save_zone(connection, replace(zone, address_range=f"10.96.0.0/{PREFIX + 1 - blocks.bit_length()}"))
