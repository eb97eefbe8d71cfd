"""The libvirt driver keeps the protocol on ``test:///default`` as far as libvirt's in-memory host can show it."""

import pytest

from drivers.conformance import CHECKS, Check, Harness, Outcome, run_check
from drivers.protocol import CLOUD_POWERS, Capability

#: The in-memory host moves no bytes, keeps one network definition, counts no boots, plugs nothing into what runs, has nobody
#: who meddles, and has no unreachable twin.
NOT_APPLICABLE = frozenset(
    {
        "a_data_disk_is_attached_and_detached_while_it_runs",
        "a_lost_request_is_never_a_success",
        "a_resize_is_refused_where_it_is_not_declared",
        "a_stale_network_change_is_refused",
        "an_image_is_uploaded_once",
        "an_ordered_reboot_happens_once",
        "an_unreachable_host_is_a_fault_never_an_answer",
        "a_corrupt_image_leaves_nothing",
        "a_card_is_put_right_though_the_rest_waits_for_a_stop",
        "a_card_in_another_network_is_shown_and_put_right",
        "a_card_without_its_filter_is_shown_and_put_right",
        "a_disk_that_was_taken_out_is_missed_and_put_back",
        "a_network_that_lets_through_more_is_shown_and_put_right",
        "an_edit_of_the_stored_definition_is_shown_and_put_right",
        "networks_are_refused_where_there_are_none",
        "the_console_shows_what_the_guest_wrote",
    }
)

#: Powers of a cloud, moving machines, which needs a second host, and disks that outlive theirs.
NOT_OFFERED = CLOUD_POWERS | Capability.LIVE_MIGRATION | Capability.EVACUATION


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.name)
def test_driver_keeps_the_protocol_in_memory(check: Check, memory_harness: Harness) -> None:
    result = run_check(check, memory_harness)
    is_left_out = check.name in NOT_APPLICABLE or bool(check.needs & NOT_OFFERED)
    expected = Outcome.NOT_APPLICABLE if is_left_out else Outcome.PASSED
    assert result.outcome is expected, result.reason
