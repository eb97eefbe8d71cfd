"""The OpenStack driver keeps the protocol on real OpenStack services."""

from pathlib import Path

import pytest

from drivers.conformance import CHECKS, Check, Harness, Outcome, run_check
from drivers.protocol import Capability
from tests.openstack.harness import HYPERVISOR, Behind, region_harness, small_image
from tests.openstack.proxy import proxies_before
from tests.openstack.region.region import Region

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(900)]

#: Checks for drivers that lack a power a region has.
LACKS = Capability.NETWORKS | Capability.RESIZE_COLD | Capability.ATTACH_LIVE | Capability.BALANCER_TLS
#: A region offers these where its entry in ``clouds.yaml`` asks for them.
OFFERED_WHERE_SET = Capability.STATS | Capability.EVENTS
#: Where each department has a project of its own, each kind is made with another token.
IN_PROJECTS = frozenset(
    {
        "a_departments_place_goes_when_it_is_empty",
        "a_disk_is_made_of_a_copy",
        "a_listener_shows_the_certificates_it_is_asked_to",
        "a_load_balancer_goes_with_all_of_it",
        "a_migrated_machine_keeps_its_data_disks",
        "a_network_in_use_is_not_removed",
        "an_address_outside_leads_where_it_is_asked_to",
    }
)
NOT_APPLICABLE = frozenset(
    {
        # Take the compute service from a hypervisor, see ``test_openstack_evacuation``.
        "a_machine_of_a_lost_host_runs_on_another_with_its_disks",
        "an_abandoned_machine_leaves_disks_that_can_be_removed",
        "an_older_hold_brings_nothing_back",
        "nothing_is_brought_back_where_there_was_nothing",
        # Needs a proxy in between, see ``test_openstack_faults``.
        "a_lost_request_is_never_a_success",
        # Nova keeps no definition beside what runs.
        "an_edit_of_the_stored_definition_is_shown_and_put_right",
    }
)


APPLIES = [c for c in CHECKS if not c.lacks & LACKS and not c.needs & OFFERED_WHERE_SET]


@pytest.mark.parametrize("check", [c for c in APPLIES if not c.needs & Capability.DEPARTMENTS], ids=lambda c: c.name)
def test_openstack_driver_keeps_the_protocol(check: Check, harness: Harness) -> None:
    result = run_check(check, harness)
    expected = Outcome.NOT_APPLICABLE if check.name in NOT_APPLICABLE else Outcome.PASSED
    assert result.outcome is expected, result.reason


@pytest.mark.parametrize("check", [c for c in APPLIES if c.name in IN_PROJECTS], ids=lambda c: c.name)
def test_openstack_driver_keeps_the_protocol_in_departments_projects(check: Check, departments_harness: Harness) -> None:
    result = run_check(check, departments_harness)
    assert result.outcome is Outcome.PASSED, result.reason


@pytest.mark.parametrize("check", [c for c in CHECKS if c.needs & OFFERED_WHERE_SET], ids=lambda c: c.name)
def test_openstack_driver_keeps_the_protocol_where_counters_and_notices_are_set(
    check: Check, region: Region, behind: Behind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = region.layout
    broker = f'"amqp://region:{layout.password}@127.0.0.1:{layout.port("broker")}"'
    with proxies_before(layout, tmp_path, monkeypatch, diagnostics_per_s=20, notifications=broker):
        harness = region_harness(behind, f"openstack://proxied/{HYPERVISOR}", HYPERVISOR, small_image(tmp_path))
        result = run_check(check, harness)
        behind.remove_images(harness.image)
    assert result.outcome is Outcome.PASSED, result.reason
