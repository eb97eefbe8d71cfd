"""What departments hold in each zone.

Told by the open intervals of the ledger, hundreds of thousands in a city: to sum them up costs more than all other figures
together, so they are summed up anew only once the ledger took something.
"""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection

from controller.metrics import declared as m
from controller.metrics.exposition import family
from inventory.domain.resources import DISK_PREFIX, MEMORY_MIB, VCPU
from inventory.store import directory
from metering import held_store, ledger_store

#: Departments that are named: the largest.
DEPARTMENTS_NAMED_MAX = 200
_MIB = 1 << 20
_GIB = 1 << 30


class Holdings:
    """Keeps what was summed up last."""

    def __init__(self) -> None:
        self._mark: tuple[int, int] | None = None
        self._held: list[held_store.Held] = []

    def families(self, connection: Connection, pools: Mapping[str, tuple[str, str]]) -> Iterable[str]:
        """Return the families, with the codes departments and zones have now; ``pools``: (pool, zone) by pool id."""
        mark = ledger_store.state_mark(connection)
        if mark != self._mark:
            self._held, self._mark = held_store.held(connection), mark
        codes = {d.id: d.code for d in directory.departments(connection)}
        amounts: dict[str, dict[tuple[str, ...], int]] = {}
        for row in self._held:
            key = (codes[row.department_id], pools[row.pool_id][1])
            own = amounts.setdefault(row.meter, {})
            own[key] = own.get(key, 0) + row.amount
        named = _largest(amounts.get(VCPU, {}))
        yield family(m.DEPARTMENT_VCPU, _of(amounts.get(VCPU, {}), named, 1))
        yield family(m.DEPARTMENT_MEMORY, _of(amounts.get(MEMORY_MIB, {}), named, _MIB))
        disks = sorted(meter for meter in amounts if meter.startswith(DISK_PREFIX))
        told = [(meter.removeprefix(DISK_PREFIX), _of(amounts[meter], named, _GIB)) for meter in disks]
        yield family(m.DEPARTMENT_DISK, {(*key, kind): n for kind, own in told for key, n in own.items()})


def _largest(vcpu: Mapping[tuple[str, ...], int]) -> set[str]:
    sums: dict[str, int] = {}
    for (department, _), amount in vcpu.items():
        sums[department] = sums.get(department, 0) + amount
    return set(sorted(sums, key=lambda d: (-sums[d], d))[:DEPARTMENTS_NAMED_MAX])


def _of(amounts: Mapping[tuple[str, ...], int], named: set[str], unit: int) -> dict[tuple[str, ...], float]:
    return {key: n * unit for key, n in sorted(amounts.items()) if key[0] in named}
