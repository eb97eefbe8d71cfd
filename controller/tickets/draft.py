"""Tickets that the platform writes: their head, and how they are printed. People hand them in, or the command line does."""

from collections.abc import Mapping
from typing import Any

import yaml

from inventory.importers.kinds import API_VERSION


def head(name: str, action: str, applicant: Mapping[str, Any], **metadata: Any) -> dict[str, Any]:
    """Return what every ticket begins with; ``metadata`` is what else is said of the system itself."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Ticket",
        "metadata": {"name": name, **metadata, "action": action},
        "applicant": dict(applicant),
    }


def printed(document: Mapping[str, Any]) -> str:
    """Return a ticket as a person reads it, and may change it before it is handed in."""
    return yaml.safe_dump(dict(document), allow_unicode=True, sort_keys=False)
