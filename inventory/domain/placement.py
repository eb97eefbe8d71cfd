"""What is asked of the scheduler and what it answers: shared by planner, committer and explanation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from inventory.domain.ids import HostId, PoolId, StoragePoolId, ZoneId
from inventory.domain.layout import NO_LAYOUT, Layout, Seat
from inventory.domain.resources import Resources
from inventory.domain.system import SpreadLevel


class NetworkLevel(StrEnum):
    """What machines share that reach each other: beside the failure domains, for rules that no ticket writes."""

    #: Hosts among which one segment of a department's network serves all (``Host.home``).
    HOME = "home"


#: What a rule speaks of.
Level = SpreadLevel | NetworkLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRequest:
    """One machine to place: what it takes of a host, and of storage by disk class."""

    #: Name of the machine in its system.
    name: str
    #: Group (server name of the ticket); members of a group share the spread rule.
    group: str
    #: ``vcpu`` and ``memory_mib`` (and accelerators).
    compute: Resources
    #: GiB by disk class, root and data disks together, one entry per disk: (class, GiB).
    disks: tuple[tuple[str, int], ...]
    arch: str
    networks: tuple[str, ...] = ()
    #: Set when the machine must stay (a change of a machine that exists).
    pinned_host_id: HostId | None = None
    #: What it already holds on its pinned host: only growth is asked for.
    held: Resources = field(default_factory=Resources)
    #: What a host must have, by name (``HostEntry.traits``).
    traits: tuple[str, ...] = ()
    #: How it is to lie on the cells of its host. A machine that exists and asks for nothing here keeps the seat it has.
    layout: Layout = NO_LAYOUT
    #: The seat it has on its pinned host: free to itself.
    seat: Seat | None = None

    @property
    def is_existing(self) -> bool:
        """Tell whether the machine exists and must stay: it is pinned and holds something there."""
        return self.pinned_host_id is not None and len(self.held) > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRule:
    """How the machines of one group stand to each other, and where its existing members already are.

    A hard rule is a condition; a soft one costs score for every machine that breaks it.
    """

    group: str
    #: Failure domain it speaks of.
    spread: Level
    is_hard: bool
    existing_host_ids: tuple[HostId, ...] = ()
    #: Machines of the group that may share one domain.
    max_per_domain: int = 1
    #: Together in one domain instead of apart; then ``max_per_domain`` says nothing.
    is_affinity: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressRoom:
    """Addresses that the networks of a request find in its zone, where they are short.

    Segments stand on the homes of hosts (``Host.home``): all hosts of a home share them. A network on a home that is not named
    has no segment there, or one with more addresses than are asked for; where blocks are counted, all segments are named.
    """

    #: Free addresses in the segments of the department's networks: name -> home -> addresses.
    segments: Mapping[str, Mapping[HostId, int]]
    #: Machines that a new segment holds.
    segment_size: int
    #: Free blocks for new segments of the whole zone; ``None``: more than all networks of the request together can need.
    block_count: int | None = None

    def has_segment(self, network: str, home_id: HostId) -> bool:
        """Tell whether a network has a segment on a home, as far as that matters."""
        return home_id in self.segments.get(network, {})

    def free_on(self, network: str, home_id: HostId) -> int:
        """Return the addresses a network has on a home, or would have in a new segment there."""
        return self.segments.get(network, {}).get(home_id, self.segment_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementRequest:
    """A gang: all members are placed, or none."""

    zone_id: ZoneId
    mlps_level: int
    members: tuple[MemberRequest, ...]
    rules: tuple[GroupRule, ...] = ()
    #: Networks that this system has already: name -> a host whose home they live on.
    network_hosts: Mapping[str, HostId] = field(default_factory=dict)
    #: What is left of addresses where they are short; ``None``: there are plenty.
    addresses: AddressRoom | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberPlacement:
    """Where one machine goes."""

    name: str
    host_id: HostId
    pool_id: PoolId
    #: Storage pool per disk, in the order of the request.
    storage_pool_ids: tuple[StoragePoolId, ...]
    #: For a machine that asks how it lies on its host.
    seat: Seat | None = None
    #: Where its segments stand, if that is another host (``Host.home``).
    home_id: HostId | None = None

    @property
    def home(self) -> HostId:
        """Return the host its segments stand on."""
        return self.home_id or self.host_id


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCandidate:
    """A host in the ranking of an explanation."""

    host: str
    score: int
    #: Named parts that add up to ``score``.
    parts: Mapping[str, int]
    #: Policy of its pool where it is not that of the explanation.
    policy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostMiss:
    """Why one host fell: the filter and its numbers."""

    host: str
    filter: str
    #: Numbers of the text, for example ``{"dimension": "memory_mib", "asked": 65536, "free": 49152}``.
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Stored with every placement and every refusal (DESIGN §9): counts per filter, ranking, nearest misses."""

    #: Machine (group member) it speaks of.
    member: str
    is_placed: bool
    hosts_total: int
    #: (filter, hosts left after it), in the order they ran.
    left_after: tuple[tuple[str, int], ...]
    winner: HostCandidate | None = None
    runners_up: tuple[HostCandidate, ...] = ()
    misses: tuple[HostMiss, ...] = ()
    #: The nearest thing that would fit, as codes with numbers (texts in ``controller.texts``).
    suggestions: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    policy: str = ""
    state_revision: str = ""
    #: Every machine it holds for, ``member`` first: equal machines, or machines of shared networks, are explained once.
    members: tuple[str, ...] = ()
    #: Those of ``members`` that went to other hosts than the first, by host: the same rules, asked when they were due.
    elsewhere: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """All members have a host."""

    members: tuple[MemberPlacement, ...]
    explanations: tuple[Explanation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The gang does not fit; the binding member's explanation comes first."""

    explanations: tuple[Explanation, ...]


#: A refusal that nobody has explained yet.
UNEXPLAINED = Refusal(explanations=())


def miss_text_code(filter_name: str, params: Mapping[str, Any]) -> str:
    """Return the code of the text that says a miss; what it is filled with are ``params`` and the host."""
    if filter_name == "network_reach" and "group" in params:
        return "placement.miss.network_reach_spread"
    if params.get("is_affinity"):
        return "placement.miss.affinity"
    if filter_name == "addresses" and params["is_block"]:
        return "placement.miss.addresses_range"
    if filter_name == "numa":
        processors = "_dedicated" if params["is_dedicated"] else ""
        return f"placement.miss.numa{processors}{'_huge' if params['page_kib'] else ''}"
    return f"placement.miss.{filter_name}"
