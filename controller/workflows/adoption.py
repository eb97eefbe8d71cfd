"""Adoption: machines somebody else made are taken into the books of a department, looked at and metered, and never touched.

The API and ``allot adopt`` call it; the reconciler follows what their hosts show of them (``controller.reconcile.adopted``).
Room is not asked for, because the machines are there already: what counted as foreign counts as claimed from then on. Quota is.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from controller.identity.caller import Caller
from controller.workflows.adopted_rows import claims_of, end, enter, host_of, pools_of, resize
from controller.workflows.hosts import pool_by_code
from controller.workflows.obligation import lease_end_s
from controller.workflows.open_project import open_project
from controller.workflows.platform import Platform
from controller.workflows.sealing import seal
from inventory.domain.claim import quota_amounts
from inventory.domain.errors import Conflict, Invalid, NotFound
from inventory.domain.host import ForeignDomain, Host, Pool
from inventory.domain.ids import HostId, ResourceId, SystemId
from inventory.domain.organisation import Department, Project, place_name
from inventory.domain.resource import Resource
from inventory.domain.scope import Scope
from inventory.domain.system import System, SystemSpec, SystemState
from inventory.store import directory, foreign, systems
from inventory.store import hosts as host_store
from quotas import store as quota_store

#: Machines taken at once.
TAKE_MOST = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptionWish:
    """Which machines go to whom."""

    #: Codes.
    pool: str
    project: str
    #: Name of the system they are shown as; made with the first of them.
    system: str
    mlps_level: int
    #: Last day of its lease, ISO.
    lease_end: str
    environment: str = "production"
    #: All machines of this owner at the back end.
    owner: str = ""
    #: Or these, as the back end calls them.
    machines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A machine that is not ours, and whose it seems to be."""

    machine: ForeignDomain
    host: str
    #: Codes; empty where its owner's name says nothing.
    department: str
    project: str
    #: It is in the books already.
    adopted: Resource | None
    #: Classes of the storage pools of its host, by their names at the back end.
    disk_classes: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An adopted machine with what people call its parts."""

    resource: Resource
    host: str
    system: str
    department: str
    project: str


def suggested(owner: str, departments: Sequence[Department], projects: Sequence[Project]) -> tuple[str, str]:
    """Return the codes of the department and the project an owner's name speaks of, empty where it says nothing. Pure."""
    for project in projects:
        if owner == project.code:
            return next(d.code for d in departments if d.id == project.department_id), project.code
    for department in departments:
        if owner and owner in (department.code, department.name, place_name(department.code)):
            own = [p.code for p in projects if p.department_id == department.id and p.is_open]
            return department.code, own[0] if len(own) == 1 else ""
    return "", ""


def candidates(platform: Platform, pool_code: str, *, limit: int, after: str = "") -> list[Candidate]:
    """Return up to ``limit`` machines of a pool that we did not make, by host and id, behind one; changes nothing.

    Raises:
        NotFound: ``pool.not_found``.
    """
    with platform.db.read() as connection:
        _pool, hosts = _pool_of(connection, pool_code)
        departments, projects = directory.departments(connection), directory.projects(connection)
        found = foreign.page(connection, [h.id for h in hosts.values()], limit=limit, after=after)
        known = {a.adopted.uuid: a for a in foreign.adopted_as(connection, [m.uuid for m in found])}
        classes = {host_id: _classes(connection, host_id) for host_id in sorted({m.host_id for m in found})}
    seen = [(m, suggested(m.owner, departments, projects)) for m in found]
    return [
        Candidate(
            machine=m,
            host=hosts[m.host_id].name,
            department=dept,
            project=proj,
            adopted=known.get(m.uuid),
            disk_classes=classes[m.host_id],
        )
        for m, (dept, proj) in seen
    ]


def _classes(connection: Connection, host_id: HostId) -> Mapping[str, str]:
    return {name: pool.disk_class for name, pool in pools_of(connection, host_id).items()}


def take(platform: Platform, wish: AdoptionWish, caller: Caller) -> list[Shown]:
    """Take machines into the books of a project, all or none; those that are in it already are taken at their size of today.

    Raises:
        Invalid: ``adoption.nothing_named``, ``adoption.too_many``, ``adoption.level_too_high``, ``adoption.lease_past``.
        NotFound: ``pool.not_found``, ``project.not_found``, ``adoption.machines_unknown``.
        Conflict: ``adoption.project_closed``, ``adoption.taken``, ``adoption.system_has_own_machines``.
        QuotaExceeded: they count against quota from now on.
    """
    _check(platform, wish)

    def once(connection: Connection) -> list[Shown]:
        pool, hosts = _pool_of(connection, wish.pool)
        if wish.mlps_level > pool.mlps_max:
            raise Invalid("adoption.level_too_high", level=wish.mlps_level, most=pool.mlps_max, pool=pool.code)
        project = open_project(connection, wish.project, caller.scope, closed_code="adoption.project_closed")
        chosen = _chosen(connection, wish, hosts)
        for host_id in sorted({m.host_id for m in chosen}):
            host_store.host(connection, host_id, lock=True)
        known = {a.adopted.uuid: a for a in foreign.adopted_as(connection, [m.uuid for m in chosen])}
        system = _system(connection, platform, wish, pool, project, caller)
        taken = [_take(connection, platform, system, m, known.get(m.uuid)) for m in chosen]
        _count(connection, project, [growth for _, growth in taken])
        for host_id in sorted({m.host_id for m in chosen}):
            foreign.recount_foreign(connection, host_id)
        detail = {"system": system.name, "project": project.code, "machines": [m.uuid for m in chosen]}
        seal(connection, platform, caller, "adoption.take", system.id, detail, project.department_id)
        return _shown(connection, [machine for machine, _ in taken])

    return platform.db.run(once)


def page(platform: Platform, scope: Scope, *, limit: int, after: str = "") -> list[Shown]:
    """Return up to ``limit`` adopted machines of a scope with an id greater than ``after``."""
    with platform.db.read() as connection:
        return _shown(connection, foreign.adopted(connection, scope, limit=limit, after=after))


def let_go(platform: Platform, resource_id: str, caller: Caller) -> Shown:
    """Take a machine out of the books; it is foreign again, and nothing happens to it.

    Raises:
        NotFound: ``adoption.not_found``.
    """

    def once(connection: Connection) -> Shown:
        host_id = host_of(_living(connection, resource_id, caller))
        host_store.host(connection, host_id, lock=True)
        # Read again under the lock: somebody may have let it go, or a look may have written it, meanwhile.
        found = _living(connection, resource_id, caller)
        [shown] = _shown(connection, [found])
        now_s = platform.clock()
        gone = end(connection, found, at_s=int(now_s), now_s=now_s, source="controller")
        foreign.recount_foreign(connection, host_id)
        detail = {"machine": found.adopted.uuid, "name": found.name, "system": shown.system}
        seal(connection, platform, caller, "adoption.let_go", found.id, detail, found.department_id)
        return replace(shown, resource=gone)

    return platform.db.run(once)


def _living(connection: Connection, resource_id: str, caller: Caller) -> Resource:
    living = foreign.adopted(connection, caller.scope, resource_id=ResourceId(resource_id))
    if not living:
        raise NotFound("adoption.not_found", adoption=resource_id)
    return living[0]


def _check(platform: Platform, wish: AdoptionWish) -> None:
    if not wish.owner and not wish.machines:
        raise Invalid("adoption.nothing_named")
    if lease_end_s(wish.lease_end, platform.zone) <= platform.clock():
        raise Invalid("adoption.lease_past", lease_end=wish.lease_end)


def _pool_of(connection: Connection, code: str) -> tuple[Pool, Mapping[str, Host]]:
    pool = pool_by_code(directory.pools(connection), code)
    return pool, {h.id: h for h in host_store.hosts(connection) if h.pool_id == pool.id}


def _chosen(connection: Connection, wish: AdoptionWish, hosts: Mapping[str, Host]) -> list[ForeignDomain]:
    found = foreign.domains(connection, [h.id for h in hosts.values()])
    missing = set(wish.machines) - {m.uuid for m in found}
    chosen = [m for m in found if m.uuid in wish.machines or (wish.owner and m.owner == wish.owner)]
    if missing or not chosen:
        raise NotFound("adoption.machines_unknown", machines=", ".join(sorted(missing)) or wish.owner, pool=wish.pool)
    if len(chosen) > TAKE_MOST:
        raise Invalid("adoption.too_many", count=len(chosen), most=TAKE_MOST)
    return chosen


def _system(
    connection: Connection, platform: Platform, wish: AdoptionWish, pool: Pool, project: Project, caller: Caller
) -> System:
    """Return the system they are shown as, made where there is none of that name."""
    found = systems.find(connection, project.department_id, wish.system)
    if found is not None:
        if not foreign.is_read_only(connection, found.id) or found.project_id != project.id:
            raise Conflict("adoption.system_has_own_machines", system=found.name)
        return found
    department = next(d for d in directory.departments(connection) if d.id == project.department_id)
    zone = next(z for z in directory.zones(connection) if z.id == pool.zone_id)
    spec = SystemSpec(
        name=wish.system,
        title=wish.system,
        department=department.code,
        project=project.code,
        zone=zone.code,
        mlps_level=wish.mlps_level,
        environment=wish.environment,
        lease_end=wish.lease_end,
        owner=caller.user_name,
        contact_name=caller.user_name,
    )
    new = System(
        id=SystemId(platform.new_id("system")),
        name=wish.system,
        department_id=project.department_id,
        project_id=project.id,
        state=SystemState.ACTIVE,
        revision=1,
        spec=spec,
        lease_end_s=lease_end_s(spec.lease_end, platform.zone),
    )
    systems.insert(connection, [new], created_at_s=platform.clock())
    return new


def _take(
    connection: Connection, platform: Platform, system: System, machine: ForeignDomain, known: Resource | None
) -> tuple[Resource, Mapping[str, int]]:
    """Return the machine as it is in the books now, and what it counts more (or less) against quota than before."""
    now_s = platform.clock()
    if known is None:
        made = enter(connection, ResourceId(platform.new_id("adopted")), system, machine, now_s=now_s)
        return made, quota_amounts(claims_of(made))
    if known.system_id != system.id:
        raise Conflict("adoption.taken", machine=machine.name, adoption=known.id)
    now = resize(connection, known, machine, now_s=now_s)
    before, after = quota_amounts(claims_of(known)), quota_amounts(claims_of(now))
    return now, {name: after[name] - before[name] for name in after}


def _count(connection: Connection, project: Project, growths: Sequence[Mapping[str, int]]) -> None:
    """Count what all machines together weigh more or less against quota."""
    total: Counter[str] = Counter()
    for growth in growths:
        total.update(growth)
    quota_store.hold(connection, directory.departments(connection), project, {name: n for name, n in total.items() if n > 0})
    quota_store.release(connection, project.id, {name: -n for name, n in total.items() if n < 0})


def _shown(connection: Connection, found: Sequence[Resource]) -> list[Shown]:
    departments = {d.id: d.code for d in directory.departments(connection)}
    projects = {p.id: p.code for p in directory.projects(connection)}
    names = host_store.names(connection, [r.host_id for r in found if r.host_id])
    own = systems.names(connection, [r.system_id for r in found if r.system_id])
    return [
        Shown(
            resource=r,
            host=names.get(r.host_id, "") if r.host_id else "",
            system=own.get(r.system_id, "") if r.system_id else "",
            department=departments[r.department_id],
            project=projects[r.project_id] if r.project_id else "",
        )
        for r in found
    ]
