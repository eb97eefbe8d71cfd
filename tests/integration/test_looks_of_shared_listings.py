"""Looks of hosts that share a listing: as old as the listing, and as long as the driver says that one may take."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from controller.reconcile.hosts import Breaker, HostHandle
from controller.reconcile.jobs import JobMeans, LookJob, LookReport
from controller.workflows.engine import StepSettings
from drivers.faults import Transient
from drivers.protocol import Capability, ComputeDriver, HostObservation
from inventory.domain.host import AdminState, Host, Reachability
from inventory.domain.ids import HostId, PoolId

NOW_S = 1_000.0


class Shown:
    """A driver that was asked at some moment, by whomever."""

    def __init__(self, listed_at_s: float) -> None:
        self.listed_at_s = listed_at_s

    def capabilities(self) -> Capability:
        return Capability.NONE

    def observe(self) -> HostObservation:
        return HostObservation(
            instances=(), foreign=(), volume_ids=frozenset(), segment_ids=frozenset(), observed_at_s=self.listed_at_s
        )


class Slow(Shown):
    """One that needs longer."""

    def look_bound_s(self) -> float:
        return 77.0


def look(driver: object, reports: list[LookReport]) -> LookJob:
    host = Host(
        id=HostId("host_h"), name="h", pool_id=PoolId("pool_1"), connection="x", admin_state=AdminState.ACTIVE,
        reachability=Reachability.REACHABLE,
    )  # fmt: skip

    def opener(_host: Host, _name: str) -> ComputeDriver:
        if isinstance(driver, Exception):
            raise driver
        return cast("ComputeDriver", driver)

    handle = HostHandle(host, "x", opener, lambda _event: None, breaker=Breaker(), heard_at_s=NOW_S)
    means: Mapping[str, Any] = {
        "clock": lambda: NOW_S, "settings": StepSettings(), "report": reports.append, "samples": None, "refresher": None,
    }  # fmt: skip
    return LookJob(means=cast("JobMeans", SimpleNamespace(**means)), host=handle)


@pytest.mark.parametrize(("listed_at_s", "believed_s"), [(990.0, 990.0), (1_005.0, NOW_S)])
def test_a_look_is_no_younger_than_what_it_was_shown(listed_at_s: float, believed_s: float) -> None:
    reports: list[LookReport] = []
    job = look(Shown(listed_at_s), reports)
    while job.advance():
        pass
    assert [r.started_at_s for r in reports] == [believed_s]


def test_a_look_may_take_as_long_as_the_driver_says() -> None:
    usual_s = StepSettings().observe_deadline_s
    quick, slow = look(Shown(NOW_S), []), look(Slow(NOW_S), [])
    assert (quick.deadline_s, slow.deadline_s) == (usual_s, usual_s), "nobody has said anything yet"
    assert quick.advance()
    assert slow.advance(), "opening is a piece of its own, so that the look has the bound of its driver"
    assert (quick.deadline_s, slow.deadline_s) == (usual_s, 77.0)


def test_a_driver_that_cannot_be_opened_is_a_look_that_failed() -> None:
    reports: list[LookReport] = []
    job = look(Transient("driver.unreachable", connection="x"), reports)
    assert not job.advance()
    (report,) = reports
    assert report.observation is None
    assert report.problem is not None
    assert report.problem.code == "driver.unreachable"
