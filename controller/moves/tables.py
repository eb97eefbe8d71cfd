"""Plans that move machines and their steps."""

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text

from inventory.store.columns import Big, Json, Seconds
from inventory.store.tables import METADATA

move_plans = Table(
    "move_plans",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False, index=True),
    #: The host a drain empties.
    Column("host_id", Text, ForeignKey("hosts.id")),
    #: Scores, hosts freed, watt hours saved, broken rules before and after.
    Column("summary", Json, nullable=False),
    #: Machines that should have moved and stay, with the reason.
    Column("stays", Json, nullable=False),
    Column("problem", Json),
    Column("created_by", Text, nullable=False),
    Column("created_at_s", Seconds, nullable=False),
    Column("ended_at_s", Seconds),
    sqlite_strict=True,
)

move_steps = Table(
    "move_steps",
    METADATA,
    Column("plan_id", Text, ForeignKey("move_plans.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("machine_id", Text, ForeignKey("resources.id"), nullable=False),
    Column("machine", Text, nullable=False),
    Column("source_id", Text, ForeignKey("hosts.id"), nullable=False),
    Column("target_id", Text, ForeignKey("hosts.id"), nullable=False),
    #: Storage pool per disk on the target: the root disk, then the data disks by name.
    Column("storage_pool_ids", Json, nullable=False),
    Column("memory_mib", Big, nullable=False),
    Column("disk_gib", Big, nullable=False),
    Column("state", Text, nullable=False),
    Column("problem", Json),
    #: The machine's spec on the target, written when the step begins.
    Column("target_spec", Json),
    Column("started_at_s", Seconds),
    Column("ended_at_s", Seconds),
    sqlite_strict=True,
)
Index("ix_move_steps_machine", move_steps.c.machine_id, move_steps.c.state)
Index("ix_move_steps_started", move_steps.c.started_at_s)
