"""What a machine is made of, against what it should be: pure. The loop asks for every machine that moved, the look for one.

What differs is put right at once where that needs no stop: the packet filter and the network of a card, data disks, the
stored definition. Processors, memory and the seat of a running machine, and what somebody plugged into it, wait until it is
stopped next; until then they are reported. Of a machine with other processors or memory the definition is left alone too:
it is written in one piece.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from drivers.protocol import ObservedInstance, ObservedNic, ObservedShape
from inventory.domain.ids import ResourceId
from inventory.domain.layout import text_of
from inventory.domain.resource import InstanceSpec, Nic, Observed, Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """What is not as wanted, by its name, with what was found."""

    #: Put right now.
    at_once: Mapping[str, Any] = field(default_factory=dict)
    #: Put right when the machine is stopped next.
    waiting: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Tell whether anything differs."""
        return bool(self.at_once or self.waiting)

    @property
    def detail(self) -> dict[str, Any]:
        """Return all of it, for a finding."""
        return {**self.at_once, **self.waiting}


def has_shape(spec: InstanceSpec, found: ObservedShape) -> bool:
    """Tell whether a machine has the CPUs and memory it should have and lies on its host as it should, if the driver can say."""
    return not _compute(spec, found)


def differences(resource: Resource, found: ObservedInstance, *, can_plug: bool) -> Differences:
    """Compare a machine with its row. A stopped one is what its definition says, and all of it can be put right.

    ``can_plug``: cards and disks of a running machine can be changed where it is.
    """
    spec = resource.instance
    compute, cards, disks = _compute(spec, found), _cards(spec, found), _disks(resource, found)
    strange = _strange(spec, found)
    if found.state is Observed.STOPPED:
        return Differences(at_once={**compute, **cards, **disks, **strange})
    if not can_plug and (cards or disks):
        return Differences(waiting={**compute, **strange, **cards, **disks})
    if compute:
        return Differences(at_once=cards, waiting={**compute, **strange, **disks})
    return Differences(at_once={**cards, **disks, **_stored(resource, found)}, waiting=strange)


def _compute(spec: InstanceSpec, found: ObservedShape) -> dict[str, Any]:
    differs: dict[str, Any] = {}
    if found.vcpu_count != spec.vcpu_count:
        differs["vcpu_count"] = found.vcpu_count
    if found.memory_mib != spec.memory_mib:
        differs["memory_mib"] = found.memory_mib
    if found.seat is not None and found.seat != text_of(spec.seat):
        differs["seat"] = found.seat
    return differs


def _disks(resource: Resource, found: ObservedShape) -> dict[str, Any]:
    names: dict[ResourceId, str] = {d.volume_id: d.name for d in resource.instance.disks}
    present = set(found.volume_ids) - {resource.id}
    missing, added = sorted(names[v] for v in names.keys() - present), sorted(present - names.keys())
    return {key: ids for key, ids in (("disks_missing", missing), ("disks_added", added)) if ids}


def _cards(spec: InstanceSpec, found: ObservedShape) -> dict[str, Any]:
    """Return the wanted cards that are missing, in another network or without their filter, each with what it is now."""
    if found.nics is None:
        return {}
    present = {nic.mac: nic for nic in found.nics}
    wrong = {n.address: _card(present.get(n.mac)) for n in spec.nics if not _is_right(n, present.get(n.mac))}
    return {"cards": wrong} if wrong else {}


def _is_right(wanted: Nic, found: ObservedNic | None) -> bool:
    return found is not None and found.is_at(wanted.segment_id, wanted.address)


def _card(found: ObservedNic | None) -> dict[str, Any] | None:
    """Return where a card is and to which address it is held; None: it is nowhere."""
    return None if found is None else {"network": found.network, "filtered": found.address}


def _strange(spec: InstanceSpec, found: ObservedShape) -> dict[str, Any]:
    ours = {n.mac for n in spec.nics}
    cards = sorted(n.mac for n in found.nics or () if n.mac not in ours)
    return {key: seen for key, seen in (("strange_cards", cards), ("strange_disks", list(found.strange_disks))) if seen}


def _stored(resource: Resource, found: ObservedInstance) -> dict[str, Any]:
    if not found.is_stored:
        return {"stored": "none"}
    if found.stored is None:
        return {}
    spec, stored = resource.instance, found.stored
    differs = {**_compute(spec, stored), **_cards(spec, stored), **_disks(resource, stored), **_strange(spec, stored)}
    return {"stored": differs} if differs else {}
