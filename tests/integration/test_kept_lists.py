"""Lists a controller keeps are never older than the transaction that decides. On both engines; only PostgreSQL keeps any."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, event, insert, update

from controller.tickets.model import Ticket
from controller.workflows import tickets
from controller.workflows.reading import KeptLists
from inventory.domain.catalogue import ImageState
from inventory.domain.errors import AllotError, QuotaExceeded
from inventory.store import revisions
from inventory.store import tables as t
from inventory.store.engine import Database, open_database
from metering.tables import prices
from quotas.tables import quotas
from tests.support.platform import Furnished, furnish
from tests.support.samples import ticket_text

#: What is written behind the controller's back, and how the next ticket is answered.
REVOKED = [
    pytest.param(update(t.images).values(state=ImageState.WITHDRAWN.value), "ticket.unknown_name", id="image"),
    pytest.param(delete(t.sizes).where(t.sizes.c.name == "tiny"), "ticket.unknown_name", id="size"),
    pytest.param(update(t.projects).values(is_open=0), "ticket.project_closed", id="project"),
    pytest.param(update(t.zones).values(mlps_max=1), "ticket.mlps_above_zone", id="zone"),
    pytest.param(
        update(t.departments).values(code=t.departments.c.code + "-2", name="x"), "ticket.unknown_name", id="department"
    ),
    pytest.param(delete(prices).where(prices.c.meter == "vcpu"), "usage.price_gap", id="price"),
]


def _replace(connection: Connection) -> None:
    row = dict(connection.execute(delete(t.sizes).where(t.sizes.c.name == "small").returning(*t.sizes.c)).one()._mapping)
    connection.execute(insert(t.sizes).values({**row, "name": "other"}))


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Furnished:
    return furnish(database, tmp_path, host_count=2)


def _submitted(here: Furnished, name: str) -> Ticket:
    return tickets.submit(here.platform, ticket_text(name), here.caller())


@contextmanager
def _statements(database: Database) -> Iterator[list[str]]:
    """Note every statement that is run meanwhile."""
    seen: list[str] = []

    def run(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(" ".join(statement.split()))

    event.listen(database.engine, "before_cursor_execute", run)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", run)


@pytest.mark.parametrize(("revoke", "code"), REVOKED)
def test_what_was_revoked_is_refused_by_the_next_ticket(here: Furnished, revoke: Any, code: str) -> None:
    _submitted(here, "before")
    with here.platform.db.write() as connection:
        connection.execute(revoke)
    with pytest.raises(AllotError) as refused:
        _submitted(here, "after")
    assert code in {refused.value.code, *(p.code for p in refused.value.problems)}


def test_a_new_price_is_what_the_next_ticket_tells(here: Furnished) -> None:
    before = _submitted(here, "before").plan["month_price_after_yuan"]
    with here.platform.db.write() as connection:
        connection.execute(update(prices).values(micro_yuan_per_unit_hour=2 * prices.c.micro_yuan_per_unit_hour))
    after = _submitted(here, "after").plan["month_price_after_yuan"]
    assert float(after) == pytest.approx(2 * float(before), rel=1e-4)


def test_a_limit_is_no_list_that_is_kept(here: Furnished) -> None:
    _submitted(here, "before")
    with here.platform.db.write() as connection:
        connection.execute(update(quotas).values(mode="limit", limit_amount=1))
    with pytest.raises(QuotaExceeded):
        _submitted(here, "after")


@pytest.mark.postgres
def test_what_nobody_changed_is_not_read_again(postgres_database: Database, tmp_path: Path) -> None:
    here = furnish(postgres_database, tmp_path, host_count=2)
    _submitted(here, "first")
    with _statements(postgres_database) as seen:
        _submitted(here, "second")
    whole = [
        s
        for s in seen
        for name in ("departments", "projects", "zones", "sizes", "images", "prices")
        if f" FROM {name} ORDER" in s
    ]
    assert not whole
    assert sum("sizes.xmin" in s for s in seen) == 1


@pytest.mark.postgres
@pytest.mark.parametrize("first_to_commit", [0, 1])
def test_two_that_write_at_once_are_each_seen_once_committed(
    postgres_database: Database, tmp_path: Path, first_to_commit: int
) -> None:
    furnish(postgres_database, tmp_path, host_count=1)
    engine, seen = postgres_database.engine, [_revision(postgres_database)]
    with engine.connect() as one, engine.connect() as other:
        one.execute(update(t.sizes).where(t.sizes.c.name == "tiny").values(root_disk_gib=2))
        other.execute(update(t.sizes).where(t.sizes.c.name == "small").values(root_disk_gib=2))
        assert _revision(postgres_database) == seen[0]
        for connection in (one, other) if first_to_commit == 0 else (other, one):
            connection.commit()
            seen.append(_revision(postgres_database))
    assert len(set(seen)) == 3


@pytest.mark.postgres
@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda c: c.execute(update(t.sizes).values(name=t.sizes.c.name)), id="the same values again"),
        pytest.param(_replace, id="a row for a row"),
        pytest.param(lambda c: c.execute(delete(t.sizes).where(t.sizes.c.name == "small")), id="a row less"),
    ],
)
def test_every_write_is_another_revision_and_a_rolled_back_one_is_none(
    postgres_database: Database, tmp_path: Path, write: Callable[[Connection], Any]
) -> None:
    furnish(postgres_database, tmp_path, host_count=1)
    before = _revision(postgres_database)
    with postgres_database.engine.connect() as connection:
        write(connection)
        connection.rollback()
    assert _revision(postgres_database) == before
    with postgres_database.write() as connection:
        write(connection)
    assert _revision(postgres_database) != before


def _revision(database: Database) -> revisions.Revision | None:
    with database.read() as connection:
        return revisions.revision(connection, [t.sizes, t.images])


@pytest.mark.postgres
def test_lists_of_one_state_are_not_those_of_another(postgres_database: Database, postgres_url: str) -> None:
    kept, other = KeptLists(), open_database(postgres_url)
    try:
        with postgres_database.read() as connection:
            kept.now(connection)["sizes"] = []
            assert kept.now(connection) == {"sizes": []}
        with other.read() as connection:
            assert kept.now(connection) == {}
    finally:
        other.dispose()


@pytest.mark.postgres
def test_a_server_that_was_started_anew_is_not_trusted_to_number_on(postgres_database: Database) -> None:
    before = _revision(postgres_database)
    with postgres_database.read() as connection:
        since = connection.exec_driver_sql("SELECT pg_postmaster_start_time()::text").scalar_one()
    assert before is not None
    assert since in before
