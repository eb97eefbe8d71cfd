"""The command line and the service on PostgreSQL: made, served, and the tools of the embedded state refused with the cure."""

from pathlib import Path

import pytest

from tests.support.postgres import PostgresServer
from tests.support.service import ServiceUnderTest, free_port, service, ticket

pytestmark = pytest.mark.postgres


def test_a_ticket_becomes_machines_with_the_state_in_postgresql(tmp_path: Path, postgres_server: PostgresServer) -> None:
    url = postgres_server.create_database(empty=True)
    try:
        with service(tmp_path / "service", state_url=url) as found:
            assert "is done" in found.ok("apply", found.write("one.yaml", ticket("one", count=2)), "--yes", "--wait").out
            assert found.ok("quota", "audit").out.startswith("Every counter equals")
            found.ok("db", "check")
            refused = found.allot("db", "backup", "copy.sqlite")
            assert refused.code == 1
            assert "pg_dump" in refused.err
            assert found.stop() == 0
            assert "Traceback" not in found.log_text()
    finally:
        postgres_server.drop_database(url)


def test_a_database_that_does_not_answer_ends_with_75(tmp_path: Path) -> None:
    found = ServiceUnderTest(tmp_path / "service", state_url=f"postgresql://allot:hunter2@127.0.0.1:{free_port()}/allot")
    for command in (("init",), ("serve",), ("db", "check")):
        told = found.allot(*command)
        assert told.code == 75, told.err
        assert "state.unreachable" in told.err
        assert "hunter2" not in told.err + told.out
