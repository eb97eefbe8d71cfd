"""Departments, projects, zones, pools, sizes and images: small tables, read whole or by code."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, select

from inventory.domain.catalogue import Image, ImageState, Size
from inventory.domain.errors import NotFound
from inventory.domain.host import LossPolicy, Pool, Reserve, ReserveLevel, Zone
from inventory.domain.ids import DepartmentId, ImageId, ProjectId, ZoneId
from inventory.domain.layout import Layout
from inventory.domain.organisation import Billing, Department, Project
from inventory.domain.scope import Scope, of_departments
from inventory.domain.system import SystemState
from inventory.store import bulk, changes
from inventory.store import tables as t
from inventory.store.scoping import in_scope

#: Tables of organisation and catalogue that a ticket is read with, for who keeps lists of them (``revisions``).
LISTED = (t.departments, t.projects, t.zones, t.sizes, t.images)


def _mapping(row: Row[Any]) -> dict[str, Any]:
    return dict(row._mapping)


def departments(connection: Connection) -> list[Department]:
    """Return every department, by code."""
    rows = connection.execute(select(t.departments).order_by(t.departments.c.code))
    return [department_of(r) for r in rows]


def department_of(row: Row[Any]) -> Department:
    """Return the department of a row."""
    values = _mapping(row)
    return Department(**{**values, "billing": Billing(values["billing"]) if values["billing"] else None})


def projects(connection: Connection) -> list[Project]:
    """Return every project, by code."""
    return [Project(**_mapping(r)) for r in connection.execute(select(t.projects).order_by(t.projects.c.code))]


def departments_page(connection: Connection, scope: Scope, *, limit: int, after: str = "") -> list[Department]:
    """Return up to ``limit`` departments of a scope with a code greater than ``after``, by code."""
    c = t.departments.c
    rows = connection.execute(select(t.departments).where(c.code > after, in_scope(scope, c.id)).order_by(c.code).limit(limit))
    return [department_of(r) for r in rows]


def projects_page(connection: Connection, scope: Scope, *, limit: int, after: str = "") -> list[Project]:
    """Return up to ``limit`` projects of a scope with a code greater than ``after``, by code."""
    c = t.projects.c
    statement = select(t.projects).where(c.code > after, in_scope(scope, c.department_id)).order_by(c.code).limit(limit)
    return [Project(**_mapping(r)) for r in connection.execute(statement)]


def project_names(connection: Connection) -> dict[str, tuple[str, str, str]]:
    """Return code, name and budget code of every project, by id."""
    c = t.projects.c
    rows = connection.execute(select(c.id, c.code, c.name, c.budget_code)).all()
    return {id_: (code, name, budget) for id_, code, name, budget in rows}


def zones(connection: Connection) -> list[Zone]:
    """Return every zone, by code."""
    return [Zone(**_mapping(r)) for r in connection.execute(select(t.zones).order_by(t.zones.c.code))]


def pools(connection: Connection) -> list[Pool]:
    """Return every pool, by code."""
    return [pool_of(_mapping(r)) for r in connection.execute(select(t.pools).order_by(t.pools.c.code))]


def pool_of(row: Mapping[str, Any]) -> Pool:
    """Return the pool of a row's values."""
    values = dict(row)
    reserve = Reserve(level=ReserveLevel(values.pop("reserve_level")), count=values.pop("reserve_count"))
    loss = LossPolicy(after_s=values.pop("loss_after_s"), most=values.pop("loss_most"))
    return Pool(**values, reserve=reserve, loss=loss)


def sizes(connection: Connection) -> list[Size]:
    """Return every size, smallest first."""
    rows = connection.execute(select(t.sizes).order_by(t.sizes.c.vcpu_count, t.sizes.c.memory_mib, t.sizes.c.name))
    return [_size(r) for r in rows]


def _size(row: Row[Any]) -> Size:
    values = _mapping(row)
    return Size(**{**values, "layout": Layout(**(values["layout"] or {})), "traits": tuple(values["traits"] or ())})


def images(connection: Connection) -> list[Image]:
    """Return every image, by name."""
    return [_image(r) for r in connection.execute(select(t.images).order_by(t.images.c.name))]


def image(connection: Connection, image_id: ImageId | str) -> Image:
    """Return one image.

    Raises:
        NotFound: ``image.unknown``.
    """
    row = connection.execute(select(t.images).where(t.images.c.id == image_id)).one_or_none()
    if row is None:
        raise NotFound("image.unknown", image=image_id)
    return _image(row)


def _image(row: Row[Any]) -> Image:
    values = _mapping(row)
    return Image(**{**values, "state": ImageState(values["state"])})


def department_by_code(connection: Connection, code: str) -> Department:
    """Return one department by code or name.

    Raises:
        NotFound: ``department.not_found``.
    """
    column = t.departments.c
    row = connection.execute(select(t.departments).where((column.code == code) | (column.name == code))).first()
    if row is None:
        raise NotFound("department.not_found", department=code)
    return department_of(row)


def subtree(connection: Connection, root: DepartmentId) -> Scope:
    """Return the scope of a department and everything below it."""
    children: dict[str | None, list[str]] = {}
    for row in connection.execute(select(t.departments.c.id, t.departments.c.parent_id)):
        children.setdefault(row.parent_id, []).append(row.id)
    found: list[str] = []
    todo: list[str] = [root]
    while todo:
        here = todo.pop()
        found.append(here)
        todo.extend(children.get(here, ()))
    return of_departments(*(DepartmentId(d) for d in found))


def ancestors(departments_: Sequence[Department], department_id: DepartmentId) -> list[Department]:
    """Return a department and its ancestors, nearest first."""
    by_id = {d.id: d for d in departments_}
    chain: list[Department] = []
    here: DepartmentId | None = department_id
    while here is not None:
        chain.append(by_id[here])
        here = by_id[here].parent_id
    return chain


def save_department(connection: Connection, department: Department) -> None:
    """Write a department."""
    billing = department.billing and department.billing.value
    bulk.upsert(connection, t.departments, [{**asdict(department), "billing": billing}])


def save_project(connection: Connection, project: Project) -> None:
    """Write a project."""
    bulk.upsert(connection, t.projects, [asdict(project)])


def save_zone(connection: Connection, zone: Zone) -> None:
    """Write a zone."""
    values = asdict(zone)
    before = changes.row_before(connection, t.zones, values)
    bulk.upsert(connection, t.zones, [values])
    changes.note(connection, None, before)


def save_pool(connection: Connection, pool: Pool) -> None:
    """Write a pool."""
    values = {name: getattr(pool, name) for name in ("id", "code", "name", "zone_id", "driver", "mlps_max", "placement")}
    values |= {"overcommit_permille": dict(pool.overcommit_permille), "drift": dict(pool.drift)}
    values |= {"reserve_level": pool.reserve.level.value, "reserve_count": pool.reserve.count}
    values |= {"loss_after_s": pool.loss.after_s, "loss_most": pool.loss.most}
    before = changes.row_before(connection, t.pools, values)
    bulk.upsert(connection, t.pools, [values])
    changes.note(connection, None, before)


def save_size(connection: Connection, size: Size) -> None:
    """Write a size."""
    layout = size.layout.to_json() if size.layout else None
    bulk.upsert(connection, t.sizes, [{**asdict(size), "layout": layout, "traits": list(size.traits) or None}])


def save_image(connection: Connection, image_: Image) -> None:
    """Write an image."""
    bulk.upsert(connection, t.images, [{**asdict(image_), "state": image_.state.value}])


#: Advisory lock of those who add hosts or import a site; the number only has to be ours alone.
_EDIT_LOCK = 0x64697265637431


def lock_for_edit(connection: Connection) -> None:
    """Let one transaction at a time add hosts or import a site, so that what it checked stays true until it commits."""
    bulk.lock(connection, _EDIT_LOCK)


def project_has_systems(connection: Connection, project_id: ProjectId) -> bool:
    """Tell whether a system that is not released belongs to a project."""
    statement = select(t.systems.c.id).where(
        t.systems.c.project_id == project_id, t.systems.c.state != SystemState.RELEASED.value
    )
    return connection.execute(statement.limit(1)).first() is not None


def zone_has_subnets(connection: Connection, zone_id: ZoneId) -> bool:
    """Tell whether subnets of a zone's range are given out."""
    return connection.execute(select(t.subnets.c.cidr).where(t.subnets.c.zone_id == zone_id).limit(1)).first() is not None


def image_by_name(connection: Connection, name: str) -> Image | None:
    """Return one image by name (or id), withdrawn ones too."""
    row = connection.execute(select(t.images).where((t.images.c.name == name) | (t.images.c.id == name))).first()
    return _image(row) if row else None
