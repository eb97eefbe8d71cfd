"""A system's life in three tickets, carried through a controller that is killed over and over: what must be there after each."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from inventory.domain.errors import Unavailable
from inventory.domain.resource import Phase
from tests.openstack.cloud import SYSTEM, City, head_of, servers_of
from tests.support.libvirtd import until

SETTLE_S = 300
STRIKE_S = 400
POLL_S = 0.2
FINAL = ("done", "failed", "refused", "cancelled")
BODIES = {
    "create": SYSTEM + servers_of("name: web, size: tiny, image: demo-linux, disks: [{name: data, size: 1GiB, class: standard}]"),
    # Another size, and a disk more.
    "change": "base: 1\n" + servers_of("name: web, size: {cpu: 2, memory: 192MiB}, disks: [{name: more, size: 1GiB}]"),
    "release": "",
}
#: What the region has of one system after each ticket: a root disk and data disks, a network and its group.
MADE = {
    "create": {"server": 1, "volume": 2, "port": 1, "network": 1, "group": 1},
    "change": {"server": 1, "volume": 3, "port": 1, "network": 1, "group": 1},
    "release": {},
}
SHAPES = {"create": (1, 128), "change": (2, 192)}


@dataclass
class Life:
    """One system of a city, from create to release."""

    town: City
    system: str
    _server_id: str = field(default="", init=False)

    def hand_in(self, action: str) -> str:
        """Hand the ticket in unless it is there; returns its id, or nothing when nobody answers."""
        text = head_of(self.system, action) + BODIES[action]
        try:
            with self.town.controller.client() as client:
                found = [x["id"] for x in client.all("/v1/tickets") if (x["system_name"], x["action"]) == (self.system, action)]
                if len(found) > 1:
                    raise AssertionError(f"{self.system} has {len(found)} tickets to {action} it")
                confirm = self.system if action == "release" else ""
                return str(found[0] if found else client.post_yaml("/v1/tickets", text.encode(), confirm=confirm)["id"])
        except Unavailable:
            return ""

    def is_over(self, ticket_id: str) -> bool:
        """Tell whether nothing is left to be done."""
        try:
            with self.town.controller.client() as client:
                ticket = client.get(f"/v1/tickets/{ticket_id}") if ticket_id else {"state": ""}
        except Unavailable:
            return False
        return ticket["state"] in FINAL and self._is_settled()

    def _is_settled(self) -> bool:
        return all(r.phase is Phase.SETTLED and r.settled_generation == r.generation for r in self.town.rows())

    def dies_or_ends(self, ticket_id: str) -> bool:
        """Wait until the controller was killed, or until nothing is left to be done; tell whether it was killed."""
        process = self.town.controller.process
        assert process is not None
        end = time.monotonic() + STRIKE_S
        while process.poll() is None:
            if self.is_over(ticket_id):
                return False
            if time.monotonic() > end:
                rows = "\n".join(f"{r.name}: {r.phase} {r.step} {r.problem}" for r in self.town.rows())
                raise TimeoutError(f"neither killed nor done after {STRIKE_S} s\n{rows}\n{self.town.controller.log_end()}")
            time.sleep(POLL_S)
        self.town.controller.wait_killed(POLL_S)
        return True

    def check(self, action: str, ticket_id: str) -> None:
        """Check that what the ticket asks for is there exactly once, and every counter right."""
        town = self.town
        town.controller.wait_ticket(ticket_id, SETTLE_S)
        # A network goes after the last machine on it.
        until(lambda: self._is_settled() and (action != "release" or town.made() == []), SETTLE_S, "everything is settled")
        made = town.made()
        counts = {kind: sum(k == kind for k, _ in made) for kind, _ in made}
        assert counts == MADE[action], made
        if action != "release":
            self._check_machine(action, made)
        town.check()

    def _check_machine(self, action: str, made: list[tuple[str, Any]]) -> None:
        (server,) = [found for kind, found in made if kind == "server"]
        volumes = {found.id: found for kind, found in made if kind == "volume"}
        assert (server.status, (server.flavor["vcpus"], server.flavor["ram"])) == ("ACTIVE", SHAPES[action])
        assert {d["id"] for d in server.attached_volumes} == volumes.keys()
        assert {v.status for v in volumes.values()} == {"in-use"}
        assert self._server_id in ("", server.id), "a change keeps the machine"
        self._server_id = server.id


def start_though_killed(start: Callable[[], None], town: City) -> None:
    """Start the controller; it may be killed before it was ever ready."""
    try:
        start()
    except AssertionError:
        process = town.controller.process
        if process is None or process.poll() != -signal.SIGKILL:
            raise
