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
    Column("parent_id", Text, ForeignKey("departments.id")),
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
    Column("facts", Json),
    #: site, room, rack, vendor, owner, warranty_until, reserved, capacity_override, overcommit_permille.
    Column("operator_facts", Json, nullable=False),
    Column("observed_at_s", Seconds),
    Column("next_observation_s", Seconds, nullable=False, server_default=text("0")),
    Column("revision", Big, nullable=False, server_default=text("1")),
    sqlite_strict=True,
)

storage_pools = Table(
    "storage_pools",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("host_id", Text, ForeignKey("hosts.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("disk_class", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("overcommit_permille", Integer, nullable=False),
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
    CheckConstraint("used >= 0", name="used_not_negative"),
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
    Column("first_seen_s", Seconds, nullable=False),
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
#: One living system per department and name; a released name may be used again.
Index(
    "uq_systems_living_name",
    systems.c.department_id,
    systems.c.name,
    unique=True,
    sqlite_where=systems.c.state != "released",
    postgresql_where=systems.c.state != "released",
)

resources = Table(
    "resources",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("department_id", Text, ForeignKey("departments.id"), nullable=False),
    Column("project_id", Text, ForeignKey("projects.id")),
    Column("system_id", Text, ForeignKey("systems.id"), index=True),
    Column("host_id", Text, ForeignKey("hosts.id"), index=True),
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
    Column("placements", Integer, nullable=False, server_default=text("1")),
    #: Journal revision of this resource.
    Column("revision", Big, nullable=False, server_default=text("0")),
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
#: Pages of one department's living machines.
Index("ix_resources_page", resources.c.kind, resources.c.department_id, resources.c.id)
#: Pages of the whole platform: without it the first page sorts every resource there is.
Index("ix_resources_kind_id", resources.c.kind, resources.c.id)
#: One living segment per department, network name, zone (in ``name``) and host.
Index(
    "uq_resources_living_segment",
    resources.c.department_id,
    resources.c.host_id,
    resources.c.name,
    unique=True,
    sqlite_where=text("kind = 'segment' AND phase != 'gone'"),
    postgresql_where=text("kind = 'segment' AND phase != 'gone'"),
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

claims = Table(
    "claims",
    METADATA,
    Column("resource_id", Text, ForeignKey("resources.id"), primary_key=True),
    Column("provider_id", Text, primary_key=True),
    Column("dimension", Text, primary_key=True),
    Column("resource_kind", Text, nullable=False),
    Column("project_id", Text, ForeignKey("projects.id"), nullable=False),
    Column("amount", Big, nullable=False),
    CheckConstraint("amount > 0", name="amount_positive"),
    sqlite_strict=True,
)
Index("ix_claims_provider", claims.c.provider_id, claims.c.dimension)
Index("ix_claims_project", claims.c.project_id)

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
    sqlite_strict=True,
)
Index("ix_journal_department", journal.c.department_id, journal.c.occurred_at_s)

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
