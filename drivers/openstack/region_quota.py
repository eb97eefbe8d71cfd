"""Whether a region's quota is used up, where Nova does not tell: it answers 403 to that as to what a credential may not do.

Its limits tell, in numbers: what is used and what is wanted beside it, against what the project may have.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from drivers.faults import Permanent
from drivers.openstack.region import Region

#: Nova's words for what it counts, with the SDK's names of what is used and of the most there may be.
_COUNTED: Mapping[str, tuple[str, str]] = {
    "instances": ("instances_used", "instances"),
    "cores": ("total_cores_used", "total_cores"),
    "ram": ("total_ram_used", "total_ram"),
    "server_groups": ("server_groups_used", "server_groups"),
}


def overruns(limits: Any, wanted: Mapping[str, int]) -> list[str]:
    """Return what there is less of than wanted; a limit that is not told, or is below zero, is none. Pure."""
    found = []
    for word, count in wanted.items():
        used, most = (getattr(limits, name, None) for name in _COUNTED[word])
        if count > 0 and used is not None and most is not None and 0 <= int(most) < int(used) + count:
            found.append(word)
    return found


@contextmanager
def telling_quota(region: Region, compute: Any, **wanted: int) -> Iterator[None]:
    """Tell a quota that is used up from a right that is missing, with a call that wants this much more in the project.

    Raises:
        Permanent: ``openstack.quota_exceeded``, or what the call raised.
    """
    try:
        yield
    except Permanent as fault:
        if fault.problem.code != "openstack.forbidden":
            raise
        limits = region.calls.read_if_allowed("limits", lambda: compute.get_limits().absolute)
        if not overruns(limits, wanted):
            raise
        reason = fault.problem.params["reason"]
        raise Permanent(
            "openstack.quota_exceeded", internal=fault.internal, connection=region.calls.connection, reason=reason
        ) from fault
