"""What Prometheus is to scrape, by its HTTP service discovery: the whole list each time, an empty one when there is nothing."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Query
from starlette.responses import Response

from controller.api import schemas
from controller.api.auth import GuardedRoute
from controller.api.context import TheContext
from controller.api.paging import json_answer
from inventory.store import estate
from inventory.store.estate import HostSeen, MachineSeen

router = APIRouter(route_class=GuardedRoute, tags=["service"])

#: Prometheus keeps every target it is told in memory.
_MOST = 100_000
Port = Annotated[int, Query(ge=1, le=65535, description="Where the exporter listens.")]


@router.get("/v1/discovery/hosts", response_model=list[schemas.ScrapeTarget])
def discover_hosts(context: TheContext, port: Port = 9100) -> Response:
    """List every host that is not retired, for exporters on hosts."""
    with context.platform.db.read() as connection:
        found = estate.hosts(connection)
    # What Prometheus asks for has no pages.
    return json_answer([_host(h, port) for h in found])


@router.get("/v1/discovery/instances", response_model=list[schemas.ScrapeTarget])
def discover_instances(context: TheContext, port: Port = 9100) -> Response:
    """List every living machine with an address, for exporters inside guests."""
    with context.platform.db.read() as connection:
        found = estate.machines(connection, _MOST)
    # What Prometheus asks for has no pages.
    return json_answer([_machine(one, port) for one in found if one.address])


def _host(host: HostSeen, port: int) -> dict[str, object]:
    # Where the driver reaches it; a connection without a network is this machine's own.
    address = urlsplit(host.connection).hostname if "://" in host.connection else None
    labels = {
        "host": host.name,
        "pool": host.pool,
        "zone": host.zone,
        "admin_state": host.admin_state,
        "reachability": host.reachability,
    }
    return {"targets": [f"{_bracketed(address or host.name)}:{port}"], "labels": _meta(labels)}


def _machine(machine: MachineSeen, port: int) -> dict[str, object]:
    labels = {
        "instance_id": machine.id,
        "name": machine.name,
        "department": machine.department,
        "project": machine.project,
        "system": machine.system,
        "host": machine.host,
        "pool": machine.pool,
        "zone": machine.zone,
        "observed": machine.observed,
    }
    return {"targets": [f"{_bracketed(machine.address)}:{port}"], "labels": _meta(labels)}


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _meta(labels: dict[str, str]) -> dict[str, str]:
    return {f"__meta_allot_{name}": value for name, value in labels.items()}
