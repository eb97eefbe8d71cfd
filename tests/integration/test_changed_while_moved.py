"""A ticket for another size is decided while a move of the machine ends: where the machine came to is not written over.

On PostgreSQL: there a reconciler ends the move while the ticket's transaction is open.
"""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from controller.tickets.model import TicketState
from controller.workflows import tickets
from inventory.domain.resource import InstanceSpec, Resource, ResourceKind
from inventory.domain.scope import PLATFORM
from inventory.store import resources, systems
from inventory.store import tables as t
from tests.support.platform import Furnished
from tests.support.samples import change_text, ticket_text

pytestmark = pytest.mark.postgres


def the_machine(here: Furnished) -> Resource:
    with here.platform.db.read() as connection:
        [machine] = resources.page(connection, PLATFORM, kind=ResourceKind.INSTANCE, limit=9)
    return machine


def arrive(here: Furnished) -> InstanceSpec:
    """Have the machine be elsewhere, with another card, as the end of a move writes it."""
    machine = the_machine(here)
    there = replace(machine.instance, nics=tuple(replace(nic, address="10.96.0.61") for nic in machine.instance.nics))
    values: dict[str, Any] = {"spec": there.to_json(), "revision": machine.revision + 1}
    with here.platform.db.write() as connection:
        connection.execute(update(t.resources).where(t.resources.c.id == machine.id).values(**values))
    return there


def test_another_size_leaves_a_machine_where_a_move_brought_it_meanwhile(
    here_on_postgres: Furnished, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets.submit(here_on_postgres.platform, ticket_text("portal"), here_on_postgres.caller())
    before, write = the_machine(here_on_postgres), systems.replace
    there: list[InstanceSpec] = []

    def write_after_a_move(*args: Any, **named: Any) -> None:
        if not there:
            there.append(arrive(here_on_postgres))
        write(*args, **named)

    monkeypatch.setattr(systems, "replace", write_after_a_move)
    ticket = tickets.submit(
        here_on_postgres.platform, change_text("portal", "{name: web, size: small}"), here_on_postgres.caller()
    )
    assert ticket.state is TicketState.ACCEPTED
    now = the_machine(here_on_postgres)
    assert now.instance.nics == there[0].nics != before.instance.nics
    assert (now.instance.vcpu_count, now.generation) == (2, before.generation + 1)
    assert now.instance.vcpu_count != before.instance.vcpu_count
