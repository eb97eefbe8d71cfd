"""Callers with names of their own, where who is who matters."""

import httpx

from controller.identity import tokens
from controller.identity.caller import Role
from inventory.domain.ids import random_ids
from tests.support.api import Service
from tests.support.asgi import client_of


def as_person(service: Service, name: str, role: Role, department: str = "") -> httpx.Client:
    """Return a client of a person by name."""
    with service.platform.db.write() as connection:
        _, secret = tokens.issue(
            connection,
            new_id=random_ids(),
            user_name=name,
            role=role,
            department_id=service.city.departments[department].id if department else None,
            now_s=service.clock(),
            days=1,
        )
    headers = {"Accept-Language": "en", "Authorization": f"Bearer {secret}"}
    return client_of(service.app, service.runner, headers=headers, address="192.0.2.9")
