"""What machines of ours are, read from libvirt: what runs, and what the stored definition will make of them.

The XML of a machine is fetched with every look and read only when it is not what it was: reading costs more than fetching.
"""

from pathlib import PurePosixPath
from typing import Any

import libvirt

from drivers.libvirt.domain_xml import DomainReading, read_domain
from drivers.libvirt.events import Watch
from drivers.libvirt.machines import state_of
from drivers.libvirt.names import disk_owner, filter_name, is_seed_of
from drivers.protocol import ObservedInstance, ObservedNic, ObservedShape
from inventory.domain.ids import ResourceId, is_id
from inventory.domain.resource import Observed

#: What was read: the fence, what runs, what the stored definition says where that is something else, and whether that bears
#: our mark: without it the machine would be a stranger's once it was stopped.
_Read = tuple[ResourceId, int, ObservedShape, ObservedShape | None, bool]


class Looks:
    """Reads machines and remembers what it read. May be used by several threads."""

    def __init__(self, watch: Watch, *, has_filters: bool) -> None:
        self._watch = watch
        self._has_filters = has_filters
        #: By UUID: digests of both documents, and what was read from them; None for a machine that is not ours.
        self._known: dict[str, tuple[int, int, _Read | None]] = {}

    def observed_of(self, domain: Any, *, is_stored: bool) -> ObservedInstance | None:
        """Return what a domain of ours is, None if it is foreign."""
        live = domain.XMLDesc()
        state, reason = state_of(*domain.state())
        stored = live if state is Observed.STOPPED else domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
        read = self._read(domain.UUIDString(), live, stored)
        if read is None:
            return None
        instance_id, fence, now, later, is_marked = read
        return ObservedInstance(
            instance_id=instance_id,
            state=state,
            fence=fence,
            since_s=self._watch.since(instance_id, state),
            reason=reason,
            vcpu_count=now.vcpu_count,
            memory_mib=now.memory_mib,
            volume_ids=now.volume_ids,
            nics=now.nics,
            strange_disks=now.strange_disks,
            seat=now.seat,
            stored=later,
            is_stored=is_stored and is_marked,
        )

    def forget_but(self, uuids: set[str]) -> None:
        """Forget machines that are gone."""
        for gone in self._known.keys() - uuids:
            self._known.pop(gone, None)

    def _read(self, uuid: str, live: str, stored: str) -> _Read | None:
        prints = hash(live), hash(stored)
        known = self._known.get(uuid)
        if known is not None and known[:2] == prints:
            return known[2]
        read = self._parse(live, stored)
        self._known[uuid] = (*prints, read)
        return read

    def _parse(self, live: str, stored: str) -> _Read | None:
        reading = read_domain(live)
        if reading.mark is None or not is_id(reading.mark.resource_id, "instance"):
            return None
        instance_id = ResourceId(reading.mark.resource_id)
        now = shape_of(instance_id, reading, has_filters=self._has_filters)
        after = reading if stored == live else read_domain(stored)
        later = shape_of(instance_id, after, has_filters=self._has_filters)
        is_marked = after.mark is not None and after.mark.resource_id == instance_id
        return instance_id, reading.mark.fence, now, None if later == now else later, is_marked


def shape_of(instance_id: ResourceId, reading: DomainReading, *, has_filters: bool) -> ObservedShape:
    """Return what a machine is made of."""
    names = [(path, PurePosixPath(path).name) for _, path in reading.disks if path]
    owners = [(path, name, disk_owner(name)) for path, name in names]
    return ObservedShape(
        vcpu_count=reading.online_count,
        memory_mib=reading.memory_mib,
        volume_ids=tuple(sorted(o for _, _, o in owners if o is not None and is_id(o, "volume"))),
        nics=nics_of(reading, has_filters=has_filters),
        strange_disks=tuple(sorted(path for path, name, o in owners if not _is_own(instance_id, name, o))),
        seat=reading.seat,
    )


def nics_of(reading: DomainReading, *, has_filters: bool) -> tuple[ObservedNic, ...]:
    """Return the cards of a machine by MAC."""
    return tuple(sorted((_nic(card, has_filters) for card in reading.cards), key=lambda nic: nic.mac))


def _is_own(instance_id: ResourceId, name: str, owner: ResourceId | None) -> bool:
    is_data = owner is not None and is_id(owner, "volume")
    return is_data or owner == instance_id or is_seed_of(name, instance_id)


def _nic(card: tuple[str, str, str, str], has_filters: bool) -> ObservedNic:
    mac, network, filter_, address = card
    is_right = is_id(network, "segment") and filter_ == filter_name(ResourceId(network))
    return ObservedNic(mac=mac, network=network, address=(address if is_right else "") if has_filters else None)
