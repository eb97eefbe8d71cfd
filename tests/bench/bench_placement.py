"""Times of the placement core in plain Python: ``python -m tests.bench.bench_placement [seed]`` (thread CPU time)."""

import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace

from controller.scheduling.decide import decide
from controller.scheduling.snapshot import HostEntry
from inventory.domain.ids import StoragePoolId
from inventory.domain.placement import GroupRule
from inventory.domain.resources import MEMORY_MIB, VCPU
from inventory.domain.system import SpreadLevel
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


def median_ms(run: Callable[[], object], rounds: int = 9) -> tuple[float, float, float]:
    times = []
    for _ in range(rounds):
        start = time.thread_time()
        run()
        times.append((time.thread_time() - start) * 1000)
    return statistics.median(times), min(times), max(times)


def show(what: str, run: Callable[[], object], rounds: int = 9) -> None:
    middle, low, high = median_ms(run, rounds)
    print(f"{what:<66} median {middle:8.2f} ms   ({low:.2f} to {high:.2f}, {rounds} rounds)")


def main() -> None:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    print(f"seed {seed}, {sys.version.split()[0]}")
    many, some = hosts(10_000, seed), hosts(1_000, seed)
    show("build a snapshot of 10,000 hosts", lambda: snapshot(many), 5)
    big, small = snapshot(many), snapshot(some)
    one = request(member("db", vcpu=8, memory_mib=32 * GIB, disks=(("standard", 40), ("fast", 200))))
    show("one machine, two disks, 10,000 hosts", lambda: decide(one, big))
    show("the same, facts not looked at before", lambda: decide(one, replace(big, base_cache={})))
    huge = request(member("db", vcpu=9999, memory_mib=32 * GIB))
    show("one machine that fits nowhere, 10,000 hosts, with suggestions", lambda: decide(huge, big))
    gang = [member(f"web-{i}", vcpu=4, memory_mib=8 * GIB) for i in range(500)]
    show("500 equal machines, 1,000 hosts", lambda: decide(request(*gang), small))
    soft = GroupRule(group="web", spread=SpreadLevel.RACK, is_hard=False)
    show("500 equal machines, soft spread by rack, 1,000 hosts", lambda: decide(request(*gang, rules=(soft,)), small))
    hard = GroupRule(group="web", spread=SpreadLevel.HOST, is_hard=True)
    show("500 equal machines, hard spread by host, 1,000 hosts", lambda: decide(request(*gang, rules=(hard,)), small))
    rack = GroupRule(group="web", spread=SpreadLevel.RACK, is_hard=True)
    show("500 equal machines, 50 racks: refused with suggestions", lambda: decide(request(*gang, rules=(rack,)), small), 3)
    host_id = big.host_ids[5000]
    stored = {StoragePoolId("stor_05000_0"): 7}
    show(
        "update one of 10,000 hosts",
        lambda: big.with_used(host_id, used={VCPU: 1}, foreign={}, storage_used_gib=stored, revision="r2"),
    )


if __name__ == "__main__":
    main()
