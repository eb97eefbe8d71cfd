"""Counters of a region's machines: who is asked when, how often, and what a refusal leads to."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from drivers.faults import Permanent, Transient
from drivers.openstack.calls import Calls
from drivers.openstack.diagnostics import REFUSED_FOR_S, TURN_S, Diagnostics, stats_of
from drivers.openstack.mapping import ServerReading
from drivers.openstack.marks import Mark
from inventory.domain.ids import ResourceId

NOVA = {
    "cpu_details": [{"id": 0, "time": 17_300_000_000, "utilisation": 15}, {"id": 1, "time": 700_000_000, "utilisation": 1}],
    "nic_details": [{"rx_octets": 2_070_139, "tx_octets": 140_208}, {"rx_octets": 1, "tx_octets": 2}],
    "disk_details": [{"read_bytes": 262_144, "write_bytes": 5_778_432}],
    "memory_details": {"maximum": 524_288, "used": 0},
}


class Answer:
    """An answer of Nova's."""

    def __init__(self, status_code: int, body: Any = None) -> None:
        self.status_code, self.body, self.text, self.content = status_code, body or {}, "because", b""
        self.headers: dict[str, str] = {"content-type": "application/json"}
        self.url, self.reason, self.ok = "http://nova", "", status_code < 400
        self.request = None

    def json(self) -> Any:
        """Return the body."""
        return self.body


class Nova:
    """Nova as far as it is asked: by path, and how it answers."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.asked: list[tuple[float, str]] = []
        self.answer: Callable[[str], Answer] = lambda _server_id: Answer(200, NOVA)
        self.compute = self

    def get(self, path: str, microversion: str, timeout: float) -> Answer:
        """Answer a question."""
        assert (microversion, timeout > 0) == ("2.48", True)
        server_id = path.split("/")[2]
        self.asked.append((self.now_s, server_id))
        return self.answer(server_id)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds

    def diagnostics(self, per_s: float) -> Diagnostics:
        """Return what is tested."""
        calls = Calls("openstack://city", attempts=3, wait_s=1, pause=self.sleep)
        return Diagnostics(self, calls, per_s=per_s, monotonic=lambda: self.now_s, pause=self.sleep)


def _server(number: int, status: str = "ACTIVE", hypervisor: str = "hv-1") -> ServerReading:
    mark = Mark(resource_id=f"inst_{number}", fence=1, host_id="host_1")
    return ServerReading(
        server_id=f"s{number}", name="", mark=mark, status=status, task=None, vcpu_count=1, memory_mib=1, hypervisor=hypervisor
    )


@pytest.fixture
def nova() -> Nova:
    return Nova()


def test_processor_time_and_bytes_are_summed_over_processors_and_cards() -> None:
    found = stats_of(ResourceId("inst_1"), NOVA)
    assert (found.cpu_time_ns, found.network_received_bytes, found.network_sent_bytes) == (18_000_000_000, 2_070_140, 140_210)
    assert (found.disk_read_bytes, found.disk_written_bytes) == (262_144, 5_778_432)
    assert found.memory_used_mib is None, "what a guest was given is not what it uses"


def test_what_a_hypervisor_does_not_tell_is_not_known_and_never_nothing() -> None:
    found = stats_of(ResourceId("inst_1"), {"cpu_details": [{"id": 0, "time": None}], "nic_details": [], "disk_details": [{}]})
    assert (found.cpu_time_ns, found.network_received_bytes, found.disk_read_bytes) == (None, None, None)


def test_a_region_is_asked_no_more_often_than_it_says_and_all_take_turns(nova: Nova) -> None:
    diagnostics, servers = nova.diagnostics(2.0), [_server(n) for n in range(30)]
    first = diagnostics.of(servers)
    assert len(first) == 2 * TURN_S + 1
    nova.now_s += 300
    second = diagnostics.of(servers)
    assert not {s.instance_id for s in first} & {s.instance_id for s in second}, "who was asked last waits"
    nova.now_s += 300
    diagnostics.of(servers)
    assert {server_id for _, server_id in nova.asked} == {s.server_id for s in servers}
    times = [at for at, _ in nova.asked]
    assert all(b - a >= 0.5 for a, b in pairwise(times))


def test_machines_that_do_not_run_are_not_asked_for_and_one_that_stopped_meanwhile_is_left_out(nova: Nova) -> None:
    nova.answer = lambda server_id: Answer(409 if server_id == "s1" else 200, NOVA)
    found = nova.diagnostics(100.0).of([_server(0), _server(1), _server(2, status="SHUTOFF"), _server(3, status="MIGRATING")])
    assert [s.instance_id for s in found] == ["inst_0"]
    assert [server_id for _, server_id in nova.asked] == ["s0", "s1"]


@pytest.mark.parametrize(("status", "others_go_on"), [(403, False), (501, True)])
def test_a_refusal_is_told_once_and_not_asked_for_again_that_day(nova: Nova, status: int, others_go_on: bool) -> None:
    nova.answer = lambda server_id: Answer(status if server_id == "s0" else 200, NOVA)
    diagnostics = nova.diagnostics(100.0)
    with pytest.raises(Permanent) as refused:
        diagnostics.of([_server(0)])
    assert refused.value.problem.code == "openstack.diagnostics_refused"
    assert not diagnostics.is_offered("hv-1")
    assert diagnostics.is_offered("hv-2") is others_go_on
    assert diagnostics.of([_server(0), _server(1)]) == []
    assert len(nova.asked) == 1
    nova.now_s += REFUSED_FOR_S
    assert diagnostics.is_offered("hv-1")


def test_a_nova_that_does_not_answer_is_asked_once_and_what_was_told_before_is_kept(nova: Nova) -> None:
    diagnostics = nova.diagnostics(100.0)
    nova.answer = lambda _server_id: Answer(503)
    with pytest.raises(Transient):
        diagnostics.of([_server(0), _server(1)])
    assert len(nova.asked) == 1
    nova.answer = lambda server_id: Answer(503 if server_id == "s0" else 200, NOVA)
    assert [s.instance_id for s in diagnostics.of([_server(0), _server(1)])] == ["inst_1"]


def test_who_went_has_no_turn_any_more(nova: Nova) -> None:
    diagnostics = nova.diagnostics(100.0)
    diagnostics.of([_server(0), _server(1)])
    diagnostics.forget_all_but(["s1"])
    assert list(diagnostics._asked_at) == ["s1"]


def test_nothing_is_offered_where_nothing_was_asked_for(nova: Nova) -> None:
    assert not nova.diagnostics(0.0).is_offered("hv-1")
