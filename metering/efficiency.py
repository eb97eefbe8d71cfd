"""How well machines and systems use what they hold: what is idle, what is too large, and what it would save. Pure.

A judgement needs to have seen a machine for long enough; otherwise it is ``unknown``, and never idle. Nothing follows from a
judgement by itself: it becomes a draft that a department may hand in, or answer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from metering.samples import Spread, Used

_DAY_S = 86_400
_MIB = 1 << 20
#: Proposed memory is a multiple of this.
_MEMORY_STEP_MIB = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """How much of what is allocated is to be used in a class of zones."""

    network_class: str
    cpu_percent: int
    memory_percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What counts as idle and as too large; an operator's document replaces all of it."""

    #: Idle: processor at 95 % of the time no more than this, and traffic no more than that a day.
    idle_cpu_percent: int = 3
    idle_mib_per_day: int = 50
    #: Stopped all the time, for at least so many days.
    stopped_days: int = 14
    #: Too large: processor at 95 % of the time, or the peak of memory, no more than this.
    oversized_cpu_percent: int = 30
    oversized_memory_percent: int = 50
    #: What a proposed size would be used to.
    load_percent: int = 60
    #: For how much of its running time a machine must have been seen.
    coverage_percent: int = 50
    targets: tuple[Target, ...] = ()

    def target(self, network_class: str) -> Target | None:
        """Return what was declared for a class of zones."""
        return next((t for t in self.targets if t.network_class == network_class), None)

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "Rules":
        """Return rules as they are stored."""
        return cls(**{**body, "targets": tuple(Target(**t) for t in body["targets"])})


class Finding(StrEnum):
    """What is to be said of a machine or a system."""

    FIT = "fit"
    IDLE = "idle"
    STOPPED = "stopped"
    OVERSIZED = "oversized"
    UNKNOWN = "unknown"

    @property
    def is_unused(self) -> bool:
        """Tell whether all of it may be given back."""
        return self in (Finding.IDLE, Finding.STOPPED)


def _coverage_permille(seen: Spread, running_s: int) -> int:
    """Return for how much of its running time something was seen."""
    return min(1000, seen.covered_ms // running_s) if running_s else 0


@dataclass(slots=True, kw_only=True)
class Machine:
    """One machine in a month."""

    instance_id: str
    name: str
    department_id: str
    project_id: str
    system_id: str
    network_class: str = ""
    #: At the end; 0: it is gone.
    vcpu_count: int = 0
    memory_mib: int = 0
    running_s: int = 0
    stopped_s: int = 0
    #: Allocated × seconds, whatever its state.
    vcpu_s: int = 0
    used: Used = field(default_factory=Used.empty)
    finding: Finding = Finding.UNKNOWN
    proposed_vcpu: int = 0
    proposed_memory_mib: int = 0

    @property
    def group(self) -> str:
        """Return the group of servers it is of."""
        return self.name.rpartition("-")[0]

    @property
    def coverage_permille(self) -> int:
        """Return for how much of its running time it was seen."""
        return _coverage_permille(self.used.cpu, self.running_s)


def judge(machine: Machine, rules: Rules) -> None:
    """Say what is to be said of a machine."""
    machine.proposed_vcpu, machine.proposed_memory_mib = machine.vcpu_count, machine.memory_mib
    machine.finding = _finding(machine, rules)
    if machine.finding is Finding.FIT:
        machine.proposed_vcpu = _proposed_vcpu(machine, rules)
        machine.proposed_memory_mib = _proposed_memory(machine, rules)
        if (machine.proposed_vcpu, machine.proposed_memory_mib) != (machine.vcpu_count, machine.memory_mib):
            machine.finding = Finding.OVERSIZED


def _finding(machine: Machine, rules: Rules) -> Finding:
    if not machine.vcpu_count:
        return Finding.UNKNOWN
    if not machine.running_s and machine.stopped_s >= rules.stopped_days * _DAY_S:
        return Finding.STOPPED
    p95 = machine.used.cpu.at_most(95)
    if p95 is None or machine.coverage_permille < rules.coverage_percent * 10:
        return Finding.UNKNOWN
    return Finding.IDLE if p95 <= rules.idle_cpu_percent * 10 and _is_silent(machine.used, rules) else Finding.FIT


def _is_silent(used: Used, rules: Rules) -> bool:
    moved = used.received_bytes + used.sent_bytes
    return moved * _DAY_S * 1000 <= rules.idle_mib_per_day * _MIB * used.network_ms


def _proposed_vcpu(machine: Machine, rules: Rules) -> int:
    p95 = machine.used.cpu.at_most(95)
    if p95 is None or p95 > rules.oversized_cpu_percent * 10:
        return machine.vcpu_count
    # Used to the load wished for at 95 % of the time, and the busiest five minutes still fit.
    wanted = -(-machine.vcpu_count * p95 // (rules.load_percent * 10))
    busiest = -(-machine.vcpu_count * machine.used.cpu.peak_permille // 1000)
    return min(machine.vcpu_count, max(1, wanted, busiest))


def _proposed_memory(machine: Machine, rules: Rules) -> int:
    memory = machine.used.memory
    seen_enough = _coverage_permille(memory, machine.running_s) >= rules.coverage_percent * 10
    if not machine.running_s or not seen_enough or memory.peak_permille > rules.oversized_memory_percent * 10:
        return machine.memory_mib
    # Memory that is missing stops a machine: its peak counts.
    wanted = -(-machine.memory_mib * memory.peak_permille // (rules.load_percent * 10))
    return min(machine.memory_mib, max(1, -(-wanted // _MEMORY_STEP_MIB)) * _MEMORY_STEP_MIB)


def even_out(machines: Sequence[Machine]) -> None:
    """Give each group of one system one proposal: its servers are equal, so the largest need holds for all."""
    groups: dict[str, list[Machine]] = {}
    for machine in machines:
        groups.setdefault(machine.group, []).append(machine)
    for members in groups.values():
        # One that nobody saw enough of, or that is idle for now, may need all it has.
        cpu, memory = max(m.proposed_vcpu for m in members), max(m.proposed_memory_mib for m in members)
        for one in members:
            if one.finding is Finding.OVERSIZED:
                one.proposed_vcpu, one.proposed_memory_mib = min(cpu, one.vcpu_count), min(memory, one.memory_mib)
                if (one.proposed_vcpu, one.proposed_memory_mib) == (one.vcpu_count, one.memory_mib):
                    one.finding = Finding.FIT


@dataclass(slots=True, kw_only=True)
class Summary:
    """Machines together: of a system, or of a class of zones."""

    machines: list[Machine] = field(default_factory=list)
    used: Used = field(default_factory=Used.empty)

    def add(self, machine: Machine) -> None:
        """Count a machine."""
        self.machines.append(machine)
        self.used.merge(machine.used)

    @property
    def living(self) -> list[Machine]:
        """Return the machines that are there at the end."""
        return [m for m in self.machines if m.vcpu_count]

    @property
    def finding(self) -> Finding:
        """Return what is to be said of all of them together."""
        found = {m.finding for m in self.living}
        if not found or found == {Finding.UNKNOWN}:
            return Finding.UNKNOWN
        if all(f.is_unused for f in found):
            return Finding.STOPPED if found == {Finding.STOPPED} else Finding.IDLE
        return Finding.OVERSIZED if Finding.OVERSIZED in found else Finding.FIT

    @property
    def coverage_permille(self) -> int:
        """Return for how much of their running time they were seen."""
        return _coverage_permille(self.used.cpu, sum(m.running_s for m in self.machines))

    @property
    def cpu_average_permille(self) -> int | None:
        """Return how much of the allocated processor time was used."""
        return self.used.cpu_ms * 1000 // self.used.vcpu_ms if self.used.vcpu_ms else None

    @property
    def memory_average_permille(self) -> int | None:
        """Return how much of the allocated memory was used."""
        return self.used.memory_used_mib_ms * 1000 // self.used.memory_mib_ms if self.used.memory_mib_ms else None

    def per_vcpu_hour(self, micro_yuan: int) -> int | None:
        """Return what an allocated vCPU-hour came to."""
        vcpu_s = sum(m.vcpu_s for m in self.machines)
        return micro_yuan * 3600 // vcpu_s if vcpu_s else None

    def per_used_vcpu_hour(self, micro_yuan: int) -> int | None:
        """Return what a vCPU-hour that was used came to; the time nobody saw counts as used alike."""
        vcpu_s = sum(m.vcpu_s for m in self.machines)
        over = vcpu_s * self.used.cpu_ms
        return micro_yuan * 3600 * self.used.vcpu_ms // over if over else None


def met(summary: Summary, target: Target | None) -> bool | None:
    """Tell whether a declared target was met; ``None``: none was declared, or nothing is known."""
    cpu, memory = summary.cpu_average_permille, summary.memory_average_permille
    if target is None or cpu is None:
        return None
    return cpu >= target.cpu_percent * 10 and (memory is None or memory >= target.memory_percent * 10)


def together(machines: Iterable[Machine]) -> Summary:
    """Return machines as one."""
    found = Summary()
    for machine in machines:
        found.add(machine)
    return found


def by_system(machines: Iterable[Machine]) -> dict[str, Summary]:
    """Return machines by the system they are of, each group with one proposal."""
    found: dict[str, Summary] = {}
    for machine in machines:
        found.setdefault(machine.system_id, Summary()).add(machine)
    for summary in found.values():
        even_out(summary.living)
    return found


def by_class(machines: Iterable[Machine]) -> dict[str, Summary]:
    """Return machines by the class of their zone."""
    found: dict[str, Summary] = {}
    for machine in machines:
        found.setdefault(machine.network_class, Summary()).add(machine)
    return found
