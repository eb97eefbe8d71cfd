"""What a region's hypervisors have, from Placement: read whole once, then only what changed, by generation of the provider.

All hosts of a region ask for the same, often in one moment: it is read once for a few seconds.

Placement gives the inventories of one provider a call. Traits of many are told together where allocation candidates are asked
for: each provider with room, or in a tree with room, comes with all of its own. The others are asked for theirs.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from openstack import exceptions as sdk_errors

from drivers.faults import Permanent
from drivers.openstack.address import Address
from drivers.openstack.aged import Aged
from drivers.openstack.calls import Calls
from drivers.openstack.zones import Aggregate, aggregate_of, zone_query

#: Placement's first version with everything asked for here.
PLACEMENT_VERSION = "1.36"
#: Providers read at one time, when a region is first seen.
READERS = 8
#: From so many providers on, one listing of candidates costs the region less than asking each for its traits.
MANY = 8
#: A hypervisor is described anew after this time at the latest; sooner, when what it has changes, or it was away.
DESCRIBED_AGE_S = 86_400.0
#: What every hypervisor that is not full has left, as Placement is asked for it.
ROOM = "VCPU:1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One resource provider."""

    provider_id: str
    name: str
    generation: int
    #: Total minus what the region itself holds back, by Placement's resource class.
    amounts: Mapping[str, int] = field(default_factory=dict)
    #: How far the region overcommits, in thousandths.
    allocation_permille: Mapping[str, int] = field(default_factory=dict)
    traits: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypervisor:
    """A hypervisor as Nova lists it."""

    name: str
    provider_id: str
    kind: str
    version: str
    is_alive: bool
    cpu_model: str = ""
    arch: str = ""
    #: Nova's name of its compute service, which aggregates list; told with the details only.
    service_host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The hypervisors that a host is."""

    hypervisors: list[Hypervisor]
    #: Names of all there are.
    known: tuple[str, ...]
    #: The region's aggregates; None where this credential may not ask, or nothing was chosen.
    aggregates: list[Aggregate] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Described:
    """A hypervisor with its details, when they were told, and what would show that they are others now."""

    hypervisor: Hypervisor
    at_s: float
    told_by: tuple[object, ...]


class Inventory:
    """Providers and hypervisors of one region."""

    def __init__(
        self, sdk: Any, calls: Calls, *, max_age_s: float = 0.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._sdk = sdk
        self._calls = calls
        self._monotonic = monotonic
        self._providers: dict[str, Provider] = {}
        self._described: dict[str, _Described] = {}
        self._describing: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._hypervisors_seen = Aged(self._read_hypervisors, max_age_s, monotonic)
        self._aggregates_seen = Aged(self._read_aggregates, max_age_s, monotonic)
        self._providers_seen = Aged(self._read_providers, max_age_s, monotonic)

    def providers(self) -> Mapping[str, Provider]:
        """Return every provider by id: one call where nothing changed, else few more; none where they were just read.

        Two for each provider that is new or changed; where those are many, one for each and one for the traits of all with room.
        """
        return self._providers_seen.get()

    def _read_providers(self) -> Mapping[str, Provider]:
        placement = self._sdk.placement
        found = self._calls.read("inventory", lambda: list(placement.resource_providers()))
        known = {p.id: self._providers[p.id] for p in found if p.id in self._providers}
        stale = [p for p in found if p.id not in known or known[p.id].generation != p.generation]
        if stale:
            # In this order: traits read before a change keep the generation from before it, and are read again.
            told = self._told_traits() if len(stale) >= MANY else {}
            with ThreadPoolExecutor(READERS, "inventory") as readers:
                known |= {p.provider_id: p for p in readers.map(lambda p: self._read(p, told.get(p.id)), stale)}
        self._providers = known
        return dict(known)

    def _told_traits(self) -> Mapping[str, frozenset[str]]:
        """Return the traits of the providers with room, by id; none where this credential may not ask for candidates."""
        found = self._calls.read_if_allowed("inventory", lambda: self._answered(f"/allocation_candidates?resources={ROOM}"))
        return {} if found is None else traits_told(found)

    def _read(self, provider: Any, traits: Iterable[str] | None) -> Provider:
        if traits is None:
            traits = self._get(f"/resource_providers/{provider.id}/traits")["traits"]
        inventories = self._get(f"/resource_providers/{provider.id}/inventories")
        return provider_of(provider, inventories["inventories"], traits)

    def _get(self, path: str) -> Mapping[str, Any]:
        return self._calls.read("inventory", lambda: self._answered(path))

    def _answered(self, path: str) -> Mapping[str, Any]:
        answer = self._sdk.placement.get(path, microversion=PLACEMENT_VERSION)
        sdk_errors.raise_from_response(answer)
        body: Mapping[str, Any] = answer.json()
        return body

    def hypervisors(self) -> list[Hypervisor]:
        """Return the hypervisors, sorted by name; without details, for which Nova would ask every one of them."""
        return self._hypervisors_seen.get()

    def _read_hypervisors(self) -> list[Hypervisor]:
        return sorted(self._calls.read("inventory", self._listed), key=lambda h: h.name)

    def _listed(self) -> list[Hypervisor]:
        return [hypervisor_of(h) for h in self._sdk.compute.hypervisors(details=False)]

    def choose(self, address: Address) -> Chosen | None:
        """Return the hypervisors of a host; None where this credential sees none, or not which stand in its zone.

        Raises:
            Permanent: ``openstack.forbidden``, where the host is one of them.
        """
        try:
            found = self.hypervisors()
        except Permanent as fault:
            if address.hypervisor or fault.problem.code != "openstack.forbidden":
                raise
            return None
        chosen = [h for h in found if address.hypervisor in ("", h.name)]
        aggregates = self.aggregates() if chosen else []
        if address.zone:
            if aggregates is None:
                return None
            there = self.provider_ids(address.zone, aggregates)
            chosen = [h for h in chosen if h.provider_id in there]
        return Chosen(hypervisors=chosen, known=tuple(h.name for h in found), aggregates=aggregates)

    def describe(self, hypervisor: Hypervisor, provider: Provider | None = None) -> Hypervisor:
        """Return one hypervisor with its details: one call, none where nothing is otherwise than when they were told.

        ``provider`` is what it has; without it, always asked for: that is a question of what is so now.
        """
        if provider is None:
            return self._details_of(hypervisor)
        # Hosts that are one hypervisor ask at the same moment: one reads, the others wait for that.
        with self._describing[hypervisor.provider_id]:
            told_by, now_s = _what_tells(hypervisor, provider), self._monotonic()
            known = self._described.get(hypervisor.provider_id)
            if known is None or known.told_by != told_by or now_s - known.at_s >= DESCRIBED_AGE_S:
                known = _Described(told_by=told_by, at_s=now_s, hypervisor=self._details_of(hypervisor))
                self._described[hypervisor.provider_id] = known
            return known.hypervisor

    def _details_of(self, hypervisor: Hypervisor) -> Hypervisor:
        return hypervisor_of(self._calls.read("inventory", lambda: self._sdk.compute.get_hypervisor(hypervisor.provider_id)))

    def aggregates(self) -> list[Aggregate] | None:
        """Return the region's aggregates: one call, none where they were just read; None where this credential may not ask."""
        return self._aggregates_seen.get()

    def _read_aggregates(self) -> list[Aggregate] | None:
        return self._calls.read_if_allowed("inventory", lambda: [aggregate_of(a) for a in self._sdk.compute.aggregates()])

    def provider_ids(self, zone: str, aggregates: Sequence[Aggregate]) -> frozenset[str]:
        """Return the providers of a zone: one call."""
        found = self._get(f"/resource_providers{zone_query(zone, aggregates)}")
        return frozenset(p["uuid"] for p in found["resource_providers"])

    def alive(self) -> frozenset[str] | None:
        """Return the names of the hypervisors that report in; None where this credential may not ask."""
        found = self._calls.read_if_allowed("inventory", self._listed)
        return None if found is None else frozenset(h.name for h in found if h.is_alive)


def _what_tells(hypervisor: Hypervisor, provider: Provider) -> tuple[object, ...]:
    """Return what changes with a hypervisor that was changed or started again; machines that come and go do not. Pure."""
    return (hypervisor.name, hypervisor.is_alive, provider.amounts, provider.traits)


def traits_told(candidates: Mapping[str, Any]) -> Mapping[str, frozenset[str]]:
    """Read the traits in a listing of candidates, by provider. Pure."""
    return {provider_id: frozenset(told["traits"]) for provider_id, told in candidates["provider_summaries"].items()}


def provider_of(listed: Any, inventories: Mapping[str, Any], traits: Iterable[str]) -> Provider:
    """Read Placement's answers of one provider, which is of the generation it was listed with: all else was read later. Pure."""
    return Provider(
        provider_id=listed.id,
        name=listed.name,
        generation=listed.generation,
        amounts={c: int(i["total"]) - int(i["reserved"]) for c, i in inventories.items()},
        allocation_permille={c: round(i["allocation_ratio"] * 1000) for c, i in inventories.items()},
        traits=frozenset(traits),
    )


def hypervisor_of(hypervisor: Any) -> Hypervisor:
    """Read the SDK's hypervisor. Pure."""
    cpu = hypervisor.cpu_info if isinstance(hypervisor.cpu_info, Mapping) else {}
    return Hypervisor(
        name=hypervisor.name,
        provider_id=hypervisor.id,
        kind=hypervisor.hypervisor_type or "",
        version=str(hypervisor.hypervisor_version or ""),
        is_alive=hypervisor.state == "up",
        cpu_model=str(cpu.get("model", "")),
        arch=str(cpu.get("arch", "")),
        service_host=str((hypervisor.service_details or {}).get("host", "")),
    )
