"""The simulated driver keeps the protocol, with all powers and with as few as possible."""

from pathlib import Path

import pytest

from drivers.conformance import CHECKS, Check, Outcome, run_check
from drivers.protocol import Capability
from drivers.simulated.driver import POWERS
from tests.support.simulated_harness import make_harness

#: Without any further power, what needs one does not apply.
APPLIES_TO_ALL_POWERS = [c for c in CHECKS if not c.lacks & POWERS]
APPLIES_WITHOUT_TLS = [c for c in CHECKS if c.lacks is Capability.BALANCER_TLS]
APPLIES_TO_NO_POWERS = [c for c in CHECKS if c.needs is Capability.NONE]


def test_check_names_are_unique() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS)


@pytest.mark.parametrize("check", APPLIES_TO_ALL_POWERS, ids=lambda c: c.name)
def test_simulated_driver_keeps_the_protocol(check: Check, tmp_path: Path) -> None:
    result = run_check(check, make_harness(tmp_path))
    assert (result.outcome, result.reason) == (Outcome.PASSED, "")


@pytest.mark.parametrize("check", APPLIES_WITHOUT_TLS, ids=lambda c: c.name)
def test_simulated_driver_without_tls_keeps_the_protocol(check: Check, tmp_path: Path) -> None:
    result = run_check(check, make_harness(tmp_path, without=Capability.BALANCER_TLS))
    assert (result.outcome, result.reason) == (Outcome.PASSED, "")


@pytest.mark.parametrize("check", APPLIES_TO_NO_POWERS, ids=lambda c: c.name)
def test_simulated_driver_without_powers_keeps_the_protocol(check: Check, tmp_path: Path) -> None:
    result = run_check(check, make_harness(tmp_path, without=POWERS))
    assert (result.outcome, result.reason) == (Outcome.PASSED, "")
