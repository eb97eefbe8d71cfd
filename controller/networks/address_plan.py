"""Pure address arithmetic: subnets out of a zone's range, addresses out of a subnet, a MAC out of an id."""

import hashlib
from collections.abc import Collection, Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network


def free_subnets(address_range: str, prefix: int, taken: Collection[str]) -> Iterator[str]:
    """Yield the blocks of ``address_range`` that overlap nothing in ``taken``, lowest first."""
    busy = sorted(map(_bounds, taken))
    here, end = _bounds(address_range)
    step = 1 << (32 - prefix)
    position = 0
    while here + step <= end:
        while position < len(busy) and busy[position][1] <= here:
            position += 1
        if position < len(busy) and busy[position][0] < here + step:
            here = -(-busy[position][1] // step) * step
            continue
        yield f"{IPv4Address(here)}/{prefix}"
        here += step


def free_count(address_range: str, prefix: int, taken: Collection[str]) -> int:
    """Return how many blocks ``free_subnets`` would yield, however many they are."""
    here, end = _bounds(address_range)
    step = 1 << (32 - prefix)
    count = 0
    for first, behind in (*sorted(map(_bounds, taken)), (end, end)):
        count += max(0, (min(first, end) - here) // step)
        here = max(here, -(-behind // step) * step)
    return count


@lru_cache(maxsize=65_536)
def _bounds(cidr: str) -> tuple[int, int]:
    """Return the first address and the one after the last as numbers; every commit asks for those of all subnets."""
    network = IPv4Network(cidr)
    return int(network.network_address), int(network.broadcast_address) + 1


def gateway_of(cidr: str) -> str:
    """Return the first usable address: the segment's gateway."""
    return str(IPv4Network(cidr).network_address + 1)


def usable_count(cidr_or_prefix: str | int) -> int:
    """Return how many machines a segment holds: network, gateway and broadcast are taken."""
    prefix = cidr_or_prefix if isinstance(cidr_or_prefix, int) else IPv4Network(cidr_or_prefix).prefixlen
    return max(0, (1 << (32 - prefix)) - 3)


def free_addresses(cidr: str, taken: Collection[str]) -> Iterator[str]:
    """Yield the addresses for machines that are not taken, lowest first."""
    first, end = _bounds(cidr)
    busy = set(taken)
    for number in range(first + 2, end - 1):
        address = str(IPv4Address(number))
        if address not in busy:
            yield address


def mac_of(instance_id: str, card: int) -> str:
    """Return the MAC of a network card: locally administered, derived from the id so that a rebuilt machine keeps it."""
    digest = hashlib.sha256(f"{instance_id}/{card}".encode()).digest()
    return "02:" + digest[:5].hex(":")
