"""What a back end itself counts of its machines, by its own rules: for a report beside the ledger, never for a bill."""

from dataclasses import dataclass

from inventory.domain.ids import ResourceId


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedMachine:
    """A machine of the back end from its first start to its end."""

    uuid: str
    name: str
    #: Ours; empty for one the platform did not make, or of which the back end no longer says whose it was.
    instance_id: ResourceId | str
    vcpu_count: int
    memory_mib: int
    begun_s: int
    #: ``None``: still there.
    ended_s: int | None
