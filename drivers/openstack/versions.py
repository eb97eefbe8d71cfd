"""What a region's services are: their newest versions, the oldest that will do, and the extensions its network service has."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from drivers.faults import Permanent
from drivers.openstack.calls import Calls
from drivers.protocol import Capability

#: Oldest newest microversion that will do: host name of a machine (2.74 names its hypervisor); traits and trees of providers.
LEAST: Mapping[str, tuple[int, int]] = {"compute": (2, 90), "placement": (1, 36)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What is asked of a service from a microversion on, as ``docs/openstack.md`` lists it."""

    what: str
    service: str
    least: tuple[int, int]
    below: str

    @property
    def row(self) -> str:
        """Return it as a line of the table."""
        return f"| {self.what} | {self.service} {self.least[0]}.{self.least[1]} | {self.below} |"


_REFUSED = "the region is refused (`openstack.service_too_old`)"
#: All others of compute are below what the whole region needs: they are listed for whoever reads what is asked.
NEEDS: tuple[Need, ...] = (
    Need(
        what="a machine with its own host name; its hypervisor (2.74), tags (2.52)",
        service="compute",
        least=(2, 90),
        below=_REFUSED,
    ),
    Need(what="Nova's words on what came to nothing", service="compute", least=(2, 84), below=_REFUSED),
    Need(what="a cell that does not answer is seen", service="compute", least=(2, 69), below=_REFUSED),
    Need(
        what="a lost hypervisor's machines brought back on one that was checked", service="compute", least=(2, 68), below=_REFUSED
    ),
    Need(what="rules between machines of a region that is one host", service="compute", least=(2, 64), below=_REFUSED),
    Need(what="what machines use (`diagnostics_per_s`)", service="compute", least=(2, 48), below=_REFUSED),
    Need(what="live moves", service="compute", least=(2, 34), below=_REFUSED),
    Need(
        what="capacity and traits of hypervisors, their trees and aggregates", service="placement", least=(1, 36), below=_REFUSED
    ),
    Need(
        what="a data disk grows in a machine that runs",
        service="block storage",
        least=(3, 42),
        below="Cinder refuses it (`openstack.refused`); a disk that no machine holds grows",
    ),
    Need(
        what="a disk that Nova keeps reserved for no machine is freed",
        service="block storage",
        least=(3, 27),
        below="it stays reserved (`openstack.call_failed`) until the region's administrator frees it",
    ),
)
#: Neutron's extensions that a power needs, by alias: marks lie in descriptions, and a network's fence is guarded by its revision.
_OURS = frozenset({"standard-attr-description", "security-group"})
NEEDED: Mapping[Capability, frozenset[str]] = {
    Capability.NETWORKS: _OURS | {"port-security", "revision-if-match"},
    Capability.FILTERS: _OURS,
    Capability.OUTSIDE: frozenset({"standard-attr-description", "router"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What a service tells of itself."""

    service: str
    #: Of its API.
    number: tuple[int, ...]
    #: The newest microversion; None where it has none.
    newest: tuple[int, ...] | None

    @property
    def text(self) -> str:
        """Return it as people read it: the newest that may be asked for."""
        return f"{self.service} {'.'.join(str(part) for part in self.newest or self.number)}"


def read_versions(sdk: Any, calls: Calls, services: Iterable[str]) -> tuple[Version, ...]:
    """Return the versions of the services; one that the SDK found without a version document is left out.

    Raises:
        DriverFault: see ``translate_errors``.
    """
    found = []
    for service in services:
        told = calls.read("versions", getattr(sdk, service).get_endpoint_data)
        if told is not None:
            newest = tuple(told.max_microversion) if told.max_microversion else None
            found.append(Version(service=service, number=tuple(told.api_version or ()), newest=newest))
    return tuple(found)


def require_new_enough(versions: Iterable[Version], cloud: str) -> None:
    """Refuse a region whose services do not know what they would be asked for. Pure.

    Raises:
        Permanent: ``openstack.service_too_old``.
    """
    for version in versions:
        least = LEAST.get(version.service)
        if least is not None and (version.newest or ()) < least:
            found = ".".join(str(part) for part in version.newest or version.number)
            raise Permanent(
                "openstack.service_too_old", cloud=cloud, service=version.service, found=found, needed=f"{least[0]}.{least[1]}"
            )


def read_extensions(sdk: Any, calls: Calls) -> frozenset[str]:
    """Return the aliases of the network service's extensions: one call.

    Raises:
        DriverFault: see ``translate_errors``.
    """
    return calls.read("extensions", lambda: frozenset(str(e.alias) for e in sdk.network.extensions()))


def missing_powers(extensions: Collection[str], *, has_volumes: bool = True) -> Capability:
    """Return the powers a region lacks for want of an extension, or of volumes. Pure."""
    lacking = Capability.NONE if has_volumes else Capability.SNAPSHOTS
    for power, needed in NEEDED.items():
        if not needed <= set(extensions):
            lacking |= power
    return lacking
