"""Which of a region's quotas of a project are written: those below ours, and no other."""

import pytest

from drivers.openstack.quotas import GUARD_RAILS, UNBOUNDED, raised

OURS = {"cores": 100, "ram": 1000}


@pytest.mark.parametrize(
    ("theirs", "written"),
    [
        ({"cores": 20, "ram": 50}, {"cores": 100, "ram": 1000}),
        ({"cores": 100, "ram": 999}, {"ram": 1000}),
        ({"cores": 101, "ram": UNBOUNDED}, {}),
        ({"cores": UNBOUNDED, "ram": 0}, {"ram": 1000}),
        # What a service does not speak of it does not bound, and would not take.
        ({"ram": 1}, {"ram": 1000}),
        ({"cores": None, "ram": 2000}, {}),
    ],
)
def test_a_quota_is_raised_to_ours_and_never_lowered(theirs: dict[str, int | None], written: dict[str, int]) -> None:
    assert raised(theirs, OURS) == written


def test_a_group_may_hold_as_many_machines_as_a_project() -> None:
    compute = GUARD_RAILS["compute"]
    assert compute["server_group_members"] == compute["instances"]
