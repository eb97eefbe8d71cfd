"""Faults strike where the script says, or repeat themselves for a seed."""

from pathlib import Path

import pytest

from drivers.faults import OutcomeUnknown, Permanent, StaleFence, Transient
from drivers.simulated.faults import (
    Call,
    Chained,
    Crash,
    Delay,
    Fault,
    FaultRates,
    LateEffect,
    LostReply,
    LostRequest,
    Script,
    SeededFaults,
    SimulatedCrash,
    StorageFull,
    Unreachable,
)
from inventory.domain.resource import Observed
from tests.support.simulated_harness import HOST, Bench, make_bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return make_bench(tmp_path)


def test_lost_reply_leaves_the_work_done(bench: Bench) -> None:
    instance_id = bench.create(bench.machine())
    bench.world.faults = Script().on("ensure_stopped", fault=LostReply())
    with pytest.raises(OutcomeUnknown):
        bench.driver.ensure_stopped(instance_id, 1, graceful_s=0)
    found = bench.driver.observe_instance(instance_id)
    assert found is not None
    assert found.state is Observed.STOPPED


@pytest.mark.parametrize(("fault", "kind"), [(LostRequest(), OutcomeUnknown), (LostRequest(is_known=True), Transient)])
def test_lost_request_does_nothing(bench: Bench, fault: Fault, kind: type[Exception]) -> None:
    volume = bench.volume()
    bench.world.faults = Script().on("ensure_volume", fault=fault)
    with pytest.raises(kind):
        bench.driver.ensure_volume(volume, 1)
    assert not bench.host.volumes


def test_lost_answer_of_a_read_is_transient(bench: Bench) -> None:
    bench.world.faults = Script().on("observe", fault=LostReply())
    with pytest.raises(Transient):
        bench.driver.observe()


@pytest.mark.parametrize("is_after", [False, True])
def test_crash_strikes_before_or_after_the_work(bench: Bench, is_after: bool) -> None:
    bench.world.faults = Script().on("ensure_volume", fault=Crash(is_after=is_after))
    with pytest.raises(SimulatedCrash):
        bench.driver.ensure_volume(bench.volume(), 1)
    assert bool(bench.host.volumes) is is_after


def test_crash_is_not_caught_as_an_ordinary_error() -> None:
    assert not issubclass(SimulatedCrash, Exception)


def test_unreachable_host_comes_back_by_itself(bench: Bench) -> None:
    bench.world.faults = Script().on("observe", fault=Unreachable(for_s=30))
    for _ in range(2):
        with pytest.raises(Transient) as caught:
            bench.driver.observe()
        assert caught.value.problem.code == "driver.unreachable"
    bench.clock.now_s += 31
    assert bench.driver.observe().instances == ()


def test_delay_sleeps_on_the_virtual_clock(bench: Bench) -> None:
    bench.world.faults = Script().on("observe", fault=Delay(by_s=7))
    bench.world.delays_s = {"observe": 2.0, "*": 1.0}
    bench.driver.observe()
    bench.driver.stats()
    assert bench.clock.slept == [2.0, 7, 1.0]


def test_storage_full_strikes_only_what_writes(bench: Bench) -> None:
    bench.world.faults = Script().on("*", times=99, fault=StorageFull())
    with pytest.raises(Permanent) as caught:
        bench.driver.ensure_volume(bench.volume(), 1)
    assert caught.value.problem.code == "driver.storage_full"
    bench.driver.observe()


def test_late_effect_happens_after_its_caller_gave_up(bench: Bench) -> None:
    volume = bench.volume()
    bench.world.faults = Script().on("ensure_volume", fault=LateEffect(after_s=10))
    with pytest.raises(OutcomeUnknown):
        bench.driver.ensure_volume(volume, 1)
    assert volume.volume_id not in bench.driver.observe().volume_ids
    bench.clock.now_s += 11
    assert volume.volume_id in bench.driver.observe().volume_ids


def test_late_effect_of_an_old_hold_is_stopped_by_the_fence(bench: Bench) -> None:
    instance_id = bench.create(bench.machine(), fence=1)
    bench.world.faults = Script().on("ensure_stopped", fault=LateEffect(after_s=10))
    with pytest.raises(OutcomeUnknown):
        bench.driver.ensure_stopped(instance_id, 1, graceful_s=0)
    bench.driver.ensure_running(instance_id, 2)
    bench.clock.now_s += 11
    found = bench.driver.observe_instance(instance_id)
    assert found is not None
    assert found.state is Observed.RUNNING
    with pytest.raises(StaleFence):
        bench.driver.ensure_stopped(instance_id, 1, graceful_s=0)


def test_script_strikes_the_nth_call_on_the_named_host_and_resource() -> None:
    fault = LostReply()
    script = Script().on("observe", host="a", resource_id="x", nth=2, times=2, fault=fault)
    calls = [Call("a", "observe", "x"), Call("b", "observe", "x"), Call("a", "observe", "y"), Call("a", "stats", "x")]
    assert [script.fault_for(c) for c in calls] == [None] * 4
    again = Call("a", "observe", "x")
    assert [script.fault_for(again) for _ in range(3)] == [fault, fault, None]
    assert script.fired == [(again, fault)] * 2


def _draw(seed: int, calls: int = 500) -> list[object]:
    rates = FaultRates(delay=0.1, lost_request=0.1, lost_reply=0.1, crash_after=0.05, unreachable=0.05, late_effect=0.1)
    faults = SeededFaults(seed, rates)
    return [faults.fault_for(Call(HOST, "observe")) for _ in range(calls)]


def test_the_same_seed_gives_the_same_faults() -> None:
    assert _draw(7) == _draw(7)
    assert _draw(7) != _draw(8)


def test_seeded_faults_come_about_as_often_as_asked() -> None:
    drawn = [type(f) for f in _draw(3, 20_000)]
    assert drawn.count(LostReply) == pytest.approx(2000, rel=0.15)
    assert drawn.count(type(None)) == pytest.approx(10_000, rel=0.05)


def test_seeded_faults_can_be_calmed() -> None:
    faults = SeededFaults(1, FaultRates(lost_request=1.0))
    assert faults.fault_for(Call(HOST, "observe")) is not None
    faults.is_active = False
    assert faults.fault_for(Call(HOST, "observe")) is None


def test_rates_beyond_certainty_are_refused() -> None:
    with pytest.raises(ValueError, match="exceed 1"):
        SeededFaults(1, FaultRates(lost_request=0.7, lost_reply=0.7))


def test_first_of_chained_sources_decides_and_all_see_the_call() -> None:
    first = Script().on("observe", nth=2, fault=Delay(1))
    second = Script().on("observe", nth=2, fault=Delay(2))
    chained = Chained(first, second)
    call = Call(HOST, "observe")
    assert [chained.fault_for(call), chained.fault_for(call)] == [None, Delay(1)]
    assert second.fired == [(call, Delay(2))]
