"""What Nova tells on a broker, read: whose machine it is about, and nothing that is not ours."""

import json
import ssl
from collections.abc import Callable
from typing import Any

import amqp
import pytest

from drivers.faults import Permanent
from drivers.openstack.marks import Mark
from drivers.openstack.notices import Notices, connection_options, place_of, problem_of, read_notice
from drivers.openstack.settings import read_settings
from drivers.protocol import DriverEvent
from inventory.domain.ids import ResourceId
from inventory.domain.resource import Observed

INSTANCE = ResourceId("inst_" + "a" * 32)
MARK = Mark(resource_id=INSTANCE, fence=7, host_id="host_1")


def notice(kind: str = "compute.instance.power_off.end", **payload: Any) -> str:
    """Return a notice as oslo.messaging writes it: a text within a text."""
    told = {"event_type": kind, "payload": {"metadata": MARK.values(), "state": "stopped", **payload}}
    return json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(told)})


@pytest.mark.parametrize(
    ("state", "observed"),
    [("stopped", Observed.STOPPED), ("active", Observed.RUNNING), ("deleted", Observed.ABSENT), ("building", Observed.UNKNOWN)],
)
def test_a_notice_says_whose_machine_it_is_about_and_how_it_is(state: str, observed: Observed) -> None:
    assert read_notice(notice(state=state)) == (MARK, observed)


def test_a_notice_without_an_envelope_is_read_too() -> None:
    assert read_notice(json.loads(notice())["oslo.message"]) == (MARK, Observed.STOPPED)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no json",
        "[]",
        "{}",
        '{"oslo.message": "cut"}',
        '{"event_type": "compute.instance.create.end", "payload": null}',
        notice(kind="compute_task.build_instances"),
        notice(metadata={}),
        notice(metadata={"allotment_id": "vol_" + "b" * 32, "allotment_fence": "1", "allotment_host": "host_1"}),
        notice(metadata=[]),
    ],
)
def test_what_is_not_about_a_machine_of_ours_is_passed_over(body: str) -> None:
    assert read_notice(body) is None


def test_each_host_is_told_of_its_own_machines_only() -> None:
    told: list[tuple[str, DriverEvent]] = []
    notices = Notices("amqp://127.0.0.1:1", lambda: 5.0)
    # Nothing is sought on a broker: what came is handed in here.
    notices.close()

    def tell(host_id: str) -> Callable[[DriverEvent], None]:
        return lambda event: told.append((host_id, event))

    first = tell("host_1")
    for host_id, listener in (("host_1", first), ("host_2", tell("host_2")), ("host_1", first)):
        notices.subscribe(host_id, listener)
    notices.hear(notice().encode())
    ((host_id, event),) = told
    assert host_id == "host_1"
    assert (event.instance_id, event.state, event.at_s) == (INSTANCE, Observed.STOPPED, 5.0)


def test_the_address_of_a_broker_is_taken_apart() -> None:
    plain = connection_options("amqp://allot:p%40ss@mq.example.gov.cn/nova")
    assert (plain["host"], plain["userid"], plain["password"], plain["virtual_host"]) == (
        "mq.example.gov.cn:5672",
        "allot",
        "p@ss",
        "nova",
    )
    assert "ssl" not in plain
    guarded = connection_options("amqps://mq.example.gov.cn:5999", "/etc/ca.pem")
    assert (guarded["host"], guarded["virtual_host"]) == ("mq.example.gov.cn:5999", "/")
    assert guarded["ssl"] == {"server_hostname": "mq.example.gov.cn", "ca_certs": "/etc/ca.pem"}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ssl.SSLCertVerificationError(1, "unknown authority"), "driver.certificate_refused"),
        (ConnectionRefusedError(111, "refused"), "openstack.broker_unreachable"),
        (TimeoutError("timed out"), "openstack.broker_unreachable"),
        (amqp.AccessRefused("Login was refused"), "openstack.broker_refused"),
        (amqp.NotFound("no exchange 'nova'"), "openstack.broker_refused"),
    ],
)
def test_why_a_broker_is_not_heard_is_said_without_its_password(error: Exception, code: str) -> None:
    found = problem_of(error, place_of("amqps://allot:secret@mq.example.gov.cn/nova"))
    assert (found.code, "amqps://mq.example.gov.cn/nova") == (code, found.params.get("broker") or found.params["connection"])
    assert "secret" not in str(found)


@pytest.mark.parametrize("address", ["http://mq", "mq:5672", "amqp://"])
def test_what_is_no_address_of_a_broker_is_named(address: str) -> None:
    with pytest.raises(Permanent) as wrong:
        read_settings({"notifications": address})
    assert (wrong.value.problem.code, wrong.value.problem.params["names"]) == ("openstack.settings_invalid", "notifications")
