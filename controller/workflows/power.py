"""Start, stop and restart a machine on a person's word; who sees its screen. The API calls this; the reconciler does it."""

from typing import Any

from sqlalchemy import Connection

from controller.identity.caller import Caller
from controller.workflows.platform import Platform
from controller.workflows.sealing import seal
from inventory.domain.errors import Conflict, NotFound
from inventory.domain.resource import Desired, Phase, Resource, ResourceKind
from inventory.store import resources


def instance(connection: Connection, instance_id: str, caller: Caller) -> Resource:
    """Return a machine the caller may know of.

    Raises:
        NotFound: ``instance.not_found``.
    """
    try:
        found = resources.get(connection, instance_id, caller.scope)
    except NotFound:
        raise NotFound("instance.not_found", instance=instance_id) from None
    if found.kind is not ResourceKind.INSTANCE:
        raise NotFound("instance.not_found", instance=instance_id)
    return found


def start(platform: Platform, instance_id: str, caller: Caller) -> Resource:
    """Have a machine running.

    Raises:
        NotFound: ``instance.not_found``.
        Conflict: ``instance.state_forbids``.
    """
    return _want(platform, instance_id, caller, Desired.RUNNING)


def stop(platform: Platform, instance_id: str, caller: Caller) -> Resource:
    """Have a machine stopped; it keeps its claims, disks and addresses.

    Raises:
        NotFound: ``instance.not_found``.
        Conflict: ``instance.state_forbids``.
    """
    return _want(platform, instance_id, caller, Desired.STOPPED)


def reboot(platform: Platform, instance_id: str, caller: Caller) -> Resource:
    """Have a machine restarted in place, once: while one restart is still to come, another order adds none.

    Raises:
        NotFound: ``instance.not_found``.
        Conflict: ``instance.state_forbids``, ``instance.not_running``.
    """

    def once(connection: Connection) -> Resource:
        found = _meant_to_run(connection, instance_id, caller)
        is_new = resources.order_reboot(connection, found.id, platform.clock())
        _seal(connection, platform, caller, found, "reboot", is_new=is_new)
        return resources.get(connection, found.id, caller.scope)

    return platform.db.run(once)


def see_screen(platform: Platform, instance_id: str, caller: Caller) -> Resource:
    """Note that a person is about to see, and use, the screen of a machine that should run; returns the machine.

    Raises:
        NotFound: ``instance.not_found``.
        Conflict: ``instance.state_forbids``, ``instance.not_running``.
    """

    def once(connection: Connection) -> Resource:
        found = _meant_to_run(connection, instance_id, caller)
        _seal(connection, platform, caller, found, "screen")
        return found

    return platform.db.run(once)


def _want(platform: Platform, instance_id: str, caller: Caller, desired: Desired) -> Resource:
    def once(connection: Connection) -> Resource:
        found = _living(connection, instance_id, caller)
        # Settled and not as wanted: it was changed behind the platform's back and left so. A person's word is a wish anew.
        is_left = found.phase is Phase.SETTLED and found.observed.value != desired.value
        if found.desired is not desired or is_left:
            # The last ticket stays the resource's ticket: a stop is not a change of what the department asked for.
            assert found.ticket_id is not None, "every machine was asked for by a ticket"
            resources.wish(connection, [found.id], desired=desired, ticket_id=found.ticket_id, now_s=platform.clock())
        verb = "start" if desired is Desired.RUNNING else "stop"
        _seal(connection, platform, caller, found, verb, was=found.desired.value)
        return resources.get(connection, found.id, caller.scope)

    return platform.db.run(once)


def _living(connection: Connection, instance_id: str, caller: Caller) -> Resource:
    found = instance(connection, instance_id, caller)
    if found.desired is Desired.ABSENT or found.phase in (Phase.GONE, Phase.FAILED):
        raise Conflict("instance.state_forbids", instance=found.name, phase=found.phase.value, desired=found.desired.value)
    return found


def _meant_to_run(connection: Connection, instance_id: str, caller: Caller) -> Resource:
    found = _living(connection, instance_id, caller)
    if found.desired is not Desired.RUNNING:
        raise Conflict("instance.not_running", instance=found.name)
    return found


def _seal(connection: Connection, platform: Platform, caller: Caller, found: Resource, verb: str, **detail: Any) -> None:
    facts = {"name": found.name, **detail}
    seal(connection, platform, caller, f"instance.{verb}", found.id, facts, found.department_id)
