"""What every workflow stands on, given by ``wiring`` once: database, clock, ids, policy. No globals anywhere."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from controller.scheduling.policy import Policy
from controller.tickets.approval import ApprovalPolicy
from controller.workflows.moves.bounds import MoveBounds
from controller.workflows.picture import Picture
from controller.workflows.placing import PlacingCounters
from controller.workflows.reading import KeptLists
from controller.workflows.report_room import ReportRoom
from controller.workflows.turns import Turns
from controller.workflows.works import Works
from drivers.fencing import Fencing, FencingPrograms
from inventory.domain.clock import Clock
from inventory.domain.ids import NewId
from inventory.domain.organisation import Billing
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
    #: Tickets that wait to be decided, and what they are decided on: of this controller alone.
    turns: Turns[Any] = field(default_factory=Turns, compare=False)
    picture: Picture = field(default_factory=Picture, compare=False)
    #: Organisation and catalogue as this controller read them last.
    lists: KeptLists = field(default_factory=KeptLists, compare=False)
    placing: PlacingCounters = field(default_factory=PlacingCounters, compare=False)
    #: How long after its end a period takes word of what happened in it, before it is reviewed.
    closing_grace_s: int = 72 * 3600
    #: The month (1 to 12) a budget's year begins in.
    fiscal_year_start_month: int = 1
    #: How departments are billed that say nothing, nor any above them.
    billing: Billing = Billing.CHARGEBACK
    #: Bounds of plans that move machines.
    moves: MoveBounds = field(default_factory=MoveBounds)
    #: How the power of hosts is cut that do not answer.
    fencing: Fencing = field(default_factory=FencingPrograms, compare=False)
    #: Where reports are made.
    reports: ReportRoom = field(default_factory=ReportRoom, compare=False)
    #: Long requests that say how far they are: of this controller alone.
    works: Works = field(default_factory=Works, compare=False)
