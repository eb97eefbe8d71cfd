"""Both books of a window: the reasons add up to the difference, to the second, whatever is in them."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from inventory.domain.counted import CountedMachine
from metering.counted import Reason, compare
from metering.ledger import LedgerInterval

START_S, END_S = 100, 200
moments = st.integers(0, 300)


def row(start_s: int, end_s: int | None, amount: int = 2, resource_id: str = "inst_1", meter: str = "vcpu") -> LedgerInterval:
    return LedgerInterval(
        resource_id=resource_id, meter=meter, start_s=start_s, end_s=end_s, amount=amount, state="running", opened_by=1,
        closed_by=None, resource_kind="instance", resource_name="web-1", department_id="d", project_id="p", system_id="s",
        host_id="host_1",
    )  # fmt: skip


def machine(
    begun_s: int, ended_s: int | None, vcpu_count: int = 2, instance_id: str = "inst_1", memory_mib: int = 0
) -> CountedMachine:
    uuid = f"{instance_id}-{begun_s}"
    return CountedMachine(
        uuid=uuid, name="web-1", instance_id=instance_id, vcpu_count=vcpu_count, memory_mib=memory_mib, begun_s=begun_s,
        ended_s=ended_s,
    )  # fmt: skip


def reasons(ledger: list[LedgerInterval], counted: list[CountedMachine]) -> dict[Reason, int]:
    (found,) = compare(ledger, counted, START_S, END_S).machines
    return dict(found.reasons)


@st.composite
def ledgers(draw: st.DrawFn) -> list[LedgerInterval]:
    """One resource after the other in time, as the ledger has them."""
    found = []
    for resource_id, meter in product(("inst_1", "inst_2"), ("vcpu", "memory_mib", "disk_gib")):
        edges = sorted(draw(st.sets(moments, max_size=6)))
        pairs = list(zip(edges[::2], edges[1::2], strict=False))
        found += [row(a, b, draw(st.integers(1, 4)), resource_id, meter) for a, b in pairs]
    return found


counted_machines = st.lists(
    st.builds(
        machine, begun_s=moments, ended_s=st.one_of(st.none(), moments), vcpu_count=st.integers(1, 4),
        instance_id=st.sampled_from(["inst_1", "inst_2", ""]), memory_mib=st.integers(0, 4),
    ),
    max_size=5,
)  # fmt: skip


@given(ledgers(), counted_machines)
def test_reasons_add_up_to_the_difference(ledger: list[LedgerInterval], counted: list[CountedMachine]) -> None:
    report = compare(ledger, counted, START_S, END_S)
    for found in report.machines:
        assert sum(found.reasons.values()) == found.ledger_vcpu_s - found.counted_vcpu_s
        assert sum(found.memory_reasons.values()) == found.ledger_memory_mib_s - found.counted_memory_mib_s
    assert sum(m.ledger_vcpu_s for m in report.machines) == in_window(ledger, "vcpu")
    assert sum(m.ledger_memory_mib_s for m in report.machines) == in_window(ledger, "memory_mib")
    lives = [(max(m.begun_s, START_S), END_S if m.ended_s is None else min(m.ended_s, END_S), m.memory_mib) for m in counted]
    counted_mib_s = report.foreign_memory_mib_s + sum(m.counted_memory_mib_s for m in report.machines)
    assert counted_mib_s == sum(max(0, b - a) * n for a, b, n in lives)


def in_window(ledger: list[LedgerInterval], meter: str) -> int:
    clipped = [(max(r.start_s, START_S), min(r.end_s or END_S, END_S), r.amount) for r in ledger if r.meter == meter]
    return sum(max(0, b - a) * n for a, b, n in clipped)


def test_what_both_count_alike_needs_no_reason() -> None:
    assert reasons([row(50, None)], [machine(50, None)]) == {}


def test_each_difference_has_its_reason() -> None:
    assert reasons([row(110, None)], [machine(115, None)]) == {Reason.BUILDING: 10}
    assert reasons([row(110, None)], []) == {Reason.NEVER_STARTED: 180}
    assert reasons([row(50, 150)], [machine(50, 140)]) == {Reason.ENDED_EARLY: 20}
    assert reasons([row(50, 150)], [machine(50, 120), machine(125, 150)]) == {Reason.REBUILDING: 10}
    assert reasons([row(50, 150)], [machine(50, 160)]) == {Reason.NOT_PROMISED: -20}
    assert reasons([row(50, 120), row(120, None, 4)], [machine(50, None, 4)]) == {Reason.OTHER_SIZE: -40}


def test_memory_is_compared_as_vcpus_are() -> None:
    ledger = [row(50, None), row(50, 120, 512, meter="memory_mib"), row(120, None, 1024, meter="memory_mib")]
    (found,) = compare(ledger, [machine(50, None, memory_mib=1024)], START_S, END_S).machines
    assert (found.reasons, found.memory_reasons) == ({}, {Reason.OTHER_SIZE: -512 * 20}), "memory alone was made larger"
    (found,) = compare(ledger[1:], [], START_S, END_S).machines
    assert found.memory_reasons == {Reason.NEVER_STARTED: 512 * 20 + 1024 * 80}


def test_no_other_meter_is_compared_and_what_is_of_others_stands_apart() -> None:
    others = [machine(150, None, instance_id="", memory_mib=256)]
    report = compare([row(50, None, 20, meter="disk_gib")], others, START_S, END_S)
    assert (report.machines, report.foreign_count) == ((), 1)
    assert (report.foreign_vcpu_s, report.foreign_memory_mib_s) == (100, 256 * 50)
