"""Hosts whose way of events is shut: told once when it begins and once when it is over, and counted by pool."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from controller.metrics.counters import DriverCounters
from controller.metrics.drivers import counting_opener
from controller.reconcile.hosts import Breaker, HostHandle, Unheard, registry_opener
from inventory.domain.host import AdminState, Host, Reachability
from inventory.domain.ids import HostId, PoolId
from tests.support.libvirtd import until

#: Nobody listens on this port.
CLOUDS = """\
clouds:
  deaf:
    auth: {auth_url: "http://127.0.0.1:9/v3", username: nobody, password: nothing, project_name: none}
    allotment: {notifications: "amqp://allot:secret@127.0.0.1:9/nova"}
"""


def handle_of(name: str, connection: str, driver: str = "openstack") -> HostHandle:
    host = Host(
        id=HostId(f"host_{name}"),
        name=name,
        pool_id=PoolId("pool_1"),
        connection=connection,
        admin_state=AdminState.ACTIVE,
        reachability=Reachability.REACHABLE,
    )
    opener = counting_opener(registry_opener(lambda: 0.0), DriverCounters())
    return HostHandle(host, driver, opener, lambda _event: None, breaker=Breaker(), heard_at_s=0.0)


def test_a_broker_that_is_away_is_told_once_however_many_hosts_share_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "clouds.yaml").write_text(CLOUDS)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    handles = [handle_of(name, f"openstack://deaf/{name}") for name in ("hv-001", "hv-002")]
    unheard = Unheard()
    try:
        assert unheard.look(handles) == {}, "nobody has tried yet"
        for handle in handles:
            handle.driver()
        until(lambda: all(h.events_problem for h in handles), 30, "the broker was tried")
        with capture_logs() as lines:
            assert [unheard.look(handles) for _ in range(3)] == [{"pool_1": 2}] * 3
        ((code, broker),) = [(line["code"], line["broker"]) for line in lines]
        assert (code, broker) == ("openstack.broker_unreachable", "amqp://127.0.0.1:9/nova")
        with capture_logs() as lines:
            assert [unheard.look([]) for _ in range(3)] == [{}] * 3
        assert [(line["log_level"], line["code"]) for line in lines] == [("info", "openstack.broker_unreachable")]
    finally:
        for handle in handles:
            handle.close()
    assert [h.events_problem for h in handles] == [None, None], "a connection that is closed is not sought"


def test_a_host_whose_events_come_with_its_connection_has_no_such_state() -> None:
    handle = handle_of("h1", "simulated://unheard/h1", "simulated")
    handle.driver()
    assert handle.events_problem is None
    assert Unheard().look([handle]) == {}
    handle.close()
