"""Two ``allot serve`` on one PostgreSQL work on one real host; each in turn dies by kill -9, and nothing is doubled or lost."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.cli.client import Refused
from inventory.domain.errors import Unavailable
from inventory.domain.resource import ResourceKind
from tests.support.controller_process import ControllerProcess, controller_process, second_controller
from tests.support.guest_image import halted_guest
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
from tests.support.postgres import private_postgres

pytestmark = [pytest.mark.libvirt, pytest.mark.postgres, pytest.mark.timeout(600)]

TICKET_S = 150
STRIKE_S = 60
#: With 2 GiB of disk each: a machine that keeps its temporary files in memory has 12 GiB of room.
SYSTEMS = tuple(f"sys-{number}" for number in range(5))


@dataclass(frozen=True)
class Pair:
    """Two controllers and the host both work on."""

    first: ControllerProcess
    second: ControllerProcess
    host: HostUnderTest

    def hand_in(self, by: Sequence[ControllerProcess], text: str, confirm: str = "", turn: int = 0) -> str:
        """Hand a ticket in at one of the controllers."""
        told = by[turn % len(by)]
        with told.client() as client:
            try:
                return str(client.post_yaml("/v1/tickets", text.encode(), confirm=confirm)["id"])
            except Refused as refused:
                raise AssertionError(f"{refused.body}\n{self.first.log_end()}\n{self.second.log_end()}") from refused

    def check_built(self) -> None:
        """Check that every machine and disk is there once."""
        living = self.host.living()
        machines, volumes = of_kind(living, ResourceKind.INSTANCE), of_kind(living, ResourceKind.VOLUME)
        assert (len(machines), len(volumes)) == (len(SYSTEMS), len(SYSTEMS))
        domains = self.host.domains()
        assert set(domains) == {m.id for m in machines}
        assert all(text.startswith("running ") for text in domains.values())
        disks = {name for name in self.host.names_of_files() if name.endswith(".qcow2")}
        assert disks == {f"{m.id}.root.qcow2" for m in machines} | {f"{v.id}.data.qcow2" for v in volumes}


@pytest.fixture
def pair(libvirtd: PrivateLibvirtd, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with (
        private_postgres() as server,
        controller_process(tmp_path_factory.mktemp("one"), state_url=server.create_database(empty=True)) as first,
        second_controller(first, tmp_path_factory.mktemp("two")) as second,
    ):
        first.start()
        image = halted_guest(tmp_path / "image")
        first.ok("import", first.write("site.yaml", site_document([("pair", "10.133.0.0/16")], image)), "--yes")
        host = HostUnderTest(first, libvirtd, "host-1", "paired")
        host.enrol("pair")
        yield Pair(first, second, host)


def test_two_controllers_share_the_work_and_each_takes_over_from_the_other(pair: Pair) -> None:
    first, second = pair.first, pair.second
    # The second one dies in the middle of its work: it made a machine and could not say so. The first one ends it.
    first.stop()
    second.start_armed(failpoint="step.define.after")
    tickets = [pair.hand_in((second,), create_ticket(name, "pair", [DB])) for name in SYSTEMS[:1]]
    second.wait_killed(STRIKE_S)
    first.start()
    second.start()
    # Both work side by side now, each on what the other was handed too.
    both = (first, second)
    tickets += [pair.hand_in(both, create_ticket(name, "pair", [DB]), turn=turn) for turn, name in enumerate(SYSTEMS[1:])]
    for ticket_id in tickets:
        first.wait_ticket(ticket_id, TICKET_S)
    pair.check_built()
    assert_clean(first, [pair.host])

    # Then the other way round: the first one dies while machines are taken away, and never comes back.
    first.stop()
    second.stop()
    first.start_armed(failpoint="step.remove.after")
    # Who gets no answer from the dying one finds the ticket at the other.
    with suppress(Unavailable):
        pair.hand_in((first,), release_ticket(SYSTEMS[0]), confirm=SYSTEMS[0])
    first.wait_killed(STRIKE_S)
    second.start()
    with second.client() as client:
        found = [t for t in client.all("/v1/tickets") if t["action"] == "release"]
    releases = {str(t["system_name"]): str(t["id"]) for t in found}
    assert len(releases) == len(found)
    for name in SYSTEMS:
        if name not in releases:
            releases[name] = pair.hand_in((second,), release_ticket(name), confirm=name)
    for ticket_id in releases.values():
        second.wait_ticket(ticket_id, TICKET_S)
    until(lambda: not pair.host.living(), TICKET_S, "everything is gone")
    assert_clean(second, [pair.host])
    assert_nothing_left(second, [pair.host], everything_made(second))
    wait_rested(second, [pair.host])
