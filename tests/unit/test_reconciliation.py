"""What explains a difference between the books of one resource, and what does not."""

from dataclasses import replace
from typing import Any

import pytest

from metering.reconciliation import Books, unexplained

MACHINE = {"vcpu": 2, "memory_mib": 2048}
SETTLED = Books(
    resource_id="inst_a", phase="settled", observed="running", is_due=False, metered=MACHINE, state="running", claimed=MACHINE
)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({}, None),
        ({"observed": "stopped", "state": "stopped"}, None),
        ({"observed": "stopped"}, "state"),
        ({"observed": "present", "state": "allocated"}, None),
        ({"claimed": {**MACHINE, "vcpu": 4}}, "amount"),
        ({"metered": {"vcpu": 2}}, "amount"),
        ({"metered": {}, "state": ""}, "not_metered"),
        ({"claimed": {}}, "not_claimed"),
        ({"observed": "absent"}, "not_there"),
        ({"observed": "absent", "is_told_missing": True}, None),
        ({"phase": "gone"}, "metered_but_gone"),
        ({"phase": "gone", "metered": {}}, "claimed_but_gone"),
        ({"phase": "gone", "metered": {}, "claimed": {}}, None),
        # What explains itself.
        ({"phase": "working", "claimed": {}}, None),
        ({"phase": "failed", "metered": {}}, None),
        ({"observed": "unknown", "claimed": {}}, None),
        ({"is_due": True, "phase": "gone"}, None),
    ],
)
def test_only_what_nothing_explains_is_told_of(change: dict[str, Any], kind: str | None) -> None:
    found = unexplained(replace(SETTLED, **change))
    assert (found.kind if found else None) == kind


def test_a_difference_carries_what_each_book_says() -> None:
    found = unexplained(replace(SETTLED, claimed={"vcpu": 3}))
    assert found is not None
    assert found.subject == "metering/inst_a/amount"
    assert found.evidence == {
        "phase": "settled", "observed": "running", "state": "running", "metered": MACHINE, "claimed": {"vcpu": 3},
    }  # fmt: skip
