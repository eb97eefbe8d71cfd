"""The machines of a region as they were last listed: whole from time to time, and in between only what changed.

Nova answers ``changes-since`` with the machines whose record was written since a moment, deleted ones among them. The moment
is Nova's own: the latest it told us, less a little, because two of its services may write out of order. What does not write
a machine's record (its metadata, a disk attached behind our back) is seen with the next whole listing; after a change of
ours the listing is whole at once.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from drivers.openstack.mapping import ServerReading, moment_s

#: How far two services of a region may write out of order.
OVERLAP_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Roll:
    """What was last seen."""

    servers: Mapping[str, ServerReading] = field(default_factory=dict)
    #: When everything was listed last, by our monotonic clock.
    whole_at_s: float
    #: The latest moment Nova wrote on a machine, epoch s; 0 where it wrote none.
    written_at_s: float = 0.0


def whole(found: Iterable[ServerReading], at_s: float) -> Roll:
    """Return the roll after a whole listing."""
    servers = {s.server_id: s for s in found if not s.is_gone}
    return Roll(servers=servers, whole_at_s=at_s, written_at_s=_latest(servers.values(), 0.0))


def changed(roll: Roll, found: Iterable[ServerReading]) -> Roll:
    """Return the roll after a listing of what changed."""
    seen = {s.server_id: s for s in found}
    servers = {i: s for i, s in {**roll.servers, **seen}.items() if not s.is_gone}
    return Roll(servers=servers, whole_at_s=roll.whole_at_s, written_at_s=_latest(seen.values(), roll.written_at_s))


def since_text(roll: Roll) -> str:
    """Return the moment to ask from, as Nova reads it; empty where only a whole listing will do."""
    if not roll.written_at_s:
        return ""
    return datetime.fromtimestamp(roll.written_at_s - OVERLAP_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def next_roll(
    roll: Roll | None,
    now_s: float,
    whole_age_s: float,
    list_servers: Callable[[str], Iterable[ServerReading]],
    *,
    is_touched: bool,
) -> Roll:
    """Return the roll as it is now; ``list_servers`` lists what changed since a moment, everything for an empty one."""
    since = "" if roll is None or is_touched or now_s - roll.whole_at_s >= whole_age_s else since_text(roll)
    if roll is None or not since:
        return whole(list_servers(""), now_s)
    return changed(roll, list_servers(since))


def _latest(servers: Iterable[ServerReading], least_s: float) -> float:
    return max([least_s, *(moment_s(s.updated_at, 0.0) for s in servers)])
