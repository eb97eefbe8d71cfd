"""Groups of machines with a hard rule above the host, and where these are: the choice of stand-by hosts looks at them."""

from collections import Counter

from sqlalchemy import Connection, Text, or_, select, type_coerce

from inventory.domain.ids import HostId
from inventory.domain.mates import LEVELS, Mates
from inventory.domain.resource import Phase, ResourceKind
from inventory.domain.system import ServerSpec, SystemSpec
from inventory.store import tables as t

_R, _S = t.resources.c, t.systems.c
#: Few systems have such a rule: the text of the others is not even read.
_MAY_HAVE_ONE = or_(*(type_coerce(_S.spec, Text).contains(f'"spread":"{level.value}"') for level in LEVELS)) & t.LIVING_SYSTEM


def groups(connection: Connection) -> list[Mates]:
    """Return all groups with a hard rule by rack, room or site that have machines; one on its way is counted at both ends."""
    rules: dict[tuple[str, str], ServerSpec] = {}
    for row in connection.execute(select(_S.id, _S.spec).where(_MAY_HAVE_ONE)):
        for server in SystemSpec.from_json(row.spec).servers:
            if server.spread_is_hard and server.spread in LEVELS:
                rules[row.id, server.name] = server
    if not rules:
        return []
    found: dict[tuple[str, str], Counter[HostId]] = {key: Counter() for key in rules}
    for system_id, host, target, spec in connection.execute(_MACHINES):
        key = (system_id, spec["group"])
        for host_id in (host, target):
            if key in found and host_id is not None:
                found[key][HostId(host_id)] += 1
    return [
        Mates(level=rule.spread, most_per_domain=rule.spread_max, is_together=rule.is_together, hosts=found[key])
        for key, rule in rules.items()
        if found[key]
    ]


_MACHINES = select(_R.system_id, _R.host_id, _R.target_host_id, _R.spec).where(
    _R.kind == ResourceKind.INSTANCE.value,
    _R.phase != Phase.GONE.value,
    _R.system_id.in_(select(_S.id).where(_MAY_HAVE_ONE)),
)
