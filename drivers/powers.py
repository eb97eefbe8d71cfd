"""Powers of a cloud beyond machines, disks and department networks: small protocols beside ``drivers.protocol``.

The rules of its verbs hold here too: keyed by our id, fenced, may run twice, return what was seen. Each protocol has its
``Capability``; a driver without it does not have the methods, or raises ``CapabilityMissing``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from drivers.protocol import VolumeRequest
from inventory.domain.counted import CountedMachine
from inventory.domain.ids import ResourceId

# -- copies of disks --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRequest:
    """A copy of a disk as it is at one moment, kept by the back end; the disk may be in use."""

    snapshot_id: ResourceId
    #: The disk: a data disk, or a machine's root disk by the machine's id.
    volume_id: ResourceId


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedSnapshot:
    """A copy as the back end shows it."""

    snapshot_id: ResourceId
    volume_id: ResourceId
    #: Size of the disk when it was copied.
    size_gib: int
    fence: int


@runtime_checkable
class Snapshots(Protocol):
    """``Capability.SNAPSHOTS``. A disk that has copies is not deleted before them (``driver.volume_has_snapshots``)."""

    def snapshots(self) -> Sequence[ObservedSnapshot]:
        """Return every copy of ours of disks of this host, by id."""

    def ensure_snapshot(self, request: SnapshotRequest, fence: int) -> ObservedSnapshot:
        """Have the copy; one that is there is not taken again."""

    def ensure_snapshot_absent(self, snapshot_id: ResourceId, fence: int) -> None:
        """Have no such copy."""

    def ensure_volume_of_snapshot(self, request: VolumeRequest, snapshot_id: ResourceId, fence: int) -> None:
        """Have a disk with the content of a copy, at least as big as it; ``request`` names no image."""


# -- ways out of a network --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayRequest:
    """The way between a department network and a network outside."""

    gateway_id: ResourceId
    segment_id: ResourceId
    #: Its address in the department network, from our address plan; machines get it as their default route.
    address: str
    #: Name of the network outside, as the back end knows it.
    outside: str
    department: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicAddressRequest:
    """An address of a network outside that leads to an address of a department network; the gateway is there before."""

    address_id: ResourceId
    outside: str
    segment_id: ResourceId
    #: The address inside: of a machine's card or of a load balancer. Empty: kept and led nowhere.
    inside: str = ""
    department: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedPublicAddress:
    """An address outside as the back end shows it."""

    address_id: ResourceId
    #: The address itself: given by the back end, and the same as long as it exists.
    address: str
    inside: str
    fence: int


@runtime_checkable
class ReachesOutside(Protocol):
    """``Capability.OUTSIDE``."""

    def gateway_ids(self) -> frozenset[ResourceId]:
        """Return the ids of our gateways."""

    def ensure_gateway(self, request: GatewayRequest, fence: int) -> None:
        """Have the department network connected."""

    def ensure_gateway_absent(self, gateway_id: ResourceId, fence: int) -> None:
        """Have no such gateway. While addresses lead through it: ``driver.gateway_in_use``."""

    def public_addresses(self) -> Sequence[ObservedPublicAddress]:
        """Return our addresses outside, by id."""

    def ensure_public_address(self, request: PublicAddressRequest, fence: int) -> ObservedPublicAddress:
        """Have the address, led where it is asked to lead."""

    def ensure_public_address_absent(self, address_id: ResourceId, fence: int) -> None:
        """Have no such address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleEntry:
    """Traffic that may come into a department network from beyond it. Nothing else may."""

    #: ``tcp`` | ``udp`` | ``icmp``.
    protocol: str
    #: First and last port; both 0 for ``icmp``.
    first_port: int
    last_port: int
    #: From where.
    cidr: str


@runtime_checkable
class Filters(Protocol):
    """``Capability.FILTERS``."""

    def rules(self, segment_id: ResourceId) -> frozenset[RuleEntry]:
        """Return what may come in, beside what is inside."""

    def ensure_rules(self, segment_id: ResourceId, rules: Sequence[RuleEntry], fence: int) -> None:
        """Let in exactly this; the fence is the network's."""


# -- load balancers ---------------------------------------------------------------------------------------------------


class Algorithm(StrEnum):
    """How the next member is chosen."""

    ROUND_ROBIN = "round_robin"
    LEAST_CONNECTIONS = "least_connections"
    SOURCE_ADDRESS = "source_address"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRequest:
    """Who answers."""

    address: str
    port: int
    weight: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthRequest:
    """How it is found out whether a member answers."""

    #: ``tcp`` | ``http``.
    kind: str
    interval_s: int
    timeout_s: int
    #: How many good or bad answers in a row change the mind.
    count: int
    #: Asked for by ``http``.
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsRequest:
    """How a listener is spoken to by TLS. Certificates and their keys lie in the back end's key manager; here are their names."""

    #: Shown to whoever asks for no name that another one is for.
    certificate: str
    #: Shown to those who ask for their names (SNI); sorted.
    others: tuple[str, ...] = ()
    #: Spoken, sorted: ``1.2`` | ``1.3``.
    versions: tuple[str, ...] = ("1.2", "1.3")

    @property
    def certificates(self) -> tuple[str, ...]:
        """Every name of a certificate in it."""
        return (self.certificate, *self.others)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerRequest:
    """One port of a load balancer and the members behind it."""

    port: int
    #: ``tcp`` | ``http``.
    protocol: str
    members: tuple[MemberRequest, ...]
    algorithm: Algorithm = Algorithm.ROUND_ROBIN
    health: HealthRequest | None = None
    #: ``Capability.BALANCER_TLS``: clients speak TLS to it, members are spoken to in the clear. Of ``http`` only.
    tls: TlsRequest | None = None

    def __post_init__(self) -> None:
        """Refuse what no request means."""
        if self.tls is not None and self.protocol != "http":
            raise ValueError(f"port {self.port}: TLS ends at a listener of http, not of {self.protocol}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancerRequest:
    """A load balancer as wanted, complete."""

    balancer_id: ResourceId
    title: str
    segment_id: ResourceId
    #: Its address in the department network, from our address plan.
    address: str
    listeners: tuple[ListenerRequest, ...]
    department: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedBalancer:
    """A load balancer as the back end shows it."""

    balancer_id: ResourceId
    address: str
    listeners: tuple[ListenerRequest, ...]
    fence: int


@runtime_checkable
class Balances(Protocol):
    """``Capability.LOAD_BALANCERS``; listeners with ``tls`` need ``Capability.BALANCER_TLS`` too.

    A certificate is named, never handed over, and never removed: it belongs to whoever put it into the key manager.
    """

    def observe_balancer(self, balancer_id: ResourceId) -> ObservedBalancer | None:
        """Return one load balancer with all of it; None only when the back end answered that there is none."""

    def balancer_ids(self) -> frozenset[ResourceId]:
        """Return the ids of our load balancers."""

    def ensure_balancer(self, request: BalancerRequest, fence: int) -> ObservedBalancer:
        """Have it with exactly these listeners and members; what is right already is not touched.

        Each certificate must be there, and be one: ``driver.balancer_certificate_missing`` and its neighbours, before anything
        is changed. Another certificate is shown without taking the listener down.
        """

    def ensure_balancer_absent(self, balancer_id: ResourceId, fence: int) -> None:
        """Have no such load balancer, nor anything that belonged to it."""


# -- a machine's screen -----------------------------------------------------------------------------------------------


@runtime_checkable
class HasScreen(Protocol):
    """``Capability.SCREEN``."""

    def screen_url(self, instance_id: ResourceId) -> str:
        """Return an address, good for a short time, where a person sees the screen of a running machine."""


# -- departments ------------------------------------------------------------------------------------------------------


@runtime_checkable
class KeepsDepartments(Protocol):
    """``Capability.DEPARTMENTS``: departments are kept apart at the back end too, in places made when they are first used."""

    def department_codes(self) -> frozenset[str]:
        """Return the departments that have a place made by us."""

    def ensure_department_absent(self, code: str) -> None:
        """Have no place of that department. While anything is in it: ``driver.department_in_use``."""


# -- what the back end counts -----------------------------------------------------------------------------------------


@runtime_checkable
class CountsUsage(Protocol):
    """``Capability.USAGE``."""

    def counted(self, start_s: int, end_s: int) -> Sequence[CountedMachine]:
        """Return every machine the back end counts in the window, of all its hosts, foreign and deleted ones too."""
