"""The suite every driver passes; importable by drivers that live elsewhere.

Give a ``Harness`` (a few callables about one host you may use freely) and run::

    report = run_conformance(harness)
    report.assert_passed()

or, one test per check: ``for check in CHECKS: run_check(check, harness)``. A check that needs a power the driver does
not declare, or a probe the harness does not have, is reported as not applicable with its reason, never as passed.
"""

from drivers.conformance.check import Check
from drivers.conformance.harness import Harness
from drivers.conformance.scene import CheckFailed, Scene
from drivers.conformance.suite import CHECKS, Outcome, Report, Result, run_check, run_conformance

__all__ = [
    "CHECKS",
    "Check",
    "CheckFailed",
    "Harness",
    "Outcome",
    "Report",
    "Result",
    "Scene",
    "run_check",
    "run_conformance",
]
