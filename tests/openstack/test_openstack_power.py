"""A machine that somebody paused, suspended, rescued, shelved or broke in the region: it runs again, and stops, when it is to."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from inventory.domain.resource import Observed
from tests.openstack.harness import SERVER_S, Behind
from tests.openstack.region.region import Region
from tests.openstack.region.schemas import sql
from tests.openstack.wish import Wish, running_on
from tests.support.libvirtd import until

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(900)]

HYPERVISOR = "hv-005"


@pytest.fixture
def wish(region: Region, behind: Behind, tmp_path: Path) -> Iterator[Wish]:
    """A machine that runs."""
    with running_on(HYPERVISOR, behind, tmp_path) as found:
        yield found


def test_a_machine_runs_and_stops_from_whatever_state_somebody_brought_it_into(
    wish: Wish, region: Region, behind: Behind
) -> None:
    compute, instance_id = behind.cloud.compute, wish.request.instance_id
    states: dict[str, Callable[[Any], object]] = {
        "PAUSED": compute.pause_server,
        "SUSPENDED": compute.suspend_server,
        "SHELVED_OFFLOADED": compute.shelve_server,
        "ERROR": lambda server: compute.reset_server_state(server, "error"),
        # Nova's fake hypervisors rescue no machine that starts from a volume: its own record says that one did.
        "RESCUE": lambda server: sql(
            region.layout, f"update nova.instances set vm_state = 'rescued' where uuid = '{server.id}';"
        ),
    }
    for status, bring in states.items():
        for wanted in (Observed.RUNNING, Observed.STOPPED):
            if (status, wanted) == ("SHELVED_OFFLOADED", Observed.STOPPED):
                continue
            (server,) = behind.servers(instance_id)
            bring(server)
            until(partial(_is, compute, server.id, status), SERVER_S, status)
            # A newer hold: Nova takes no mark in some of these states.
            wish.fence += 1
            _have(wish, wanted)
            seen = wish.have(lambda: wish.driver.observe_instance(instance_id))
            assert seen is not None
            assert (seen.state, seen.fence) == (wanted, wish.fence), status
            assert behind.servers(instance_id)[0].id == server.id
            _have(wish, Observed.RUNNING)
    codes = {f.problem.code for f in wish.faults}
    assert codes <= {"openstack.not_ready"}, codes


def _is(compute: Any, server_id: str, status: str) -> bool:
    return bool(compute.get_server(server_id).status == status)


def _have(wish: Wish, wanted: Observed) -> None:
    driver, instance_id = wish.driver, wish.request.instance_id
    if wanted is Observed.RUNNING:
        wish.have(lambda: driver.ensure_running(instance_id, wish.fence))
    else:
        wish.have(lambda: driver.ensure_stopped(instance_id, wish.fence, graceful_s=0))
