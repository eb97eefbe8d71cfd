"""The zones and aggregates of a region: where its hypervisors stand, and the names placement may ask for.

Nova calls a hypervisor's compute service by a name of its own (``service_host``): aggregates list those. Placement lists the
providers of an aggregate, which is how Nova itself keeps a machine in a zone.
"""

import re
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from drivers.faults import Permanent
from drivers.openstack.calls import Calls

#: Zones come and go with their first and last hypervisor.
ZONES_AGE_S = 60.0
#: What a place is asked for by, before its own name.
ZONE_WORD, AGGREGATE_WORD = "az-", "aggregate-"
#: A trait as tickets write it (``traits`` of a server).
LONGEST_TRAIT = 40
_ASCII_PARTS = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """Hypervisors that an administrator of the region put together."""

    aggregate_id: str
    name: str
    #: The availability zone it makes of them; empty for none.
    zone: str
    #: Names of compute services.
    service_hosts: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneNames:
    """The zones there are."""

    compute: frozenset[str]
    storage: frozenset[str]


class Zones:
    """Names of a region's zones: every credential may ask for them."""

    def __init__(self, sdk: Any, calls: Calls, *, has_volumes: bool = True) -> None:
        self._sdk = sdk
        self._calls = calls
        self._has_volumes = has_volumes
        self._lock = threading.Lock()
        self._known: tuple[float, ZoneNames] | None = None

    def names(self, *, max_age_s: float = ZONES_AGE_S) -> ZoneNames:
        """Return them, read at most so long ago: two calls, one where there are no volumes."""
        with self._lock:
            now_s = time.monotonic()
            if self._known is None or now_s - self._known[0] > max_age_s:
                names = ZoneNames(
                    compute=self._read(self._sdk.compute),
                    storage=self._read(self._sdk.block_storage) if self._has_volumes else frozenset(),
                )
                self._known = (now_s, names)
            return self._known[1]

    def _read(self, service: Any) -> frozenset[str]:
        return self._calls.read("zones", lambda: frozenset(z.name for z in service.availability_zones()))

    def require(self, cloud: str, zone: str) -> None:
        """Refuse a zone that no hypervisor stands in.

        Raises:
            Permanent: ``openstack.zone_unknown``.
        """
        known = self.names(max_age_s=0.0).compute
        if zone not in known:
            raise Permanent("openstack.zone_unknown", zone=zone, cloud=cloud, known=", ".join(sorted(known)) or "—")

    def of_storage(self, zone: str) -> str:
        """Return the zone a disk of machines there is made in; empty where Cinder chooses: it does not know this one."""
        return zone if zone and zone in self.names().storage else ""


def trait_of(kind: str, name: str) -> str:
    """Return what a place is asked for by; empty where that would not tell its name from others. Pure."""
    trait = kind + "-".join(_ASCII_PARTS.findall(name.lower()))
    is_told_apart = name.isascii() and len(kind) < len(trait) <= LONGEST_TRAIT
    return trait if is_told_apart else ""


def places_of(service_host: str, aggregates: Iterable[Aggregate]) -> tuple[str, ...]:
    """Return what the hypervisor of a compute service is asked for by, for each of its aggregates and their zone. Pure."""
    mine = [a for a in aggregates if service_host in a.service_hosts]
    found = {trait_of(AGGREGATE_WORD, a.name) for a in mine} | {trait_of(ZONE_WORD, a.zone) for a in mine}
    return tuple(sorted(found - {""}))


def zone_query(zone: str, aggregates: Sequence[Aggregate]) -> str:
    """Return how Placement is asked for the providers of a zone. Pure.

    The zone that no aggregate makes is the one that the region puts all others in.
    """
    inside = sorted(a.aggregate_id for a in aggregates if a.zone == zone)
    others = sorted(a.aggregate_id for a in aggregates if a.zone)
    if inside:
        return f"?member_of=in:{','.join(inside)}"
    return f"?member_of=!in:{','.join(others)}" if others else ""


def aggregate_of(found: Any) -> Aggregate:
    """Read the SDK's aggregate. Pure."""
    return Aggregate(
        aggregate_id=found.uuid, name=found.name, zone=found.availability_zone or "", service_hosts=frozenset(found.hosts or ())
    )
