"""Start and stop a machine on a person's word. The API calls this; the reconciler does it."""

from sqlalchemy import Connection

from controller.identity import audit
from controller.identity.caller import Caller
from controller.workflows.platform import Platform
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


def _want(platform: Platform, instance_id: str, caller: Caller, desired: Desired) -> Resource:
    def once(connection: Connection) -> Resource:
        found = instance(connection, instance_id, caller)
        if found.desired is Desired.ABSENT or found.phase in (Phase.GONE, Phase.FAILED):
            raise Conflict("instance.state_forbids", instance=found.name, phase=found.phase.value, desired=found.desired.value)
        now_s = platform.clock()
        if found.desired is not desired:
            # The last ticket stays the resource's ticket: a stop is not a change of what the department asked for.
            assert found.ticket_id is not None, "every machine was asked for by a ticket"
            resources.wish(connection, [found.id], desired=desired, ticket_id=found.ticket_id, now_s=now_s)
        verb = "start" if desired is Desired.RUNNING else "stop"
        event = audit.event_by(
            caller,
            at_s=now_s,
            action=f"instance.{verb}",
            target=found.id,
            department_id=found.department_id,
            detail={"name": found.name, "was": found.desired.value},
        )
        audit.append(connection, event)
        return resources.get(connection, found.id, caller.scope)

    return platform.db.run(once)
