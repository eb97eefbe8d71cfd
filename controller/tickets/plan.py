"""The plan of a ticket: what changes between the stored system and the wanted one, machine by machine. Pure.

Nothing is ever replaced implicitly: a wish that only a new machine could fulfil is refused here, with the way to get it.
Members keep their names (``web-1`` stays ``web-1``), so a lower count removes the highest numbers.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from inventory.domain.errors import Problem
from inventory.domain.system import DiskSpec, ServerSpec, SpreadLevel, System, SystemSpec
from inventory.importers.document import refuse


class Verb(StrEnum):
    """What is done."""

    CREATE = "create"
    RESIZE = "resize"
    #: A new data disk on a machine that exists.
    ATTACH = "attach"
    DELETE = "delete"
    RENEW = "renew"
    #: Facts about a system, without effect on machines.
    UPDATE = "update"


class Impact(StrEnum):
    """What a change means for what runs."""

    NONE = "none"
    RESTART = "restart"
    DOWNTIME = "downtime"
    DATA_LOSS = "data_loss"


#: From harmless to grave.
_GRAVITY = tuple(Impact)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of a plan."""

    verb: Verb
    #: ``instance`` | ``volume`` | ``group`` | ``system``.
    kind: str
    #: ``web-1`` of an instance, ``web-1/data`` of a volume, the system's name.
    member: str
    impact: Impact
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the form that is stored with the ticket and sent."""
        return {
            "verb": self.verb.value,
            "kind": self.kind,
            "member": self.member,
            "impact": self.impact.value,
            "before": dict(self.before),
            "after": dict(self.after),
        }


def worst_impact(changes: Iterable[Change]) -> Impact:
    """Return the gravest impact of ``changes``, ``none`` if there are none."""
    return max((change.impact for change in changes), key=_GRAVITY.index, default=Impact.NONE)


def diff(current: System | None, wanted: SystemSpec | None, action: str) -> tuple[Change, ...]:
    """Return what has to be done, in the order of names; empty if the system already is as wanted.

    Args:
        current: the stored system, None if there is none.
        wanted: the complete wish, None for a release.
        action: ``create`` | ``change`` | ``renew`` | ``release``.

    Raises:
        Invalid: the wish would need a machine or disk to be replaced, with every such wish.
    """
    if wanted is None:
        assert action == "release"
        return tuple(_deleted(current.spec.servers)) if current else ()
    if current is None:
        return tuple(_created(wanted.servers))
    if action == "renew":
        return tuple(_renewed(current.spec, wanted))
    return _changed(current.spec, wanted)


def _created(servers: Sequence[ServerSpec]) -> Iterator[Change]:
    for server in servers:
        for member in server.member_names():
            yield _new_member(server, member)
            yield from (_disk_change(Verb.CREATE, member, disk) for disk in server.disks)


def _deleted(servers: Sequence[ServerSpec]) -> Iterator[Change]:
    for server in servers:
        for member in server.member_names():
            yield from _gone_member(server, member)


def _renewed(before: SystemSpec, after: SystemSpec) -> Iterator[Change]:
    if before.lease_end != after.lease_end:
        old, new = {"lease_end": before.lease_end}, {"lease_end": after.lease_end}
        yield Change(verb=Verb.RENEW, kind="system", member=after.name, impact=Impact.NONE, before=old, after=new)


def _shape(server: ServerSpec) -> dict[str, Any]:
    shape = {"vcpu_count": server.vcpu_count, "memory_mib": server.memory_mib, "size": server.size}
    return {**shape, "layout": server.layout.to_json()} if server.layout else shape


def _new_member(server: ServerSpec, member: str) -> Change:
    root = {"image": server.image, "root_disk_gib": server.root_disk_gib, "root_disk_class": server.root_disk_class}
    return Change(verb=Verb.CREATE, kind="instance", member=member, impact=Impact.NONE, after=_shape(server) | root)


def _gone_member(server: ServerSpec, member: str) -> Iterator[Change]:
    before = _shape(server) | {"image": server.image, "root_disk_gib": server.root_disk_gib}
    yield Change(verb=Verb.DELETE, kind="instance", member=member, impact=Impact.DATA_LOSS, before=before)
    yield from (_disk_change(Verb.DELETE, member, disk) for disk in server.disks)


def _disk_change(verb: Verb, member: str, disk: DiskSpec) -> Change:
    values = {"size_gib": disk.size_gib, "disk_class": disk.disk_class}
    name = f"{member}/{disk.name}"
    if verb is Verb.DELETE:
        return Change(verb=verb, kind="volume", member=name, impact=Impact.DATA_LOSS, before=values)
    return Change(verb=verb, kind="volume", member=name, impact=Impact.NONE, after=values)


def _changed(before: SystemSpec, after: SystemSpec) -> tuple[Change, ...]:
    problems = [*_system_problems(before, after)]
    changes = [*_facts_changed(before, after), *_renewed(before, after)]
    old = {server.name: server for server in before.servers}
    new = {server.name: server for server in after.servers}
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            changes += _deleted([old[name]])
        elif name not in old:
            changes += _created([new[name]])
        else:
            problems += _server_problems(old[name], new[name])
            changes += _server_changed(old[name], new[name])
    if problems:
        raise refuse(problems)
    return tuple(changes)


_FACTS = ("title", "owner", "contact_name", "contact_phone", "contact_email", "mlps_level", "environment", "labels")


def _facts_changed(before: SystemSpec, after: SystemSpec) -> Iterator[Change]:
    moved = [name for name in _FACTS if getattr(before, name) != getattr(after, name)]
    if moved:
        old, new = ({name: getattr(spec, name) for name in moved} for spec in (before, after))
        yield Change(verb=Verb.UPDATE, kind="system", member=after.name, impact=Impact.NONE, before=old, after=new)


def _system_problems(before: SystemSpec, after: SystemSpec) -> Iterator[Problem]:
    for name in ("name", "department", "project", "zone"):
        if getattr(before, name) != getattr(after, name):
            yield _fixed(after.name, name, getattr(before, name), getattr(after, name))
    if after.mlps_level > before.mlps_level:
        # Running machines may stand in pools that must not hold the higher level.
        yield Problem("plan.mlps_raise_refused", {"name": after.name, "before": before.mlps_level, "after": after.mlps_level})
    if before.environment == "production" and after.environment != "production":
        # Else one person could take the protection away first and release after.
        yield _fixed(after.name, "environment", before.environment, after.environment)


def _fixed(name: str, field_: str, before: object, after: object) -> Problem:
    return Problem("plan.field_fixed", {"name": name, "field": field_, "before": str(before), "after": str(after)})


def _server_problems(old: ServerSpec, new: ServerSpec) -> Iterator[Problem]:
    if old.image != new.image:
        yield Problem("plan.replace_refused", {"name": new.name, "field": "image", "before": old.image, "after": new.image})
    if (old.root_disk_gib, old.root_disk_class) != (new.root_disk_gib, new.root_disk_class):
        before, after = f"{old.root_disk_gib} GiB {old.root_disk_class}", f"{new.root_disk_gib} GiB {new.root_disk_class}"
        yield Problem("plan.root_disk_fixed", {"name": new.name, "before": before, "after": after})
    for name in ("user_data", "ssh_keys"):
        if getattr(old, name) != getattr(new, name):
            yield Problem("plan.first_boot_only", {"name": new.name, "field": name.replace("_", "-")})
    if old.networks != new.networks:
        yield _fixed(new.name, "networks", "、".join(old.networks), "、".join(new.networks))
    if not _is_kept(old, new):
        yield _fixed(new.name, "spread", _rule_text(old), _rule_text(new))
    yield from _disk_problems(old, new)


#: How wide a failure domain is.
_WIDTH = {level: width for width, level in enumerate(SpreadLevel)}


def _rule_text(server: ServerSpec) -> str:
    most = "" if server.is_together or server.spread_max == 1 else f", spread-max: {server.spread_max}"
    return server.spread_word() + most


def _is_kept(old: ServerSpec, new: ServerSpec) -> bool:
    """Tell whether machines placed under the old spread rule are rightly placed under the new one too."""
    if new.spread is SpreadLevel.NONE or not new.spread_is_hard or old.count == 1:
        return True
    if not old.spread_is_hard or old.spread is SpreadLevel.NONE or old.is_together is not new.is_together:
        return False
    if new.is_together:
        return _WIDTH[old.spread] <= _WIDTH[new.spread]
    return _WIDTH[old.spread] >= _WIDTH[new.spread] and old.spread_max <= new.spread_max


def _disk_problems(old: ServerSpec, new: ServerSpec) -> Iterator[Problem]:
    after = {disk.name: disk for disk in new.disks}
    for disk in old.disks:
        wanted = after.get(disk.name, disk)
        if wanted != disk:
            params = {"name": f"{new.name}/{disk.name}", "before": f"{disk.size_gib} GiB {disk.disk_class}"}
            yield Problem("plan.disk_fixed", params | {"after": f"{wanted.size_gib} GiB {wanted.disk_class}"})


def _server_changed(old: ServerSpec, new: ServerSpec) -> Iterator[Change]:
    kept = old.member_names()[: new.count]
    if _rule_text(old) != _rule_text(new):
        rules = [{"spread": s.spread_word(), "spread_max": s.spread_max} for s in (old, new)]
        yield Change(verb=Verb.UPDATE, kind="group", member=new.name, impact=Impact.NONE, before=rules[0], after=rules[1])
    if old.traits != new.traits:
        asked = [{"traits": list(s.traits)} for s in (old, new)]
        yield Change(verb=Verb.UPDATE, kind="group", member=new.name, impact=Impact.NONE, before=asked[0], after=asked[1])
    for member in kept:
        yield from _member_changed(old, new, member)
    for member in new.member_names()[len(kept) :]:
        yield _new_member(new, member)
        yield from (_disk_change(Verb.CREATE, member, disk) for disk in new.disks)
    for member in old.member_names()[len(kept) :]:
        yield from _gone_member(old, member)


def _member_changed(old: ServerSpec, new: ServerSpec, member: str) -> Iterator[Change]:
    if (old.vcpu_count, old.memory_mib, old.layout) != (new.vcpu_count, new.memory_mib, new.layout):
        before, after = _shape(old), _shape(new)
        yield Change(verb=Verb.RESIZE, kind="instance", member=member, impact=Impact.DOWNTIME, before=before, after=after)
    elif old.size != new.size:
        size_only = {"size": old.size}, {"size": new.size}
        yield Change(
            verb=Verb.UPDATE, kind="instance", member=member, impact=Impact.NONE, before=size_only[0], after=size_only[1]
        )
    before_names = {disk.name for disk in old.disks}
    after_names = {disk.name for disk in new.disks}
    yield from (_disk_change(Verb.ATTACH, member, disk) for disk in new.disks if disk.name not in before_names)
    yield from (_disk_change(Verb.DELETE, member, disk) for disk in old.disks if disk.name not in after_names)
