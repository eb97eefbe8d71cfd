"""The cost side: what hosts had (written down as it changes), what the platform costs, and where both went in a month."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection

from controller.identity.caller import Caller
from controller.workflows.periods import names, window
from controller.workflows.platform import Platform
from controller.workflows.sealing import seal
from inventory.domain.clock import is_due
from inventory.domain.ids import HostId
from inventory.domain.resources import DISK_PREFIX, MEMORY_MIB, VCPU
from inventory.domain.scope import PLATFORM
from inventory.store import changes, directory
from metering import cost_store, period_store
from metering.cost_document import read_costs
from metering.costs import CostPool, shared
from metering.places import Where, where_it_went

#: How often all hosts are looked at.
_ALL_EVERY_S = 3600
#: Hosts that are asked for by name; more, and reading all is no dearer.
_NAMED_MOST = 500


class RoomRecorder:
    """Writes down what hosts have, where it changed. For one thread.

    Only the hosts are looked at of which a change was noted; a note somebody forgot is made good by a look at all of them.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._mark: changes.Mark | None = None
        self._all_at_s = float("-inf")

    def record(self) -> int:
        """Write down what changed since the last time; returns how many rows did.

        Raises:
            Unavailable: the database; nothing is missed.
        """
        now_s = int(self._platform.clock())
        with self._platform.db.read() as connection:
            is_all = self._mark is None or is_due(now_s, self._all_at_s, _ALL_EVERY_S)
            mark, host_ids = self._noted(connection, is_all=is_all)
            is_changed = host_ids != frozenset() and cost_store.is_changed(connection, now_s, host_ids)
        count = self._platform.db.run(lambda c: cost_store.record(c, now_s, host_ids)) if is_changed else 0
        self._mark = mark
        if host_ids is None:
            self._all_at_s = now_s
        return count

    def _noted(self, connection: Connection, *, is_all: bool) -> tuple[changes.Mark, frozenset[HostId] | None]:
        if is_all or self._mark is None:
            return changes.mark_now(connection), None
        found = changes.since(connection, self._mark)
        return found.mark, None if found.is_everything or len(found.host_ids) > _NAMED_MOST else found.host_ids


def record(platform: Platform) -> int:
    """Write down what all hosts have now where it changed; returns how many rows did."""
    return RoomRecorder(platform).record()


def set_pools(
    platform: Platform, data: bytes, caller: Caller, as_read: Callable[[list[CostPool]], None] = lambda _pools: None
) -> list[CostPool]:
    """Set all cost pools from a document; the one before is kept, and holds no longer.

    ``as_read`` is shown the pools that hold and raises where they are not what the caller decided on.

    Raises:
        Invalid: with every problem of the document.
    """
    found = read_costs(data, platform.zone)

    def unit(connection: Connection) -> None:
        directory.lock_for_edit(connection)
        as_read(cost_store.pools(connection))
        id_ = platform.new_id("costs")
        values = {
            "id": id_, "document": data.decode(), "set_by": caller.user_name, "set_at_s": platform.clock(),
        }  # fmt: skip
        cost_store.set_pools(connection, values, found)
        seal(connection, platform, caller, "cost.set", id_, {"pools": [p.name for p in found]})

    platform.db.run(unit)
    return found


def pools(platform: Platform) -> list[CostPool]:
    """Return the cost pools that hold."""
    with platform.db.read() as connection:
        return cost_store.pools(connection)


def places(platform: Platform, month: str) -> dict[str, Any]:
    """Return where the capacity of every host went in a month, up to now.

    Raises:
        Invalid: ``usage.month_invalid``.
    """
    period, until_s = _bounds(platform, month)
    with platform.db.read() as connection:
        found = _where(connection, period["start_s"], until_s)
        codes = {d: code for d, (code, _) in names(platform, connection).departments.items()}
    rows = [{**asdict(p), "departments": {codes.get(d, d): n for d, n in sorted(p.departments.items())}} for p in found.places]
    return {
        "period_id": month, "start_s": period["start_s"], "until_s": until_s, "places": rows,
        "overfull": [asdict(o) for o in found.overfull], "unplaced": found.unplaced,
    }  # fmt: skip


def shares(platform: Platform, month: str) -> dict[str, Any]:
    """Return where the cost of a month went, up to now, beside what departments are charged for it.

    Raises:
        Invalid: ``usage.month_invalid``.
    """
    period, until_s = _bounds(platform, month)
    with platform.db.read() as connection:
        found = _where(connection, period["start_s"], until_s)
        costs = [shared(p, found.places, period["start_s"], until_s) for p in cost_store.pools(connection)]
        codes = {d: code for d, (code, _) in names(platform, connection).departments.items()}
        charged = sum(s["billed_micro_yuan"] for s in period_store.statements(connection, month, PLATFORM))
    rows = [{**asdict(c), "departments": {codes.get(d, d): n for d, n in sorted(c.departments.items())}} for c in costs]
    total = sum(c.micro_yuan for c in costs)
    return {
        "period_id": month, "start_s": period["start_s"], "until_s": until_s, "pools": rows, "micro_yuan": total,
        "charged_micro_yuan": charged, "surplus_micro_yuan": charged - total, "overfull_count": len(found.overfull),
    }  # fmt: skip


def _bounds(platform: Platform, month: str) -> tuple[Mapping[str, Any], int]:
    period = window(platform, month)
    return period, max(period["start_s"], min(int(platform.clock()), period["end_s"]))


def _where(connection: Connection, start_s: int, until_s: int) -> Where:
    held = (VCPU, MEMORY_MIB)
    usage = (i for i in period_store.usage(connection, start_s, until_s) if i.meter in held or i.meter.startswith(DISK_PREFIX))
    return where_it_went(cost_store.rooms(connection, start_s, until_s), usage, start_s, until_s)
