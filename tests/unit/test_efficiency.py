"""metering.efficiency and metering.savings by hand: what is idle, too large or not known, and what it would save."""

import pytest

from inventory.domain.errors import Invalid
from metering.books import Books, BookVersion, Discount, Mode, Rate, Step
from metering.efficiency import Finding, Machine, Rules, Target, by_class, by_system, judge, met, together
from metering.efficiency_document import read_rules
from metering.ledger import LedgerInterval
from metering.samples import Stretch, Used
from metering.savings import YEAR_S, Savings

DAY_MS = 86_400_000
RULES = Rules()


def machine(
    name: str = "web-1", *, cpu: int = 10, peak: int = 0, memory: int | None = 100, moved: int = 0, known: int = 100,
    vcpu: int = 8, memory_mib: int = 8192, running_days: int = 10, stopped_days: int = 0, kind: str = "gov-public",
) -> Machine:  # fmt: skip
    """Return a machine that used so many thousandths of what it has, for so much (percent) of its time."""
    used = Used.empty()
    ms = running_days * DAY_MS * known // 100
    if ms:
        used.cpu.add(cpu, ms)
        used.vcpu_ms, used.cpu_ms = vcpu * ms, vcpu * ms * cpu // 1000
        used.network_ms, used.received_bytes = ms, moved
        if memory is not None:
            used.memory.add(memory, ms)
            used.memory_mib_ms, used.memory_used_mib_ms = memory_mib * ms, memory_mib * ms * memory // 1000
    if peak:
        used.cpu.add(peak, 300_000)
    return Machine(
        instance_id=f"inst_{name}", name=name, department_id="dept_a", project_id="proj_a", system_id="sys_a", network_class=kind,
        vcpu_count=vcpu, memory_mib=memory_mib, running_s=running_days * 86_400, stopped_s=stopped_days * 86_400,
        vcpu_s=vcpu * running_days * 86_400, used=used,
    )  # fmt: skip


def judged(*machines: Machine, rules: Rules = RULES) -> list[Finding]:
    for one in machines:
        judge(one, rules)
    by_system(machines)
    return [m.finding for m in machines]


def test_idle_is_what_hardly_computes_and_hardly_talks() -> None:
    assert judged(machine(cpu=5)) == [Finding.IDLE]
    assert judged(machine(cpu=5, moved=10 * (51 << 20))) == [Finding.OVERSIZED], "it talks: it may be smaller, it is not idle"
    assert judged(machine(cpu=400, memory=900)) == [Finding.FIT]


def test_what_was_not_seen_is_never_idle() -> None:
    assert judged(machine(cpu=0, known=49)) == [Finding.UNKNOWN]
    assert judged(machine(cpu=0, known=0)) == [Finding.UNKNOWN]
    assert judged(machine(cpu=0, known=0, running_days=0, stopped_days=13)) == [Finding.UNKNOWN]
    assert judged(machine(cpu=0, known=0, running_days=0, stopped_days=14)) == [Finding.STOPPED]


def test_a_proposed_size_holds_the_busiest_minutes_and_the_most_memory() -> None:
    small = machine(cpu=150, memory=200, moved=1 << 40)
    busy = machine(cpu=150, peak=600, memory=200, moved=1 << 40)
    unseen = machine(cpu=150, memory=None, moved=1 << 40)
    for one in (small, busy, unseen):
        judge(one, RULES)
    # 15 % of 8 at a load of 60 % are 2; a peak of 60 % of 8 needs 5; 20 % of 8 GiB at 60 % are 2.75 GiB.
    assert (small.proposed_vcpu, small.proposed_memory_mib) == (2, 2816)
    assert busy.proposed_vcpu == 5
    assert unseen.proposed_memory_mib == 8192, "memory nobody saw is kept"


def test_equal_servers_get_one_proposal_and_the_largest_need_holds() -> None:
    little, much = machine("web-1", cpu=100, memory=200, moved=1 << 40), machine("web-2", cpu=700, memory=900, moved=1 << 40)
    other = machine("db-1", cpu=100, memory=200, moved=1 << 40)
    assert judged(little, much, other) == [Finding.FIT, Finding.FIT, Finding.OVERSIZED]
    assert (little.proposed_vcpu, little.proposed_memory_mib) == (8, 8192)


def test_a_system_is_idle_when_all_of_it_is() -> None:
    idle, stopped = machine(cpu=1), machine("db-1", running_days=0, known=0, stopped_days=20)
    judged(idle, stopped)
    assert together([idle, stopped]).finding is Finding.IDLE
    busy = machine("app-1", cpu=500, memory=900)
    judged(busy)
    assert together([idle, busy]).finding is Finding.FIT
    gone = machine("old-1", vcpu=0, cpu=1)
    assert judged(gone) == [Finding.UNKNOWN]
    assert together([gone]).finding is Finding.UNKNOWN


def test_targets_are_met_by_what_was_used_of_all_that_is_allocated() -> None:
    target = Target(network_class="gov-public", cpu_percent=30, memory_percent=20)
    found = by_class([machine(cpu=600, memory=300, vcpu=2), machine("db-1", cpu=200, memory=300, vcpu=6, kind="other")])
    assert set(found) == {"gov-public", "other"}
    assert met(found["gov-public"], target) is True
    both = together([machine(cpu=600, memory=300, vcpu=2), machine("db-1", cpu=200, memory=300, vcpu=6)])
    assert both.cpu_average_permille == 300
    assert met(both, target) is True
    assert met(both, Target(network_class="x", cpu_percent=31, memory_percent=20)) is False
    assert met(together([machine(known=0)]), target) is None
    assert met(both, None) is None


def test_unit_costs_are_of_what_is_allocated_and_of_what_is_used() -> None:
    one = together([machine(cpu=250, vcpu=4, running_days=1)])
    assert one.per_vcpu_hour(96_000_000) == 1_000_000
    assert one.per_used_vcpu_hour(96_000_000) == 4_000_000
    assert together([machine(known=0, running_days=0)]).per_vcpu_hour(1) is None


def interval(meter: str, amount: int, *, resource: str = "inst_web-1", state: str = "running") -> LedgerInterval:
    return LedgerInterval(
        resource_id=resource, meter=meter, start_s=0, end_s=None, amount=amount, state=state, opened_by=1, closed_by=None,
        resource_kind="instance", resource_name="web-1", department_id="dept_a", project_id="proj_a", system_id="sys_a",
        host_id=None,
    )  # fmt: skip


def rate(meter: str, *steps: tuple[int | None, int]) -> Rate:
    found = tuple(Step(up_to=up_to, micro_yuan=micro) for up_to, micro in steps)
    return Rate(meter=meter, state="running", mode=Mode.FLAT if len(steps) == 1 else Mode.GRADUATED, steps=found, code="")


def test_a_saving_is_a_year_at_the_lowest_price_that_holds() -> None:
    discount = Discount(department_id="dept_a", meter="vcpu", basis_points=2500, from_s=0, to_s=None)
    rates = (
        rate("vcpu", (None, 100_000)),
        rate("memory_mib", (100, 20_000), (None, 10_000)),
        rate("disk_gib:standard", (None, 700)),
    )
    book = BookVersion(id="b", from_s=0, to_s=None, rates=rates, discounts=(discount,))
    prices = Savings(Books([book]), 1000)
    assert prices.yearly(interval("vcpu", 8), 6) == 6 * 75_000 * YEAR_S // 3600
    assert prices.yearly(interval("memory_mib", 8192), 4096) == 4 * 10_000 * YEAR_S // 3600
    assert prices.yearly(interval("address", 1), 1) is None, "no price is not no saving"
    one = machine(cpu=150, memory=200, moved=1 << 40)
    judged(one)
    held = [
        interval("vcpu", 8),
        interval("memory_mib", 8192),
        interval("disk_gib:standard", 40),
        interval("disk_gib:standard", 9, resource="vol"),
    ]
    smaller = prices.of_system([one], held, is_released=False)
    assert smaller == (6 * 75_000 + (8192 - 2816) * 10_000 // 1024) * YEAR_S // 3600
    released = prices.of_system([one], held, is_released=True)
    assert released == (8 * 75_000 + 8 * 10_000 + 49 * 700) * YEAR_S // 3600
    stopped = prices.yearly(interval("vcpu", 8, state="stopped"), 8)
    assert stopped == 0, "what is not charged in its state saves nothing"


def test_rules_are_read_and_every_mistake_is_told() -> None:
    found = read_rules(
        b"apiVersion: allotment/v1\nkind: EfficiencyRules\nidle: {cpu-percent: 5}\n"
        b"targets:\n  - {network-class: internet, cpu-percent: 20, memory-percent: 40}\n"
    )
    assert (found.idle_cpu_percent, found.load_percent) == (5, 60)
    assert found.target("internet") == Target(network_class="internet", cpu_percent=20, memory_percent=40)
    assert found.target("other") is None
    with pytest.raises(Invalid) as raised:
        read_rules("apiVersion: allotment/v1\n类型: 效能规则\n闲置: {处理器: 101}\nlazy: 3\n".encode())
    assert {p.code for p in raised.value.problems} == {"efficiency.unknown_field", "document.out_of_range"}


def test_a_long_stretch_covers_nothing() -> None:
    used = Used.empty()
    used.count(Stretch(0, DAY_MS, 10**12, 100, 5, 5, is_reset=False), 2, 1024, 900_000)
    assert (used.memory_mib_ms, used.vcpu_ms, used.received_bytes) == (0, 0, 5)
