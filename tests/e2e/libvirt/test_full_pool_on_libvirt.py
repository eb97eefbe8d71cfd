"""A real storage pool that turns out to be full under a ticket: ENOSPC from the kernel, through QEMU and libvirt."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from sqlalchemy import select

from inventory.domain.resource import ResourceKind
from inventory.store import tables as t
from tests.support.controller_process import ControllerProcess, controller_process
from tests.support.guest_image import halted_guest
from tests.support.libvirt_cloud import (
    DB,
    HostUnderTest,
    assert_clean,
    assert_nothing_left,
    create_ticket,
    everything_made,
    site_document,
    wait_rested,
)
from tests.support.libvirtd import PrivateLibvirtd, until

pytestmark = [pytest.mark.libvirt, pytest.mark.timeout(600)]

TICKET_S = 100
_NUMBERS = count(1)


@dataclass(frozen=True)
class Cellar:
    """A controller with one host, whose storage pool is a file system of a size of our choice."""

    controller: ControllerProcess
    host: HostUnderTest

    @property
    def pool(self) -> str:
        """Return the name of the storage pool."""
        return self.host.storage_pool

    def resize(self, kib: int) -> None:
        """Make the file system of the pool so big; what is on it stays."""
        self.host.libvirtd.exec_in("mount", "-o", f"remount,size={kib}k", _path(self.pool))

    def used_kib(self) -> int:
        """Return what is on the file system."""
        return int(self.host.libvirtd.exec_in("df", "--output=used", "-k", _path(self.pool)).split()[-1])

    def submit(self, name: str) -> str:
        """Hand a ticket in; returns its id."""
        with self.controller.client() as client:
            return str(client.post_yaml("/v1/tickets", create_ticket(name, "cellar", [DB]).encode())["id"])

    def ticket(self, ticket_id: str) -> dict[str, Any]:
        """Return a ticket."""
        with self.controller.client() as client:
            found: dict[str, Any] = client.get(f"/v1/tickets/{ticket_id}")
            return found

    def wait_failed(self, ticket_id: str) -> dict[str, Any]:
        """Wait until a ticket has failed and return what it says."""
        until(lambda: self.ticket(ticket_id)["state"] == "failed", TICKET_S, "the ticket failed")
        found: dict[str, Any] = self.ticket(ticket_id)["problem"]
        return found

    def claim_count(self) -> int:
        """Return how many promises there are."""
        with self.controller.read() as connection:
            return len(connection.execute(select(t.claims.c.resource_id)).all())


def _path(pool: str) -> str:
    return f"/var/lib/libvirt/{pool}"


@pytest.fixture
def cellar(libvirtd: PrivateLibvirtd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cellar]:
    pool = f"small-{next(_NUMBERS)}"
    libvirtd.exec_in("sh", "-c", f"mkdir -p {_path(pool)} && mount -t tmpfs -o size=20g {pool} {_path(pool)}")
    with controller_process(tmp_path_factory.mktemp("cellar")) as controller:
        controller.start()
        image = halted_guest(controller.directory / "image")
        controller.ok("import", controller.write("site.yaml", site_document([("cellar", "10.132.0.0/16")], image)), "--yes")
        host = HostUnderTest(controller, libvirtd, "host-1", pool)
        host.enrol("cellar")
        yield Cellar(controller, host)


@pytest.mark.parametrize("is_image_there", [False, True], ids=["no room for the image", "no room for the disks"])
def test_a_full_pool_fails_the_ticket_with_its_cure_and_a_retry_finishes_it(cellar: Cellar, is_image_there: bool) -> None:
    controller, host = cellar.controller, cellar.host
    if is_image_there:
        controller.wait_ticket(cellar.submit("first"), TICKET_S)
        controller.ok("release", "first", "--confirm", "first", "--wait", "--timeout", str(TICKET_S))
        until(lambda: not host.living(), TICKET_S, "only the image is left")
    cellar.resize(cellar.used_kib() + 4)
    ticket_id = cellar.submit("portal")
    problem = cellar.wait_failed(ticket_id)
    assert problem["code"] == "driver.storage_full"
    assert cellar.pool in problem["detail_zh"]
    assert cellar.pool in problem["detail_en"]
    assert "重试" in problem["cure_zh"]
    assert "retry" in problem["cure_en"]
    shown = controller.allot("status", ticket_id)
    assert "driver.storage_full" in shown.out
    # Nothing half done: no machine, no disk, not even the beginning of one; what was promised stays promised.
    assert host.domains() == {}
    assert host.names_of_files() == set()
    assert cellar.claim_count() > 0
    with controller.client() as client:
        assert client.post("/v1/quotas/audit")["items"] == []

    cellar.resize(20 << 20)
    controller.ok("retry", ticket_id)
    controller.wait_ticket(ticket_id, TICKET_S)
    assert [r.observed for r in host.living() if r.kind is ResourceKind.INSTANCE] == ["running"]
    assert_clean(controller, [host])
    controller.ok("release", "portal", "--confirm", "portal", "--wait", "--timeout", str(TICKET_S))
    until(lambda: not host.living(), TICKET_S, "everything is gone")
    assert_nothing_left(controller, [host], everything_made(controller))
    wait_rested(controller, [host])
