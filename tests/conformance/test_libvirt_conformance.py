"""The libvirt driver keeps the protocol on a real libvirtd and QEMU.

``libvirt_harness`` (in this folder's conftest) starts a libvirtd of its own and gives a ``drivers.conformance.Harness``.
"""

import pytest

from drivers.conformance import CHECKS, Check, Harness, Outcome, run_check
from drivers.protocol import CLOUD_POWERS, Capability

pytestmark = pytest.mark.libvirt

#: Checks for drivers that lack a power libvirt has: they must say so themselves.
LACKS = Capability.NETWORKS | Capability.RESIZE_COLD | Capability.ATTACH_LIVE


#: Checks whose probe a real libvirtd cannot offer without a proxy in between, or that look into packet filters.
NOT_APPLICABLE = frozenset({"a_lost_request_is_never_a_success", "a_network_that_lets_through_more_is_shown_and_put_right"})

#: Powers of a cloud, moving machines, which needs a second host, and disks that outlive theirs.
NOT_OFFERED = CLOUD_POWERS | Capability.LIVE_MIGRATION | Capability.EVACUATION


@pytest.mark.parametrize("check", [c for c in CHECKS if not c.lacks & LACKS], ids=lambda c: c.name)
def test_libvirt_driver_keeps_the_protocol(check: Check, libvirt_harness: Harness) -> None:
    result = run_check(check, libvirt_harness)
    is_left_out = check.name in NOT_APPLICABLE or bool(check.needs & NOT_OFFERED)
    expected = Outcome.NOT_APPLICABLE if is_left_out else Outcome.PASSED
    assert result.outcome is expected, result.reason


def test_libvirt_driver_declares_what_the_main_job_needs(libvirt_harness: Harness) -> None:
    driver = libvirt_harness.open_driver()
    try:
        needed = LACKS | Capability.CONSOLE_LOG | Capability.STATS | Capability.EVENTS
        assert driver.capabilities() & needed == needed
    finally:
        driver.close()
