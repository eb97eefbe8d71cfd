"""Flavors: a machine's size as the region knows it, found by its numbers, made where there is none and we may."""

import time
from collections.abc import Iterable
from typing import Any

from drivers.faults import Permanent, Transient
from drivers.openstack.region import Region

PREFIX = "allotment"
#: How long a flavor that was found is taken to be there: many machines of one size ask for it at once.
FLAVOR_AGE_S = 30.0


def flavor_name(vcpu_count: int, memory_mib: int, root_gib: int = 0) -> str:
    """Return the name of a flavor we make."""
    return f"{PREFIX}-{vcpu_count}c-{memory_mib}m" + (f"-{root_gib}g" if root_gib else "")


def pick_flavor(flavors: Iterable[Any], vcpu_count: int, memory_mib: int, root_gib: int = 0) -> Any:
    """Return the flavor of exactly this size and without wishes of its own, or None. Pure.

    With a root disk on the hypervisor (``root_gib``) it has exactly that; else its disk is not made, and one without is first.
    """
    fitting = [f for f in flavors if _is_plain(f) and (f.vcpus, f.ram) == (vcpu_count, memory_mib) and root_gib in (0, f.disk)]
    return min(fitting, key=lambda f: (f.disk, f.name), default=None)


def _is_plain(flavor: Any) -> bool:
    """Tell whether a flavor is a size and nothing else. Pure."""
    return not (flavor.extra_specs or flavor.swap or flavor.ephemeral or flavor.is_disabled)


def sizes_of(flavors: Iterable[Any]) -> tuple[tuple[int, int, int], ...]:
    """Return the sizes that ``pick_flavor`` finds one for: vCPUs, MiB, GiB of a root disk on the hypervisor. Pure."""
    return tuple(sorted({(int(f.vcpus), int(f.ram), int(f.disk)) for f in flavors if _is_plain(f)}))


def existing_sizes(region: Region) -> tuple[tuple[int, int, int], ...] | None:
    """Return the only sizes the region makes machines of; None where others get a flavor."""
    if region.settings.makes_flavors:
        return None
    return sizes_of(region.calls.read("flavor", lambda: list(region.sdk.compute.flavors(details=True))))


def ensure_flavor(region: Region, vcpu_count: int, memory_mib: int, root_gib: int = 0) -> str:
    """Return the id of a flavor of this size, with a root disk of so much on the hypervisor.

    Raises:
        Permanent: ``openstack.flavor_missing``, ``openstack.flavor_changed``.
    """
    size, now_s = (vcpu_count, memory_mib, root_gib), time.monotonic()
    known_s, known = region.flavor_ids.get(size, (0.0, ""))
    if known and now_s - known_s < FLAVOR_AGE_S:
        return known
    flavor_id = _find_or_make(region, *size)
    region.flavor_ids[size] = (now_s, flavor_id)
    return flavor_id


def _find_or_make(region: Region, vcpu_count: int, memory_mib: int, root_gib: int) -> str:
    sdk = region.sdk

    def find() -> Any:
        found = region.calls.read("flavor", lambda: list(sdk.compute.flavors(details=True)))
        return pick_flavor(found, vcpu_count, memory_mib, root_gib)

    if (found := find()) is not None:
        return str(found.id)
    name = flavor_name(vcpu_count, memory_mib, root_gib)
    told: dict[str, Any] = {"vcpu_count": vcpu_count, "memory_mib": memory_mib, "disk_gib": root_gib, "name": name}
    if not region.settings.makes_flavors:
        raise Permanent("openstack.flavor_missing", **told)
    # Of a machine that starts from a volume, the flavor's own disk would only be promised and never used.
    body = {"name": name, "vcpus": vcpu_count, "ram": memory_mib, "disk": root_gib}
    try:
        made = region.calls.change("flavor", lambda: sdk.compute.create_flavor(**body))
    except Transient as fault:
        if fault.problem.code != "openstack.call_failed":
            raise
        # Nova refuses a name that is taken: by whoever makes one of this size now, or by one that somebody has changed.
        if (found := find()) is not None:
            return str(found.id)
        raise Permanent("openstack.flavor_changed", internal=fault.internal, **told) from fault
    except Permanent as fault:
        if fault.problem.code != "openstack.forbidden":
            raise
        raise Permanent("openstack.flavor_missing", internal=fault.internal, **told) from fault
    return str(made.id)
