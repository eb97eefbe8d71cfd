"""Machines we did not make: what a pool has of them, and those that are in the books of a department."""

import dataclasses
from typing import Annotated, Any

from fastapi import APIRouter, Body
from starlette.responses import Response

from controller.api import schemas
from controller.api.auth import GuardedRoute
from controller.api.context import TheCall
from controller.api.paging import After, AfterPair, Limit, json_answer, page_answer
from controller.api.routes.systems import Department, narrowed
from controller.workflows import adoption as workflow
from controller.workflows.adoption import AdoptionWish, Candidate, Shown
from inventory.domain.resource import AdoptedDisk
from inventory.store import foreign

router = APIRouter(route_class=GuardedRoute, tags=["adoption"])


@router.get("/v1/pools/{pool}/foreign", response_model=schemas.CandidatePage)
def list_candidates(call: TheCall, pool: str, limit: Limit = 100, after: AfterPair = "") -> Response:
    """List the machines of a pool that are not ours, and the department each seems to belong to. Changes nothing."""
    found = workflow.candidates(call.platform, pool, limit=limit + 1, after=after)
    return page_answer(found, limit, _candidate, lambda c: foreign.place(c.machine))


@router.post("/v1/adoptions", response_model=schemas.AdoptionPage, status_code=201)
def take(call: TheCall, body: Annotated[schemas.AdoptionIn, Body()]) -> Response:
    """Take machines into the books of a project: metered from now on, counted against its quota, and never touched."""
    given = {**body.model_dump(), "machines": tuple(body.machines), "lease_end": body.lease_end.isoformat()}
    wish = AdoptionWish(**given)
    taken = workflow.take(call.platform, wish, call.caller)
    return json_answer({"items": [_adoption(s) for s in taken], "next": None}, status=201)


@router.get("/v1/adoptions", response_model=schemas.AdoptionPage)
def list_adoptions(call: TheCall, limit: Limit = 100, after: After = "", department: Department = "") -> Response:
    """List adopted machines."""
    with call.platform.db.read() as connection:
        scope = narrowed(connection, call, department)
    found = workflow.page(call.platform, scope, limit=limit + 1, after=after)
    return page_answer(found, limit, _adoption, lambda s: s.resource.id)


@router.post("/v1/adoptions/{adoption}/let-go", response_model=schemas.Adoption)
def let_go(call: TheCall, adoption: str) -> Response:
    """Take a machine out of the books; nothing happens to it."""
    return json_answer(_adoption(workflow.let_go(call.platform, adoption, call.caller)))


def _candidate(candidate: Candidate) -> dict[str, Any]:
    machine = dataclasses.asdict(candidate.machine)
    known, told = candidate.adopted, candidate.machine.disks
    classes = candidate.disk_classes
    disks = None if told is None else [{**dataclasses.asdict(d), "disk_class": classes.get(d.storage_pool, "")} for d in told]
    return {
        **machine,
        "disks": disks,
        "host": candidate.host,
        "department": candidate.department,
        "project": candidate.project,
        "adoption_id": known.id if known else None,
    }


def _disk(disk: AdoptedDisk) -> dict[str, Any]:
    names = ("uuid", "storage_pool", "size_gib", "disk_class")
    return {name: getattr(disk, name) for name in names}


def _adoption(shown: Shown) -> dict[str, Any]:
    resource = shown.resource
    return {
        "id": resource.id,
        "name": resource.name,
        "uuid": resource.adopted.uuid,
        "owner": resource.adopted.owner,
        "system": shown.system,
        "system_id": resource.system_id,
        "department": shown.department,
        "project": shown.project,
        "host": shown.host,
        "vcpu_count": resource.adopted.vcpu_count,
        "memory_mib": resource.adopted.memory_mib,
        "disks": [_disk(d) for d in resource.adopted.disks],
        "observed": resource.observed.value,
        "since_s": resource.created_at_s,
    }
