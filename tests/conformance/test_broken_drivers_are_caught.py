"""The suite is worth something only if it fails drivers that break the protocol."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from drivers.conformance import CHECKS, CheckFailed, Outcome, run_check, run_conformance
from drivers.protocol import Capability
from drivers.simulated.driver import POWERS, SimulatedDriver
from tests.conformance.broken_clouds import BROKEN_CLOUDS
from tests.conformance.broken_drivers import BROKEN as BROKEN_DRIVERS
from tests.conformance.broken_drivers import LiesAboutPowers
from tests.conformance.broken_evacuations import BROKEN_EVACUATIONS
from tests.conformance.broken_meddled import BROKEN_MEDDLED
from tests.conformance.broken_migrations import BROKEN_MIGRATIONS
from tests.support.simulated_harness import make_harness

BROKEN = BROKEN_DRIVERS | BROKEN_MEDDLED | BROKEN_MIGRATIONS | BROKEN_EVACUATIONS | BROKEN_CLOUDS


def failing_checks(folder: Path, driver_class: type[SimulatedDriver], without: Capability = Capability.NONE) -> set[str]:
    """Run each check on a fresh host, so that one failure does not cause another."""
    results = [run_check(check, make_harness(folder, driver_class, without=without)) for check in CHECKS]
    return {r.name for r in results if r.outcome is Outcome.FAILED}


@pytest.fixture(scope="module")
def caught(tmp_path_factory: pytest.TempPathFactory) -> Mapping[type[SimulatedDriver], set[str]]:
    """The names of the checks each broken driver fails."""
    folder = tmp_path_factory.mktemp("broken")
    failed = {broken: failing_checks(folder, broken) for broken in BROKEN}
    return failed | {LiesAboutPowers: failing_checks(folder, LiesAboutPowers, without=POWERS)}


@pytest.mark.parametrize("broken", BROKEN, ids=lambda c: c.__name__)
def test_broken_driver_fails_the_check_it_breaks(
    broken: type[SimulatedDriver], caught: Mapping[type[SimulatedDriver], set[str]]
) -> None:
    assert BROKEN[broken] in caught[broken]


def test_driver_that_does_what_it_does_not_declare_is_caught(caught: Mapping[type[SimulatedDriver], set[str]]) -> None:
    assert {
        "undeclared_powers_are_refused",
        "networks_are_refused_where_there_are_none",
        "a_resize_is_refused_where_it_is_not_declared",
        "a_live_attach_is_refused_where_it_is_not_declared",
    } <= caught[LiesAboutPowers]


def test_every_check_fails_for_some_broken_driver(caught: Mapping[type[SimulatedDriver], set[str]]) -> None:
    never_failed = {c.name for c in CHECKS} - set().union(*caught.values())
    assert not never_failed, "write a broken driver for each of these, or the check may be one that cannot fail"


def test_report_names_every_failed_check_and_its_reason(tmp_path: Path) -> None:
    broken = next(b for b in BROKEN if b.__name__ == "StopLies")
    report = run_conformance(make_harness(tmp_path, broken))
    assert report.failed
    with pytest.raises(CheckFailed) as failure:
        report.assert_passed()
    assert all(r.name in str(failure.value) and r.reason in str(failure.value) for r in report.failed)


def test_check_without_its_probe_does_not_count_as_passed(tmp_path: Path) -> None:
    harness = replace(make_harness(tmp_path), upload_count=None)
    check = next(c for c in CHECKS if c.name == "an_image_is_uploaded_once")
    result = run_check(check, harness)
    assert result.outcome is Outcome.NOT_APPLICABLE
    assert "upload_count" in result.reason
