"""What our path costs over a bare script of openstacksdk that makes the same machines: calls and time, in turns on one region.

``make bench-openstack`` writes ``docs/benchmarks-openstack.md``. Both go through the same counting proxies, ask for the same
things (a root disk from the image, a port, a machine) with the same parallelism, and look as often. Times are of this machine
under whatever else it does; the ratios are the figures, and so is processor time, which other work on the machine hardly
changes. ``make bench-openstack ARGS="50 2"`` names machines and rounds; without rounds it only looks at a region and writes
nothing. What does not fit into ``BUDGET_S`` is left out, and said.
"""

import itertools
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openstack

from drivers.openstack.calls import FIRST_LOOK_S, LONGEST_LOOK_S
from drivers.openstack.driver import OpenStackDriver
from drivers.openstack.inventory import PLACEMENT_VERSION, READERS, Inventory
from drivers.openstack.region import Region as OpenRegion
from drivers.openstack.settings import RegionSettings
from drivers.protocol import ComputeDriver, LeaseEntry, MachineRequest, NicRequest, SegmentRequest, VolumeRequest
from tests.bench.machine import hardware
from tests.bench.report import Figure, Line, Machine, Target, figure_text, page
from tests.openstack.crowd import crowd
from tests.openstack.harness import HOST_ID, STORAGE_POOL, Behind, driver_of, new_cidr, new_id, small_image
from tests.openstack.proxy import Proxies, proxied_clouds
from tests.openstack.region.layout import REPO, Layout
from tests.openstack.region.region import Region, require_packages
from tests.openstack.region.seeding import administrator

WORKERS = 4
ROUNDS = 2
CROWD = 1000
PROVIDERS = 100
REFRESHES = 5
#: No further pair of rounds is begun that would probably end later than this after the start.
BUDGET_S = 1100.0
#: Traits the providers of the bench have: those of a processor, as many as a real hypervisor's or more.
TRAITS = "/traits?name=startswith:HW_CPU_X86_"
PAGE = REPO / "docs" / "benchmarks-openstack.md"
FENCE = 1


class Round:
    """One network of one image, and machines on it."""

    def __init__(self, driver: ComputeDriver, sdk: Any, behind: Behind, directory: Path, count: int) -> None:
        self.driver = driver
        self.sdk = sdk
        self.behind = behind
        self.count = count
        self.image = small_image(directory)
        self.cidr = new_cidr()
        self.base = self.cidr.removesuffix("0/26")
        self.segment_id = new_id("segment")
        self.names = [new_id("instance") for _ in range(count)]

    def prepare(self) -> None:
        """Have what both need before: the network, its addresses, the image."""
        leases = tuple(LeaseEntry(mac=self._mac(n), address=self._address(n), hostname=f"b{n}") for n in range(self.count))
        request = SegmentRequest(
            segment_id=self.segment_id, cidr=self.cidr, gateway=f"{self.base}1", department="", leases=leases
        )
        self.driver.ensure_segment(request, FENCE)
        self.driver.ensure_image(self.image, STORAGE_POOL)

    def _mac(self, number: int) -> str:
        tail = self.segment_id[-4:]
        return f"02:00:{tail[:2]}:{tail[2:]}:00:{number:02x}"

    def _address(self, number: int) -> str:
        return f"{self.base}{number + 10}"

    def ours(self, number: int) -> None:
        """Make one machine as the platform's steps do."""
        instance_id = self.names[number]
        root = VolumeRequest(volume_id=instance_id, role="root", storage_pool=STORAGE_POOL, size_gib=1, image=self.image)
        card = NicRequest(segment_id=self.segment_id, mac=self._mac(number), address=self._address(number))
        request = MachineRequest(
            instance_id=instance_id, title="bench", hostname=f"b{number}", vcpu_count=1, memory_mib=128, root=root, nics=(card,)
        )
        self.driver.ensure_image(self.image, STORAGE_POOL)
        self.driver.ensure_volume(root, FENCE)
        driver: Any = self.driver
        driver.ensure_launched(request, FENCE)

    def bare(self, number: int) -> None:
        """Make one machine as a short script would: no mark, no fence, no look whether it is there already."""
        sdk, name = self.sdk, self.names[number]
        # What is taken away afterwards must be the driver's host's.
        mark = {"allotment_id": name, "allotment_fence": str(FENCE), "allotment_host": HOST_ID}
        image = next(iter(sdk.image.images(name=f"allotment-{self.image.sha256}")))
        volume = sdk.block_storage.create_volume(name=name, size=1, image_id=image.id, volume_type=STORAGE_POOL, metadata=mark)
        _until(lambda: sdk.block_storage.get_volume(volume.id).status == "available")
        network = sdk.network.find_network(self.segment_id)
        (port,) = sdk.network.ports(network_id=network.id, mac_address=self._mac(number))
        flavor = next(f for f in sdk.compute.flavors() if (f.vcpus, f.ram) == (1, 128))
        disk = {"uuid": volume.id, "source_type": "volume", "destination_type": "volume", "boot_index": 0}
        server = sdk.compute.create_server(
            name="bench",
            flavor_id=flavor.id,
            networks=[{"port": port.id}],
            block_device_mapping=[disk],
            metadata=mark,
            tags=["allotment", name],
            hypervisor_hostname="hv-003",
        )
        _until(lambda: sdk.compute.get_server(server.id).status == "ACTIVE")

    def clean(self) -> None:
        """Take everything away."""
        with ThreadPoolExecutor(WORKERS) as crew:
            for done in [crew.submit(self.driver.ensure_absent, name, STORAGE_POOL, FENCE) for name in self.names]:
                done.result()
        self.driver.ensure_segment_absent(self.segment_id, FENCE)
        self.behind.remove_images(self.image)


def _until(is_done: Callable[[], bool]) -> None:
    pause_s = FIRST_LOOK_S
    while not is_done():
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, LONGEST_LOOK_S)


@dataclass(frozen=True, slots=True)
class Run:
    """One round of one path."""

    took_s: float
    #: Processor time of the services, the database, the proxies and whoever asks.
    cpu_s: float
    calls: Counter[str]

    @property
    def call_count(self) -> int:
        """All calls."""
        return self.calls.total()

    @property
    def change_count(self) -> int:
        """Calls that change something."""
        return sum(n for kind, n in self.calls.items() if not kind.endswith("GET"))


def measure(region: Region, proxies: Proxies, work: Callable[[int], None], count: int) -> Run:
    """Let a crew make ``count`` machines."""
    proxies.asked.clear()
    begun, cpu_s = time.monotonic(), _cpu_s(region)
    with ThreadPoolExecutor(WORKERS) as crew:
        for done in [crew.submit(work, number) for number in range(count)]:
            done.result()
    took_s, calls = time.monotonic() - begun, Counter(f"{a.service} {a.method}" for a in proxies.asked)
    return Run(took_s, _cpu_s(region) - cpu_s, calls)


def _cpu_s(region: Region) -> float:
    return region.processes.cpu_s() + time.process_time()


@contextmanager
def connected(region: Region, **settings: Any) -> Iterator[tuple[Proxies, OpenStackDriver, Any, Behind, Path]]:
    """Give everything a measurement needs, and put it away."""
    with tempfile.TemporaryDirectory() as name, proxied_clouds(region.layout, Path(name), **settings) as proxies:
        os.environ["OS_CLIENT_CONFIG_FILE"] = str(Path(name) / "clouds.yaml")
        driver = driver_of("openstack://proxied/hv-003")
        assert isinstance(driver, OpenStackDriver)
        sdk = openstack.connect(cloud="proxied")
        behind = Behind(administrator(region.layout))
        try:
            yield proxies, driver, sdk, behind, Path(name)
        finally:
            driver.close()


def making(region: Region, count: int, rounds: int, end_s: float) -> Figure:
    """Measure making machines, ours and the script in turns, each first as often as second; ends at ``end_s``, after one pair."""
    begun, load = time.monotonic(), os.getloadavg()[0]
    runs: dict[str, list[Run]] = {"bare": [], "ours": []}
    with connected(region) as (proxies, driver, sdk, behind, directory):
        longest_s = 0.0
        for number in range(rounds):
            started = time.monotonic()
            if number and started + longest_s > end_s:
                say(f"no time for round {number + 1}: the pair before took {longest_s:.0f} s")
                break
            for path in ("bare", "ours") if number % 2 == 0 else ("ours", "bare"):
                made = Round(driver, sdk, behind, directory, count)
                made.prepare()
                runs[path].append(measure(region, proxies, getattr(made, path), count))
                made.clean()
                say(f"round {number + 1}, {path}: {runs[path][-1].took_s:.1f} s, processor time {runs[path][-1].cpu_s:.1f} s")
            longest_s = max(longest_s, time.monotonic() - started)
    pairs = list(zip(runs["ours"], runs["bare"], strict=True))
    names = {"ours": "the platform", "bare": "the script"}
    lines = [
        Line(
            what="time over the script",
            unit="×",
            values=tuple(ours.took_s / bare.took_s for ours, bare in pairs),
            target=Target(limit=1.10),
        ),
        Line(
            what="processor time over the script",
            unit="×",
            values=tuple(ours.cpu_s / bare.cpu_s for ours, bare in pairs),
        ),
        Line(
            what="calls over the script",
            unit="×",
            values=tuple(ours.call_count / bare.call_count for ours, bare in pairs),
            target=Target(limit=1.30),
        ),
    ]
    for path, name in names.items():
        lines += [
            Line(what=f"time, {name}", unit="s", values=tuple(r.took_s for r in runs[path])),
            Line(what=f"processor time a machine, {name}", unit="s", values=tuple(r.cpu_s / count for r in runs[path])),
            Line(what=f"calls a machine, {name}", unit="calls", values=tuple(r.call_count / count for r in runs[path])),
            Line(what=f"changing calls, {name}", unit="calls", values=tuple(r.change_count / count for r in runs[path])),
        ]
    notes = (
        *(f"{name}, calls a machine: {_kinds(runs[path], count)}" for path, name in names.items()),
        "Processor time is that of the services, their database and broker, the proxies and whoever asks, all together.",
    )
    return Figure(
        name="making",
        title="Making machines, against a bare script",
        size=f"{count} machines, {WORKERS} at a time, {len(pairs)} of {rounds} rounds in turns",
        seed=None,
        lines=tuple(lines),
        notes=notes,
        load=(load, os.getloadavg()[0]),
        took_s=time.monotonic() - begun,
    )


def _kinds(runs: list[Run], count: int) -> str:
    total: Counter[str] = sum((r.calls for r in runs), Counter())
    return ", ".join(f"{kind} {n / count / len(runs):.1f}" for kind, n in sorted(total.items()))


def polling(region: Region, count: int) -> Figure:
    """Measure what it costs to look at a region with many machines, as often as may be."""
    begun, load = time.monotonic(), os.getloadavg()[0]
    whole: list[float] = []
    steady: list[float] = []
    calls: list[float] = []
    with connected(region) as (proxies, driver, sdk, behind, directory):
        made = Round(driver, sdk, behind, directory, 1)
        made.prepare()
        made.ours(0)
        (server,), (volume,) = behind.servers(made.names[0]), behind.volumes(made.names[0])
        with crowd(region.layout, server.id, volume.id, count - 1):
            assert len(driver.observe().instances) == count
            for times in (whole, steady, steady, steady):
                if times is whole:
                    driver._region.touch()
                proxies.asked.clear()
                started = time.monotonic()
                driver.observe()
                times.append(time.monotonic() - started)
                calls.append(len(proxies.asked))
        made.clean()
    age_s = RegionSettings().observe_max_age_s
    lines = (
        Line(
            what="calls a second at most, whatever the number of hosts",
            unit="calls/s",
            values=tuple(n / age_s for n in calls),
            target=Target(limit=1.0, statistic="max"),
        ),
        Line(what="calls a look", unit="calls", values=tuple(calls)),
        Line(what="a look at everything", unit="s", values=tuple(whole)),
        Line(what="a steady look", unit="s", values=tuple(steady), baseline="a look at everything"),
    )
    note = f"Hosts of a region share one look for {age_s:.0f} s (`observe_max_age_s`), whatever their number."
    return Figure(
        name="polling",
        title="Looking at a region",
        size=f"{count} machines, each with a volume; all but one are rows copied in the region's databases",
        seed=None,
        lines=lines,
        notes=(note,),
        load=(load, os.getloadavg()[0]),
        took_s=time.monotonic() - begun,
    )


def refreshing(region: Region, count: int) -> Figure:
    """Measure what so many hosts read of themselves at once: from nothing, and when nothing has changed. All calls count."""
    begun, load = time.monotonic(), os.getloadavg()[0]
    whole: list[float] = []
    steady: list[float] = []
    calls: dict[str, list[float]] = {"whole": [], "steady": []}
    cpu: dict[str, list[float]] = {"whole": [], "steady": []}
    age_s, now = RegionSettings().observe_max_age_s, [0.0]
    with connected(region) as (proxies, driver, _sdk, behind, _directory), providers(behind, count), hosts(region, count) as all_:
        ours = driver._region
        for _ in range(REFRESHES):
            ours.inventory = Inventory(ours.sdk, ours.calls, max_age_s=age_s, monotonic=lambda: now[0])
            for name, times in (("whole", whole), ("steady", steady)):
                # What was read before is too old to be shared.
                now[0] += 2 * age_s
                proxies.asked.clear()
                started, cpu_s = time.monotonic(), _cpu_s(region)
                with ThreadPoolExecutor(READERS) as crew:
                    list(crew.map(lambda host: host.inspect_host(), all_))
                    if name == "whole":
                        list(crew.map(lambda _: _describe_once(ours), range(count - region.layout.host_count)))
                times.append(time.monotonic() - started)
                cpu[name].append(_cpu_s(region) - cpu_s)
                calls[name].append(len(proxies.asked))
                assert len(ours.inventory.providers()) == count
    lines = (
        Line(what="from nothing", unit="s", values=tuple(whole), target=Target(limit=3.0)),
        Line(what="processor time from nothing", unit="s", values=tuple(cpu["whole"])),
        Line(what="calls from nothing", unit="calls", values=tuple(calls["whole"])),
        Line(what="when nothing has changed", unit="s", values=tuple(steady), baseline="from nothing"),
        Line(
            what="calls when nothing has changed",
            unit="calls",
            values=tuple(calls["steady"]),
            target=Target(limit=3.0, statistic="max"),
        ),
    )
    return Figure(
        name="refreshing",
        title="Reading the inventory of a region",
        size=f"{count} hosts and as many resource providers, {region.layout.host_count} of them hypervisors; {READERS} at a time",
        seed=None,
        lines=lines,
        notes=(
            "Each host is read whole (`inspect_host`), and all calls count. Room in storage is read once a minute, by looks too.",
            "The hosts share the region's hypervisors; from nothing, as many more are asked for their details as there would be.",
        ),
        load=(load, os.getloadavg()[0]),
        took_s=time.monotonic() - begun,
    )


@contextmanager
def hosts(region: Region, count: int) -> Iterator[list[ComputeDriver]]:
    """Give so many hosts, on all hypervisors of the region in turns."""
    names = itertools.islice(itertools.cycle(region.layout.host_names()), count)
    found = [driver_of(f"openstack://proxied/{name}", host_id=f"host_{number}") for number, name in enumerate(names)]
    try:
        yield found
    finally:
        for host in found:
            host.close()


def _describe_once(ours: OpenRegion) -> None:
    ours.inventory.describe(ours.inventory.hypervisors()[0])


@contextmanager
def providers(behind: Behind, count: int) -> Iterator[None]:
    """Have so many resource providers in Placement, each with the inventory and as many traits as a hypervisor."""
    placement = behind.cloud.placement
    amounts = {"VCPU": 64, "MEMORY_MB": 131_072, "DISK_GB": 2_000}
    traits = placement.get(TRAITS, microversion=PLACEMENT_VERSION).json()["traits"]
    made = []
    try:
        for number in range(count - len(list(placement.resource_providers()))):
            made.append(placement.create_resource_provider(name=f"bench-{number:03d}"))
            body = {
                "resource_provider_generation": made[-1].generation,
                "inventories": {name: {"total": total} for name, total in amounts.items()},
            }
            path = f"/resource_providers/{made[-1].id}"
            placement.put(f"{path}/inventories", json=body, microversion=PLACEMENT_VERSION).raise_for_status()
            told = {"resource_provider_generation": made[-1].generation + 1, "traits": traits}
            placement.put(f"{path}/traits", json=told, microversion=PLACEMENT_VERSION).raise_for_status()
        yield
    finally:
        for provider in made:
            placement.delete_resource_provider(provider)


INTRODUCTION = """\
# Benchmarks on OpenStack

Written by `make bench-openstack`, on the region the tests start ([OpenStack](openstack.md)); measure again instead of editing.
Services, database, platform and script share the cores of one machine: ratios and counts are the figures, times are not.
"""


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, file=sys.stderr, flush=True)


def main(count: int, rounds: int) -> int:
    """Measure, print the figures and write the page; without rounds, only look at a region."""
    require_packages()
    end_s = time.monotonic() + BUDGET_S
    region = Region(Layout.from_environment())
    was_up = region.processes.is_alive("nova-api")
    say(f"about {BUDGET_S / 60:.0f} minutes on two free cores; load now {os.getloadavg()[0]:.1f}")
    try:
        region.up(say)
        say(f"reading {PROVIDERS} providers, {REFRESHES} times")
        figures = [refreshing(region, PROVIDERS)]
        say(f"looking at {CROWD} machines")
        figures.append(polling(region, CROWD))
        if rounds:
            say(f"making {count} machines, {rounds} times by the script and {rounds} times by the platform")
            figures.append(making(region, count, rounds, end_s))
    finally:
        if not was_up:
            region.down()
    print("\n".join(figure_text(figure) for figure in figures))
    if rounds:
        PAGE.write_text(page(figures, Machine(facts=hardware()), INTRODUCTION), encoding="utf-8")
    return 0


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    sys.exit(main(*(given + [50, ROUNDS][len(given) :])))
