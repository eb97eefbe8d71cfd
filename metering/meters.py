"""The catalogue of meters: what is counted, in which unit it is priced, and where its figures come from.

What the platform does not see by itself (backups kept elsewhere, units of a load balancer) is entered by hand, with a reason and
an approver: priced and charged as what is measured, and nothing is made up for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from inventory.domain.errors import Invalid
from inventory.domain.resources import ACCELERATOR_PREFIX, ADDRESS, DISK_PREFIX, MEMORY_MIB, VCPU

#: What machines receive and send, by class of their zone.
NETWORK_IN, NETWORK_OUT = "network_in_bytes:", "network_out_bytes:"
#: The states the journal knows of what is there; each may have a price of its own. What is lost is never charged.
STATES = ("allocated", "running", "stopped")
#: Building is not the department's time; what is stopped still keeps its host's capacity from others.
_SINCE_FIRST_START = frozenset({"running", "stopped"})


class Counting(StrEnum):
    """How a meter's figures become a quantity."""

    #: An amount held for a time: priced per unit and hour.
    LEVEL = "level"
    #: Units that were passed or used up while a machine ran: priced per unit.
    COUNT = "count"
    #: Services: priced per unit, or per unit and month.
    ENTRY = "entry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """What is counted of a resource, in which unit it is priced, and in which states it is charged."""

    #: A dimension, or its prefix where there is one meter per class or kind.
    name: str
    #: What a price is for.
    unit: str
    #: What the journal's amounts are counted in.
    base_unit: str
    #: Base units in one priced unit.
    base_per_unit: int = 1
    counting: Counting = Counting.LEVEL
    #: States that are charged where a price does not say it by state.
    charged_states: frozenset[str] = _SINCE_FIRST_START
    #: Whether people enter what there was, because the platform does not see it.
    is_entered: bool = False


_CATALOGUE = (
    Meter(name=VCPU, unit="vCPU", base_unit="vCPU"),
    Meter(name=MEMORY_MIB, unit="GiB", base_unit="MiB", base_per_unit=1024),
    Meter(name=DISK_PREFIX, unit="GiB", base_unit="GiB"),
    Meter(name=ADDRESS, unit="address", base_unit="address"),
    Meter(name=ACCELERATOR_PREFIX, unit="card", base_unit="card"),
    Meter(name="service:", unit="item", base_unit="item", counting=Counting.ENTRY, is_entered=True),
    Meter(name="labour:", unit="hour", base_unit="minute", base_per_unit=60, counting=Counting.ENTRY, is_entered=True),
    Meter(name="snapshot_gib:", unit="GiB", base_unit="GiB", is_entered=True),
    Meter(name="backup_gib:", unit="GiB", base_unit="GiB", is_entered=True),
    Meter(name="image_gib", unit="GiB", base_unit="GiB", is_entered=True),
    Meter(name="load_balancer_unit", unit="unit", base_unit="unit", is_entered=True),
    Meter(name=NETWORK_IN, unit="GiB", base_unit="byte", base_per_unit=1 << 30, counting=Counting.COUNT),
    Meter(name=NETWORK_OUT, unit="GiB", base_unit="byte", base_per_unit=1 << 30, counting=Counting.COUNT),
)
METERS: Mapping[str, Meter] = {meter.name: meter for meter in _CATALOGUE}


def meter_written(name: str) -> str:
    """Return the dimension of a meter as documents write it: memory is priced by the GiB, and counted in MiB."""
    return MEMORY_MIB if name == "memory_gib" else name


def is_timed(meter: str) -> bool:
    """Tell whether what is counted of a meter is amount × time."""
    return meter_of(meter).counting is Counting.LEVEL


def meter_of(name: str) -> Meter:
    """Return the meter a dimension is counted by, for example ``disk_gib:`` for ``disk_gib:standard``.

    Raises:
        Invalid: ``price.meter_unknown``.
    """
    head, colon, kind = name.partition(":")
    meter = METERS.get(head + colon)
    if meter is None or bool(colon) != bool(kind):
        known = ", ".join(m.name + ("…" if m.name.endswith(":") else "") for m in _CATALOGUE)
        raise Invalid("price.meter_unknown", meter=name, known=known)
    return meter
