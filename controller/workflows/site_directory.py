"""Site import: departments, projects, zones and pools compared with the directory."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from ipaddress import IPv4Network, ip_network
from typing import Any

from sqlalchemy import Connection

from controller.workflows.site_changes import Comparison
from drivers.registry import driver_names
from inventory.domain.host import Pool, Zone
from inventory.domain.ids import DepartmentId, PoolId, ProjectId, ZoneId
from inventory.domain.organisation import Department, Project
from inventory.importers.site_records import SitePool, SiteZone
from inventory.store import capacities, directory
from inventory.store import hosts as host_store
from quotas import store as quota_store
from quotas.limits import ScopeKind


def compare_directory(found: Comparison) -> None:
    """Compare what everything else refers to, in an order in which it can be written."""
    _departments(found)
    _projects(found)
    _zones(found)
    _pools(found)


def _departments(found: Comparison) -> None:
    stored = directory.departments(found.connection)
    found.departments = {d.code: d for d in stored}
    codes: dict[DepartmentId | None, str] = {None: "", **{d.id: d.code for d in stored}}
    for wanted in found.document.departments:
        known = found.departments.get(wanted.code)
        parent_id = found.departments[wanted.parent].id if wanted.parent else None
        id_ = known.id if known else DepartmentId(found.platform.new_id("department"))
        department = Department(id=id_, code=wanted.code, name=wanted.name, parent_id=parent_id, billing=wanted.billing)
        if known and known.parent_id != parent_id:
            found.moved.append(id_)
        before = {"name": known.name, "parent": codes[known.parent_id], "billing": known.billing} if known else None
        found.departments[wanted.code] = department
        codes[id_] = wanted.code
        found.note(
            "department",
            wanted.code,
            before,
            {"name": wanted.name, "parent": wanted.parent, "billing": wanted.billing},
            partial(directory.save_department, department=department),
            partial(quota_store.ensure_rows, scopes=[(ScopeKind.DEPARTMENT, id_)]),
        )
    _check_tree(found)


def _check_tree(found: Comparison) -> None:
    """Refuse a department that would stand below itself, through stored departments too."""
    by_id = {d.id: d for d in found.departments.values()}
    for moved_id in found.moved:
        above, steps = by_id[moved_id].parent_id, 0
        while above is not None and above != moved_id and steps <= len(by_id):
            above, steps = by_id[above].parent_id, steps + 1
        if above is not None:
            moved = by_id[moved_id]
            parent = by_id[moved.parent_id].code if moved.parent_id else ""
            found.refuse("site.department_below_itself", "departments", department=moved.code, parent=parent)


def _projects(found: Comparison) -> None:
    found.projects = {p.code: p for p in directory.projects(found.connection)}
    codes = {d.id: d.code for d in found.departments.values()}
    for index, wanted in enumerate(found.document.projects):
        known = found.projects.get(wanted.code)
        home = found.departments[wanted.department]
        if known and known.department_id != home.id and directory.project_has_systems(found.connection, known.id):
            found.refuse("site.project_in_use", f"projects.{index}.department", project=wanted.code)
        project = Project(
            id=known.id if known else ProjectId(found.platform.new_id("project")),
            code=wanted.code,
            name=wanted.name,
            department_id=home.id,
            budget_code=wanted.budget_code,
            is_open=wanted.is_open,
        )
        found.projects[wanted.code] = project
        before, after = (_project_fields(p, codes) if p else {} for p in (known, project))
        found.note(
            "project",
            wanted.code,
            before or None,
            after,
            partial(directory.save_project, project=project),
            partial(quota_store.ensure_rows, scopes=[(ScopeKind.PROJECT, project.id)]),
        )


def _project_fields(project: Project, codes: Mapping[DepartmentId, str]) -> dict[str, Any]:
    fields = {name: getattr(project, name) for name in ("name", "budget_code", "is_open")}
    return {**fields, "department": codes[project.department_id]}


def _zones(found: Comparison) -> None:
    found.zones = {z.code: z for z in directory.zones(found.connection)}
    for index, wanted in enumerate(found.document.zones):
        known = found.zones.get(wanted.code)
        if known:
            _check_range_is_free(found, f"zones.{index}.address-range", known, wanted)
        zone = Zone(id=known.id if known else ZoneId(found.platform.new_id("zone")), **_fields(wanted))
        found.zones[wanted.code] = zone
        found.note("zone", wanted.code, _fields(known) if known else None, _fields(zone), partial(directory.save_zone, zone=zone))
    _check_overlaps(found)


def _fields(zone: Zone | SiteZone) -> dict[str, Any]:
    names = ("code", "name", "network_class", "mlps_max", "address_range", "segment_prefix")
    return {name: getattr(zone, name) for name in names}


def _check_range_is_free(found: Comparison, path: str, known: Zone, wanted: SiteZone) -> None:
    # Wider is well: what is given out stays where it is.
    is_wider = IPv4Network(known.address_range).subnet_of(IPv4Network(wanted.address_range))
    is_kept = is_wider and known.segment_prefix == wanted.segment_prefix
    if not is_kept and directory.zone_has_subnets(found.connection, known.id):
        found.refuse("site.zone_in_use", path, zone=known.code, range=known.address_range, prefix=known.segment_prefix)


def _check_overlaps(found: Comparison) -> None:
    """Refuse ranges that overlap those of zones the document does not name."""
    named = {z.code for z in found.document.zones}
    for index, wanted in enumerate(found.document.zones):
        for other in found.zones.values():
            if other.code not in named and ip_network(other.address_range).overlaps(ip_network(wanted.address_range)):
                found.refuse("site.ranges_overlap", f"zones.{index}.address-range", zone=wanted.code, other=other.code)


def _pools(found: Comparison) -> None:
    found.pools = {p.code: p for p in directory.pools(found.connection)}
    codes = {z.id: z.code for z in found.zones.values()}
    for index, wanted in enumerate(found.document.pools):
        known = found.pools.get(wanted.code)
        pool = Pool(
            id=known.id if known else PoolId(found.platform.new_id("pool")),
            code=wanted.code,
            name=wanted.name,
            zone_id=found.zones[wanted.zone].id,
            driver=wanted.driver,
            mlps_max=wanted.mlps_max,
            overcommit_permille=dict(wanted.overcommit_permille),
            reserve=wanted.reserve,
            placement=wanted.placement,
            drift=dict(wanted.drift),
            loss=wanted.loss,
        )
        _check_pool(found, f"pools.{index}", wanted, pool, known)
        found.pools[wanted.code] = pool
        before, after = (_pool_fields(p, codes) if p else {} for p in (known, pool))
        writes = [partial(directory.save_pool, pool=pool), partial(_save_capacities, pool=pool)]
        found.note("pool", wanted.code, before or None, after, *writes)


def _pool_fields(pool: Pool, codes: Mapping[ZoneId, str]) -> dict[str, Any]:
    return {
        "name": pool.name,
        "zone": codes[pool.zone_id],
        "driver": pool.driver,
        "mlps_max": pool.mlps_max,
        "overcommit_permille": dict(pool.overcommit_permille),
        "reserve": {"survive": pool.reserve.level.value, "count": pool.reserve.count},
        "placement": pool.placement,
        "drift": dict(pool.drift),
        "lost_hosts": asdict(pool.loss) if pool.loss.is_on else {},
    }


def _check_pool(found: Comparison, path: str, wanted: SitePool, pool: Pool, known: Pool | None) -> None:
    zone = found.zones[wanted.zone]
    if wanted.driver not in driver_names():
        found.refuse("driver.unknown", f"{path}.driver", name=wanted.driver, known=", ".join(driver_names()))
    policies = found.platform.policy.others
    if pool.placement and pool.placement not in policies:
        known_names = ", ".join(sorted(policies))
        found.refuse("placement.policy_unknown", f"{path}.placement", name=pool.placement, known=known_names)
    if pool.loss.is_on and not found.platform.fencing.has_means(pool.code):
        found.refuse("site.fencing_missing", f"{path}.lost-hosts", pool=pool.code)
    if pool.mlps_max > zone.mlps_max:
        found.refuse("site.pool_above_zone", f"{path}.mlps-max", level=pool.mlps_max, maximum=zone.mlps_max, zone=zone.code)
    if known and (known.zone_id, known.driver) != (pool.zone_id, pool.driver):
        hosts = host_store.page(found.connection, limit=1, pool_id=known.id)
        if hosts:
            found.refuse("site.pool_in_use", f"{path}.zone", pool=known.code, host=hosts[0].name)


def _save_capacities(connection: Connection, pool: Pool) -> None:
    """Apply a pool's overcommit to the hosts it has."""
    storage = host_store.storage_pools(connection)
    for host in host_store.hosts(connection):
        if host.pool_id == pool.id:
            capacities.save_capacity(connection, host, pool, [s for s in storage if s.host_id == host.id])
