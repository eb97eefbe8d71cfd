"""Load balancers."""

from dataclasses import replace
from ipaddress import ip_network

from drivers.conformance.check import check
from drivers.conformance.scene import CheckFailed, Scene, code_of, expect, expect_fault
from drivers.faults import Permanent, StaleFence, Transient
from drivers.powers import Algorithm, BalancerRequest, Balances, HealthRequest, ListenerRequest, MemberRequest
from drivers.protocol import Capability

HEALTH = HealthRequest(kind="http", interval_s=5, timeout_s=3, count=2, path="/health")


@check(needs=Capability.LOAD_BALANCERS)
def a_load_balancer_has_exactly_what_is_asked_for(scene: Scene) -> None:
    """Listeners, members, weights and health checks come, change and go; what was seen is what was asked for."""
    driver = balances_of(scene)
    request = a_wish(scene)
    first, second = (m.address for m in request.listeners[0].members)
    web = request.listeners[0]
    tcp = ListenerRequest(port=5432, protocol="tcp", members=(MemberRequest(address=first, port=5432),))
    wishes = (
        request,
        request,
        replace(request, listeners=(replace(web, members=web.members[:1]), tcp)),
        replace(request, listeners=(replace(web, members=(MemberRequest(address=second, port=81, weight=5),)), tcp)),
        replace(request, listeners=(replace(web, algorithm=Algorithm.SOURCE_ADDRESS, health=HEALTH), tcp)),
        replace(request, listeners=(replace(web, health=replace(HEALTH, kind="tcp", path="")),)),
        replace(request, listeners=(replace(web, protocol="tcp", members=()),)),
        replace(request, listeners=()),
    )
    for wish in wishes:
        seen = driver.ensure_balancer(wish, scene.newer_fence())
        expect(seen.fence == scene.fence, f"the fence is {seen.fence}")
        expect((seen.address, seen.listeners) == (wish.address, wish.listeners), f"there is {seen}")
        expect(driver.observe_balancer(wish.balancer_id) == seen, "what the verb returned is not what is observed")


@check(needs=Capability.LOAD_BALANCERS)
def a_load_balancer_goes_with_all_of_it(scene: Scene) -> None:
    """While it is there its network stays; it is removed as often as asked, and its network then goes."""
    driver, request = balances_of(scene), a_wish(scene)
    driver.ensure_balancer(request, scene.fence)
    expect(request.balancer_id in driver.balancer_ids(), "it is not listed")
    fault = expect_fault(
        Transient,
        lambda: scene.driver.ensure_segment_absent(request.segment_id, scene.fence),
        "a network was removed under its load balancer",
    )
    expect(code_of(fault) == "driver.segment_in_use", f"the refusal says {code_of(fault)}")
    for _ in range(2):
        driver.ensure_balancer_absent(request.balancer_id, scene.fence)
    expect(driver.observe_balancer(request.balancer_id) is None, "it is observed after its end")
    expect(request.balancer_id not in driver.balancer_ids(), "it is listed after its end")
    scene.driver.ensure_segment_absent(request.segment_id, scene.fence)
    probe = scene.harness.leftovers
    expect(probe is None or not probe(request.balancer_id), "something of it is left")


@check(needs=Capability.LOAD_BALANCERS)
def the_address_of_a_load_balancer_does_not_change(scene: Scene) -> None:
    """Another address is refused for good: people know the old one."""
    driver, request = balances_of(scene), a_wish(scene)
    driver.ensure_balancer(request, scene.fence)
    moved = replace(request, address=str(ip_network(scene.cidrs[request.segment_id])[20]))
    fault = expect_fault(Permanent, lambda: driver.ensure_balancer(moved, scene.fence), "the address was changed")
    expect(code_of(fault) == "driver.balancer_address_fixed", f"the refusal says {code_of(fault)}")
    seen = driver.observe_balancer(request.balancer_id)
    expect(seen is not None and seen.address == request.address, "the address changed")


@check(needs=Capability.LOAD_BALANCERS)
def stale_load_balancing_is_refused(scene: Scene) -> None:
    """An old hold neither changes nor removes it."""
    driver, request, old = balances_of(scene), a_wish(scene), scene.fence
    driver.ensure_balancer(request, scene.newer_fence())
    bare = replace(request, listeners=())
    expect_fault(StaleFence, lambda: driver.ensure_balancer(bare, old), "a stale change was accepted")
    expect_fault(StaleFence, lambda: driver.ensure_balancer_absent(request.balancer_id, old), "a stale removal was accepted")
    seen = driver.observe_balancer(request.balancer_id)
    expect(seen is not None and seen.listeners == request.listeners, "the stale hold took effect")


def balances_of(scene: Scene) -> Balances:
    """Return the driver as what it declares to be."""
    if not isinstance(scene.driver, Balances):
        raise CheckFailed("the power is declared without its methods")
    return scene.driver


def a_wish(scene: Scene) -> BalancerRequest:
    """Have a network, and ask for a load balancer of two members on it."""
    segment = scene.segment()
    scene.driver.ensure_segment(segment, scene.fence)
    inside = ip_network(segment.cidr)
    members = tuple(MemberRequest(address=str(inside[number]), port=80) for number in (11, 12))
    return BalancerRequest(
        balancer_id=scene.balancer_id(),
        title="conformance",
        segment_id=segment.segment_id,
        address=str(inside[10]),
        listeners=(ListenerRequest(port=80, protocol="http", members=members),),
        department=segment.department,
    )


CHECKS = (
    a_load_balancer_has_exactly_what_is_asked_for,
    a_load_balancer_goes_with_all_of_it,
    the_address_of_a_load_balancer_does_not_change,
    stale_load_balancing_is_refused,
)
