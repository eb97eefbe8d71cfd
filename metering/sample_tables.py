"""What back ends count of machines: samples on their way, the last counters, what machines used by day, bytes by day."""

from sqlalchemy import CheckConstraint, Column, Index, LargeBinary, Table, Text

from inventory.store.columns import Big, Json, Seconds
from inventory.store.tables import METADATA

#: Samples that were not worked into the rest yet: one row for each host and moment.
spool = Table(
    "sample_spool",
    METADATA,
    Column("host_id", Text, primary_key=True),
    Column("at_ms", Big, primary_key=True, autoincrement=False),
    #: ``metering.samples.packed``.
    Column("body", LargeBinary, nullable=False),
    sqlite_strict=True,
)

#: The last counters of each machine on each host it was on: counters begin anew where it arrives.
readings = Table(
    "sample_readings",
    METADATA,
    Column("instance_id", Text, primary_key=True),
    Column("host_id", Text, primary_key=True),
    Column("at_ms", Big, nullable=False),
    Column("cpu_time_ns", Big),
    Column("received_bytes", Big),
    Column("sent_bytes", Big),
    sqlite_strict=True,
)

#: What each machine used of what it was allocated, by day; old days are put together to months.
machine_use = Table(
    "machine_use",
    METADATA,
    Column("instance_id", Text, primary_key=True),
    #: The day in the platform's zone, or the month: its first second, and the first one after.
    Column("start_s", Big, primary_key=True, autoincrement=False),
    Column("end_s", Big, nullable=False),
    #: As it was then; of a day in which they changed, the last.
    Column("name", Text, nullable=False),
    Column("department_id", Text, nullable=False),
    Column("project_id", Text, nullable=False),
    Column("system_id", Text, nullable=False),
    Column("network_class", Text, nullable=False),
    Column("vcpu_count", Big, nullable=False),
    Column("memory_mib", Big, nullable=False),
    #: ``metering.samples.Used``.
    Column("cpu_spread", Text, nullable=False),
    Column("cpu_peak_permille", Big, nullable=False),
    Column("memory_spread", Text, nullable=False),
    Column("memory_peak_permille", Big, nullable=False),
    Column("vcpu_ms", Big, nullable=False),
    Column("cpu_ms", Big, nullable=False),
    Column("memory_mib_ms", Big, nullable=False),
    Column("memory_used_mib_ms", Big, nullable=False),
    Column("network_ms", Big, nullable=False),
    Column("received_bytes", Big, nullable=False),
    Column("sent_bytes", Big, nullable=False),
    CheckConstraint("end_s > start_s", name="not_empty"),
    sqlite_strict=True,
)
Index("ix_machine_use_end", machine_use.c.end_s)
Index("ix_machine_use_department", machine_use.c.department_id, machine_use.c.start_s)

#: Bytes of machines as meters, by day and owner, each row with the readings it is made of (``metering.counts.Run``).
network_counts = Table(
    "network_counts",
    METADATA,
    Column("resource_id", Text, primary_key=True),
    #: The day in the platform's zone: its first second, and the first one after.
    Column("start_s", Big, primary_key=True, autoincrement=False),
    Column("department_id", Text, primary_key=True),
    Column("project_id", Text, primary_key=True),
    Column("system_id", Text, primary_key=True),
    Column("network_class", Text, primary_key=True),
    Column("end_s", Big, nullable=False),
    #: As it was called then.
    Column("resource_name", Text, nullable=False),
    Column("received_bytes", Big, nullable=False),
    Column("sent_bytes", Big, nullable=False),
    Column("runs", Json, nullable=False),
    CheckConstraint("end_s > start_s", name="not_empty"),
    CheckConstraint("received_bytes >= 0 AND sent_bytes >= 0", name="not_negative"),
    sqlite_strict=True,
)
Index("ix_network_counts_start", network_counts.c.start_s)
Index("ix_network_counts_department", network_counts.c.department_id, network_counts.c.start_s)

#: Documents of efficiency rules, newest last; the newest holds.
efficiency_rules = Table(
    "efficiency_rules",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("document", Text, nullable=False),
    Column("body", Json, nullable=False),
    Column("set_by", Text, nullable=False),
    Column("set_at_s", Seconds, nullable=False),
    sqlite_strict=True,
)

#: What departments answer to what was found of a system in a month.
efficiency_answers = Table(
    "efficiency_answers",
    METADATA,
    Column("period_id", Text, primary_key=True),
    Column("system_id", Text, primary_key=True),
    Column("department_id", Text, nullable=False),
    #: ``keep`` | ``will_change``.
    Column("answer", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("answered_by", Text, nullable=False),
    Column("answered_at_s", Seconds, nullable=False),
    sqlite_strict=True,
)
