"""What Nova counts of its machines (``os-simple-tenant-usage``), joined with whose they are.

Nova counts a machine from its first start to its end, whether it runs or not, at the size it has at last. The join with our
marks is made by listing machines, deleted ones too as long as Nova keeps their records.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from drivers.openstack.cells import require_told
from drivers.openstack.mapping import moment_s, read_server
from drivers.openstack.region import Region
from inventory.domain.counted import CountedMachine
from inventory.domain.ids import is_id


def counted(region: Region, start_s: int, end_s: int) -> list[CountedMachine]:
    """Return what Nova counts in the window, by its id.

    Raises:
        Transient: ``driver.unreachable``: what is in a cell that does not answer is left out of what Nova counts.
    """
    compute, everywhere = region.sdk.compute, region.projects.listing_scope()
    start, end = (datetime.fromtimestamp(s, UTC).replace(tzinfo=None) for s in (start_s, end_s))
    usages = region.calls.read("usage", lambda: list(compute.usages(start=start, end=end, detailed=1)))
    owners: dict[str, str] = {}
    for state in ({"deleted": True}, {}) if everywhere else ({},):
        query = {"details": True, **everywhere, **state}
        listed = region.calls.read("usage", partial(_listed, compute, query))
        # Only a list without filter shows such machines at all.
        require_told([] if state else map(read_server, listed), region.calls.connection)
        owners |= _owners(listed)
    machines = [machine_of(entry, owners) for usage in usages for entry in usage.server_usages or ()]
    return sorted((m for m in machines if m is not None), key=lambda m: m.uuid)


def _listed(compute: Any, query: Mapping[str, Any]) -> list[Any]:
    return list(compute.servers(**query))


def _owners(listed: Iterable[Any]) -> dict[str, str]:
    """Return whose each machine of ours is; of a deleted one only its description still says so."""
    described = {s.id: s.description or "" for s in listed}
    return {server_id: text for server_id, text in described.items() if is_id(text, "instance")}


def machine_of(entry: Mapping[str, Any], owners: Mapping[str, str]) -> CountedMachine | None:
    """Read one entry; None for a machine that never started. Pure."""
    begun_s = moment_s(entry["started_at"] or "", 0.0)
    if not begun_s:
        return None
    ended = entry["ended_at"]
    return CountedMachine(
        uuid=entry["instance_id"],
        name=entry["name"] or "",
        instance_id=owners.get(entry["instance_id"], ""),
        vcpu_count=int(entry["vcpus"] or 0),
        memory_mib=int(entry["memory_mb"] or 0),
        begun_s=int(begun_s),
        ended_s=int(moment_s(ended, 0.0)) if ended else None,
    )
