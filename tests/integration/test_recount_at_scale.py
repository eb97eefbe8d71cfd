"""What is recounted on large platforms is looked up, not compared each with each."""

from typing import Any

from sqlalchemy import event

from inventory.store import hosts
from tests.support.database import memory_database


def test_sums_of_claims_are_looked_up_by_provider_and_dimension() -> None:
    asked: list[tuple[str, Any]] = []
    with memory_database() as database:
        event.listen(
            database.engine, "before_cursor_execute", lambda _connection, _cursor, sql, given, *_: asked.append((sql, given))
        )
        with database.read() as connection:
            assert hosts.recount_used(connection) == []
            sql, given = asked[-1]
            steps = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given)]
    # 25,000 hosts have 75,000 counters: compared with as many sums each, it took minutes.
    assert any("AUTOMATIC" in step and "provider_id=?" in step and "dimension=?" in step for step in steps), steps
