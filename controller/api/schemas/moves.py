"""Plans that move machines."""

from pydantic import Field

from controller.api.schemas.base import In, JsonObject, Name, Out, Page, Whole
from controller.moves.model import PlanState, StepState
from controller.scheduling.moves.plan import PlanKind


class RoomWishIn(In):
    """Machines of one size that room is to be made for."""

    size: Name = Field(description="Name of the size.")
    count: Whole = Field(default=1, ge=1, le=1000, description="How many machines.")
    zone: Name | None = Field(default=None, description="Code of the zone; all zones where none is named.")
    mlps_level: Whole = Field(default=1, ge=1, le=5, description="MLPS level their hosts must be good for.")
    disk_class: Name = Field(default="standard", description="Class of their root disk.")


class MovePlanIn(In):
    """What plan is asked for, and its bounds; one that its kind does not know is refused."""

    kind: PlanKind
    host: Name | None = Field(default=None, description="Name or id of the host to empty; for `drain` only.")
    room: RoomWishIn | None = Field(default=None, description="What room is made for; for `make-room` only.")
    moves_most: Whole = Field(default=1000, ge=1, le=100_000)
    memory_most_mib: Whole | None = Field(default=None, ge=1, lt=2**53, description="Most memory to copy (MiB).")
    horizon_h: Whole = Field(
        default=24, ge=1, le=8760, description="For how long freed hosts would be off (h); for `consolidate` only."
    )
    saving_least_wh_per_gib: Whole = Field(
        default=5, ge=0, lt=2**31, description="Least saving for each GiB to be copied (Wh); for `consolidate` only."
    )
    moves_each_most: Whole | None = Field(
        default=None, ge=1, le=100_000, description="Most machines moved off one host; for `consolidate` and `make-room` only."
    )
    fill_most_permille: Whole = Field(
        default=1000,
        ge=1,
        le=1000,
        description="How full of vCPU and of memory the hosts that stay on may be (‰); for `consolidate` only.",
    )
    dry_run: bool = Field(default=False, description="Compute and show; store nothing.")


class MoveSummary(Out):
    """What a plan costs and gains."""

    moves: int
    memory_mib: int
    score_before_micro: int
    score_after_micro: int
    freed: list[str]
    saving_wh: int
    broken_before: int
    broken_after: int
    wanted: int = Field(description="Machines that room was to be made for.")
    room_on: list[str] = Field(description="The host of each of them that has room afterwards.")


class MoveStay(Out):
    """A machine that should have moved and stays."""

    machine_id: str
    machine: str
    host_id: str
    host: str
    reason: str
    text: str


class MoveStep(Out):
    """One machine from one host to another."""

    position: int
    machine_id: str
    machine: str
    source_id: str
    source: str
    target_id: str
    target: str
    memory_mib: int
    disk_gib: int
    state: StepState
    problem: JsonObject | None
    started_at_s: float | None
    ended_at_s: float | None


class MovePlan(Out):
    """A plan without its steps."""

    id: str
    kind: PlanKind
    state: PlanState
    host_id: str | None
    summary: MoveSummary
    steps_by_state: dict[StepState, int]
    problem: JsonObject | None
    created_by: str
    created_at_s: float
    ended_at_s: float | None


class MovePlanWhole(MovePlan):
    """A plan with its steps in order, and who stays and why."""

    steps: list[MoveStep]
    stays: list[MoveStay]


class MovePlanPage(Page):
    """Plans, oldest first."""

    items: list[MovePlan]
