"""Routes by noun; each handler parses, calls one function, serialises."""

from controller.api.routes import (
    accountability,
    catalogue,
    findings,
    hosts,
    instances,
    quotas,
    service,
    site,
    systems,
    tickets,
    usage,
)

#: In the order they are looked through.
ROUTERS = (
    service.router,
    tickets.router,
    systems.router,
    instances.router,
    hosts.router,
    catalogue.router,
    findings.router,
    site.router,
    quotas.router,
    usage.router,
    accountability.router,
)
