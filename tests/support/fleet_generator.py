"""Large seeded pictures of hosts, made as columns at once: a hundred thousand hosts in a second, for bench and tests.

Three shapes of hosts, some with accelerators, two architectures, three zones; racks of 20, rooms of 20 racks, sites of 5
rooms; two standard storage pools and a fast one on each; filled unevenly.
"""

import numpy as np

from controller.scheduling.columns import ELIGIBLE_BIT, NO_STANDBY_BITS, STANDBY_HERE_BITS, Int32, Rows, arch_bit, mlps_bits
from controller.scheduling.snapshot import Snapshot
from inventory.domain.host import AdminState, Reachability
from inventory.domain.ids import HostId, PoolId, StoragePoolId, ZoneId
from inventory.domain.resources import MEMORY_MIB, VCPU
from inventory.domain.system import SpreadLevel

ZONE_CODES = ("a", "b", "c")
ACCELERATOR = "accelerator:gpu"
_SHAPES = np.array([(256, 512 * 1024), (384, 768 * 1024), (512, 1024 * 1024)])
_POOLS = (("fast", 4_000), ("standard", 10_000), ("standard", 10_000))
_PER_RACK, _RACKS_PER_ROOM, _ROOMS_PER_SITE = 20, 20, 5


def fleet_snapshot(count: int, seed: int, *, fill: tuple[float, float] = (0.2, 0.7)) -> Snapshot:
    """Return ``count`` hosts whose amounts are used between the two parts of ``fill``."""
    draw = np.random.default_rng(seed)
    rows = Rows.of((ACCELERATOR,), (c for c, _ in _POOLS))
    pool_free = (draw.random((count, len(_POOLS))) * (1 - fill[0]) * [size for _, size in _POOLS]).astype(np.int32)
    capacity, free = _amounts(rows, draw, count, fill, pool_free)
    arch = (draw.random(count) < 0.2).astype(np.int32)
    reserve = sum(NO_STANDBY_BITS.values()) + sum(STANDBY_HERE_BITS.values())
    bits = np.array([arch_bit(0), arch_bit(1)])[arch] | ELIGIBLE_BIT | reserve | mlps_bits(3)
    zone = draw.integers(0, len(ZONE_CODES), count, dtype=np.int32)
    rack = np.arange(count, dtype=np.int32) // _PER_RACK
    room = rack // _RACKS_PER_ROOM
    return Snapshot(
        revision="r1",
        host_ids=(ids := tuple(HostId(f"host_{n:06d}") for n in range(count))),
        host_names=(names := tuple(f"h{n:06d}" for n in range(count))),
        index_of={host_id: n for n, host_id in enumerate(ids)},
        admin_states=(AdminState.ACTIVE,) * count,
        reachabilities=(Reachability.REACHABLE,) * count,
        zone_ids=tuple(ZoneId(f"zone_{code}") for code in ZONE_CODES),
        zone_codes=ZONE_CODES,
        zone_index=zone,
        pool_ids=(PoolId("pool"),),
        pool_codes=("pool",),
        pool_index=np.zeros(count, dtype=np.int32),
        sections=tuple((ZoneId(f"zone_{code}"), "") for code in ZONE_CODES),
        section_index=zone,
        mlps_max=np.full(count, 3, dtype=np.int32),
        archs=("x86_64", "aarch64"),
        arch_index=arch,
        traits=(),
        bits=bits.astype(np.int32),
        virtualisations=("simulated",),
        virtualisation_index=np.zeros(count, dtype=np.int32),
        domain_names={
            SpreadLevel.HOST: names,
            SpreadLevel.RACK: _names("r", rack),
            SpreadLevel.ROOM: _names("m", room),
            SpreadLevel.SITE: _names("s", room // _ROOMS_PER_SITE),
        },
        domain_index={
            SpreadLevel.HOST: np.arange(count, dtype=np.int32),
            SpreadLevel.RACK: rack,
            SpreadLevel.ROOM: room,
            SpreadLevel.SITE: room // _ROOMS_PER_SITE,
        },
        rows=rows,
        capacity_rows=capacity,
        held_rows=np.zeros_like(capacity),
        free_rows=free,
        has_accelerator=(capacity[rows.row_of[ACCELERATOR]] > 0).astype(np.int32),
        storage_ids=tuple(StoragePoolId(f"stor_{n:06d}_{p}") for n in range(count) for p in range(len(_POOLS))),
        storage_class=tuple(c for c, _ in _POOLS) * count,
        storage_capacity_gib=np.tile(np.array([size for _, size in _POOLS], dtype=np.int32), count),
        storage_held_gib=np.zeros(count * len(_POOLS), dtype=np.int32),
        storage_free_gib=pool_free.reshape(-1),
        storage_start=np.arange(count + 1, dtype=np.int32) * len(_POOLS),
    )


def _names(prefix: str, column: Int32) -> tuple[str, ...]:
    return tuple(f"{prefix}{n}" for n in range(int(column.max(initial=-1)) + 1))


def _amounts(
    rows: Rows, draw: np.random.Generator, count: int, fill: tuple[float, float], pool_free: Int32
) -> tuple[Int32, Int32]:
    capacity, free = (np.zeros((rows.count, count), dtype=np.int32) for _ in range(2))
    shape, used = draw.integers(0, len(_SHAPES), count), draw.uniform(*fill, count)
    for dimension, column in ((VCPU, 0), (MEMORY_MIB, 1)):
        row = rows.row_of[dimension]
        capacity[row] = _SHAPES[shape, column]
        free[row] = capacity[row] * (1 - np.minimum(0.95, used * draw.uniform(0.8, 1.2, count)))
    capacity[rows.row_of[ACCELERATOR]] = free[rows.row_of[ACCELERATOR]] = 4 * (draw.random(count) < 0.1)
    for disk_class, row in rows.room_row_of.items():
        own = [p for p, (c, _) in enumerate(_POOLS) if c == disk_class]
        free[row], free[row + 1] = pool_free[:, own].max(axis=1), pool_free[:, own].sum(axis=1)
        capacity[row + 1] = sum(_POOLS[p][1] for p in own)
    return capacity, free
