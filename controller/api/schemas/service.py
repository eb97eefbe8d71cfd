"""Whether the service lives and is ready."""

from typing import Literal

from controller.api.schemas.base import Out


class Health(Out):
    """Alive or ready, and what is missing."""

    status: Literal["ok", "waiting"]
    waiting_for: list[str]


class ScrapeTarget(Out):
    """One entry of Prometheus' HTTP service discovery."""

    targets: list[str]
    labels: dict[str, str]
