"""The first schema: every table of every room.

Types are written out as they are stored, so that this file means the same when the code has moved on: flags are integers
and JSON is text, because STRICT tables of SQLite know nothing else.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import sqlite

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

#: 64-bit integer.
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
#: UTC epoch seconds with a fraction.
SECONDS: sa.Double[float] = sa.Double().with_variant(sqlite.REAL(), "sqlite")
#: Tables whose rows are never changed or deleted: the database itself refuses it.
APPEND_ONLY = ("audit", "journal")


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "approvals",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at_s", SECONDS, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
        sa.UniqueConstraint("subject_id", "stage", "decided_by", name=op.f("uq_approvals_subject_id")),
        sqlite_strict=True,
    )
    op.create_table(
        "audit",
        sa.Column("seq", BIG, autoincrement=False, nullable=False),
        sa.Column("at_s", BIG, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("on_behalf_of", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("department_id", sa.Text(), nullable=True),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
        sa.UniqueConstraint("hash", name=op.f("uq_audit_hash")),
        sqlite_strict=True,
    )
    op.create_table(
        "departments",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["parent_id"], ["departments.id"], name=op.f("fk_departments_parent_id_departments")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_departments")),
        sa.UniqueConstraint("code", name=op.f("uq_departments_code")),
        sqlite_strict=True,
    )
    op.create_table(
        "findings",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("host_id", sa.Text(), nullable=True),
        sa.Column("resource_id", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("first_seen_s", SECONDS, nullable=False),
        sa.Column("last_seen_s", SECONDS, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_findings")),
        sa.UniqueConstraint("subject", name=op.f("uq_findings_subject")),
        sqlite_strict=True,
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("token_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_sha256", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("headers", sa.Text(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("created_at_s", SECONDS, nullable=False),
        sa.PrimaryKeyConstraint("token_id", "key", name=op.f("pk_idempotency_keys")),
        sqlite_strict=True,
    )
    op.create_table(
        "images",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("arch", sa.Text(), nullable=False),
        sa.Column("disk_format", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size_bytes", BIG, nullable=False),
        sa.Column("virtual_size_gib", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("kernel_path", sa.Text(), server_default="", nullable=False),
        sa.Column("initrd_path", sa.Text(), server_default="", nullable=False),
        sa.Column("kernel_arguments", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_images")),
        sa.UniqueConstraint("name", name=op.f("uq_images_name")),
        sqlite_strict=True,
    )
    op.create_table(
        "journal",
        sa.Column("resource_id", sa.Text(), nullable=False),
        sa.Column("revision", BIG, nullable=False),
        sa.Column("resource_kind", sa.Text(), nullable=False),
        sa.Column("resource_name", sa.Text(), nullable=False),
        sa.Column("department_id", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("system_id", sa.Text(), nullable=False),
        sa.Column("host_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("amounts", sa.Text(), nullable=False),
        sa.Column("occurred_at_s", BIG, nullable=False),
        sa.Column("recorded_at_s", BIG, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("resource_id", "revision", name=op.f("pk_journal")),
        sqlite_strict=True,
    )
    op.create_index("ix_journal_department", "journal", ["department_id", "occurred_at_s"], unique=False)
    op.create_table(
        "prices",
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("valid_from_s", BIG, nullable=False),
        sa.Column("micro_yuan_per_unit_hour", BIG, nullable=False),
        sa.CheckConstraint("micro_yuan_per_unit_hour >= 0", name=op.f("ck_prices_price_not_negative")),
        sa.PrimaryKeyConstraint("meter", "valid_from_s", name=op.f("pk_prices")),
        sqlite_strict=True,
    )
    op.create_table(
        "quotas",
        sa.Column("scope_id", sa.Text(), nullable=False),
        sa.Column("dimension", sa.Text(), nullable=False),
        sa.Column("scope_kind", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("limit_amount", BIG, nullable=True),
        sa.Column("used", BIG, server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("(mode = 'limit') = (limit_amount IS NOT NULL)", name=op.f("ck_quotas_limit_has_amount")),
        sa.CheckConstraint("used >= 0", name=op.f("ck_quotas_used_not_negative")),
        sa.PrimaryKeyConstraint("scope_id", "dimension", name=op.f("pk_quotas")),
        sqlite_strict=True,
    )
    op.create_table(
        "singletons",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("hold_until_s", SECONDS, nullable=False),
        sa.Column("fence", BIG, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_singletons")),
        sqlite_strict=True,
    )
    op.create_table(
        "sizes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("vcpu_count", sa.Integer(), nullable=False),
        sa.Column("memory_mib", BIG, nullable=False),
        sa.Column("root_disk_gib", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sizes")),
        sa.UniqueConstraint("name", name=op.f("uq_sizes_name")),
        sqlite_strict=True,
    )
    op.create_table(
        "zones",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("network_class", sa.Text(), nullable=False),
        sa.Column("mlps_max", sa.Integer(), nullable=False),
        sa.Column("address_range", sa.Text(), nullable=False),
        sa.Column("segment_prefix", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_zones")),
        sa.UniqueConstraint("code", name=op.f("uq_zones_code")),
        sqlite_strict=True,
    )
    op.create_table(
        "pools",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("zone_id", sa.Text(), nullable=False),
        sa.Column("driver", sa.Text(), nullable=False),
        sa.Column("mlps_max", sa.Integer(), nullable=False),
        sa.Column("overcommit_permille", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["zone_id"], ["zones.id"], name=op.f("fk_pools_zone_id_zones")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pools")),
        sa.UniqueConstraint("code", name=op.f("uq_pools_code")),
        sqlite_strict=True,
    )
    op.create_table(
        "projects",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("department_id", sa.Text(), nullable=False),
        sa.Column("budget_code", sa.Text(), nullable=False),
        sa.Column("is_open", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name=op.f("fk_projects_department_id_departments")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
        sa.UniqueConstraint("code", name=op.f("uq_projects_code")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_projects_department_id"), "projects", ["department_id"], unique=False)
    op.create_table(
        "tickets",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("system_name", sa.Text(), nullable=False),
        sa.Column("system_id", sa.Text(), nullable=True),
        sa.Column("department_id", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=True),
        sa.Column("submitted", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("spec_digest", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at_s", SECONDS, nullable=False),
        sa.Column("accepted_at_s", SECONDS, nullable=True),
        sa.Column("finished_at_s", SECONDS, nullable=True),
        sa.Column("revision", BIG, nullable=False),
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name=op.f("fk_tickets_department_id_departments")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tickets")),
        sqlite_strict=True,
    )
    op.create_index("ix_tickets_page", "tickets", ["department_id", "id"], unique=False)
    op.create_index("ix_tickets_state", "tickets", ["state"], unique=False)
    op.create_index(op.f("ix_tickets_system_id"), "tickets", ["system_id"], unique=False)
    op.create_table(
        "tokens",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("department_id", sa.Text(), nullable=True),
        sa.Column("created_at_s", SECONDS, nullable=False),
        sa.Column("expires_at_s", SECONDS, nullable=False),
        sa.Column("revoked_at_s", SECONDS, nullable=True),
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name=op.f("fk_tokens_department_id_departments")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("sha256", name=op.f("uq_tokens_sha256")),
        sqlite_strict=True,
    )
    op.create_table(
        "explanations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("ticket_id", sa.Text(), nullable=False),
        sa.Column("system_id", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at_s", SECONDS, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_explanations_ticket_id_tickets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_explanations")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_explanations_system_id"), "explanations", ["system_id"], unique=False)
    op.create_index(op.f("ix_explanations_ticket_id"), "explanations", ["ticket_id"], unique=False)
    op.create_table(
        "hosts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("pool_id", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("admin_state", sa.Text(), nullable=False),
        sa.Column("reachability", sa.Text(), nullable=False),
        sa.Column("state_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("state_by", sa.Text(), server_default="", nullable=False),
        sa.Column("state_until_s", BIG, nullable=True),
        sa.Column("facts", sa.Text(), nullable=True),
        sa.Column("operator_facts", sa.Text(), nullable=False),
        sa.Column("observed_at_s", SECONDS, nullable=True),
        sa.Column("next_observation_s", SECONDS, server_default=sa.text("0"), nullable=False),
        sa.Column("revision", BIG, server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["pool_id"], ["pools.id"], name=op.f("fk_hosts_pool_id_pools")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hosts")),
        sa.UniqueConstraint("name", name=op.f("uq_hosts_name")),
        sqlite_strict=True,
    )
    op.create_table(
        "systems",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("department_id", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("revision", BIG, nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("spec_digest", sa.Text(), nullable=False),
        sa.Column("lease_end_s", BIG, nullable=False),
        sa.Column("created_at_s", SECONDS, nullable=False),
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name=op.f("fk_systems_department_id_departments")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_systems_project_id_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_systems")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_systems_department_id"), "systems", ["department_id"], unique=False)
    op.create_index(
        "uq_systems_living_name",
        "systems",
        ["department_id", "name"],
        unique=True,
        sqlite_where=sa.text("state != 'released'"),
        postgresql_where=sa.text("state != 'released'"),
    )
    op.create_table(
        "ticket_events",
        sa.Column("ticket_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at_s", SECONDS, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("params", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_ticket_events_ticket_id_tickets")),
        sa.PrimaryKeyConstraint("ticket_id", "seq", name=op.f("pk_ticket_events")),
        sqlite_strict=True,
    )
    op.create_table(
        "foreign_domains",
        sa.Column("host_id", sa.Text(), nullable=False),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("vcpu_count", sa.Integer(), nullable=False),
        sa.Column("memory_mib", BIG, nullable=False),
        sa.Column("is_running", sa.Integer(), nullable=False),
        sa.Column("first_seen_s", SECONDS, nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.id"], name=op.f("fk_foreign_domains_host_id_hosts")),
        sa.PrimaryKeyConstraint("host_id", "uuid", name=op.f("pk_foreign_domains")),
        sqlite_strict=True,
    )
    op.create_table(
        "inventories",
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("dimension", sa.Text(), nullable=False),
        sa.Column("host_id", sa.Text(), nullable=False),
        sa.Column("capacity", BIG, nullable=False),
        sa.Column("total", BIG, nullable=False),
        sa.Column("used", BIG, server_default=sa.text("0"), nullable=False),
        sa.Column("foreign_used", BIG, server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("used >= 0", name=op.f("ck_inventories_used_not_negative")),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.id"], name=op.f("fk_inventories_host_id_hosts")),
        sa.PrimaryKeyConstraint("provider_id", "dimension", name=op.f("pk_inventories")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_inventories_host_id"), "inventories", ["host_id"], unique=False)
    op.create_table(
        "resources",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("department_id", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=True),
        sa.Column("system_id", sa.Text(), nullable=True),
        sa.Column("host_id", sa.Text(), nullable=True),
        sa.Column("desired", sa.Text(), nullable=False),
        sa.Column("observed", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("generation", BIG, nullable=False),
        sa.Column("settled_generation", BIG, nullable=False),
        sa.Column("ticket_id", sa.Text(), nullable=True),
        sa.Column("step", sa.Text(), server_default="", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_try_s", SECONDS, nullable=True),
        sa.Column("owner", sa.Text(), server_default="", nullable=False),
        sa.Column("hold_until_s", SECONDS, server_default=sa.text("0"), nullable=False),
        sa.Column("fence", BIG, server_default=sa.text("0"), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("observed_at_s", SECONDS, server_default=sa.text("0"), nullable=False),
        sa.Column("placements", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("revision", BIG, server_default=sa.text("0"), nullable=False),
        sa.Column("created_at_s", SECONDS, nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name=op.f("fk_resources_department_id_departments")),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.id"], name=op.f("fk_resources_host_id_hosts")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_resources_project_id_projects")),
        sa.ForeignKeyConstraint(["system_id"], ["systems.id"], name=op.f("fk_resources_system_id_systems")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resources")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_resources_due",
        "resources",
        ["next_try_s"],
        unique=False,
        sqlite_where=sa.text("next_try_s IS NOT NULL"),
        postgresql_where=sa.text("next_try_s IS NOT NULL"),
    )
    op.create_index(op.f("ix_resources_host_id"), "resources", ["host_id"], unique=False)
    op.create_index("ix_resources_kind_id", "resources", ["kind", "id"], unique=False)
    op.create_index("ix_resources_page", "resources", ["kind", "department_id", "id"], unique=False)
    op.create_index(op.f("ix_resources_system_id"), "resources", ["system_id"], unique=False)
    op.create_index(op.f("ix_resources_ticket_id"), "resources", ["ticket_id"], unique=False)
    op.create_index(
        "uq_resources_living_segment",
        "resources",
        ["department_id", "host_id", "name"],
        unique=True,
        sqlite_where=sa.text("kind = 'segment' AND phase != 'gone'"),
        postgresql_where=sa.text("kind = 'segment' AND phase != 'gone'"),
    )
    op.create_table(
        "storage_pools",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("host_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("disk_class", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("overcommit_permille", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.id"], name=op.f("fk_storage_pools_host_id_hosts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_storage_pools")),
        sa.UniqueConstraint("host_id", "name", name=op.f("uq_storage_pools_host_id")),
        sqlite_strict=True,
    )
    op.create_table(
        "addresses",
        sa.Column("segment_id", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("mac", sa.Text(), nullable=False),
        sa.Column("resource_id", sa.Text(), nullable=True),
        sa.Column("hostname", sa.Text(), server_default="", nullable=False),
        sa.Column("quarantine_until_s", SECONDS, nullable=True),
        sa.ForeignKeyConstraint(["resource_id"], ["resources.id"], name=op.f("fk_addresses_resource_id_resources")),
        sa.ForeignKeyConstraint(["segment_id"], ["resources.id"], name=op.f("fk_addresses_segment_id_resources")),
        sa.PrimaryKeyConstraint("segment_id", "address", name=op.f("pk_addresses")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_addresses_resource_id"), "addresses", ["resource_id"], unique=False)
    op.create_table(
        "claims",
        sa.Column("resource_id", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("dimension", sa.Text(), nullable=False),
        sa.Column("resource_kind", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("amount", BIG, nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_claims_amount_positive")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_claims_project_id_projects")),
        sa.ForeignKeyConstraint(["resource_id"], ["resources.id"], name=op.f("fk_claims_resource_id_resources")),
        sa.PrimaryKeyConstraint("resource_id", "provider_id", "dimension", name=op.f("pk_claims")),
        sqlite_strict=True,
    )
    op.create_index("ix_claims_project", "claims", ["project_id"], unique=False)
    op.create_index("ix_claims_provider", "claims", ["provider_id", "dimension"], unique=False)
    op.create_table(
        "subnets",
        sa.Column("cidr", sa.Text(), nullable=False),
        sa.Column("zone_id", sa.Text(), nullable=False),
        sa.Column("segment_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["segment_id"], ["resources.id"], name=op.f("fk_subnets_segment_id_resources")),
        sa.ForeignKeyConstraint(["zone_id"], ["zones.id"], name=op.f("fk_subnets_zone_id_zones")),
        sa.PrimaryKeyConstraint("cidr", name=op.f("pk_subnets")),
        sa.UniqueConstraint("segment_id", name=op.f("uq_subnets_segment_id")),
        sqlite_strict=True,
    )
    for table in APPEND_ONLY:
        _refuse_changes(table)


def _refuse_changes(table: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_is_append_only()"
    )


def downgrade() -> None:
    """Remove all tables, and everything in them."""
    op.drop_table("subnets")
    op.drop_table("claims")
    op.drop_table("addresses")
    op.drop_table("storage_pools")
    op.drop_table("resources")
    op.drop_table("inventories")
    op.drop_table("foreign_domains")
    op.drop_table("ticket_events")
    op.drop_table("systems")
    op.drop_table("hosts")
    op.drop_table("explanations")
    op.drop_table("tokens")
    op.drop_table("tickets")
    op.drop_table("projects")
    op.drop_table("pools")
    op.drop_table("zones")
    op.drop_table("sizes")
    op.drop_table("singletons")
    op.drop_table("quotas")
    op.drop_table("prices")
    op.drop_table("journal")
    op.drop_table("images")
    op.drop_table("idempotency_keys")
    op.drop_table("findings")
    op.drop_table("departments")
    op.drop_table("audit")
    op.drop_table("approvals")
    if op.get_bind().dialect.name != "sqlite":
        for table in APPEND_ONLY:
            op.execute(f"DROP FUNCTION {table}_is_append_only()")
