"""Several planners, each a process with its own picture, on one PostgreSQL: nothing is promised twice, and room is used up."""

from pathlib import Path

import pytest
from sqlalchemy import func, select

from controller.reconcile.auditor import audit_invariants
from inventory.store import hosts
from inventory.store import tables as t
from tests.support.database import open_for_test
from tests.support.planners import plan_at_once, some_counts
from tests.support.platform import furnish

pytestmark = pytest.mark.postgres
PLANNERS, TICKETS_EACH, MOST = 3, 14, 4
#: Machines of a ticket share a network, so each goes to one host; there is room for fewer than are asked for.
HOSTS, CPUS = 6, 8


@pytest.mark.timeout(480)
def test_planners_in_processes_of_their_own_promise_no_room_twice_and_leave_none_that_was_asked_for(
    postgres_url: str, tmp_path: Path
) -> None:
    with open_for_test(postgres_url) as database:
        here = furnish(database, tmp_path, host_count=HOSTS, cpu_count=CPUS)
        counts = some_counts(5, PLANNERS, TICKETS_EACH, MOST)
        assert sum(map(sum, counts)) > 1.5 * HOSTS * CPUS, "they race for too little room"
        found = plan_at_once(postgres_url, tmp_path, here.caller(), counts)
        accepted = sum(sum(one.accepted) for one in found)
        refused = [count for one in found for count, _ in one.refused]
        assert {code for one in found for _, code in one.refused} == {"placement.no_host_fits"}
        assert accepted + sum(refused) == sum(map(sum, counts)), "every ticket was answered"
        with database.read(is_steady=True) as connection:
            assert audit_invariants(connection, {}) == []
            is_machine = t.resources.c.kind == "instance"
            assert connection.execute(select(func.count()).where(is_machine)).scalar_one() == accepted, "whole or not at all"
            rows = [r for r in hosts.inventories(connection) if r.dimension == "vcpu"]
        assert sum(r.used for r in rows) == accepted
        assert all(r.used <= r.capacity for r in rows)
        # The last word on every refusal was a picture no older than its ticket: what is left now was left then.
        assert all(count > max(r.capacity - r.used for r in rows) for count in refused)
        # A plan that came too late is made again a bounded number of times, never for ever.
        assert sum(sum(one.rejected.values()) for one in found) <= PLANNERS * TICKETS_EACH * PLANNERS
