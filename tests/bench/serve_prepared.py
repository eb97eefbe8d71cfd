"""``allot serve`` over a simulated world that already has the machines of the state: ``python -m tests.bench.serve_prepared``.

A simulated world begins empty with its process, and a controller that started over it would build everything anew. Here a
host gets its machines out of the state when its driver is first opened, as a real host would have them. All of that
happens inside the measured process and counts against it.

Called with the SQLite file of the state and then the arguments of ``allot``.
"""

import json
import sqlite3
import sys
import time

from drivers.protocol import LeaseEntry, NicRequest
from drivers.simulated.host import SimulatedHost
from drivers.simulated.records import HostSpec, Machine, Segment, Volume
from drivers.simulated.world import World, image_is_trusted, install_world
from inventory.domain.ids import ResourceId

#: The name of the world in the connections ``tests.bench.state`` writes.
WORLD = "bench"
_OF_HOST = """\
SELECT r.id, r.kind, r.name, r.spec, r.fence, r.created_at_s FROM resources r JOIN hosts h ON h.id = r.host_id
WHERE h.name = ? AND r.phase != 'gone' ORDER BY r.kind DESC, r.id"""


class RememberingWorld(World):
    """A world whose hosts have the machines, disks and networks the state says they have."""

    def __init__(self, name: str, state: str) -> None:
        super().__init__(name, clock=time.time, verify_image=image_is_trusted, is_strict=False)
        self._state = sqlite3.connect(f"file:{state}?mode=ro", uri=True, check_same_thread=False)

    def add_host(self, name: str, spec: HostSpec | None = None) -> SimulatedHost:
        """Return the host of that name; what it has is read from the state the first time."""
        is_new = name not in self.hosts
        host = super().add_host(name, spec)
        if is_new:
            with self._lock:
                rows = self._state.execute(_OF_HOST, (name,)).fetchall()
            for row in rows:
                _remember(host, *row)
        return host


def _remember(host: SimulatedHost, id_: str, kind: str, name: str, text: str, fence: int, since_s: float) -> None:
    spec, resource_id = json.loads(text), ResourceId(id_)
    if kind == "segment":
        host.segments[resource_id] = Segment(segment_id=resource_id, fence=fence, cidr=spec["cidr"], leases=())
        return
    nics = tuple(NicRequest(segment_id=n["segment_id"], mac=n["mac"], address=n["address"]) for n in spec["nics"])
    host.machines[resource_id] = Machine(
        instance_id=resource_id,
        fence=fence,
        hostname=name,
        vcpu_count=spec["vcpu_count"],
        memory_mib=spec["memory_mib"],
        disks=(),
        nics=nics,
        is_running=True,
        since_s=since_s,
    )
    size_gib = spec["root_disk_gib"]
    host.volumes[resource_id] = Volume(
        volume_id=resource_id, fence=fence, role="root", storage_pool="default", size_gib=size_gib, image_sha256="0" * 64
    )
    for nic in nics:
        segment = host.segments[nic.segment_id]
        segment.leases = (*segment.leases, LeaseEntry(mac=nic.mac, address=nic.address, hostname=name))
        segment.cards[nic.mac] = resource_id


def main(arguments: list[str]) -> int:
    """Prepare the world and run ``allot``."""
    state, *rest = arguments
    install_world(RememberingWorld(WORLD, state))
    from controller.cli.main import run

    return run(rest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
