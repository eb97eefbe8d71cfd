"""Every limit of every dimension holds for a ticket to the last unit: at the project and at each department above it."""

from pathlib import Path

import pytest

from controller.workflows import tickets
from inventory.domain.errors import QuotaExceeded
from inventory.domain.resources import QUOTA_DIMENSIONS
from inventory.store.engine import Database
from quotas import store as quota_store
from tests.support.platform import Furnished, furnish
from tests.support.samples import ticket_text

#: Of two tiny machines: a root disk, a data disk and an address each. What a machine has is its root disk, no volume.
TWO = {"vcpu": 2, "memory_mib": 256, "disk_gib": 4, "instances": 2, "volumes": 2, "addresses": 2}
#: Each dimension at another of the limits on the way up.
LEVELS = ("P-portal", "civil-it", "civil", "city")
CASES = [(dimension, LEVELS[n % len(LEVELS)]) for n, dimension in enumerate(TWO)] + [
    ("addresses", "P-portal"),
    ("volumes", "city"),
]


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Furnished:
    return furnish(database, tmp_path, host_count=1)


def test_the_amounts_here_are_of_every_dimension() -> None:
    assert tuple(TWO) == QUOTA_DIMENSIONS


@pytest.mark.parametrize(("dimension", "scope"), CASES)
def test_a_ticket_takes_a_limit_to_the_last_unit_and_not_one_more(here: Furnished, dimension: str, scope: str) -> None:
    here.limit(scope, dimension, TWO[dimension] - 1)
    offer = tickets.plan(here.platform, ticket_text("portal", count=2), here.caller()).to_json()
    over = [q for q in offer["quota"] if (q["scope"], q["dimension"]) == (scope, dimension)]
    assert [(q["limit"], q["after"]) for q in over] == [(TWO[dimension] - 1, TWO[dimension])]
    with pytest.raises(QuotaExceeded) as refused:
        tickets.submit(here.platform, ticket_text("portal", count=2), here.caller())
    found = [(o["scope"], o["dimension"], o["limit"], o["used"], o["asked"]) for o in refused.value.details["overruns"]]
    assert found == [(scope, dimension, TWO[dimension] - 1, 0, TWO[dimension])]
    here.limit(scope, dimension, TWO[dimension])
    tickets.submit(here.platform, ticket_text("portal", count=2), here.caller())
    with pytest.raises(QuotaExceeded) as full:
        tickets.submit(here.platform, ticket_text("second"), here.caller())
    assert {o["dimension"] for o in full.value.details["overruns"]} == {dimension}
    with here.platform.db.read() as connection:
        used = {level.dimension: level.used for level in quota_store.levels(connection) if level.scope == scope}
        assert {name: used[name] for name in TWO} == TWO
        assert quota_store.recount(connection) == []
