"""Both books of a window: the reasons add up to the difference, to the second, whatever is in them."""

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


def machine(begun_s: int, ended_s: int | None, vcpu_count: int = 2, instance_id: str = "inst_1") -> CountedMachine:
    uuid = f"{instance_id}-{begun_s}"
    return CountedMachine(
        uuid=uuid, name="web-1", instance_id=instance_id, vcpu_count=vcpu_count, begun_s=begun_s, ended_s=ended_s
    )


def reasons(ledger: list[LedgerInterval], counted: list[CountedMachine]) -> dict[Reason, int]:
    (found,) = compare(ledger, counted, START_S, END_S).machines
    return dict(found.reasons)


@st.composite
def ledgers(draw: st.DrawFn) -> list[LedgerInterval]:
    """One resource after the other in time, as the ledger has them."""
    found = []
    for resource_id in ("inst_1", "inst_2"):
        edges = sorted(draw(st.sets(moments, max_size=6)))
        pairs = list(zip(edges[::2], edges[1::2], strict=False))
        found += [row(a, b, draw(st.integers(1, 4)), resource_id) for a, b in pairs]
    return found


counted_machines = st.lists(
    st.builds(
        machine, begun_s=moments, ended_s=st.one_of(st.none(), moments), vcpu_count=st.integers(1, 4),
        instance_id=st.sampled_from(["inst_1", "inst_2", ""]),
    ),
    max_size=5,
)  # fmt: skip


@given(ledgers(), counted_machines)
def test_reasons_add_up_to_the_difference(ledger: list[LedgerInterval], counted: list[CountedMachine]) -> None:
    report = compare(ledger, counted, START_S, END_S)
    for found in report.machines:
        assert sum(found.reasons.values()) == found.ledger_vcpu_s - found.counted_vcpu_s
    clipped = [(max(r.start_s, START_S), min(r.end_s or END_S, END_S), r.amount) for r in ledger]
    assert sum(m.ledger_vcpu_s for m in report.machines) == sum(max(0, b - a) * n for a, b, n in clipped)


def test_what_both_count_alike_needs_no_reason() -> None:
    assert reasons([row(50, None)], [machine(50, None)]) == {}


def test_each_difference_has_its_reason() -> None:
    assert reasons([row(110, None)], [machine(115, None)]) == {Reason.BUILDING: 10}
    assert reasons([row(110, None)], []) == {Reason.NEVER_STARTED: 180}
    assert reasons([row(50, 150)], [machine(50, 140)]) == {Reason.ENDED_EARLY: 20}
    assert reasons([row(50, 150)], [machine(50, 120), machine(125, 150)]) == {Reason.REBUILDING: 10}
    assert reasons([row(50, 150)], [machine(50, 160)]) == {Reason.NOT_PROMISED: -20}
    assert reasons([row(50, 120), row(120, None, 4)], [machine(50, None, 4)]) == {Reason.OTHER_SIZE: -40}


def test_only_vcpus_are_compared_and_what_is_of_others_stands_apart() -> None:
    report = compare([row(50, None, 512, meter="memory_mib")], [machine(150, None, instance_id="")], START_S, END_S)
    assert (report.machines, report.foreign_count, report.foreign_vcpu_s) == ((), 1, 100)
