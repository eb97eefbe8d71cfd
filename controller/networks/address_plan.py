"""Pure address arithmetic: subnets out of a zone's range, addresses out of a subnet, a MAC out of an id."""

import hashlib
from collections.abc import Collection, Iterator
from ipaddress import IPv4Address, IPv4Network


def free_subnets(address_range: str, prefix: int, taken: Collection[str]) -> Iterator[str]:
    """Yield the blocks of ``address_range`` that overlap nothing in ``taken``, lowest first."""
    busy = sorted((IPv4Network(t) for t in taken), key=lambda n: int(n.network_address))
    whole = IPv4Network(address_range)
    step = 1 << (32 - prefix)
    here = int(whole.network_address)
    end = int(whole.broadcast_address) + 1
    position = 0
    while here + step <= end:
        while position < len(busy) and int(busy[position].broadcast_address) < here:
            position += 1
        if position < len(busy) and int(busy[position].network_address) < here + step:
            past = int(busy[position].broadcast_address) + 1
            here = -(-past // step) * step
            continue
        yield f"{IPv4Address(here)}/{prefix}"
        here += step


def gateway_of(cidr: str) -> str:
    """Return the first usable address: the segment's gateway."""
    return str(IPv4Network(cidr).network_address + 1)


def usable_count(cidr_or_prefix: str | int) -> int:
    """Return how many machines a segment holds: network, gateway and broadcast are taken."""
    prefix = cidr_or_prefix if isinstance(cidr_or_prefix, int) else IPv4Network(cidr_or_prefix).prefixlen
    return max(0, (1 << (32 - prefix)) - 3)


def free_addresses(cidr: str, taken: Collection[str]) -> Iterator[str]:
    """Yield the addresses for machines that are not taken, lowest first."""
    network = IPv4Network(cidr)
    busy = set(taken)
    for offset in range(2, network.num_addresses - 1):
        address = str(network.network_address + offset)
        if address not in busy:
            yield address


def mac_of(instance_id: str, card: int) -> str:
    """Return the MAC of a network card: locally administered, derived from the id so that a rebuilt machine keeps it."""
    digest = hashlib.sha256(f"{instance_id}/{card}".encode()).digest()
    return ":".join(f"{byte:02x}" for byte in (0x02, *digest[:5]))
