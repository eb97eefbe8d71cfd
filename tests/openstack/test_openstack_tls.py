"""TLS on load balancers, on a real Octavia that reads certificates from a real Barbican: whose they are, who reads what of
them, and what is said where one of the two does not do."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import openstack
import pytest
from openstack import exceptions as sdk_errors

from drivers.faults import DriverFault, OutcomeUnknown, Permanent, Transient
from drivers.openstack.driver import OpenStackDriver
from drivers.powers import BalancerRequest, TlsRequest
from drivers.protocol import Capability
from inventory.domain.errors import CapabilityMissing
from tests.openstack.harness import Behind, driver_of, new_id
from tests.openstack.keys import Keys, Pair
from tests.openstack.proxy import Asked, Lose, Pass, Proxies, Refuse, Treatment, once_each, proxies_before
from tests.openstack.region.layout import REGION
from tests.openstack.region.region import Region
from tests.openstack.region.schemas import sql
from tests.openstack.region.seeding import MEMBER
from tests.openstack.wish import FENCE, Wish, balancer_on, remains, wish_on
from tests.support.libvirtd import until

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(900)]
#: What is known to hang is not waited for: seconds.
QUICK = pytest.mark.parametrize("proxies", [15], indirect=True)
KEY_MANAGER = "barbican"
SOON_S = 60


@pytest.fixture(scope="module")
def keys(behind: Behind) -> Keys:
    """The key manager, in the platform's project."""
    return Keys(behind.cloud)


@pytest.fixture
def proxies(request: pytest.FixtureRequest, region: Region, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxies]:
    """Proxies in front of the region's services."""
    with proxies_before(region.layout, tmp_path, monkeypatch, wait_s=getattr(request, "param", 60)) as found:
        yield found


def wish_through(connection: str, directory: Path) -> Iterator[Wish]:
    """Give a network, and take it away again."""
    driver = driver_of(connection)
    assert isinstance(driver, OpenStackDriver)
    found = wish_on(driver, directory)
    found.have(lambda: driver.ensure_segment(found.segment, FENCE))
    yield found
    found.remove()
    driver.close()


@pytest.fixture
def wish(proxies: Proxies, tmp_path: Path) -> Iterator[Wish]:
    """A network whose every call goes through the proxies; the credential is an administrator's."""
    yield from wish_through("openstack://proxied/hv-006", tmp_path)
    proxies.treat = lambda _asked: Pass()


@pytest.fixture
def limited(region: Region, tmp_path: Path) -> Iterator[Wish]:
    """A network of the role ``allotment``, which reads no secrets."""
    del region
    yield from wish_through("openstack://limited/hv-006", tmp_path)


def tls_on(wish: Wish, tls: TlsRequest) -> BalancerRequest:
    """Return the wish for a load balancer whose one listener is spoken to by TLS."""
    request = balancer_on(wish)
    return showing(request, tls)


def showing(request: BalancerRequest, tls: TlsRequest) -> BalancerRequest:
    """Return the same load balancer with other certificates."""
    return replace(request, listeners=(replace(request.listeners[0], port=443, tls=tls),))


def made(wish: Wish, request: BalancerRequest, fence: int = FENCE) -> None:
    """Have the load balancer exactly as it is asked for."""
    seen = wish.have(lambda: wish.driver.ensure_balancer(request, fence))
    assert seen.listeners == request.listeners


def gone(wish: Wish, behind: Behind, request: BalancerRequest) -> None:
    """Take the load balancer away and see that nothing of it is left."""
    wish.have(lambda: wish.driver.ensure_balancer_absent(request.balancer_id, FENCE))
    assert remains(behind, request.balancer_id) == []


def refused(wish: Wish, request: BalancerRequest) -> DriverFault:
    """Return why a load balancer is refused for good."""
    with pytest.raises(Permanent) as fault:
        wish.driver.ensure_balancer(request, FENCE)
    return fault.value


def listener_of(behind: Behind, request: BalancerRequest) -> Any:
    """Return the one listener of a load balancer as Octavia shows it."""
    octavia = behind.cloud.load_balancer
    (found,) = behind.described(octavia.load_balancers, request.balancer_id)
    (listener,) = octavia.listeners(load_balancer_id=found.id)
    return listener


def is_change(asked: Asked) -> bool:
    """Tell whether a request changes a load balancer."""
    return asked.service == "octavia" and asked.method != "GET"


def test_another_certificate_is_shown_by_the_same_listener_in_one_call(
    wish: Wish, proxies: Proxies, keys: Keys, behind: Behind
) -> None:
    first, second, third = (keys.put() for _ in range(3))
    request = tls_on(wish, TlsRequest(certificate=first))
    made(wish, request)
    before = listener_of(behind, request)
    assert (before.protocol, sorted(before.tls_versions)) == ("TERMINATED_HTTPS", ["TLSv1.2", "TLSv1.3"])
    asked = len(proxies.asked)
    made(wish, showing(request, TlsRequest(certificate=second, others=(third,), versions=("1.3",))))
    changes = [a for a in proxies.asked[asked:] if is_change(a)]
    assert [(a.method, a.path.rpartition("/")[2]) for a in changes] == [("PUT", before.id)]
    after = listener_of(behind, request)
    shown = [after.default_tls_container_ref, *after.sni_container_refs]
    assert (after.id, after.tls_versions, [a.rpartition("/v1/")[2] for a in shown]) == (before.id, ["TLSv1.3"], [second, third])
    gone(wish, behind, request)
    assert [keys.holds(name) for name in (first, second, third)] == [True, True, True]
    for name in (first, second, third):
        keys.remove(name)


def test_a_lost_answer_to_any_change_of_a_listener_with_tls(wish: Wish, proxies: Proxies, keys: Keys, behind: Behind) -> None:
    first, second = keys.put(), keys.put()
    request = tls_on(wish, TlsRequest(certificate=first))
    proxies.treat = once_each(Lose(), is_change)
    made(wish, request)
    made(wish, showing(request, TlsRequest(certificate=second)))
    lost = [f for f in wish.faults if isinstance(f, OutcomeUnknown)]
    # Load balancer, listener, pool, two members as one kind, health monitor, and the other certificate.
    assert len(lost) >= 6, [f.problem for f in wish.faults]
    gone(wish, behind, request)
    for name in (first, second):
        keys.remove(name)


def test_a_listener_in_error_is_made_anew_with_its_certificate(wish: Wish, region: Region, keys: Keys, behind: Behind) -> None:
    name = keys.put()
    request = tls_on(wish, TlsRequest(certificate=name))
    made(wish, request)
    failed = listener_of(behind, request).id
    sql(region.layout, f"update octavia.listener set provisioning_status = 'ERROR' where id = '{failed}';")
    made(wish, request)
    assert listener_of(behind, request).id != failed
    gone(wish, behind, request)
    keys.remove(name)


def test_the_private_key_is_never_asked_for(wish: Wish, proxies: Proxies, keys: Keys, behind: Behind) -> None:
    bundle, pair = keys.put(is_container=False), keys.put(is_container=True)
    request = tls_on(wish, TlsRequest(certificate=bundle, others=(pair,)))
    made(wish, request)
    asked = [a for a in proxies.asked if a.service == KEY_MANAGER]
    payloads = {a.path.removeprefix("/v1/").removesuffix("/payload") for a in asked if a.path.endswith("/payload")}
    assert {a.method for a in asked} == {"GET"}
    assert payloads == {keys.parts(pair)["certificate"]}
    gone(wish, behind, request)
    for name in (bundle, pair):
        keys.remove(name)


def test_a_certificate_that_has_ended_is_refused_with_its_date_and_nothing_is_made(
    wish: Wish, keys: Keys, behind: Behind
) -> None:
    name = keys.put(Pair("old.example.gov.cn", ends_in_days=-1), is_container=True)
    request = tls_on(wish, TlsRequest(certificate=name))
    fault = refused(wish, request)
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    assert (fault.problem.code, fault.problem.params["ended"]) == ("driver.balancer_certificate_expired", yesterday)
    assert remains(behind, request.balancer_id) == []
    keys.remove(name)


def test_a_secret_that_has_ended_in_the_key_manager_is_missing(wish: Wish, keys: Keys) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=3)
    name = keys.put_secret(Pair("short.example.gov.cn").bundle, ends=soon)
    until(lambda: not keys.holds(name), SOON_S, "it has ended")
    fault = refused(wish, tls_on(wish, TlsRequest(certificate=name)))
    assert (fault.problem.code, fault.problem.params) == ("driver.balancer_certificate_missing", {"reference": name})


def test_what_is_no_certificate_or_not_its_key_is_refused_by_octavia(wish: Wish, keys: Keys, behind: Behind) -> None:
    pair = Pair("portal.example.gov.cn")
    bad = (
        keys.put_secret(pair.pem),
        keys.put_secret(b"\x00nothing at all"),
        keys.put(Pair("other.example.gov.cn", key_of=pair), is_container=True),
    )
    for name in bad:
        request = tls_on(wish, TlsRequest(certificate=name))
        fault = refused(wish, request)
        assert (fault.problem.code, fault.problem.params["references"]) == ("driver.balancer_certificate_unreadable", name)
        assert "PRIVATE" not in str(fault)
        gone(wish, behind, request)
        keys.remove(name)


def test_the_role_needs_octavia_to_be_let_read_and_then_goes_on(limited: Wish, keys: Keys, behind: Behind) -> None:
    name = keys.put(is_readable=False)
    request = tls_on(limited, TlsRequest(certificate=name))
    assert refused(limited, request).problem.code == "driver.balancer_certificate_unreadable"
    keys.let_octavia_read(name)
    made(limited, request)
    gone(limited, behind, request)
    keys.remove(name)


def test_the_role_sees_a_certificate_but_reads_no_key_and_cannot_let_itself(limited: Wish, keys: Keys) -> None:
    name = keys.put(is_container=True)
    barbican = limited.driver._region.keys()
    secret = keys.parts(name)["private_key"]
    for path in (f"/{name}", f"/{secret}", f"/{secret}/acl"):
        sdk_errors.raise_from_response(barbican.get(path, headers={"Accept": "application/json"}))
    mine = {"read": {"users": [limited.driver._region.sdk.current_user_id]}}
    for answer in (
        barbican.get(f"/{secret}/payload", headers={"Accept": "text/plain"}),
        barbican.put(f"/{secret}/acl", json=mine),
        barbican.delete(f"/{secret}"),
    ):
        assert answer.status_code == 403
    keys.remove(name)


def test_an_administrator_lets_octavia_read_by_making_the_listener(wish: Wish, keys: Keys, behind: Behind) -> None:
    name = keys.put(is_readable=False)
    request = tls_on(wish, TlsRequest(certificate=name))
    made(wish, request)
    assert keys.readers(name) == [keys.octavia_id]
    gone(wish, behind, request)
    keys.remove(name)


def test_a_certificate_of_another_project_is_refused(limited: Wish, behind: Behind) -> None:
    theirs = Keys(behind.cloud, MEMBER)
    name = theirs.put()
    fault = refused(limited, tls_on(limited, TlsRequest(certificate=name)))
    assert fault.problem.code == "openstack.forbidden"
    theirs.remove(name)


def test_an_application_credential_shows_no_certificate_and_says_why(
    region: Region, behind: Behind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with application_credential(region, behind, tmp_path) as cloud:
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
        keys = Keys(behind.cloud, MEMBER)
        name = keys.put()
        for wish in wish_through(f"openstack://{cloud}", tmp_path):
            plain = balancer_on(wish)
            assert refused(wish, showing(plain, TlsRequest(certificate=name))).problem.code == "openstack.tls_needs_a_user"
            made(wish, plain)
            gone(wish, behind, plain)
        keys.remove(name)


@contextmanager
def application_credential(region: Region, behind: Behind, directory: Path) -> Iterator[str]:
    """Give a cloud with an application credential that may see certificates, and Octavia's user may read them."""
    identity, layout = behind.cloud.identity, region.layout
    role = identity.find_role("observer") or identity.create_role(name="observer")
    identity.assign_project_role_to_user(identity.find_project(MEMBER), identity.find_user(MEMBER), role)
    url = layout.url("keystone", "/v3")
    user: Any = openstack.connect(
        auth_url=url, username=MEMBER, password=layout.password, project_name=MEMBER, region_name=REGION,
        user_domain_name="Default", project_domain_name="Default",
    )  # fmt: skip
    given = user.identity.create_application_credential(user.current_user_id, name=new_id("host"))
    auth = {"auth_url": url, "application_credential_id": given.id, "application_credential_secret": given.secret}
    entry = {"region_name": REGION, "auth_type": "v3applicationcredential", "auth": auth}
    (directory / "clouds.yaml").write_text(json.dumps({"clouds": {"delegated": entry}}))
    yield "delegated"
    user.identity.delete_application_credential(user.current_user_id, given.id)
    user.close()


def test_what_showed_a_certificate_that_was_taken_away_is_made_anew_in_the_clear(wish: Wish, keys: Keys, behind: Behind) -> None:
    name = keys.put()
    request = tls_on(wish, TlsRequest(certificate=name))
    made(wish, request)
    keys.remove(name)
    plain = replace(request, listeners=(replace(request.listeners[0], tls=None),))
    made(wish, plain, FENCE + 1)
    wish.have(lambda: wish.driver.ensure_balancer_absent(request.balancer_id, FENCE + 1))
    assert remains(behind, request.balancer_id) == []


@QUICK
def test_octavias_user_that_may_read_no_more_ties_a_load_balancer_until_it_may_again(
    wish: Wish, region: Region, keys: Keys, behind: Behind
) -> None:
    name = keys.put(is_container=False)
    request = tls_on(wish, TlsRequest(certificate=name))
    made(wish, request)
    keys.let_nobody_read(name)
    fewer = replace(request, listeners=(replace(request.listeners[0], members=()),))
    with pytest.raises(Transient) as hanging:
        wish.driver.ensure_balancer(fewer, FENCE)
    assert hanging.value.problem.code == "openstack.not_ready"
    keys.let_octavia_read(name)
    # The administrator gives it free, as the page says.
    sql(region.layout, f"update octavia.load_balancer set provisioning_status = 'ERROR' where name = '{request.balancer_id}';")
    made(wish, fewer)
    gone(wish, behind, request)
    keys.remove(name)


def test_without_a_key_manager_only_tls_is_refused(region: Region, behind: Behind, tmp_path: Path) -> None:
    del region
    for wish in wish_through("openstack://keyless/hv-006", tmp_path):
        powers = wish.driver.capabilities()
        assert (Capability.LOAD_BALANCERS in powers, Capability.BALANCER_TLS in powers) == (True, False)
        plain = balancer_on(wish)
        with pytest.raises(CapabilityMissing) as missing:
            wish.driver.ensure_balancer(showing(plain, TlsRequest(certificate="secrets/x")), FENCE)
        assert missing.value.code == "openstack.key_manager_missing"
        made(wish, plain)
        gone(wish, behind, plain)


def test_a_key_manager_that_does_not_answer_is_waited_for_and_the_rest_goes_on(
    wish: Wish, proxies: Proxies, keys: Keys, behind: Behind
) -> None:
    name = keys.put()
    plain = balancer_on(wish)
    request = showing(plain, TlsRequest(certificate=name))
    proxies.treat = lambda asked: Refuse(503) if asked.service == KEY_MANAGER else Pass()
    with pytest.raises(Transient) as away:
        wish.driver.ensure_balancer(request, FENCE)
    assert away.value.problem.code == "driver.unreachable"
    wish.driver.observe()
    made(wish, plain)
    proxies.treat = lambda _asked: Pass()
    made(wish, request)
    gone(wish, behind, request)
    keys.remove(name)


@pytest.mark.alone
def test_a_key_manager_that_goes_before_octavia_has_read_is_waited_for(
    wish: Wish, proxies: Proxies, region: Region, keys: Keys, behind: Behind
) -> None:
    name = keys.put()
    request = tls_on(wish, TlsRequest(certificate=name))

    def stop_first(asked: Asked) -> Treatment:
        if is_change(asked) and "listeners" in asked.path:
            region.processes.stop([KEY_MANAGER])
        return Pass()

    proxies.treat = stop_first
    try:
        with pytest.raises(Transient) as away:
            wish.driver.ensure_balancer(request, FENCE)
        # Octavia itself says that the certificate is bad.
        assert away.value.problem.code == "driver.unreachable"
    finally:
        proxies.treat = lambda _asked: Pass()
        region.start_service(KEY_MANAGER)
    made(wish, request)
    gone(wish, behind, request)
    keys.remove(name)
