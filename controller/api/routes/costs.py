"""The cost side: cost pools, where cost went, and where capacity went."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from controller.api import schemas
from controller.api.auth import GuardedRoute
from controller.api.bodies import YamlBody, yaml_request
from controller.api.context import TheCall
from controller.api.paging import IfMatch, as_read, content_tag, json_answer, whole_answer
from controller.workflows import costs
from metering.costs import CostPool
from metering.rating import yuan

router = APIRouter(route_class=GuardedRoute, tags=["metering"])

_DOCUMENT = "A document of `kind: CostPools`, at most 256 KiB."


@router.post("/v1/cost-pools", response_model=schemas.CostPoolPage, openapi_extra=yaml_request(_DOCUMENT))
def set_cost_pools(call: TheCall, data: YamlBody, if_match: IfMatch = None) -> Response:
    """Set all cost pools from a document; the one before holds no longer."""
    return _pools(costs.set_pools(call.platform, data, call.caller, as_read(if_match, "cost-pools", _listed)))


@router.get("/v1/cost-pools", response_model=schemas.CostPoolPage)
def list_cost_pools(call: TheCall) -> Response:
    """List the cost pools that hold."""
    return _pools(costs.pools(call.platform))


def _pools(pools: Sequence[CostPool]) -> Response:
    # One document that finance wrote.
    return whole_answer(_listed(pools), headers={"ETag": content_tag(_listed(pools))})


def _listed(pools: Sequence[CostPool]) -> list[dict[str, Any]]:
    return [_pool(p) for p in sorted(pools, key=lambda p: p.name)]


@router.get("/v1/periods/{period}/costs", response_model=schemas.CostReport)
def get_costs(call: TheCall, period: str) -> Response:
    """Show where the cost of a month went, up to now, beside what departments are charged."""
    found = costs.shares(call.platform, period)
    total, charged, surplus = (found.pop(f"{name}micro_yuan") for name in ("", "charged_", "surplus_"))
    money = {"yuan": yuan(total), "charged_yuan": yuan(charged), "surplus_yuan": yuan(surplus)}
    return json_answer({**found, **money, "pools": [_share(p) for p in found["pools"]]})


@router.get("/v1/periods/{period}/places", response_model=schemas.PlaceReport)
def get_places(call: TheCall, period: str) -> Response:
    """Show where the capacity of every host went in a month, up to now: the parts of each row add up to its capacity."""
    found = costs.places(call.platform, period)
    return json_answer({**found, "places": [_place(p) for p in found["places"]], "unplaced": _texts(found["unplaced"])})


def _place(place: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with its amounts as decimal integers: they may be larger than a reader's numbers."""
    return {name: _texts(value) if isinstance(value, Mapping) else str(value) for name, value in place.items()}


def _texts(amounts: Mapping[str, int]) -> dict[str, str]:
    return {name: str(amount) for name, amount in amounts.items()}


def _pool(pool: CostPool) -> dict[str, Any]:
    own = {name: getattr(pool, name) for name in ("name", "kind", "from_s", "to_s", "meter")}
    return {**own, "yuan": yuan(pool.micro_yuan), "hosts": list(pool.hosts), "policy": pool.policy.value}


def _share(share: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{name: share[name] for name in ("pool", "kind", "meter")},
        "yuan": yuan(share["micro_yuan"]),
        "departments": {code: yuan(n) for code, n in share["departments"].items()},
        "platform": {row: yuan(n) for row, n in share["platform"].items()},
        "unallocated_yuan": yuan(share["unallocated"]),
    }
