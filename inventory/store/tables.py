"""The tables of the inventory, and the metadata every room adds its own tables to (one Alembic history for all)."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
    text,
)

from inventory.store.columns import Big, Flag, Json, Seconds

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

departments = Table(
    "departments",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("parent_id", Text, ForeignKey("departments.id"), index=True),
    #: ``chargeback`` | ``showback``; NULL: as the department above.
    Column("billing", Text),
    sqlite_strict=True,
)

projects = Table(
    "projects",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("department_id", Text, ForeignKey("departments.id"), nullable=False, index=True),
    Column("budget_code", Text, nullable=False),
    Column("is_open", Flag, nullable=False),
    sqlite_strict=True,
)

zones = Table(
    "zones",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("network_class", Text, nullable=False),
    Column("mlps_max", Integer, nullable=False),
    Column("address_range", Text, nullable=False),
    Column("segment_prefix", Integer, nullable=False),
    sqlite_strict=True,
)

pools = Table(
    "pools",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("zone_id", Text, ForeignKey("zones.id"), nullable=False),
    Column("driver", Text, nullable=False),
    Column("mlps_max", Integer, nullable=False),
    Column("overcommit_permille", Json, nullable=False),
    #: Failure domain whose loss the pool must survive, and how many of them at once (``Reserve``).
    Column("reserve_level", Text, nullable=False, server_default="none"),
    Column("reserve_count", Integer, nullable=False, server_default=text("1")),
    #: Placement policy of its hosts; empty for that of the platform.
    Column("placement", Text, nullable=False, server_default=""),
    #: Answers of its own to kinds of drift.
    Column("drift", Json, nullable=False, server_default=text("'{}'")),
    #: How long a host must be unreachable to be given up (0: never), and how many may be silent then (``LossPolicy``).
    Column("loss_after_s", Integer, nullable=False, server_default=text("0")),
    Column("loss_most", Integer, nullable=False, server_default=text("1")),
    sqlite_strict=True,
)

hosts = Table(
    "hosts",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("pool_id", Text, ForeignKey("pools.id"), nullable=False),
    Column("connection", Text, nullable=False),
    Column("admin_state", Text, nullable=False),
    Column("reachability", Text, nullable=False),
    Column("state_reason", Text, nullable=False, server_default=""),
    Column("state_by", Text, nullable=False, server_default=""),
    Column("state_until_s", Big),
    #: Whether its facts say that it never does something that tickets may ask for; before them, so as to be read without.
    Column("is_limited", Flag, nullable=False, server_default=text("0")),
    Column("facts", Json),
    #: What only the operator knows, by name: place, owner, amounts, processors, traits (``hosts._OPERATOR_FACTS``).
    Column("operator_facts", Json, nullable=False),
    Column("observed_at_s", Seconds),
    #: NULL while it is not unreachable.
    Column("unreachable_since_s", Seconds),
    #: When a controller took it out of service to give it up; whoever moves it to another state ends that.
    Column("loss_begun_s", Seconds),
    Column("next_observation_s", Seconds, nullable=False, server_default=text("0")),
    #: The host that the segments of its network fabric stand on; NULL where that is itself (``homes``).
    Column("home_id", Text, ForeignKey("hosts.id")),
    Column("revision", Big, nullable=False, server_default=text("1")),
    sqlite_strict=True,
)

#: Mostly there is none: plans ask.
LIMITED_HOST = hosts.c.is_limited == text("1")
Index("ix_hosts_limited", hosts.c.pool_id, sqlite_where=LIMITED_HOST, postgresql_where=LIMITED_HOST)

storage_pools = Table(
    "storage_pools",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("host_id", Text, ForeignKey("hosts.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("disk_class", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("overcommit_permille", Integer, nullable=False),
    #: Whether it takes root disks only, as its back end said last.
    Column("roots_only", Flag, nullable=False, server_default=text("0")),
    UniqueConstraint("host_id", "name"),
    sqlite_strict=True,
)

#: Guarded cache of claims: one row per provider (host or storage pool) and dimension.
inventories = Table(
    "inventories",
    METADATA,
    Column("provider_id", Text, primary_key=True),
    Column("dimension", Text, primary_key=True),
    #: The host a storage pool belongs to, or the host itself.
    Column("host_id", Text, ForeignKey("hosts.id"), nullable=False, index=True),
    #: What may be promised: the capacity formula applied to total, reserved and overcommit.
    Column("capacity", Big, nullable=False),
    Column("total", Big, nullable=False),
    Column("used", Big, nullable=False, server_default=text("0")),
    Column("foreign_used", Big, nullable=False, server_default=text("0")),
    #: Held for the loss of a failure domain: the whole capacity of a stand-by host, nothing elsewhere.
    Column("held_reserve", Big, nullable=False, server_default=text("0")),
    #: Held for reservations: the most that all of them together need at one moment from now on.
    Column("held_reservations", Big, nullable=False, server_default=text("0")),
    CheckConstraint("used >= 0", name="used_not_negative"),
    CheckConstraint("held_reserve >= 0", name="held_reserve_not_negative"),
    CheckConstraint("held_reservations >= 0", name="held_reservations_not_negative"),
    sqlite_strict=True,
    # Every promise writes its row anew. Where a page has room for that, PostgreSQL leaves the indexes alone: a third of the cost.
    postgresql_with={"fillfactor": 50},
)

#: Hosts whose capacity or use changed: controllers that keep a picture of them follow it, explanations go back in it.
capacity_changes = Table(
    "capacity_changes",
    METADATA,
    Column("id", Big, primary_key=True, autoincrement=True),
    #: PostgreSQL: the number of the transaction that wrote it, by which a reader knows what may still come. SQLite: 0.
    Column("transaction_id", Big, nullable=False, index=True),
    #: NULL: hosts came, or what they are changed.
    Column("host_ids", Json),
    #: By how much, or what was there before (``changes.Difference``).
    Column("difference", Json, nullable=False),
    sqlite_strict=True,
)

foreign_domains = Table(
    "foreign_domains",
    METADATA,
    Column("host_id", Text, ForeignKey("hosts.id"), primary_key=True),
    Column("uuid", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("vcpu_count", Integer, nullable=False),
    Column("memory_mib", Big, nullable=False),
    Column("is_running", Flag, nullable=False),
    Column("owner", Text, nullable=False, server_default=""),
    #: NULL where the back end does not say.
    Column("disks", Json),
    Column("first_seen_s", Seconds, nullable=False),
    sqlite_strict=True,
)

#: What is not ours in storage pools, as their back ends said last, disks of adopted machines among it.
foreign_storage = Table(
    "foreign_storage",
    METADATA,
    Column("storage_pool_id", Text, ForeignKey("storage_pools.id"), primary_key=True),
    Column("size_gib", Big, nullable=False),
    sqlite_strict=True,
)

sizes = Table(
    "sizes",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("vcpu_count", Integer, nullable=False),
    Column("memory_mib", Big, nullable=False),
    Column("root_disk_gib", Integer, nullable=False),
    #: ``Layout``; NULL where nothing is asked of cells.
    Column("layout", Json),
    #: Names of what a host must have.
    Column("traits", Json),
    sqlite_strict=True,
)

images = Table(
    "images",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("arch", Text, nullable=False),
    Column("disk_format", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("size_bytes", Big, nullable=False),
    Column("virtual_size_gib", Integer, nullable=False),
    Column("path", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("kernel_path", Text, nullable=False, server_default=""),
    Column("initrd_path", Text, nullable=False, server_default=""),
    Column("kernel_arguments", Text, nullable=False, server_default=""),
    sqlite_strict=True,
)

systems = Table(
    "systems",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("department_id", Text, ForeignKey("departments.id"), nullable=False, index=True),
    Column("project_id", Text, ForeignKey("projects.id"), nullable=False),
    Column("state", Text, nullable=False),
    Column("revision", Big, nullable=False),
    Column("spec", Json, nullable=False),
    Column("spec_digest", Text, nullable=False),
    Column("lease_end_s", Big, nullable=False),
    Column("created_at_s", Seconds, nullable=False),
    sqlite_strict=True,
)
#: One living system per department and name; a released name may be used again. Who looks for one says it in these very words:
#: a condition with a parameter in it finds no partial index.
LIVING_SYSTEM = text("state != 'released'")
Index(
    "uq_systems_living_name",
    systems.c.department_id,
    systems.c.name,
    unique=True,
    sqlite_where=LIVING_SYSTEM,
    postgresql_where=LIVING_SYSTEM,
)

#: No foreign keys: each costs a look for every row of a commit, on PostgreSQL a third of it. What they would refuse is locked or
#: guarded in the same transaction (department and project with quotas, the host with its capacity), rows they name are never
#: deleted, and the auditor looks for names of nothing.
resources = Table(
    "resources",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("department_id", Text, nullable=False),
    Column("project_id", Text),
    Column("system_id", Text, index=True),
    Column("host_id", Text),
    #: Where it is on its way to.
    Column("target_host_id", Text),
    #: The lost host it is still to be brought back from.
    Column("lost_host_id", Text),
    Column("desired", Text, nullable=False),
    Column("observed", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("spec", Json, nullable=False),
    Column("generation", Big, nullable=False),
    Column("settled_generation", Big, nullable=False),
    Column("ticket_id", Text, index=True),
    Column("step", Text, nullable=False, server_default=""),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    #: When to look again; NULL while settled.
    Column("next_try_s", Seconds),
    Column("owner", Text, nullable=False, server_default=""),
    Column("hold_until_s", Seconds, nullable=False, server_default=text("0")),
    Column("fence", Big, nullable=False, server_default=text("0")),
    Column("problem", Json),
    Column("observed_at_s", Seconds, nullable=False, server_default=text("0")),
    Column("seen_at_s", Seconds, nullable=False, server_default=text("0")),
    #: When it was known last to be as it is here; NULL: whenever its host was looked at.
    Column("agreed_at_s", Seconds),
    Column("placements", Integer, nullable=False, server_default=text("1")),
    #: Journal revision of this resource.
    Column("revision", Big, nullable=False, server_default=text("0")),
    Column("reboots_wanted", Big, nullable=False, server_default=text("0")),
    Column("reboots_done", Big, nullable=False, server_default=text("0")),
    Column("created_at_s", Seconds, nullable=False),
    Column("detail", Json, nullable=False),
    sqlite_strict=True,
)
Index(
    "ix_resources_due",
    resources.c.next_try_s,
    sqlite_where=resources.c.next_try_s.is_not(None),
    postgresql_where=resources.c.next_try_s.is_not(None),
)
#: What a host has, and all that is counted of it for the metrics without a look at the rows.
Index(
    "ix_resources_host",
    resources.c.host_id,
    resources.c.kind,
    resources.c.phase,
    resources.c.observed,
    resources.c.revision,
)
#: Pages of one department's living machines; an id begins with its kind. Pages of the whole platform follow the primary key.
Index("ix_resources_page", resources.c.department_id, resources.c.id)
#: One living segment per department, network name, zone (in ``name``) and host.
LIVING_SEGMENT = text("kind = 'segment' AND phase != 'gone'")
Index(
    "uq_resources_living_segment",
    resources.c.department_id,
    resources.c.host_id,
    resources.c.name,
    unique=True,
    sqlite_where=LIVING_SEGMENT,
    postgresql_where=LIVING_SEGMENT,
)

#: Subnets given to segments: a block is in the hands of one living segment on the whole platform.
subnets = Table(
    "subnets",
    METADATA,
    Column("cidr", Text, primary_key=True),
    Column("zone_id", Text, ForeignKey("zones.id"), nullable=False),
    Column("segment_id", Text, ForeignKey("resources.id"), nullable=False, unique=True),
    sqlite_strict=True,
)

#: Addresses given to machines; after release an address rests until ``quarantine_until_s``.
addresses = Table(
    "addresses",
    METADATA,
    Column("segment_id", Text, ForeignKey("resources.id"), primary_key=True),
    Column("address", Text, primary_key=True),
    Column("mac", Text, nullable=False),
    #: NULL while it rests.
    Column("resource_id", Text, ForeignKey("resources.id"), index=True),
    Column("hostname", Text, nullable=False, server_default=""),
    Column("quarantine_until_s", Seconds),
    sqlite_strict=True,
)

#: What is promised to a resource: one row, amounts inside (``claim_amounts`` shows them one by one). A machine's row is written
#: with it and read by its key; whoever asks by provider counts everything anew.
claims = Table(
    "claims",
    METADATA,
    Column("resource_id", Text, primary_key=True),
    Column("resource_kind", Text, primary_key=True),
    Column("project_id", Text, nullable=False),
    #: (provider, dimension, amount), sorted; amounts above zero.
    Column("amounts", Json, nullable=False),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

#: What is held for machines on their way: a handful among all.
Index(
    "ix_claims_moves",
    claims.c.resource_id,
    sqlite_where=claims.c.resource_kind == literal_column("'move'"),
    postgresql_where=claims.c.resource_kind == literal_column("'move'"),
)

#: Capacity promised to a project for a time; a ticket of the project may draw on it.
reservations = Table(
    "reservations",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("department_id", Text, ForeignKey("departments.id"), nullable=False),
    Column("project_id", Text, ForeignKey("projects.id"), nullable=False, index=True),
    Column("zone_id", Text, ForeignKey("zones.id"), nullable=False),
    Column("mlps_level", Integer, nullable=False),
    #: What each of the machines it is for takes.
    Column("vcpu_count", Integer, nullable=False),
    Column("memory_mib", Big, nullable=False),
    Column("disk_gib", Big, nullable=False),
    Column("disk_class", Text, nullable=False),
    Column("count", Integer, nullable=False),
    Column("arch", Text, nullable=False),
    Column("spread", Text, nullable=False),
    #: Half-open, epoch s.
    Column("starts_s", Big, nullable=False),
    Column("ends_s", Big, nullable=False),
    #: ``held`` | ``converted`` | ``expired`` | ``released``.
    Column("state", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at_s", Seconds, nullable=False),
    #: How each of them is to lie on the cells of its host, and what the host must have by name.
    Column("layout", Json, nullable=False),
    Column("traits", Json, nullable=False),
    CheckConstraint("ends_s > starts_s", name="ends_after_start"),
    sqlite_strict=True,
)
#: One living reservation per project and name.
Index(
    "uq_reservations_living_name",
    reservations.c.project_id,
    reservations.c.name,
    unique=True,
    sqlite_where=reservations.c.state == "held",
    postgresql_where=reservations.c.state == "held",
)
#: Those that end next.
Index(
    "ix_reservations_living_end",
    reservations.c.ends_s,
    sqlite_where=reservations.c.state == "held",
    postgresql_where=reservations.c.state == "held",
)
Index("ix_reservations_page", reservations.c.department_id, reservations.c.id)

#: Where a reservation is held: one row for each machine it is still for; ``inventories.held_reservations`` is the guarded
#: cache of what they need together.
reservation_slots = Table(
    "reservation_slots",
    METADATA,
    Column("reservation_id", Text, ForeignKey("reservations.id"), primary_key=True),
    Column("slot", Integer, primary_key=True),
    Column("host_id", Text, ForeignKey("hosts.id"), nullable=False, index=True),
    #: NULL for a reservation without disk.
    Column("storage_pool_id", Text, ForeignKey("storage_pools.id")),
    #: Processors and parts of cells it holds; NULL for a machine that may lie anywhere.
    Column("seat", Json),
    sqlite_strict=True,
)

journal = Table(
    "journal",
    METADATA,
    Column("resource_id", Text, primary_key=True),
    Column("revision", Big, primary_key=True),
    Column("resource_kind", Text, nullable=False),
    Column("resource_name", Text, nullable=False),
    Column("department_id", Text, nullable=False),
    Column("project_id", Text, nullable=False),
    Column("system_id", Text, nullable=False),
    Column("host_id", Text),
    Column("state", Text, nullable=False),
    Column("amounts", Json, nullable=False),
    Column("occurred_at_s", Big, nullable=False),
    Column("recorded_at_s", Big, nullable=False),
    Column("source", Text, nullable=False),
    #: How much earlier it may have happened.
    Column("uncertain_s", Big, nullable=False, server_default=text("0")),
    CheckConstraint("uncertain_s >= 0", name="uncertain_not_negative"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)
Index("ix_journal_department", journal.c.department_id, journal.c.occurred_at_s)

#: Journal rows the ledger of usage has not taken yet: written with the row itself, deleted when it is taken.
journal_due = Table(
    "journal_due",
    METADATA,
    Column("resource_id", Text, primary_key=True),
    Column("revision", Big, primary_key=True),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)
#: What a department should know of a system of its own without having asked: the end of its lease draws near.
notices = Table(
    "notices",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("system_id", Text, ForeignKey("systems.id"), nullable=False),
    Column("department_id", Text, ForeignKey("departments.id"), nullable=False),
    #: ``30_days`` | ``7_days`` | ``1_day`` | ``over``.
    Column("stage", Text, nullable=False),
    #: A renewed lease ends at another time and is told of anew.
    Column("lease_end_s", Big, nullable=False),
    Column("at_s", Seconds, nullable=False),
    UniqueConstraint("system_id", "lease_end_s", "stage"),
    sqlite_strict=True,
)
Index("ix_notices_page", notices.c.department_id, notices.c.id)

#: What the reconciler found and nobody asked for: drift and orphans.
findings = Table(
    "findings",
    METADATA,
    Column("id", Text, primary_key=True),
    #: ``stopped`` | ``missing`` | ``edited`` | ``orphan`` | ``duplicate`` …
    Column("kind", Text, nullable=False),
    Column("host_id", Text),
    Column("resource_id", Text),
    #: Same subject, same finding: seen again it only counts up.
    Column("subject", Text, nullable=False, unique=True),
    Column("detail", Json, nullable=False),
    Column("first_seen_s", Seconds, nullable=False),
    Column("last_seen_s", Seconds, nullable=False),
    #: ``open`` | ``repaired`` | ``closed``.
    Column("state", Text, nullable=False),
    sqlite_strict=True,
)
