"""Domain values as plain JSON values. Every field that leaves is named here; nothing leaves by being added elsewhere."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from controller.api.problems import both, describe
from controller.identity.tokens import Token
from controller.tickets.model import Approval, Ticket, TicketEvent, ToldEvent
from controller.workflows.reservations import Shown
from inventory.domain.catalogue import Image
from inventory.domain.errors import Problem
from inventory.domain.host import Host
from inventory.domain.layout import cell_dimension, cpu_dimension, cpus_text, huge_dimension
from inventory.domain.lease import LeaseStage
from inventory.domain.resource import Resource, ResourceKind
from inventory.domain.resources import MEMORY_MIB, is_fine
from inventory.domain.system import System
from inventory.store.hosts import InventoryRow

Names = Mapping[Any, str]
_NOTICES: Mapping[str, str] = {
    LeaseStage.IN_30_DAYS: "notice.lease_30_days",
    LeaseStage.IN_7_DAYS: "notice.lease_7_days",
    LeaseStage.IN_1_DAY: "notice.lease_1_day",
    LeaseStage.OVER: "notice.lease_over",
}


def problem(value: Problem | None, language: str) -> dict[str, Any] | None:
    """Return a stored problem with its sentences."""
    return describe(value, language) if value else None


def ticket(value: Ticket, language: str) -> dict[str, Any]:
    """Return a ticket."""
    return {
        "id": value.id,
        "action": value.action,
        "state": value.state,
        "system_name": value.system_name,
        "system_id": value.system_id,
        "department_id": value.department_id,
        "project_id": value.project_id,
        "sha256": value.sha256,
        "spec_digest": value.spec_digest,
        "plan": value.plan,
        "problem": problem(value.problem, language),
        "created_by": value.created_by,
        "created_at_s": value.created_at_s,
        "accepted_at_s": value.accepted_at_s,
        "finished_at_s": value.finished_at_s,
        "revision": value.revision,
    }


def notice(value: Mapping[str, Any], zone: ZoneInfo, language: str) -> dict[str, Any]:
    """Return a notice in both languages; the lease ends with its last day, at the midnight after it in ``zone``."""
    last_day = datetime.fromtimestamp(value["lease_end_s"] - 1, zone).date().isoformat()
    problem = Problem(_NOTICES[value["stage"]], {"system": value["system"], "last_day": last_day})
    sentences = {name: text for name, text in describe(problem, language).items() if name not in ("line", "column", "pointer")}
    own = ("id", "at_s", "stage", "system", "system_id", "department_id", "lease_end_s")
    return {**{name: value[name] for name in own}, **sentences}


def approval(value: Approval) -> dict[str, Any]:
    """Return a decision."""
    return {name: getattr(value, name) for name in ("stage", "decided_by", "decision", "reason", "at_s")}


def event(value: TicketEvent, language: str) -> dict[str, Any]:
    """Return a line of a story in both languages."""
    texts = both(value.code, value.params)
    mine = texts["detail_en" if language == "en" else "detail_zh"]
    own = {"text": mine, "text_zh": texts["detail_zh"], "text_en": texts["detail_en"]}
    return {**{n: getattr(value, n) for n in ("seq", "at_s", "subject", "code")}, "params": dict(value.params), **own}


def told_event(value: ToldEvent, language: str) -> dict[str, Any]:
    """Return a line among those of all stories."""
    whose = {name: getattr(value, name) for name in ("ticket_id", "department_id", "system_name")}
    return {**event(value.event, language), **whose}


def system(value: System) -> dict[str, Any]:
    """Return a system."""
    return {
        "id": value.id,
        "name": value.name,
        "department_id": value.department_id,
        "project_id": value.project_id,
        "state": value.state,
        "revision": value.revision,
        "lease_end_s": value.lease_end_s,
        "spec": value.spec.to_json(),
    }


def _resource(value: Resource, host_names: Names, language: str) -> dict[str, Any]:
    return {
        "id": value.id,
        "name": value.name,
        "department_id": value.department_id,
        "project_id": value.project_id,
        "system_id": value.system_id,
        "host_id": value.host_id,
        "host": host_names.get(value.host_id),
        "desired": value.desired,
        "observed": value.observed,
        "phase": value.phase,
        "generation": value.generation,
        "settled_generation": value.settled_generation,
        "ticket_id": value.ticket_id,
        "step": value.step,
        "attempts": value.attempts,
        "problem": problem(value.problem, language),
        "revision": value.revision,
        "created_at_s": value.created_at_s,
        "observed_at_s": value.observed_at_s,
    }


def instance(value: Resource, host_names: Names, language: str) -> dict[str, Any]:
    """Return a machine; its user data and keys stay inside."""
    spec = value.instance
    return {
        **_resource(value, host_names, language),
        "vcpu_count": spec.vcpu_count,
        "memory_mib": spec.memory_mib,
        "image_id": spec.image_id,
        "root_disk_gib": spec.root_disk_gib,
        "root_disk_class": spec.root_disk_class,
        "size": spec.size,
        "group": spec.group,
        "is_reboot_due": value.is_reboot_due,
        "seat": spec.seat.to_json() if spec.seat else None,
        "nics": [{"network": n.network, "segment_id": n.segment_id, "mac": n.mac, "address": n.address} for n in spec.nics],
        "disks": [{"volume_id": d.volume_id, "name": d.name, "slot": d.slot} for d in spec.disks],
    }


def volume(value: Resource, host_names: Names, language: str) -> dict[str, Any]:
    """Return a data disk."""
    spec = value.volume
    own = {"size_gib": spec.size_gib, "disk_class": spec.disk_class, "instance_id": spec.instance_id}
    return {**_resource(value, host_names, language), **own}


def system_with_parts(value: System, parts: list[Resource], host_names: Names, language: str) -> dict[str, Any]:
    """Return a system with its machines and disks."""
    machines = [instance(r, host_names, language) for r in parts if r.kind is ResourceKind.INSTANCE]
    volumes = [volume(r, host_names, language) for r in parts if r.kind is ResourceKind.VOLUME]
    return {**system(value), "instances": machines, "volumes": volumes}


_HOST_FIELDS = (
    "id",
    "name",
    "pool_id",
    "connection",
    "admin_state",
    "reachability",
    "state_reason",
    "state_by",
    "state_until_s",
    "site",
    "room",
    "rack",
    "vendor",
    "owner",
    "warranty_until",
    "watts_idle",
    "watts_most",
    "dedicated_cpus",
    "shared_cpus",
    "observed_at_s",
    "unreachable_since_s",
    "revision",
)


def host(value: Host, capacity: list[InventoryRow]) -> dict[str, Any]:
    """Return a host with what may be promised on it."""
    fields = ("provider_id", "dimension", "capacity", "total", "used", "foreign_used", "held_reserve", "held_reservations")
    return {
        **{name: getattr(value, name) for name in _HOST_FIELDS},
        "facts": asdict(value.facts) if value.facts else None,
        "reserved": dict(value.reserved),
        "capacity_override": dict(value.capacity_override),
        "overcommit_permille": dict(value.overcommit_permille),
        "traits": list(value.traits),
        "capacity": [{name: getattr(row, name) for name in fields} for row in capacity if not is_fine(row.dimension)],
        "cells": _cells(value, {row.dimension: row for row in capacity if row.provider_id == value.id}),
    }


def _cells(value: Host, rows: Mapping[str, InventoryRow]) -> list[dict[str, Any]]:
    def used(dimension: str) -> int:
        return rows[dimension].used if dimension in rows else 0

    found = []
    for cell in value.cells:
        own = [cpu for core in cell.dedicated for cpu in core]
        found.append(
            {
                "id": cell.id,
                "shared_cpus": cpus_text(cell.shared),
                "dedicated_cpus": cpus_text(own),
                "dedicated_free": cpus_text(cpu for cpu in own if not used(cpu_dimension(cpu))),
                "memory_mib": cell.cell.ordinary_mib,
                "memory_used_mib": used(cell_dimension(cell.id, MEMORY_MIB)),
                "huge_pages": [
                    {"page_kib": kib, "total_mib": mib, "used_mib": used(cell_dimension(cell.id, huge_dimension(kib)))}
                    for kib, mib in cell.cell.huge_mib
                ],
            }
        )
    return found


def image(value: Image) -> dict[str, Any]:
    """Return an image; where the controller keeps it is nobody's business."""
    fields = ("id", "name", "title", "arch", "disk_format", "sha256", "size_bytes", "virtual_size_gib", "state")
    return {name: getattr(value, name) for name in fields}


def token(value: Token) -> dict[str, Any]:
    """Return a token's record."""
    return asdict(value)


def reservation(value: Shown) -> dict[str, Any]:
    """Return a reservation with the codes people know."""
    names = ("department", "project", "zone", "left_count", "no_address_count", "astray_count")
    hidden = {"department_id", "project_id", "zone_id"}
    own = {name: found for name, found in asdict(value.reservation).items() if name not in hidden}
    return {**own, **{name: getattr(value, name) for name in names}}


def quota_level(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a scope says of one dimension."""
    fields = ("scope_id", "scope_kind", "scope", "scope_name", "dimension", "mode", "limit", "used")
    return {name: value[name] for name in fields}
