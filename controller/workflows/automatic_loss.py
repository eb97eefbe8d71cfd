"""A host given up without a person's word: taken out of service, and lost once it is known to be off.

The reconciler calls it. Each step looks at the host's row under its lock again: a person who moved the host to another state, and
a host that answers, end it. Each is sealed in the audit chain as the controller's own act and told as a finding.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from controller.identity import audit
from controller.texts import catalogue
from controller.workflows.capacity.failure import Fate
from controller.workflows.loss import give_up, held_again
from controller.workflows.platform import Platform
from inventory.domain.errors import Problem
from inventory.domain.host import AdminState, Host
from inventory.domain.ids import HostId
from inventory.domain.loss import is_begun, is_given_up, verdict
from inventory.store import directory, findings, hosts, standby

#: Who did it, as hosts and the audit chain tell.
ACTOR = "allot"


def begin_loss(platform: Platform, host_id: HostId) -> Host | None:
    """Take a host out of service that is to be given up; nothing where it is not due any more."""

    def unit(connection: Connection) -> Host | None:
        before = hosts.host(connection, host_id, lock=True)
        pool = next(p for p in directory.pools(connection) if p.id == before.pool_id)
        own = [h for h in hosts.hosts(connection) if h.pool_id == pool.id]
        if before.id not in {h.id for h in verdict(own, pool.loss, platform.clock()).begin}:
            return None
        since_s, minutes = before.unreachable_since_s, pool.loss.after_s // 60
        reason = " / ".join(catalogue.say("host.loss_reason", {"minutes": minutes}, spoken) for spoken in catalogue.LANGUAGES)
        after = hosts.set_admin_state(
            connection, before.id, AdminState.CORDONED, reason=reason, by=ACTOR, until_s=None, loss_begun_s=platform.clock()
        )
        standby.renew(connection, [pool.id])
        _tell(connection, platform, after, {"what": "fencing", "since_s": since_s})
        _seal(connection, platform, "host.begin_loss", after, {"since_s": since_s, "after_s": pool.loss.after_s})
        return after

    return platform.db.run(unit)


def declare_fenced(platform: Platform, fenced: Host) -> list[Fate] | None:
    """Give up what is on a host that was just seen to be off; nothing where somebody decided otherwise, it answers, or by now
    more hosts are silent than may be given up.

    Raises:
        Unavailable: ``ticket.too_busy`` after a bounded number of tries.
    """

    def unit(connection: Connection) -> list[Fate] | None:
        host = hosts.host(connection, fenced.id, lock=True)
        pool = next(p for p in directory.pools(connection) if p.id == host.pool_id)
        own = [h for h in hosts.hosts(connection) if h.pool_id == pool.id]
        # Others may have fallen silent since: then rather the network is broken.
        is_due = host.id in {h.id for h in verdict(own, pool.loss, platform.clock()).go_on}
        if not is_due or host.revision != fenced.revision:
            return None
        reason, begun_s = host.state_reason, host.loss_begun_s
        hosts.set_admin_state(
            connection, host.id, AdminState.MAINTENANCE, reason=reason, by=ACTOR, until_s=None, loss_begun_s=begun_s
        )
        fates = give_up(connection, platform, host)
        placed = sum(1 for fate in fates if fate.to_host)
        _tell(connection, platform, host, {"what": "host_lost", "machines": len(fates), "placed": placed})
        _seal(connection, platform, "host.lose", host, {"reason": reason, "machines": len(fates), "placed": placed})
        return fates

    return held_again(platform, unit)


def note_not_fenced(platform: Platform, host: Host, problem: Problem) -> None:
    """Tell that a host could not be seen to be off: it keeps what it has."""

    def unit(connection: Connection) -> None:
        detail = {"what": "not_fenced", "reason": str(problem.params.get("reason", problem.code))}
        _tell(connection, platform, host, detail)
        _seal(connection, platform, "host.fence", host, {"code": problem.code}, audit.Result.FAILED)

    platform.db.run(unit)


def close_findings(platform: Platform) -> None:
    """Close what was told of hosts that a person has taken into his hands."""
    with platform.db.read() as connection:
        known = findings.open_subjects(connection, findings.HOST_LOST)
        if not known:
            return
        still = [_subject(h) for h in hosts.hosts(connection) if is_begun(h) or is_given_up(h)]
    if known - set(still):
        platform.db.run(lambda c: findings.close_of_kind(c, findings.HOST_LOST, but_subjects=still))


def _subject(host: Host) -> str:
    return f"{findings.HOST_LOST}:{host.id}"


def _tell(connection: Connection, platform: Platform, host: Host, detail: Mapping[str, Any]) -> None:
    own = {"id": platform.new_id("finding"), "kind": findings.HOST_LOST, "host_id": host.id, "resource_id": None}
    row = {**own, "subject": _subject(host), "detail": {"host": host.name, **detail}, "state": "open"}
    findings.save(connection, [row], platform.clock())


def _seal(
    connection: Connection,
    platform: Platform,
    action: str,
    host: Host,
    detail: Mapping[str, Any],
    result: audit.Result = audit.Result.OK,
) -> None:
    """Write the controller's own act; the last statement of its transaction (see ``audit.append``)."""
    event = audit.AuditEvent(
        at_s=platform.clock(),
        actor=ACTOR,
        role="controller",
        source="reconciler",
        action=action,
        target=host.id,
        result=result,
        detail={"host": host.name, **detail},
    )
    audit.append(connection, event)
