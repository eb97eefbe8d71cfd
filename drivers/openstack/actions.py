"""Nova's own record of what was done with a machine: it says why something came to nothing where the machine shows no fault."""

from drivers.openstack.mapping import ServerReading
from drivers.openstack.region import Region

_FAILED = "Error"


def failure_of(region: Region, server: ServerReading, action: str) -> str:
    """Return Nova's words on how the last act of a kind failed; empty where it did not, or tells this credential nothing."""
    compute = region.sdk.compute
    acts = region.calls.read_if_allowed("machine", lambda: list(compute.server_actions(server.server_id)))
    last = max((a for a in acts or () if a.action == action), key=lambda a: str(a.start_time), default=None)
    if last is None:
        return ""
    told = region.calls.find("machine", lambda: compute.get_server_action(last.request_id, server.server_id))
    failed = [e for e in (told.events if told is not None else None) or () if e.result == _FAILED]
    # Of events within each other, the same words come again.
    return "; ".join(dict.fromkeys(e.details for e in failed if e.details)) or (_FAILED if failed else "")
