"""Disks of machines that are not ours: their volumes, and what they have on their hypervisor. Pure.

Cinder says which volume is in which machine. Who may not see volumes of other projects is told by Nova that there are some,
and no more: nothing is said of the disks of such a machine then, least of all that there are none.
"""

from collections.abc import Iterable, Mapping

from drivers.openstack.mapping import ServerReading, VolumeReading
from inventory.domain.host import ForeignDisk

#: By the region's id of the machine; None where they are not told.
Disks = Mapping[str, tuple[ForeignDisk, ...] | None]


def disks_of_others(
    servers: Iterable[ServerReading], volumes: Iterable[VolumeReading], *, local_storage: str, is_all_seen: bool
) -> Disks:
    """Return the disks of machines that are not ours, without any of ours that is in them.

    A volume in several machines is the first one's: it is there once. ``local_storage`` is the name of the storage pool that
    is the hypervisors' own disks; ``is_all_seen`` says that the volumes are those of all projects.
    """
    seen = list(volumes)
    known = {v.volume_id for v in seen}
    by_server: dict[str, list[ForeignDisk]] = {}
    for volume in seen:
        if volume.mark is None and volume.server_ids:
            disk = ForeignDisk(uuid=volume.volume_id, storage_pool=volume.storage_pool, size_gib=volume.size_gib)
            by_server.setdefault(volume.server_ids[0], []).append(disk)
    return {
        s.server_id: _disks(s, by_server.get(s.server_id, ()), local_storage)
        if is_all_seen or known.issuperset(s.volume_ids)
        else None
        for s in servers
    }


def _disks(server: ServerReading, attached: Iterable[ForeignDisk], local_storage: str) -> tuple[ForeignDisk, ...]:
    local = [ForeignDisk(uuid="", storage_pool=local_storage, size_gib=server.local_gib)] if server.local_gib else []
    return tuple(sorted([*local, *attached], key=lambda d: d.uuid))
