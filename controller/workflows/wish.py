"""Bytes → wish: a ticket read, and its names looked up among what this caller may name. Called by check, plan and submit."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from controller.identity.caller import Caller
from controller.tickets import store
from controller.tickets.language import TicketDocument, parse_ticket
from controller.tickets.model import Action
from controller.tickets.plan import diff
from controller.tickets.resolve import (
    Directory,
    ImageOffer,
    Offer,
    ProjectOffer,
    SizeOffer,
    ZoneOffer,
    resolve_change,
    resolve_create,
    resolve_renew,
)
from controller.workflows.draw import named_reservation
from controller.workflows.platform import Platform
from controller.workflows.quote import Wish
from controller.workflows.reading import Reader
from inventory.domain.catalogue import ImageState
from inventory.domain.errors import Conflict, Invalid, NotFound, Problem
from inventory.domain.host import ZoneLimits
from inventory.domain.organisation import Department
from inventory.domain.system import System, SystemSpec, SystemState
from inventory.store import foreign, systems


def parse(platform: Platform, data: bytes) -> TicketDocument:
    """Return the document in ``data``; asks nobody.

    Raises:
        Invalid: with every problem of the document.
    """
    return parse_ticket(data, today=datetime.fromtimestamp(platform.clock(), platform.zone).date())


def read_wish(reader: Reader, document: TicketDocument, caller: Caller) -> Wish:
    """Return what a ticket wants.

    Raises:
        Invalid: with every name nobody knows and every value that is not offered.
        NotFound: ``system.not_found``: no such system, or not one of the caller's; ``ticket.reservation_unknown``.
        Conflict: ``system.exists``, ``system.releasing``, ``ticket.base_stale``, ``adoption.system_read_only``.
    """
    connection = reader.connection
    offer = offered(
        reader,
        caller,
        with_traits=any(server.traits for server in document.servers),
        with_disks=any(server.disks or server.root_disk_class is not None for server in document.servers),
        with_limits=bool(document.servers),
    )
    department = _department(reader, document, caller)
    current = _current(reader, document, caller, department)
    if current is not None and document.action is not Action.RENEW and foreign.is_read_only(connection, current.id):
        raise Conflict("adoption.system_read_only", system=current.name)
    wanted = _as_before(connection, document, current) or _wanted(document, offer, current)
    spec = wanted or (current.spec if current else None)
    assert spec is not None, "a release names a system that exists"
    project = next(p for p in reader.projects if p.code == spec.project)
    return Wish(
        action=document.action,
        name=document.name,
        department=next(d for d in reader.departments if d.code == spec.department),
        project=project,
        reservation=named_reservation(connection, document, project),
        zone=next(z for z in reader.zones if z.code == spec.zone),
        current=current,
        wanted=wanted,
        changes=diff(current, wanted, document.action),
        images=reader.images,
        sha256=document.sha256,
        spec_digest=wanted.digest() if wanted else "",
        notices=tuple(n.to_json() for n in document.notices),
    )


def offered(
    reader: Reader, caller: Caller, *, with_traits: bool = True, with_disks: bool = True, with_limits: bool = True
) -> Directory:
    """Return what this caller may name in a ticket: its own departments and their projects, and the catalogue.

    What hosts have by name is read from all of them, classes of disks from all storage pools: only where it is needed. So is
    what no host of a zone does; where there is such, classes of disks are a part of it.
    """
    mine = [d for d in reader.departments if caller.scope.allows(d.id)]
    limits = reader.zone_limits if with_limits else {}
    disk_classes = reader.disk_classes if with_disks or limits else {}
    codes = {d.id: d.code for d in mine}
    return Directory(
        departments=tuple(Offer(code=d.code, name=d.name) for d in mine),
        projects=tuple(
            ProjectOffer(code=p.code, name=p.name, department=codes[p.department_id], is_open=p.is_open)
            for p in reader.projects
            if p.department_id in codes
        ),
        zones=tuple(
            ZoneOffer(
                code=z.code,
                name=z.name,
                mlps_max=z.mlps_max,
                network_class=z.network_class,
                limits=limits.get(z.code, ZoneLimits()),
            )
            for z in reader.zones
        ),
        sizes=tuple(
            SizeOffer(
                code=s.name,
                vcpu_count=s.vcpu_count,
                memory_mib=s.memory_mib,
                root_disk_gib=s.root_disk_gib,
                layout=s.layout,
                traits=s.traits,
            )
            for s in reader.sizes
        ),
        images=tuple(
            ImageOffer(code=i.name, name=i.title, arch=i.arch, virtual_size_gib=i.virtual_size_gib)
            for i in reader.images.values()
            if i.state is ImageState.ACTIVE
        ),
        disk_classes=tuple(Offer(code=c) for c in disk_classes),
        root_only_classes=frozenset(c for c, roots_only in disk_classes.items() if roots_only),
        traits=tuple(Offer(code=name) for name in reader.traits) if with_traits else (),
    )


def _department(reader: Reader, document: TicketDocument, caller: Caller) -> Department | None:
    """Return the department the document names, if the caller may know it."""
    if document.department is None:
        return None
    for department in reader.departments:
        if document.department in (department.code, department.name) and caller.scope.allows(department.id):
            return department
    return None


def _current(reader: Reader, document: TicketDocument, caller: Caller, department: Department | None) -> System | None:
    """Return the living system the document speaks of; a create speaks of one only when it is there already."""
    if document.action is Action.CREATE:
        if department is None or reader.is_unheard_of(department.id, document.name):
            return None
        return systems.find(reader.connection, department.id, document.name)
    scope = caller.scope if department is None else replace(caller.scope, department_ids=frozenset({department.id}))
    try:
        return systems.get(reader.connection, document.name, scope)
    except NotFound as error:
        place = document.where("metadata.name")
        raise NotFound("system.not_found", problems=[Problem("system.not_found", error.params, place)], **error.params) from error


def _as_before(connection: Connection, document: TicketDocument, current: System | None) -> SystemSpec | None:
    """Return the current spec when these very bytes made it: "in 12 months" says another day tomorrow and means the same."""
    if current is None or document.action is Action.RELEASE:
        return None
    digest = current.spec.digest()
    earlier = store.latest_like(connection, current.department_id, current.name, document.sha256, digest)
    made_it = earlier is not None and earlier.sha256 == document.sha256 and earlier.spec_digest == digest
    return current.spec if made_it and current.state not in (SystemState.RELEASING, SystemState.RELEASED) else None


def _wanted(document: TicketDocument, offer: Directory, current: System | None) -> SystemSpec | None:
    if document.action is Action.RELEASE:
        return None
    if current is not None and current.state in (SystemState.RELEASING, SystemState.RELEASED):
        raise Conflict("system.releasing", system=current.name)
    if document.action is Action.CREATE:
        spec = resolve_create(document, offer)
        if current is not None and current.spec.digest() != spec.digest():
            place = document.where("metadata.name")
            params: dict[str, Any] = {"system": current.name, "revision": current.revision}
            raise Conflict("system.exists", problems=[Problem("system.exists", params, place)], **params)
        return spec
    assert current is not None
    if document.action is Action.CHANGE:
        return resolve_change(document, current, offer)
    if document.action is Action.RENEW:
        return resolve_renew(document, current)
    raise Invalid("ticket.not_offered", field="metadata.action")
