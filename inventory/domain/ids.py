"""Ids: one NewType per kind of record, printed with a kind prefix.

An id is ``<prefix>_<32 hex digits of a UUIDv7>``. The whole string is stored, shown and sent; ``uuid_of`` gives the UUID
that back ends use to name what we made. UUIDv7 sorts by time of birth, so ids are good page cursors (RFC 9562 §5.7).
"""

import os
import random
import time
import uuid
from collections.abc import Callable
from typing import NewType

DepartmentId = NewType("DepartmentId", str)
ProjectId = NewType("ProjectId", str)
ZoneId = NewType("ZoneId", str)
PoolId = NewType("PoolId", str)
HostId = NewType("HostId", str)
StoragePoolId = NewType("StoragePoolId", str)
SizeId = NewType("SizeId", str)
ImageId = NewType("ImageId", str)
SystemId = NewType("SystemId", str)
TicketId = NewType("TicketId", str)
#: An instance, a volume or a segment: everything the reconciler works on.
ResourceId = NewType("ResourceId", str)
NetworkId = NewType("NetworkId", str)
TokenId = NewType("TokenId", str)
ExplanationId = NewType("ExplanationId", str)
ReservationId = NewType("ReservationId", str)
MovePlanId = NewType("MovePlanId", str)

PREFIXES = {
    "department": "dept",
    "project": "proj",
    "zone": "zone",
    "pool": "pool",
    "host": "host",
    "storage_pool": "stor",
    "size": "size",
    "image": "img",
    "system": "sys",
    "ticket": "tick",
    "instance": "inst",
    "volume": "vol",
    "segment": "seg",
    "adopted": "adpt",
    "snapshot": "snap",
    "gateway": "gate",
    "public_address": "pub",
    "balancer": "lb",
    "network": "net",
    "token": "tok",
    "explanation": "expl",
    "finding": "find",
    "notice": "note",
    "approval": "appr",
    "price_book": "book",
    "usage_entry": "entry",
    "reservation": "rsv",
    "adjustment": "adj",
    "costs": "cost",
    "efficiency_rules": "eff",
    "move_plan": "move",
}

#: Makes a new id of a kind (a key of ``PREFIXES``). Injected, so that a simulation with a seed repeats itself.
NewId = Callable[[str], str]


def format_id(kind: str, value: uuid.UUID) -> str:
    """Return the printed id of ``value``, for example ``inst_0190…``."""
    return f"{PREFIXES[kind]}_{value.hex}"


def uuid_of(id_: str) -> uuid.UUID:
    """Return the UUID inside an id.

    Raises:
        ValueError: the text is not an id.
    """
    _, _, tail = id_.partition("_")
    return uuid.UUID(hex=tail)


def id_of(kind: str, value: uuid.UUID | str) -> str:
    """Return the id of ``kind`` for a UUID that a back end reported."""
    return format_id(kind, value if isinstance(value, uuid.UUID) else uuid.UUID(value))


def is_id(text: str, kind: str) -> bool:
    """Tell whether ``text`` is a well-formed id of ``kind``."""
    prefix, _, tail = text.partition("_")
    return prefix == PREFIXES[kind] and len(tail) == 32 and all(c in "0123456789abcdef" for c in tail)


def _new_id(kind: str, time_ms: int, rand: int) -> str:
    """Return an id with a UUIDv7 in it."""
    value = (time_ms & ((1 << 48) - 1)) << 80 | 0x7 << 76 | (rand >> 62 & 0xFFF) << 64 | 0b10 << 62 | (rand & ((1 << 62) - 1))
    return f"{PREFIXES[kind]}_{value:032x}"


def first_id(kind: str, at_s: float) -> str:
    """Return the lowest id that is born at a moment."""
    return f"{PREFIXES[kind]}_{max(0, int(at_s * 1000)):012x}"


def random_ids() -> NewId:
    """Return the maker of ids a real process uses: wall clock and the system's randomness."""

    def new(kind: str) -> str:
        return _new_id(kind, time.time_ns() // 1_000_000, int.from_bytes(os.urandom(10), "big"))

    return new


def seeded_ids(seed: int, now_s: Callable[[], float]) -> NewId:
    """Return a maker of ids that repeats itself for one seed: for simulations and tests."""
    source = random.Random(seed)  # noqa: S311  not a secret, must repeat

    def new(kind: str) -> str:
        return _new_id(kind, int(now_s() * 1000), source.getrandbits(74))

    return new
