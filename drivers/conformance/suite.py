"""All checks, and how they are run."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from drivers.conformance import (
    absence,
    balancer_tls,
    balancers,
    cloud,
    disks,
    evacuation,
    fences,
    images,
    life,
    meddled,
    migration,
    networks,
    observing,
    powers,
)
from drivers.conformance.check import Check
from drivers.conformance.harness import Harness
from drivers.conformance.scene import CheckFailed, Scene

CHECKS: tuple[Check, ...] = (
    *life.CHECKS,
    *absence.CHECKS,
    *observing.CHECKS,
    *fences.CHECKS,
    *disks.CHECKS,
    *images.CHECKS,
    *networks.CHECKS,
    *meddled.CHECKS,
    *powers.CHECKS,
    *migration.CHECKS,
    *evacuation.CHECKS,
    *cloud.CHECKS,
    *balancers.CHECKS,
    *balancer_tls.CHECKS,
)


class Outcome(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The outcome of one check and its reason."""

    name: str
    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a run."""

    results: tuple[Result, ...]

    @property
    def failed(self) -> tuple[Result, ...]:
        """Return the failures."""
        return tuple(r for r in self.results if r.outcome is Outcome.FAILED)

    def assert_passed(self) -> None:
        """Raise unless no check failed.

        Raises:
            CheckFailed: naming every failed check and its reason.
        """
        if self.failed:
            raise CheckFailed("\n".join(f"{r.name}: {r.reason}" for r in self.failed))


def run_check(check: Check, harness: Harness) -> Result:
    """Run one check on a new connection and clean up after it; a clean-up that fails is a failure of the check."""
    scene = Scene(harness)
    reason = check.why_not(harness, scene.driver)
    if reason:
        scene.driver.close()
        return Result(name=check.name, outcome=Outcome.NOT_APPLICABLE, reason=reason)
    steps: tuple[Callable[[], None], ...] = (lambda: check.run(scene), scene.clean)
    failures = [sentence for step in steps if (sentence := _failure_of(step))]
    if failures:
        return Result(name=check.name, outcome=Outcome.FAILED, reason="; then ".join(failures))
    return Result(name=check.name, outcome=Outcome.PASSED)


def _failure_of(step: Callable[[], None]) -> str:
    """Return what went wrong, empty when nothing did. Any error of a driver under test is a finding, so all are caught."""
    try:
        step()
    except CheckFailed as failure:
        return str(failure)
    except Exception as error:  # noqa: BLE001  a test runner's edge: an unexpected error is the result, not an accident
        return f"{type(error).__name__}: {error}"
    return ""


def run_conformance(harness: Harness, checks: Iterable[Check] = CHECKS) -> Report:
    """Run checks one after the other on the harness's host."""
    return Report(tuple(run_check(check, harness) for check in checks))
