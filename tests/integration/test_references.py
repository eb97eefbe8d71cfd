"""Rows of resources and claims have no foreign keys: the auditor finds names of nothing."""

from pathlib import Path

import pytest
from sqlalchemy import update

from controller.reconcile.auditor import audit_invariants
from controller.workflows import tickets
from inventory.store import tables as t
from inventory.store.engine import Database
from tests.support.platform import Furnished, furnish
from tests.support.samples import ticket_text


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Furnished:
    furnished = furnish(database, tmp_path, host_count=2)
    tickets.submit(furnished.platform, ticket_text("portal"), furnished.caller())
    return furnished


@pytest.mark.parametrize(
    ("column", "owner"),
    [
        (t.resources.c.department_id, "resources"),
        (t.resources.c.project_id, "resources"),
        (t.resources.c.system_id, "resources"),
        (t.resources.c.host_id, "resources"),
        (t.resources.c.target_host_id, "resources"),
        (t.resources.c.lost_host_id, "resources"),
        (t.claims.c.project_id, "claims"),
        (t.claims.c.resource_id, "claims"),
    ],
    ids=str,
)
def test_a_name_of_nothing_is_found(here: Furnished, column: object, owner: str) -> None:
    name = getattr(column, "key", "")
    table = t.METADATA.tables[owner]
    with here.platform.db.write() as connection:
        assert audit_invariants(connection, {}) == []
        one = update(table).where(table.c.resource_kind == "instance" if owner == "claims" else table.c.kind == "instance")
        connection.execute(one.values({name: "nobody"}))
        found = [v.detail for v in audit_invariants(connection, {}) if v.rule == "reference"]
        connection.rollback()
    assert found == [f"{owner} name nobody, which there is not"]
