"""A machine on or off, from whatever state somebody in the region brought it into: each state has its own way out in Nova."""

from collections.abc import Callable, Mapping
from typing import Any

from drivers.openstack.mapping import ServerReading, state_of
from drivers.openstack.region import Region
from drivers.openstack.servers import act, take_fence
from inventory.domain.resource import Observed

#: By which verb a machine comes to run again. Source: Nova, ``compute/api.py``, ``check_instance_state`` of each.
_WAKE: Mapping[str, str] = {
    "PAUSED": "unpause",
    "SUSPENDED": "resume",
    "RESCUE": "unrescue",
    "SHELVED": "unshelve",
    "SHELVED_OFFLOADED": "unshelve",
}
#: What Nova stops only once it runs again.
_HELD = frozenset({"PAUSED", "SUSPENDED", "RESCUE"})


def verb_of(server: ServerReading) -> str:
    """Return what makes a machine at rest run. Pure."""
    if server.status == "ERROR" and server.has_run:
        # Nothing else leads out of it, and Nova takes it from there.
        return "reboot"
    return _WAKE.get(server.status, "start")


def ensure_running(region: Region, server: ServerReading, fence: int) -> ServerReading:
    """Have a machine at rest run, marked by this hold: Nova takes no mark in some of the states it is brought out of.

    Raises:
        Transient: ``openstack.machine_failed``, ``openstack.not_ready``.
    """
    if state_of(server) is not Observed.RUNNING:
        verb = verb_of(server)
        server = act(region, server, verb, _call(region, server, verb), until=Observed.RUNNING)
    return take_fence(region, server, fence)


def ensure_stopped(region: Region, server: ServerReading, fence: int) -> ServerReading:
    """Have a machine at rest be off, marked by this hold.

    Raises:
        Transient: ``openstack.machine_failed``, ``openstack.not_ready``.
    """
    if state_of(server) is not Observed.STOPPED:
        if server.status in _HELD:
            server = ensure_running(region, server, fence)
        server = act(region, server, "stop", _call(region, server, "stop"), until=Observed.STOPPED)
    return take_fence(region, server, fence)


def _call(region: Region, server: ServerReading, verb: str) -> Callable[[], object]:
    compute: Any = region.sdk.compute
    if verb == "reboot":
        return lambda: compute.reboot_server(server.server_id, "HARD")
    return lambda: getattr(compute, f"{verb}_server")(server.server_id)
