"""Somebody at the door of a running service: raw requests, and what every refusal must carry."""

import re
from dataclasses import dataclass, field
from typing import Any

import httpx

from controller.reconcile.auditor import audit_invariants
from inventory.store import hosts
from inventory.store.engine import Database
from quotas import store as quota_store

_CHINESE = re.compile("[\u4e00-\u9fff]")


@dataclass
class Door:
    """A caller with a token."""

    url: str
    token: str
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        limits = httpx.Limits(max_connections=80, max_keepalive_connections=80)
        headers = {"Authorization": f"Bearer {self.token}"}
        self.client = httpx.Client(base_url=self.url, headers=headers, timeout=90, limits=limits, trust_env=False)

    def __enter__(self) -> "Door":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def submit(self, text: str | bytes, *, confirm: str = "") -> httpx.Response:
        """Hand a ticket in."""
        data = text.encode() if isinstance(text, str) else text
        return self.client.post(
            "/v1/tickets", params={"confirm": confirm}, content=data, headers={"Content-Type": "application/yaml"}
        )

    def get(self, path: str) -> httpx.Response:
        """Look at something."""
        return self.client.get(path)

    def items(self, path: str) -> list[dict[str, Any]]:
        """Return the first page of a list."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["items"]
        return found


def refusal(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check that an answer is a complete refusal in both languages, and return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    body: dict[str, Any] = answer.json()
    assert body["code"] == code, answer.text
    for part in (body, *body["problems"]):
        for name in ("detail", "cure"):
            zh, en = part[f"{name}_zh"], part[f"{name}_en"]
            assert _CHINESE.search(zh), f"{part['code']} has no Chinese {name}"
            assert en, f"{part['code']} has no English {name}"
            assert "{" not in zh + en, f"{part['code']}: a parameter of the {name} is missing: {zh} / {en}"
    if status == 503:
        assert int(answer.headers["retry-after"]) > 0
    return body


def nothing_half_done(database: Database) -> None:
    """Recount every promise and ask the auditor."""
    with database.read(is_steady=True) as connection:
        assert hosts.recount_used(connection) == []
        assert quota_store.recount(connection) == []
        assert audit_invariants(connection, {}) == []
