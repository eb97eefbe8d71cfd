"""The region's message broker as it refuses, is away and comes back, and as it speaks TLS: why nothing is heard is known."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from drivers.openstack.notices import AGAIN_S, CONNECT_S, Notices
from inventory.domain.errors import Problem
from tests.openstack.authority import Authority
from tests.openstack.region.processes import listens
from tests.openstack.region.region import Region
from tests.support.libvirtd import until

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(600)]

#: One try, and the pause before the next.
TRIED_S = AGAIN_S + 2 * CONNECT_S


@contextmanager
def listening(url: str, ca_file: Path | None = None) -> Iterator[Notices]:
    notices = Notices(url, time.time, None if ca_file is None else str(ca_file))
    notices.subscribe("host_1", lambda _event: None)
    try:
        yield notices
    finally:
        notices.close()


def address(region: Region, password: str = "", *, scheme: str = "amqp", host: str = "127.0.0.1") -> str:
    port = region.layout.port("broker" if scheme == "amqp" else "broker_tls")
    return f"{scheme}://region:{password or region.layout.password}@{host}:{port}"


def why(notices: Notices) -> Problem:
    """Return why the broker is not heard, once it was tried."""
    until(lambda: notices.problem is not None, TRIED_S, "the broker was tried")
    found = notices.problem
    assert found is not None
    assert not notices.is_heard
    return found


def test_a_wrong_password_is_said_to_be_refused_and_is_not_told(region: Region) -> None:
    with listening(address(region, "no-such-password")) as notices:
        found = why(notices)
        assert found.code == "openstack.broker_refused"
        assert "ACCESS_REFUSED" in found.params["reason"]
        assert "no-such-password" not in str(found)


def test_tls_is_believed_by_the_authority_that_is_named_and_by_no_other(region: Region, tmp_path: Path) -> None:
    url, own = address(region, scheme="amqps"), region.layout.broker_certificate
    with listening(url, own) as notices:
        until(lambda: notices.is_heard, TRIED_S, "it is heard by TLS")
        assert notices.problem is None
    stranger = Authority(tmp_path).own.certificate
    for wrong_url, ca_file in ((url, stranger), (url, None), (address(region, scheme="amqps", host="localhost"), own)):
        with listening(wrong_url, ca_file) as notices:
            assert why(notices).code == "driver.certificate_refused", (wrong_url.rpartition("@")[2], ca_file)


@pytest.mark.alone
def test_a_broker_that_stops_is_missed_and_heard_again(region: Region) -> None:
    with listening(address(region)) as notices:
        until(lambda: notices.is_heard, TRIED_S, "it is heard")
        region.processes.kill("broker")
        since_s = time.time()
        try:
            assert why(notices).code == "openstack.broker_unreachable"
        finally:
            region.start_service("broker")
        until(lambda: listens(region.layout.port("broker")), TRIED_S, "it is there again")
        until(lambda: notices.is_heard, 3 * TRIED_S, "it is heard again")
        assert notices.problem is None
        region.wait_ready(since_s)
