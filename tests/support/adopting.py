"""Machines of others on simulated hosts, looked at and taken into the books as the loop and an operator do it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from controller.identity.caller import Role
from controller.reconcile.adopted import follow_adopted
from controller.reconcile.auditor import audit_invariants
from controller.workflows import adoption
from controller.workflows.adoption import AdoptionWish, Shown
from inventory.domain.host import ForeignDomain, Host
from inventory.domain.resources import VCPU
from inventory.store import findings, foreign, hosts, journal
from quotas import store as quota_store
from tests.support.platform import Furnished

WISH = AdoptionWish(pool="sim", project="P-portal", system="legacy", mlps_level=2, lease_end="2027-02-28", owner="civil-it")
PERIOD_S = 30.0


def machines(host: Host, **changes: Any) -> list[ForeignDomain]:
    """Return what stands on a host; changes are made to the first of them."""
    first = ForeignDomain(
        host_id=host.id, uuid="u-1", name="mail", vcpu_count=2, memory_mib=2048, is_running=True, owner="civil-it"
    )
    second = replace(first, uuid="u-2", name="archive", vcpu_count=1, memory_mib=1024, is_running=False)
    return [replace(first, **changes), second, replace(second, uuid="u-3", name="lab", owner="unknown")]


def look(
    here: Furnished,
    host: Host,
    found: Sequence[ForeignDomain],
    *,
    storage_gib: Mapping[str, int] = MappingProxyType({}),
    disks_age_s: float = 0.0,
) -> bool:
    """Write a look at a host as the loop does; tells whether somebody is missed."""
    with here.platform.db.write() as connection:
        now_s = here.clock()
        foreign.save_foreign(connection, host.id, found, now_s)
        foreign.save_storage(connection, host.id, storage_gib)
        told, is_missed = follow_adopted(
            connection, host.id, list(found), now_s=now_s, period_s=PERIOD_S, disks_age_s=disks_age_s
        )
        rows = [{"id": here.platform.new_id("finding"), "kind": f.kind, "host_id": f.host_id, "resource_id": f.resource_id,
                 "subject": f.subject, "detail": dict(f.detail), "state": f.state} for f in told]  # fmt: skip
        findings.save(connection, rows, now_s)
        foreign.recount_foreign(connection, host.id)
    return is_missed


def take(here: Furnished, **changes: Any) -> list[Shown]:
    """Adopt as the operator."""
    return adoption.take(here.platform, replace(WISH, **changes), here.caller(Role.OPERATOR))


def room(here: Furnished, host: Host) -> dict[str, tuple[int, int]]:
    """Return (claimed, foreign) of a host by dimension."""
    with here.platform.db.read() as connection:
        rows = hosts.inventories_of(connection, [host.id])[host.id]
    return {r.dimension: (r.used, r.foreign_used) for r in rows if r.provider_id == host.id}


def disk_room(here: Furnished, host: Host) -> tuple[int, int]:
    """Return the GiB (claimed, foreign) of a host's storage pool."""
    with here.platform.db.read() as connection:
        rows = hosts.inventories_of(connection, [host.id])[host.id]
    [found] = [(r.used, r.foreign_used) for r in rows if r.provider_id != host.id]
    return found


def history(here: Furnished, shown: Shown) -> list[tuple[str, int, str | None]]:
    """Return (state, vCPUs, host) of every line of the journal."""
    with here.platform.db.read() as connection:
        return [(r.state, r.amounts.get(VCPU, 0), r.host_id) for r in journal.of_resource(connection, shown.resource.id)]


def used(here: Furnished, dimension: str) -> int:
    """Return what the department is held to use."""
    with here.platform.db.read() as connection:
        code = here.city.departments["civil-it"].code
        [level] = [x for x in quota_store.levels(connection) if (x.scope, x.dimension) == (code, dimension)]
    return level.used


def assert_whole(here: Furnished) -> None:
    """Check every counter and every book."""
    with here.platform.db.read(is_steady=True) as connection:
        assert audit_invariants(connection, {}) == []
        assert quota_store.recount(connection) == []
