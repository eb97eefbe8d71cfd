"""The HTTP API under ``/v1``: ``wiring`` gives it its means, uvicorn serves it.

Handlers are thin and synchronous: read the request, call one function, write the answer. The door (``auth``), the problems
and the description of the API are put around them here, once.
"""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from controller.api import openapi, problems
from controller.api.context import Context, OpenDriver
from controller.api.limits import BodyLimit
from controller.api.routes import ROUTERS
from controller.api.segments import WholeSegments
from controller.identity.policy import RULES
from controller.workflows.platform import Platform
from drivers.faults import DriverFault
from inventory.domain.errors import AllotError
from inventory.domain.resource import Resource
from inventory.importers.image_fetching import FetchOptions

#: No document, no form and no list the platform reads is larger.
MAX_BODY_BYTES = 1 << 20


def create_app(
    platform: Platform,
    *,
    metrics: Callable[[], bytes],
    console: Callable[[Resource, int], bytes],
    screen: Callable[[Resource], str],
    drivers: OpenDriver,
    ready: Callable[[], list[str]],
    is_metrics_open_to_loopback: bool = True,
    more_metrics: Mapping[str, Callable[[], bytes]] | None = None,
    fetch_options: FetchOptions | None = None,
) -> FastAPI:
    """Return the application.

    Args:
        platform: What workflows stand on.
        metrics: Returns the current exposition; must be quick.
        console: Returns the end of an instance's serial log, at most so many bytes.
        screen: Returns where the screen of an instance is seen, for a short time.
        drivers: Opens a driver for a host to be enrolled.
        ready: Names what is not ready yet.
        more_metrics: Further expositions by name, told when a setting asks for them.
        is_metrics_open_to_loopback: Whether this machine itself may scrape without a token.
        fetch_options: From where images may be fetched; None: paths on the controller only.

    Raises:
        RuntimeError: a route stands in no rule, or a rule speaks of no route.
    """
    app = _Api(
        title="Allotment",
        version=openapi.VERSION,
        description=openapi.DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.context = Context(
        platform=platform,
        metrics=metrics,
        more_metrics=more_metrics or {},
        console=console,
        screen=screen,
        drivers=drivers,
        ready=ready,
        fetch_options=fetch_options,
        is_metrics_open_to_loopback=is_metrics_open_to_loopback,
    )
    app.add_middleware(BodyLimit, max_bytes=MAX_BODY_BYTES)
    app.add_middleware(WholeSegments)
    for router in ROUTERS:
        app.router.routes.extend(router.routes)
    _refuse_loose_ends(app)
    for kind in (AllotError, DriverFault, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, problems.answer)
    return app


class _Api(FastAPI):
    """Describes itself in our words."""

    def openapi(self) -> dict[str, Any]:
        """Return the description of the API."""
        return openapi.document(self)


def served(app: FastAPI) -> set[str]:
    """Return every ``METHOD /path`` the application answers."""
    return {f"{method} {route.path}" for route in app.routes if isinstance(route, APIRoute) for method in route.methods or ()}


def _refuse_loose_ends(app: FastAPI) -> None:
    loose = served(app) ^ RULES.keys()
    unguarded = [str(r) for r in app.routes if not isinstance(r, APIRoute)]
    if loose or unguarded:
        raise RuntimeError(f"routes and rules differ: {sorted(loose)} {unguarded}")
