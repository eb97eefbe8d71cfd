"""Hosts of a replay: lines of a CSV file become the picture that decisions are made on."""

from collections.abc import Iterator
from pathlib import Path

from controller.replay.rows import Mistakes, Row, read
from controller.scheduling.snapshot import HostEntry, Snapshot, SnapshotBuilder
from inventory.domain.host import AdminState, Host, HostFacts, Pool, Reachability, Zone
from inventory.domain.ids import HostId, PoolId, ZoneId
from inventory.domain.resources import ACCELERATOR_PREFIX, MEMORY_MIB, VCPU

COLUMNS = ("name", "vcpus", "memory_mib")
#: A replay knows one kind.
ACCELERATOR = f"{ACCELERATOR_PREFIX}any"

#: All hosts of a replay are of one zone and one pool.
ZONE = Zone(id=ZoneId("replay"), code="replay", name="replay", network_class="", mlps_max=5, address_range="")
_POOL = Pool(id=PoolId("replay"), code="replay", name="replay", zone_id=ZONE.id, driver="simulated", mlps_max=5)


def read_hosts(path: Path) -> Snapshot:
    """Read hosts from CSV with the columns ``COLUMNS`` and, where known, ``accelerators``, ``rack``, ``room`` and ``site``.

    The host of line *n*, the header not counted and the first being 0, is host *n* of the picture.

    Raises:
        Invalid: the file cannot be read or is malformed; all mistakes with their lines.
    """
    return read(path, COLUMNS, _snapshot)


def _snapshot(rows: Iterator[Row], mistakes: Mistakes) -> Snapshot:
    builder, line_of = SnapshotBuilder(), dict[str, int]()
    for number, row in enumerate(rows):
        name = row.text("name")
        if not name or name in line_of:
            mistakes.note(
                "simulate.host_twice" if name else "simulate.host_empty", row.line, host=name, first=line_of.get(name, 0)
            )
        line_of[name] = row.line
        builder.add_host(_entry(number, name, row))
    if not line_of and not mistakes.problems:
        mistakes.note("simulate.no_hosts", 1)
    return builder.build(revision="replay")


def _entry(number: int, name: str, row: Row) -> HostEntry:
    vcpus, memory_mib = row.number("vcpus", 1), row.number("memory_mib", 1)
    accelerators = row.optional("accelerators")
    host = Host(
        # Ids order the picture.
        id=HostId(f"host_{number:09d}"),
        name=name,
        pool_id=_POOL.id,
        connection="",
        admin_state=AdminState.ACTIVE,
        reachability=Reachability.REACHABLE,
        facts=HostFacts(hostname=name, arch="", virtualisation="", cpu_count=vcpus, memory_mib=memory_mib),
        rack=row.text("rack"),
        room=row.text("room"),
        site=row.text("site"),
    )
    capacity = {VCPU: vcpus, MEMORY_MIB: memory_mib, **({ACCELERATOR: accelerators} if accelerators else {})}
    return HostEntry(host=host, pool=_POOL, zone=ZONE, capacity=capacity, used={})
