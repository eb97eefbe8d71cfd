"""Load balancers in trouble, on a real Octavia: whatever hangs or fails ends within a bound, clearly, and nothing is doubled.

No call of Octavia's puts anything into ERROR, and without amphorae nothing fails by itself. Where a test needs that, it writes
into Octavia's database what a worker that failed, or died, leaves there; all that follows is Octavia's own.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from drivers.faults import OutcomeUnknown, Permanent, Transient
from drivers.openstack.driver import OpenStackDriver
from drivers.powers import BalancerRequest
from tests.openstack.harness import Behind, driver_of
from tests.openstack.proxy import Lose, Pass, Proxies, Refuse, once_each, proxies_before
from tests.openstack.region.region import Region
from tests.openstack.region.schemas import sql
from tests.openstack.wish import FENCE, Wish, balancer_on, remains, wish_behind, wish_on
from tests.support.libvirtd import until

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(900)]
#: What is known to take too long is not waited for: seconds.
QUICK = pytest.mark.parametrize("proxies", [3], indirect=True)
WORKER = "octavia-worker"
#: Longest until a worker has begun with what holds it up.
HELD_UP_S = 300
#: Kinds of parts, and what cannot stay when one of them is made anew.
GOES_WITH = {
    "listener": ("pool", "member", "health_monitor"),
    "pool": ("member", "health_monitor"),
    "member": (),
    "health_monitor": (),
}


@pytest.fixture
def proxies(request: pytest.FixtureRequest, region: Region, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxies]:
    """Proxies in front of the region's services; what hangs for two minutes is given up."""
    with proxies_before(region.layout, tmp_path, monkeypatch, wait_s=getattr(request, "param", 60), build_limit_s=120) as found:
        yield found


@pytest.fixture
def wish(proxies: Proxies, behind: Behind, tmp_path: Path) -> Iterator[Wish]:
    """A network whose every call goes through the proxies."""
    with wish_behind(proxies, "hv-006", tmp_path) as found:
        found.have(lambda: found.driver.ensure_segment(found.segment, FENCE))
        yield found


def put(region: Region, table: str, part_id: str, status: str, age_s: int = 0) -> None:
    """Have Octavia believe that a load balancer or a part of it is in a state, and came there so long ago."""
    since = f"updated_at = utc_timestamp() - interval {age_s} second"
    sql(region.layout, f"update octavia.{table} set provisioning_status = '{status}', {since} where id = '{part_id}';")


def balancer_of(behind: Behind, request: BalancerRequest) -> Any:
    """Return the one load balancer of a wish."""
    (found,) = behind.described(behind.cloud.load_balancer.load_balancers, request.balancer_id)
    return found


def parts_of(behind: Behind, lb_id: str) -> Mapping[str, list[Any]]:
    """Return the parts of a load balancer, by kind."""
    sdk = behind.cloud.load_balancer
    pools = list(sdk.pools(loadbalancer_id=lb_id))
    return {
        "listener": list(sdk.listeners(load_balancer_id=lb_id)),
        "pool": pools,
        "member": [member for pool in pools for member in sdk.members(pool.id)],
        "health_monitor": [sdk.get_health_monitor(pool.health_monitor_id) for pool in pools if pool.health_monitor_id],
    }


def made(wish: Wish, request: BalancerRequest, fence: int = FENCE) -> None:
    """Have the load balancer exactly as it is asked for."""
    seen = wish.have(lambda: wish.driver.ensure_balancer(request, fence))
    assert (seen.address, seen.listeners, seen.fence) == (request.address, request.listeners, fence)


def gone(wish: Wish, behind: Behind, request: BalancerRequest, fence: int = FENCE) -> None:
    """Take the load balancer away and see that nothing of it is left."""
    wish.have(lambda: wish.driver.ensure_balancer_absent(request.balancer_id, fence))
    assert remains(behind, request.balancer_id) == []


def test_a_lost_answer_at_every_create_call_of_a_load_balancer(wish: Wish, proxies: Proxies, behind: Behind) -> None:
    request = balancer_on(wish)
    proxies.treat = once_each(Lose(), lambda asked: asked.service == "octavia" and asked.method == "POST")
    made(wish, request)
    lost = [f for f in wish.faults if isinstance(f, OutcomeUnknown)]
    # Load balancer, listener, pool, member, health monitor.
    assert len(lost) >= 5, [f.problem for f in wish.faults]
    assert len(remains(behind, request.balancer_id)) == 1
    gone(wish, behind, request)


def test_a_lost_answer_to_a_removal_removes_it(wish: Wish, proxies: Proxies, behind: Behind) -> None:
    request = balancer_on(wish)
    made(wish, request)
    proxies.treat = once_each(Lose(), lambda asked: asked.service == "octavia" and asked.method == "DELETE")
    gone(wish, behind, request)
    assert [f.problem.code for f in wish.faults if isinstance(f, OutcomeUnknown)] == ["driver.outcome_unknown"]


def test_a_part_in_error_is_made_anew_and_the_others_stay(wish: Wish, region: Region, behind: Behind) -> None:
    request = balancer_on(wish)
    made(wish, request)
    lb_id = balancer_of(behind, request).id
    for part, goes_with_it in GOES_WITH.items():
        before = parts_of(behind, lb_id)
        put(region, part, before[part][0].id, "ERROR")
        made(wish, request)
        after = parts_of(behind, lb_id)
        assert before[part][0].id not in {p.id for p in after[part]}, part
        assert {p.provisioning_status for parts in after.values() for p in parts} == {"ACTIVE"}, part
        assert {kind: len(parts) for kind, parts in after.items()} == {kind: len(parts) for kind, parts in before.items()}, part
        for kind in GOES_WITH.keys() - {part, *goes_with_it}:
            assert {p.id for p in after[kind]} == {p.id for p in before[kind]}, (part, kind)
    gone(wish, behind, request)


def test_a_load_balancer_in_error_that_never_had_a_part_is_made_anew(wish: Wish, region: Region, behind: Behind) -> None:
    request = balancer_on(wish)
    bare = BalancerRequest(
        balancer_id=request.balancer_id, title=request.title, segment_id=request.segment_id, address=request.address, listeners=()
    )
    made(wish, bare)
    first = balancer_of(behind, request).id
    put(region, "load_balancer", first, "ERROR")
    made(wish, request, FENCE + 1)
    assert balancer_of(behind, request).id != first
    gone(wish, behind, request, FENCE + 1)


def test_a_load_balancer_in_error_with_parts_is_failed_over_where_it_is(wish: Wish, region: Region, behind: Behind) -> None:
    request = balancer_on(wish)
    made(wish, request)
    first = balancer_of(behind, request).id
    put(region, "load_balancer", first, "ERROR")
    made(wish, request, FENCE + 1)
    seen = balancer_of(behind, request)
    assert (seen.id, seen.provisioning_status) == (first, "ACTIVE")
    gone(wish, behind, request, FENCE + 1)


def test_a_member_that_may_not_fail_over_says_so_and_can_still_remove_it(region: Region, behind: Behind, tmp_path: Path) -> None:
    driver = driver_of("openstack://member")
    assert isinstance(driver, OpenStackDriver)
    wish = wish_on(driver, tmp_path)
    try:
        wish.have(lambda: driver.ensure_segment(wish.segment, FENCE))
        request = balancer_on(wish)
        made(wish, request)
        put(region, "load_balancer", balancer_of(behind, request).id, "ERROR")
        with pytest.raises(Permanent) as refused:
            driver.ensure_balancer(request, FENCE)
        assert refused.value.problem.code == "openstack.balancer_failed"
        gone(wish, behind, request)
    finally:
        wish.remove()
        driver.close()


@QUICK
def test_a_load_balancer_that_hangs_is_waited_for_and_then_said_to_be_stuck(wish: Wish, region: Region, behind: Behind) -> None:
    request = balancer_on(wish)
    made(wish, request)
    lb_id = balancer_of(behind, request).id
    calls = (
        lambda: wish.driver.ensure_balancer(request, FENCE),
        lambda: wish.driver.ensure_balancer_absent(request.balancer_id, FENCE),
    )
    for status in ("PENDING_UPDATE", "PENDING_DELETE"):
        put(region, "load_balancer", lb_id, status)
        for call in calls:
            with pytest.raises(Transient) as waiting:
                call()
            assert waiting.value.problem.code == "openstack.not_ready"
        put(region, "load_balancer", lb_id, status, age_s=600)
        for call in calls:
            with pytest.raises(Permanent) as stuck:
                call()
            assert (stuck.value.problem.code, stuck.value.problem.params["status"]) == ("openstack.balancer_stuck", status)
    assert len(remains(behind, request.balancer_id)) == 1
    # The administrator gives it free, as the hint of the error says.
    put(region, "load_balancer", lb_id, "ERROR")
    gone(wish, behind, request)


@QUICK
def test_a_removal_that_failed_is_asked_for_again(wish: Wish, region: Region, behind: Behind) -> None:
    request = balancer_on(wish)
    made(wish, request)
    put(region, "load_balancer", balancer_of(behind, request).id, "ERROR")
    gone(wish, behind, request)


@pytest.mark.alone
@QUICK
def test_a_load_balancer_waits_for_a_worker_that_is_not_there(wish: Wish, region: Region, behind: Behind) -> None:
    request = balancer_on(wish)
    region.processes.stop([WORKER])
    try:
        with pytest.raises(Transient) as pending:
            wish.driver.ensure_balancer(request, FENCE)
        assert pending.value.problem.code == "openstack.not_ready"
    finally:
        region.start_service(WORKER)
    made(wish, request)
    assert len(remains(behind, request.balancer_id)) == 1
    gone(wish, behind, request)


@pytest.mark.alone
@QUICK
def test_a_load_balancer_whose_worker_was_killed_is_stuck_and_made_anew_when_given_free(
    wish: Wish, region: Region, behind: Behind
) -> None:
    request = balancer_on(wish)
    slow, begun = region.layout.directory / "slow-balancer", region.layout.directory / "slow-balancer.begun"
    slow.touch()
    try:
        with pytest.raises(Transient) as pending:
            wish.driver.ensure_balancer(request, FENCE)
        until(begun.exists, HELD_UP_S, "the worker has begun")
        region.processes.kill(WORKER)
    finally:
        slow.unlink()
        begun.unlink(missing_ok=True)
        region.start_service(WORKER)
    assert pending.value.problem.code == "openstack.not_ready"
    first = balancer_of(behind, request)
    # Octavia never takes up again what a worker had begun.
    assert first.provisioning_status == "PENDING_CREATE"
    put(region, "load_balancer", first.id, "PENDING_CREATE", age_s=600)
    with pytest.raises(Permanent) as stuck:
        wish.driver.ensure_balancer(request, FENCE)
    assert stuck.value.problem.code == "openstack.balancer_stuck"
    put(region, "load_balancer", first.id, "ERROR")
    made(wish, request)
    assert balancer_of(behind, request).id != first.id
    gone(wish, behind, request)


def test_without_octavia_everything_else_goes_on(wish: Wish, proxies: Proxies) -> None:
    wish.driver.observe()
    proxies.treat = lambda asked: Refuse(503) if asked.service == "octavia" else Pass()
    with pytest.raises(Transient) as away:
        wish.driver.balancer_ids()
    assert away.value.problem.code == "driver.unreachable"
    wish.driver.observe()
    wish.driver.ensure_segment(wish.segment, FENCE)
