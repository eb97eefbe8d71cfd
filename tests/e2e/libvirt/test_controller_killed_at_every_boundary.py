"""kill -9 of the controller at every boundary of create and release, on real libvirt and QEMU.

A first run records which places a ticket passes: its acceptance, every step, and every transaction of the loop by what is
written in it, the taking of work and the results of steps. Each of them, before and after, kills a controller once, and again
the last time it is passed. However steps share transactions that day, each transaction was cut. A dead controller's holds end
by themselves (``HOLD_S``), which is mostly waiting: so several controllers, each with a state, a storage pool and a range
of addresses of its own, share the one host and go through their part of the places at the same time. What each of them
made is told apart by its ids. Guests have a kernel that only halts, and the controllers are forked from a process that has
the libraries imported: what is proved here is the controller, and the machine has better things to do than boot and import.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from inventory.domain.errors import Unavailable
from inventory.domain.resource import ResourceKind
from tests.support.controller_process import ControllerProcess, controller_process
from tests.support.guest_image import guest_image, halted_guest
from tests.support.libvirt_cloud import (
    DB,
    HostUnderTest,
    assert_clean,
    assert_nothing_left,
    create_ticket,
    everything_made,
    of_kind,
    release_ticket,
    site_document,
    wait_rested,
)
from tests.support.libvirtd import PrivateLibvirtd, until

pytestmark = [pytest.mark.libvirt, pytest.mark.timeout(900)]

LANES = 5
STRIKE_S = 60
SETTLE_S = 90
#: Between what is seen in the state and the last place a controller passes.
AFTER_S = 2
#: What must be among the places found, or the recording is not what it should be.
CREATE_STEPS = frozenset({"segment", "volume", "image", "parts", "root_disk", "define", "start"})
RELEASE_STEPS = frozenset({"leave", "stop", "remove", "confirm", "volume_drop", "segment", "segment_drop"})
#: Inside the transaction that accepts a ticket, and between it and the answer.
ACCEPTANCE = frozenset({"accept.before", "accept.after"})
#: What is written in the transactions of the loop.
WRITTEN = ("claim", "record")


@dataclass(frozen=True)
class Places:
    """What a ticket of each kind passes: places by name, with which time it is where that is not the first."""

    create: tuple[str, ...]
    release: tuple[str, ...]

    @property
    def shared(self) -> frozenset[str]:
        """Return the places both pass: a controller armed with one must not have the other kind of work before."""
        both = {_first(p) for p in self.create} & {_first(p) for p in self.release}
        return frozenset(p for p in self.create + self.release if _first(p) in both)


@dataclass
class Lane:
    """One controller with its part of the places."""

    number: int
    controller: ControllerProcess
    host: HostUnderTest
    systems: int = 0
    struck: list[str] = field(default_factory=list)
    #: Places that were not passed so often this time.
    missed: list[str] = field(default_factory=list)

    @property
    def zone(self) -> str:
        """Return the name of its zone and pool."""
        return f"lane{self.number}"

    def furnish(self) -> None:
        """Import the site and enrol the host."""
        self.controller.start()
        image = halted_guest(self.controller.directory / "image")
        name = self.controller.write("site.yaml", site_document([(self.zone, f"10.{110 + self.number}.0.0/16")], image))
        self.controller.ok("import", name, "--yes")
        self.host.enrol(self.zone)
        self.controller.stop()

    def restart(self, failpoint: str = "") -> None:
        """Have the controller run, armed with one place; a running one is ended first."""
        if self.controller.process is not None:
            self.controller.stop()
        self.controller.start_armed(failpoint=failpoint)

    # -- tickets ------------------------------------------------------------------------------------------------------

    def hand_in(self, text: str, confirm: str = "") -> str:
        """Hand a ticket in; returns its id, or nothing when the service died before it could answer."""
        try:
            with self.controller.client() as client:
                return str(client.post_yaml("/v1/tickets", text.encode(), confirm=confirm)["id"])
        except Unavailable:
            return ""

    def tickets_of(self, system: str, action: str) -> list[str]:
        """Return the tickets of that kind there are for a system."""
        with self.controller.client() as client:
            found = client.all("/v1/tickets")
        return [str(x["id"]) for x in found if (x["system_name"], x["action"]) == (system, action)]

    def strikes(self, kind: str, place: str) -> None:
        """Wait until the controller died at its place; it may end its work if it is to die at a time after the first."""
        until(lambda: self.is_dead() or (":" in place and self.is_settled()), STRIKE_S, f"{kind} {place} is passed")
        try:
            self.controller.wait_killed(AFTER_S)
            self.struck.append(f"{kind} {place}")
        except TimeoutError:
            self.missed.append(f"{kind} {place}")

    def is_dead(self) -> bool:
        """Tell whether the controller has ended."""
        return self.controller.process is None or self.controller.process.poll() is not None

    def is_settled(self) -> bool:
        """Tell whether nothing is left to be done."""
        return all(r.phase == "settled" and r.settled_generation == r.generation for r in self.host.living())

    def create(self, place: str, then: str) -> str:
        """Kill the controller while it makes a system; the next one, armed with ``then``, ends the work."""
        self.systems += 1
        system = f"sys-{self.number}-{self.systems}"
        text = create_ticket(system, self.zone, [DB])
        acknowledged = self.hand_in(text)
        self.strikes("create", place)
        self.restart(then)
        again = self.hand_in(text)
        assert acknowledged in ("", again), "the same bytes again are the same ticket"
        self.controller.wait_ticket(again, SETTLE_S)
        assert self.tickets_of(system, "create") == [again]
        until(self.is_settled, SETTLE_S, "everything is settled")
        self.check_built()
        return system

    def release(self, system: str, place: str, then: str) -> None:
        """Kill the controller while it takes the system away; the next one, armed with ``then``, ends the work."""
        acknowledged = self.hand_in(release_ticket(system), confirm=system)
        self.strikes("release", place)
        self.restart(then)
        # Who got no answer looks whether the ticket is there, and hands it in if not.
        found = self.tickets_of(system, "release") or [self.hand_in(release_ticket(system), confirm=system)]
        assert acknowledged in ("", *found)
        assert len(found) == 1
        self.controller.wait_ticket(found[0], SETTLE_S)
        until(lambda: not self.host.living(), SETTLE_S, "everything is gone")
        assert_clean(self.controller, [self.host])
        assert_nothing_left(self.controller, [self.host], everything_made(self.controller))

    def check_built(self) -> None:
        """Check that there is exactly one machine with its disks, and that every promise is kept once."""
        living = self.host.living()
        [machine], [volume] = of_kind(living, ResourceKind.INSTANCE), of_kind(living, ResourceKind.VOLUME)
        [segment] = of_kind(living, ResourceKind.SEGMENT)
        made = everything_made(self.controller)
        mine = {name: text for name, text in self.host.domains().items() if name in made}
        assert list(mine) == [machine.id]
        assert mine[machine.id].startswith("running ")
        files = self.host.names_of_files()
        disks = {f for f in files if f.endswith(".qcow2")}
        assert disks == {f"{machine.id}.root.qcow2", f"{volume.id}.data.qcow2"}
        assert all(f"{self.host.storage_pool}/{disk}" in mine[machine.id] for disk in disks)
        assert len({f for f in files if ".seed-" in f}) == 1
        assert {f.partition(".")[0] for f in files} == {machine.id, volume.id}
        networks, filters = self.host.networks_and_filters()
        assert {n for n in networks if n in made} == {segment.id}
        assert {f for f in filters if f.removeprefix("allotment-") in made} == {f"allotment-{segment.id}"}
        assert_clean(self.controller, [self.host])

    def run(self, places: Places, pairs: Sequence[tuple[str, str]]) -> None:
        """Go through pairs of places, one for the making of a system and one for its end."""
        for number, (create, release) in enumerate(pairs):
            following = pairs[number + 1][0] if number + 1 < len(pairs) else ""
            if number == 0 or create in places.shared:
                self.restart(create)
            system = self.create(create, "" if release in places.shared else release)
            if release in places.shared:
                self.restart(release)
            self.release(system, release, "" if following in places.shared else following)
        wait_rested(self.controller, [self.host])


def record(lane: Lane, path: Path) -> Places:
    """Make and release a system once and return what it passed."""
    controller = lane.controller
    path.touch()
    controller.start_armed(record=path)
    until(lambda: _is_quiet(path), 30, "the loop has nothing to do")

    def run(text: str, confirm: str = "") -> list[str]:
        before = len(_lines(path))
        ticket_id = lane.hand_in(text, confirm)
        controller.wait_ticket(ticket_id, SETTLE_S)
        until(lambda: lane.is_settled() and _is_quiet(path), SETTLE_S, "everything is settled")
        return _lines(path)[before:]

    created = run(create_ticket("recorded", lane.zone, [DB]))
    released = run(release_ticket("recorded"), "recorded")
    controller.stop()
    assert lane.host.living() == []
    for passed in (created, released):
        assert_every_transaction_is_named(passed)
    return Places(tuple(_places(created)), tuple(_places(released)))


def assert_every_transaction_is_named(passed: Sequence[str]) -> None:
    """Check that each transaction of the loop takes work or records a step: then the names cut them all."""
    for after in " ".join(passed).split("commit.before ")[1:]:
        inside, found, _ = after.partition("commit.after")
        assert found, "a transaction that ended"
        assert any(p.split(".")[0] in WRITTEN for p in inside.split()), after


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="ascii").split()


def _is_quiet(path: Path) -> bool:
    """Tell whether no place was passed for a while."""
    return time.time() - path.stat().st_mtime > 1.0


def _places(passed: Sequence[str]) -> list[str]:
    """Return the places to die at: every one that was passed, and its last time where it was passed more than once.

    Nothing that lasts happens between the taking of work, or the end of a step, and the beginning of the next step: one side
    of a boundary between steps is enough.
    """
    counts = Counter(p for p in passed if not (p.startswith("commit.") or (p.startswith("step.") and p.endswith(".before"))))
    return sorted(counts) + sorted(f"{p}:{n}" for p, n in counts.items() if n > 1)


def _first(place: str) -> str:
    return place.partition(":")[0]


def _named(places: Sequence[str]) -> set[str]:
    return {p.split(".")[1] for p in places if p.startswith("step.") and p.endswith(".after")}


@pytest.fixture(scope="module")
def lanes(libvirtd: PrivateLibvirtd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Lane]]:
    """Furnished controllers on one host, none of them running."""
    guest_image()  # built once, before the threads
    with ExitStack() as stack:
        made: list[Lane] = []
        for number in range(LANES):
            # Nobody looks at whole hosts here: every transaction counted is one of the ticket's.
            directory = tmp_path_factory.mktemp(f"lane{number}")
            controller = stack.enter_context(controller_process(directory, ALLOT_RECONCILE__OBSERVE_INTERVAL_S="3600"))
            made.append(Lane(number, controller, HostUnderTest(controller, libvirtd, "host-1", f"lane{number}")))
        with ThreadPoolExecutor(LANES) as threads:
            list(threads.map(Lane.furnish, made))
        yield made


def test_controller_killed_at_every_boundary_loses_doubles_and_leaves_nothing(
    lanes: list[Lane], libvirtd: PrivateLibvirtd, tmp_path: Path
) -> None:
    places = record(lanes[0], tmp_path / "passed")
    assert _named(places.create) >= CREATE_STEPS
    assert _named(places.release) >= RELEASE_STEPS
    assert all(set(passed) >= ACCEPTANCE for passed in (places.create, places.release))
    count = max(len(places.create), len(places.release))
    # The shorter list goes round again, so that every kill while making is followed by one while taking away.
    pairs = [(places.create[n % len(places.create)], places.release[n % len(places.release)]) for n in range(count)]
    with ThreadPoolExecutor(LANES) as threads:
        futures = [threads.submit(lane.run, places, pairs[lane.number :: LANES]) for lane in lanes]
        problems = [(lane, f.exception()) for lane, f in zip(lanes, futures, strict=True) if f.exception() is not None]
    told = [f"lane {lane.number} after {lane.struck[-2:]}: {error!r}\n{lane.controller.log_end()}" for lane, error in problems]
    assert not told, "\n".join(told)
    struck = {place for lane in lanes for place in lane.struck}
    wanted = {f"create {p}" for p in places.create} | {f"release {p}" for p in places.release}
    assert {p for p in wanted if ":" not in p} <= struck <= wanted
    assert wanted - struck == {place for lane in lanes for place in lane.missed}
    with_ours = HostUnderTest(lanes[0].controller, libvirtd, "host-1", "lane0")
    assert with_ours.domains() == {}
    assert {n for n in with_ours.networks_and_filters()[0] if n != "default"} == set()
