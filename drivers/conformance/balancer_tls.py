"""TLS on load balancers: which certificates are shown, and whose they are."""

from dataclasses import replace
from functools import partial

from drivers.conformance.balancers import a_wish, balances_of
from drivers.conformance.check import check
from drivers.conformance.scene import Scene, code_of, expect, expect_fault
from drivers.faults import Permanent
from drivers.powers import BalancerRequest, ListenerRequest, TlsRequest
from drivers.protocol import Capability
from inventory.domain.errors import CapabilityMissing

TLS = Capability.LOAD_BALANCERS | Capability.BALANCER_TLS
MAKES = ("make_certificate", "remove_certificate")
#: In the form of no back end's names.
NO_NAME = "no certificate anywhere"


@check(needs=TLS, probes=MAKES)
def a_listener_shows_the_certificates_it_is_asked_to(scene: Scene) -> None:
    """TLS comes, with other certificates, names and versions, beside a listener without it, and goes."""
    driver, request = balances_of(scene), a_wish(scene)
    first, second, third = (scene.certificate() for _ in range(3))
    several = TlsRequest(certificate=second, others=tuple(sorted((first, third))))
    wishes = (
        spoken_by(request, TlsRequest(certificate=first)),
        spoken_by(request, TlsRequest(certificate=second)),
        spoken_by(request, several),
        spoken_by(request, replace(several, others=(third,), versions=("1.3",))),
        _beside_plain(spoken_by(request, TlsRequest(certificate=second))),
        request,
    )
    for wish in wishes:
        seen = driver.ensure_balancer(wish, scene.newer_fence())
        expect(seen.listeners == wish.listeners, f"there is {seen}")
        expect(driver.observe_balancer(wish.balancer_id) == seen, "what the verb returned is not what is observed")


@check(needs=TLS, probes=MAKES)
def a_certificate_that_is_not_there_is_refused(scene: Scene) -> None:
    """A name that leads nowhere, or that led somewhere before, is refused for good, and what was there is as it was."""
    driver, request = balances_of(scene), a_wish(scene)
    good, gone = scene.certificate(), scene.certificate()
    standing = spoken_by(request, TlsRequest(certificate=good))
    driver.ensure_balancer(standing, scene.fence)
    assert scene.harness.remove_certificate is not None
    scene.harness.remove_certificate(gone)
    for bad in (TlsRequest(certificate=gone), TlsRequest(certificate=good, others=(gone,)), TlsRequest(certificate=NO_NAME)):
        _expect_missed(scene, spoken_by(request, bad), standing)


@check(needs=TLS, probes=(*MAKES, "meddle_certificate"))
def a_certificate_changed_behind_our_back_is_shown_and_put_right(scene: Scene) -> None:
    """Somebody has a listener show another certificate: it is observed, and the next to ask puts it back."""
    driver, request = balances_of(scene), a_wish(scene)
    ours, theirs = scene.certificate(), scene.certificate()
    wish = spoken_by(request, TlsRequest(certificate=ours))
    driver.ensure_balancer(wish, scene.fence)
    assert scene.harness.meddle_certificate is not None
    scene.harness.meddle_certificate(request.balancer_id, theirs)
    seen = driver.observe_balancer(request.balancer_id)
    expect(seen is not None and seen.listeners[0].tls == TlsRequest(certificate=theirs), f"it is not observed: {seen}")
    expect(driver.ensure_balancer(wish, scene.newer_fence()).listeners == wish.listeners, "it was not put right")


@check(needs=TLS, probes=(*MAKES, "holds_certificate"))
def a_certificate_outlives_its_load_balancer(scene: Scene) -> None:
    """It is not ours: neither showing another one nor the end of the load balancer removes it."""
    driver, request = balances_of(scene), a_wish(scene)
    first, second = scene.certificate(), scene.certificate()
    for name in (first, second):
        driver.ensure_balancer(spoken_by(request, TlsRequest(certificate=name)), scene.newer_fence())
    driver.ensure_balancer_absent(request.balancer_id, scene.newer_fence())
    holds = scene.harness.holds_certificate
    assert holds is not None
    expect(holds(first) and holds(second), "a certificate was removed")


@check(needs=TLS, probes=MAKES)
def a_certificate_that_was_taken_away_is_missed_before_anything_changes(scene: Scene) -> None:
    """The load balancer is left as it is; another one may be shown, and all of it removed."""
    driver, request = balances_of(scene), a_wish(scene)
    gone, other = scene.certificate(), scene.certificate()
    wish = spoken_by(request, TlsRequest(certificate=gone))
    driver.ensure_balancer(wish, scene.fence)
    remove = scene.harness.remove_certificate
    assert remove is not None
    remove(gone)
    fewer = replace(wish, listeners=(replace(wish.listeners[0], members=wish.listeners[0].members[:1]),))
    _expect_missed(scene, fewer, wish)
    mended = spoken_by(request, TlsRequest(certificate=other))
    expect(driver.ensure_balancer(mended, scene.newer_fence()).listeners == mended.listeners, "no other one is shown")
    remove(other)
    driver.ensure_balancer_absent(request.balancer_id, scene.newer_fence())
    expect(driver.observe_balancer(request.balancer_id) is None, "it is observed after its end")


@check(needs=Capability.LOAD_BALANCERS, lacks=Capability.BALANCER_TLS)
def tls_is_refused_where_it_is_not_declared(scene: Scene) -> None:
    """A driver of load balancers that speak no TLS says so, and makes nothing."""
    driver, request = balances_of(scene), a_wish(scene)
    wish = spoken_by(request, TlsRequest(certificate=NO_NAME))
    expect_fault(CapabilityMissing, lambda: driver.ensure_balancer(wish, scene.fence), "a listener with TLS was accepted")
    expect(driver.observe_balancer(request.balancer_id) is None, "a load balancer was made all the same")


def spoken_by(request: BalancerRequest, tls: TlsRequest) -> BalancerRequest:
    """Return the request with its first listener spoken to by TLS."""
    return replace(request, listeners=(replace(request.listeners[0], port=443, tls=tls),))


def _expect_missed(scene: Scene, wish: BalancerRequest, standing: BalancerRequest) -> None:
    """Have a wish refused for a certificate that is not there, and see that what stands is as it was."""
    driver = balances_of(scene)
    fault = expect_fault(Permanent, partial(driver.ensure_balancer, wish, scene.newer_fence()), f"{wish} was accepted")
    expect(code_of(fault) == "driver.balancer_certificate_missing", f"the refusal says {code_of(fault)}")
    seen = driver.observe_balancer(wish.balancer_id)
    expect(seen is not None and seen.listeners == standing.listeners, f"what was there changed: {seen}")


def _beside_plain(request: BalancerRequest) -> BalancerRequest:
    plain = ListenerRequest(port=80, protocol="http", members=())
    return replace(request, listeners=(plain, *request.listeners))


CHECKS = (
    a_listener_shows_the_certificates_it_is_asked_to,
    a_certificate_that_is_not_there_is_refused,
    a_certificate_changed_behind_our_back_is_shown_and_put_right,
    a_certificate_outlives_its_load_balancer,
    a_certificate_that_was_taken_away_is_missed_before_anything_changes,
    tls_is_refused_where_it_is_not_declared,
)
