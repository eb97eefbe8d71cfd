"""What every workflow stands on, given by ``wiring`` once: database, clock, ids, policy. No globals anywhere."""

from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from controller.scheduling.policy import Policy
from controller.tickets.approval import ApprovalPolicy
from inventory.domain.clock import Clock
from inventory.domain.ids import NewId
from inventory.store.engine import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """The means of a workflow."""

    db: Database
    clock: Clock
    new_id: NewId
    #: Time zone of lease ends and "per month".
    zone: ZoneInfo
    policy: Policy
    #: Directory of the controller's own image copies.
    images_dir: Path
    approval_policy: ApprovalPolicy = field(default_factory=ApprovalPolicy)
    #: How long a released address rests before it is given again.
    quarantine_s: int = 3600
