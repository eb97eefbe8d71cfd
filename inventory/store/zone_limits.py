"""What no host of a zone ever does, as their back ends say of themselves; read by plans."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from inventory.domain.host import AdminState, ZoneLimits
from inventory.store import tables as t


def zone_limits(connection: Connection) -> dict[str, ZoneLimits]:
    """Return what no host does, by code of the zone: of zones all of whose hosts that were read are limited in something."""
    h, p, z = t.hosts.c, t.pools.c, t.zones.c
    zones = select(z.code).join(t.pools, p.zone_id == z.id).join(t.hosts, h.pool_id == p.id)
    living = h.facts.is_not(None) & (h.admin_state != AdminState.RETIRED.value)
    limited: dict[str, list[Mapping[str, Any]]] = {}
    for row in connection.execute(zones.add_columns(h.facts).where(t.LIMITED_HOST, living)):
        limited.setdefault(row.code, []).append(row.facts)
    if not limited:
        return {}
    others = zones.where(~t.LIMITED_HOST, living, z.code.in_(sorted(limited))).distinct()
    for code in connection.execute(others).scalars().all():
        del limited[code]
    return {code: _limits(facts) for code, facts in limited.items()}


def _limits(facts: Sequence[Mapping[str, Any]]) -> ZoneLimits:
    sizes = [f.get("sizes") for f in facts]
    made = None if None in sizes else frozenset(tuple(size) for some in sizes for size in some or ())
    return ZoneLimits(lacks=frozenset.intersection(*(frozenset(f.get("lacks", ())) for f in facts)), sizes=made)
