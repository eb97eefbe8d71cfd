"""Times of a decision with its explanation: no database (thread CPU time)."""

import random
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from controller.scheduling.decide import decide, place_on
from controller.scheduling.fleet import Fleet
from controller.scheduling.snapshot import HostEntry
from inventory.domain.ids import StoragePoolId
from inventory.domain.placement import GroupRule
from inventory.domain.resources import MEMORY_MIB, VCPU
from inventory.domain.system import SpreadLevel
from tests.bench.report import Figure, Line
from tests.support.placement import GIB, entry, member, request, snapshot


def hosts(count: int, seed: int, *, fill: float = 0.5) -> list[HostEntry]:
    source = random.Random(seed)
    out = []
    for number in range(count):
        vcpu, memory = source.choice([(128, 512 * GIB), (192, 768 * GIB), (256, 1024 * GIB)])
        share = source.uniform(fill - 0.3, fill + 0.3)
        used = {VCPU: int(vcpu * share), MEMORY_MIB: int(memory * min(0.95, share * source.uniform(0.8, 1.2)))}
        storage = [("standard", 20000, source.randrange(15000)), ("fast", 4000, source.randrange(4000))]
        out.append(entry(number, vcpu=vcpu, memory_mib=memory, used=used, storage=storage, rack=f"r{number // 20}"))
    return out


def timed(what: str, run: Callable[[], object], rounds: int = 9, baseline: str = "") -> Line:
    """Return the processor time of ``run``, several times over."""
    times = []
    for _ in range(rounds):
        start = time.thread_time()
        run()
        times.append((time.thread_time() - start) * 1000)
    return Line(what=what, unit="ms", values=tuple(times), baseline=baseline)


def measure(folder: Path, seed: int) -> Figure:
    """Measure decisions on pictures of 1,000 and 10,000 hosts."""
    many, some = hosts(10_000, seed), hosts(1_000, seed)
    big, small = snapshot(many), snapshot(some)
    one = request(member("db", vcpu=8, memory_mib=32 * GIB, disks=(("standard", 40), ("fast", 200))))
    huge = request(member("db", vcpu=9999, memory_mib=32 * GIB))
    gang = [member(f"web-{i}", vcpu=4, memory_mib=8 * GIB) for i in range(500)]
    soft = GroupRule(group="web", spread=SpreadLevel.RACK, is_hard=False)
    hard = GroupRule(group="web", spread=SpreadLevel.HOST, is_hard=True)
    rack = GroupRule(group="web", spread=SpreadLevel.RACK, is_hard=True)
    few = snapshot([entry(n, vcpu=64, memory_mib=256 * GIB, storage=[("standard", 4000, 0)]) for n in range(300)])
    two_kinds = (("a", 16), ("b", 17))
    crowd = request(*(member(f"{g}-{i}", group=g, vcpu=v, memory_mib=32 * GIB) for g, v in two_kinds for i in range(1000)))
    host_id = big.host_ids[5000]
    stored = {StoragePoolId("stor_05000_0"): 7}
    lines = (
        timed(_SCAN, lambda: _first_fit(many, 8, 32 * GIB)),
        timed("one machine, two disks, 10,000 hosts", lambda: decide(one, big), baseline=_SCAN),
        timed("the same, facts not looked at before", lambda: decide(one, replace(big, memory={})), baseline=_SCAN),
        timed("one that fits nowhere, 10,000 hosts, with suggestions", lambda: decide(huge, big), baseline=_SCAN),
        timed("500 equal machines, 1,000 hosts", lambda: decide(request(*gang), small)),
        timed("500, soft spread by rack, 1,000 hosts", lambda: decide(request(*gang, rules=(soft,)), small)),
        timed("500, hard spread by host, 1,000 hosts", lambda: decide(request(*gang, rules=(hard,)), small)),
        timed("500, 50 racks: refused with suggestions", lambda: decide(request(*gang, rules=(rack,)), small), 3),
        timed("refusal of 2,000 machines of two kinds, 300 hosts", lambda: decide(crowd, few), 3),
        timed("the same without a word, as in the turn", lambda: place_on(crowd, Fleet(few)), 3),
        timed("make the picture of 10,000 hosts", lambda: snapshot(many), 5),
        timed(
            "change one host in the picture of 10,000",
            lambda: big.with_used(host_id, used={VCPU: 1}, foreign={}, storage_used_gib=stored, revision="r2"),
        ),
    )
    return Figure(
        name="placement",
        title="Placement core",
        size="pictures of 1,000 and 10,000 hosts, half full; processor time, no database",
        seed=seed,
        lines=lines,
        notes=("The baseline is one pass over all hosts in plain Python that only looks for free processors and memory.",),
    )


_SCAN = "plain loop: first of 10,000 hosts with the most room"


def _first_fit(entries: list[HostEntry], vcpu: int, memory_mib: int) -> HostEntry | None:
    best, most = None, -1
    for host in entries:
        room = host.capacity[VCPU] - host.used.get(VCPU, 0)
        if room >= vcpu and host.capacity[MEMORY_MIB] - host.used.get(MEMORY_MIB, 0) >= memory_mib and room > most:
            best, most = host, room
    return best
