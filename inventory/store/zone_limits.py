"""What no host of a zone ever does, as their back ends say of themselves; read by plans."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, select

from inventory.domain.host import AdminState, ZoneLimits
from inventory.store import tables as t

_H, _P, _Z = t.hosts.c, t.pools.c, t.zones.c
#: Built once: every group of tickets asks.
_ZONES_OF_HOSTS = (
    select(_Z.code)
    .join(t.pools, _P.zone_id == _Z.id)
    .join(t.hosts, _H.pool_id == _P.id)
    .where(_H.facts.is_not(None) & (_H.admin_state != AdminState.RETIRED.value))
)
_LIMITED = _ZONES_OF_HOSTS.add_columns(_H.facts).where(t.LIMITED_HOST)
_OTHERS = _ZONES_OF_HOSTS.where(~t.LIMITED_HOST, _Z.code.in_(bindparam("zones", expanding=True))).distinct()


def zone_limits(connection: Connection) -> dict[str, ZoneLimits]:
    """Return what no host does, by code of the zone: of zones all of whose hosts that were read are limited in something."""
    limited: dict[str, list[Mapping[str, Any]]] = {}
    for row in connection.execute(_LIMITED):
        limited.setdefault(row.code, []).append(row.facts)
    if not limited:
        return {}
    for code in connection.execute(_OTHERS, {"zones": sorted(limited)}).scalars().all():
        del limited[code]
    return {code: _limits(facts) for code, facts in limited.items()}


def _limits(facts: Sequence[Mapping[str, Any]]) -> ZoneLimits:
    sizes = [f.get("sizes") for f in facts]
    made = None if None in sizes else frozenset(tuple(size) for some in sizes for size in some or ())
    return ZoneLimits(lacks=frozenset.intersection(*(frozenset(f.get("lacks", ())) for f in facts)), sizes=made)
