"""What is done about things that were changed behind the platform's back: repaired, or reported and left as they are."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from inventory.domain.resource import Observed


class DriftKind(StrEnum):
    """What was found; values are kinds of findings."""

    #: A machine that should run stands still.
    STOPPED = "stopped"
    #: A machine that should stand still runs.
    STARTED = "started"
    #: The definition of a machine, or a network, is gone.
    MISSING = "missing"
    #: A machine is not made as it should be.
    EDITED = "edited"


def drift_of_run(state: Observed) -> DriftKind:
    """Return the kind of drift of a machine that is in this state and should not be."""
    return DriftKind.STARTED if state is Observed.RUNNING else DriftKind.STOPPED


class DriftAnswer(StrEnum):
    """What is done about it."""

    REPAIR = "repair"
    REPORT = "report"


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftPolicy:
    """The answer to each kind. A lost disk is reported whatever this says."""

    stopped: DriftAnswer = DriftAnswer.REPAIR
    started: DriftAnswer = DriftAnswer.REPAIR
    missing: DriftAnswer = DriftAnswer.REPAIR
    edited: DriftAnswer = DriftAnswer.REPAIR

    def reports(self, kind: DriftKind) -> bool:
        """Tell whether drift of a kind is left as it is."""
        return DriftAnswer(getattr(self, kind.value)) is DriftAnswer.REPORT

    def with_own(self, own: Mapping[str, str]) -> "DriftPolicy":
        """Return this policy with the answers a pool has of its own, by kind."""
        return replace(self, **{DriftKind(kind).value: DriftAnswer(answer) for kind, answer in own.items()})


REPAIR_ALL = DriftPolicy()
