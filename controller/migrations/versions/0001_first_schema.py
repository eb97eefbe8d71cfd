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
#: What else the database refuses by itself: statements run after the tables are made.
GUARDS_SQLITE = (
    """\
CREATE TRIGGER IF NOT EXISTS usage_intervals_overlap_insert BEFORE INSERT ON usage_intervals
WHEN EXISTS (
  SELECT 1 FROM usage_intervals AS other
  WHERE other.resource_id = NEW.resource_id AND other.meter = NEW.meter
    AND other.start_s < coalesce(NEW.end_s, 9223372036854775807)
    AND coalesce(other.end_s, 9223372036854775807) > NEW.start_s
)
BEGIN SELECT RAISE(ABORT, 'usage_intervals overlap'); END""",
    """\
CREATE TRIGGER IF NOT EXISTS usage_intervals_overlap_update BEFORE UPDATE OF resource_id, meter, start_s, end_s ON usage_intervals
WHEN EXISTS (
  SELECT 1 FROM usage_intervals AS other
  WHERE other.resource_id = NEW.resource_id AND other.meter = NEW.meter AND other.rowid != OLD.rowid
    AND other.start_s < coalesce(NEW.end_s, 9223372036854775807)
    AND coalesce(other.end_s, 9223372036854775807) > NEW.start_s
)
BEGIN SELECT RAISE(ABORT, 'usage_intervals overlap'); END""",
    """\
CREATE TRIGGER IF NOT EXISTS price_books_frozen BEFORE UPDATE OF id, name, version, from_s, replaces, document, sha256, body, created_by, created_at_s ON price_books
BEGIN SELECT RAISE(ABORT, 'price_books: what was handed in never changes'); END""",
    """\
CREATE TRIGGER IF NOT EXISTS price_books_kept BEFORE DELETE ON price_books
BEGIN SELECT RAISE(ABORT, 'price_books: what was handed in never changes'); END""",
    """\
CREATE TRIGGER IF NOT EXISTS usage_entries_frozen BEFORE UPDATE OF id, department_id, project_id, meter, amount, start_s, end_s, reason, entered_by, entered_at_s ON usage_entries
BEGIN SELECT RAISE(ABORT, 'usage_entries: what was handed in never changes'); END""",
    """\
CREATE TRIGGER IF NOT EXISTS usage_entries_kept BEFORE DELETE ON usage_entries
BEGIN SELECT RAISE(ABORT, 'usage_entries: what was handed in never changes'); END""",
    """\
CREATE TRIGGER IF NOT EXISTS adjustments_frozen BEFORE UPDATE OF id, line_period_id, line_id, micro_yuan, reason, entered_by, entered_at_s ON adjustments
BEGIN SELECT RAISE(ABORT, 'adjustments: what was handed in never changes'); END""",
    """\
CREATE TRIGGER IF NOT EXISTS adjustments_kept BEFORE DELETE ON adjustments
BEGIN SELECT RAISE(ABORT, 'adjustments: what was handed in never changes'); END""",
    """\
CREATE TRIGGER IF NOT EXISTS line_blocks_sealed_insert BEFORE INSERT ON line_blocks
WHEN NOT EXISTS (SELECT 1 FROM periods WHERE id = NEW.period_id AND state <> 'closed')
BEGIN SELECT RAISE(ABORT, 'line_blocks: there is no such period, or it is closed'); END""",
    """\
CREATE TRIGGER IF NOT EXISTS line_blocks_sealed_update BEFORE UPDATE OF period_id, department_id, number, line_count, first_id, last_id, kinds, ids, body ON line_blocks
WHEN NOT EXISTS (SELECT 1 FROM periods WHERE id = OLD.period_id AND state <> 'closed')
BEGIN SELECT RAISE(ABORT, 'line_blocks: there is no such period, or it is closed'); END""",
    """\
CREATE TRIGGER IF NOT EXISTS line_blocks_sealed_delete BEFORE DELETE ON line_blocks
WHEN NOT EXISTS (SELECT 1 FROM periods WHERE id = OLD.period_id AND state <> 'closed')
BEGIN SELECT RAISE(ABORT, 'line_blocks: there is no such period, or it is closed'); END""",
    """\
CREATE TRIGGER IF NOT EXISTS statements_sealed_insert BEFORE INSERT ON statements
WHEN NOT EXISTS (SELECT 1 FROM periods WHERE id = NEW.period_id AND state <> 'closed')
BEGIN SELECT RAISE(ABORT, 'statements: there is no such period, or it is closed'); END""",
    """\
CREATE TRIGGER IF NOT EXISTS statements_sealed_update BEFORE UPDATE OF period_id, department_id, department_code, department_name, line_count, billing, list_micro_yuan, micro_yuan, billed_micro_yuan, fen, rounding_micro_yuan, seal ON statements
WHEN NOT EXISTS (SELECT 1 FROM periods WHERE id = OLD.period_id AND state <> 'closed')
BEGIN SELECT RAISE(ABORT, 'statements: there is no such period, or it is closed'); END""",
    """\
CREATE TRIGGER IF NOT EXISTS statements_sealed_delete BEFORE DELETE ON statements
WHEN NOT EXISTS (SELECT 1 FROM periods WHERE id = OLD.period_id AND state <> 'closed')
BEGIN SELECT RAISE(ABORT, 'statements: there is no such period, or it is closed'); END""",
    """\
CREATE TRIGGER IF NOT EXISTS statement_rows_sealed_insert BEFORE INSERT ON statement_rows
WHEN NOT EXISTS (SELECT 1 FROM periods WHERE id = NEW.period_id AND state <> 'closed')
BEGIN SELECT RAISE(ABORT, 'statement_rows: there is no such period, or it is closed'); END""",
    """\
CREATE TRIGGER IF NOT EXISTS statement_rows_sealed_update BEFORE UPDATE OF period_id, department_id, project_id, meter, kind, billing, project_code, project_name, budget_code, unit, quantity, list_micro_yuan, micro_yuan, fen ON statement_rows
WHEN NOT EXISTS (SELECT 1 FROM periods WHERE id = OLD.period_id AND state <> 'closed')
BEGIN SELECT RAISE(ABORT, 'statement_rows: there is no such period, or it is closed'); END""",
    """\
CREATE TRIGGER IF NOT EXISTS statement_rows_sealed_delete BEFORE DELETE ON statement_rows
WHEN NOT EXISTS (SELECT 1 FROM periods WHERE id = OLD.period_id AND state <> 'closed')
BEGIN SELECT RAISE(ABORT, 'statement_rows: there is no such period, or it is closed'); END""",
    """\
CREATE TRIGGER IF NOT EXISTS periods_closed_update BEFORE UPDATE ON periods
WHEN OLD.state = 'closed'
BEGIN SELECT RAISE(ABORT, 'periods: a closed period never opens again'); END""",
    """\
CREATE TRIGGER IF NOT EXISTS periods_closed_delete BEFORE DELETE ON periods
WHEN OLD.state = 'closed'
BEGIN SELECT RAISE(ABORT, 'periods: a closed period never opens again'); END""",
    """\
CREATE TRIGGER IF NOT EXISTS network_counts_sealed_insert BEFORE INSERT ON network_counts
WHEN (SELECT max(state = 'closed') FROM periods WHERE NEW.start_s BETWEEN start_s AND end_s - 1)
BEGIN SELECT RAISE(ABORT, 'network_counts: the month is closed'); END""",
    """\
CREATE TRIGGER IF NOT EXISTS network_counts_sealed_update BEFORE UPDATE ON network_counts
WHEN (SELECT max(state = 'closed') FROM periods WHERE OLD.start_s BETWEEN start_s AND end_s - 1)
BEGIN SELECT RAISE(ABORT, 'network_counts: the month is closed'); END""",
    """\
CREATE TRIGGER IF NOT EXISTS network_counts_sealed_delete BEFORE DELETE ON network_counts
WHEN (SELECT max(state = 'closed') FROM periods WHERE OLD.start_s BETWEEN start_s AND end_s - 1)
BEGIN SELECT RAISE(ABORT, 'network_counts: the month is closed'); END""",
)
GUARDS_POSTGRESQL = (
    """\
CREATE EXTENSION IF NOT EXISTS btree_gist""",
    """\
DO $$ BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = 'usage_intervals_overlap') THEN
    ALTER TABLE usage_intervals ADD CONSTRAINT usage_intervals_overlap
      EXCLUDE USING gist (resource_id WITH =, meter WITH =, int8range(start_s, end_s) WITH &&);
  END IF;
END $$""",
    """\
CREATE OR REPLACE FUNCTION metering_refuses() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ': ' || TG_ARGV[0]; END $$""",
    """\
CREATE OR REPLACE TRIGGER price_books_frozen BEFORE UPDATE OF id, name, version, from_s, replaces, document, sha256, body, created_by, created_at_s OR DELETE ON price_books
FOR EACH ROW EXECUTE FUNCTION metering_refuses('what was handed in never changes')""",
    """\
CREATE OR REPLACE TRIGGER usage_entries_frozen BEFORE UPDATE OF id, department_id, project_id, meter, amount, start_s, end_s, reason, entered_by, entered_at_s OR DELETE ON usage_entries
FOR EACH ROW EXECUTE FUNCTION metering_refuses('what was handed in never changes')""",
    """\
CREATE OR REPLACE TRIGGER adjustments_frozen BEFORE UPDATE OF id, line_period_id, line_id, micro_yuan, reason, entered_by, entered_at_s OR DELETE ON adjustments
FOR EACH ROW EXECUTE FUNCTION metering_refuses('what was handed in never changes')""",
    """\
CREATE OR REPLACE FUNCTION metering_refuses_closed() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
  IF NOT EXISTS (
    SELECT 1 FROM periods WHERE state <> 'closed' AND id = CASE WHEN TG_OP = 'INSERT' THEN NEW.period_id ELSE OLD.period_id END
  ) THEN
    RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ': there is no such period, or it is closed';
  END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $$""",
    """\
CREATE OR REPLACE TRIGGER line_blocks_sealed BEFORE INSERT OR UPDATE OF period_id, department_id, number, line_count, first_id, last_id, kinds, ids, body OR DELETE ON line_blocks
FOR EACH ROW EXECUTE FUNCTION metering_refuses_closed()""",
    """\
CREATE OR REPLACE TRIGGER line_blocks_whole BEFORE TRUNCATE ON line_blocks
FOR EACH STATEMENT EXECUTE FUNCTION metering_refuses('statements are kept')""",
    """\
REVOKE UPDATE, TRUNCATE ON line_blocks FROM PUBLIC, CURRENT_USER""",
    """\
CREATE OR REPLACE TRIGGER statements_sealed BEFORE INSERT OR UPDATE OF period_id, department_id, department_code, department_name, line_count, billing, list_micro_yuan, micro_yuan, billed_micro_yuan, fen, rounding_micro_yuan, seal OR DELETE ON statements
FOR EACH ROW EXECUTE FUNCTION metering_refuses_closed()""",
    """\
CREATE OR REPLACE TRIGGER statements_whole BEFORE TRUNCATE ON statements
FOR EACH STATEMENT EXECUTE FUNCTION metering_refuses('statements are kept')""",
    """\
REVOKE TRUNCATE ON statements FROM PUBLIC, CURRENT_USER""",
    """\
CREATE OR REPLACE TRIGGER statement_rows_sealed BEFORE INSERT OR UPDATE OF period_id, department_id, project_id, meter, kind, billing, project_code, project_name, budget_code, unit, quantity, list_micro_yuan, micro_yuan, fen OR DELETE ON statement_rows
FOR EACH ROW EXECUTE FUNCTION metering_refuses_closed()""",
    """\
CREATE OR REPLACE TRIGGER statement_rows_whole BEFORE TRUNCATE ON statement_rows
FOR EACH STATEMENT EXECUTE FUNCTION metering_refuses('statements are kept')""",
    """\
REVOKE UPDATE, TRUNCATE ON statement_rows FROM PUBLIC, CURRENT_USER""",
    """\
CREATE OR REPLACE TRIGGER periods_closed BEFORE UPDATE OR DELETE ON periods
FOR EACH ROW WHEN (OLD.state = 'closed') EXECUTE FUNCTION metering_refuses('a closed period never opens again')""",
    """\
CREATE OR REPLACE FUNCTION metering_refuses_counts() RETURNS trigger LANGUAGE plpgsql AS
$$ DECLARE moment bigint := CASE WHEN TG_OP = 'INSERT' THEN NEW.start_s ELSE OLD.start_s END;
BEGIN
  IF EXISTS (SELECT 1 FROM periods WHERE state = 'closed' AND start_s <= moment AND moment < end_s) THEN
    RAISE EXCEPTION 'network_counts: the month is closed';
  END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $$""",
    """\
CREATE OR REPLACE TRIGGER network_counts_sealed BEFORE INSERT OR UPDATE OR DELETE ON network_counts
FOR EACH ROW EXECUTE FUNCTION metering_refuses_counts()""",
)
GUARDS_POSTGRESQL_DROP = (
    """\
DROP EXTENSION IF EXISTS btree_gist""",
    """\
DROP FUNCTION IF EXISTS metering_refuses()""",
    """\
DROP FUNCTION IF EXISTS metering_refuses_closed()""",
    """\
DROP FUNCTION IF EXISTS metering_refuses_counts()""",
)


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "adjustments",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("line_period_id", sa.Text(), nullable=False),
        sa.Column("line_id", sa.LargeBinary(), nullable=False),
        sa.Column("period_id", sa.Text(), nullable=True),
        sa.Column("micro_yuan", BIG, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("entered_by", sa.Text(), nullable=False),
        sa.Column("entered_at_s", SECONDS, nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at_s", SECONDS, nullable=True),
        sa.CheckConstraint("micro_yuan <> 0", name=op.f("ck_adjustments_not_nothing")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adjustments")),
        sqlite_strict=True,
    )
    op.create_index("ix_adjustments_period", "adjustments", ["period_id"], unique=False)
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
        "budget_notices",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("department_id", sa.Text(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("limit_micro_yuan", BIG, nullable=False),
        sa.Column("spent_micro_yuan", BIG, nullable=False),
        sa.Column("obligated_micro_yuan", BIG, nullable=False),
        sa.Column("at_s", SECONDS, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budget_notices")),
        sa.UniqueConstraint("project_id", "year", "kind", "limit_micro_yuan", name=op.f("uq_budget_notices_project_id")),
        sqlite_strict=True,
    )
    op.create_index("ix_budget_notices_page", "budget_notices", ["department_id", "id"], unique=False)
    op.create_table(
        "budgets",
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("start_s", BIG, nullable=False),
        sa.Column("end_s", BIG, nullable=False),
        sa.Column("limit_micro_yuan", BIG, nullable=False),
        sa.Column("approval_over", sa.Integer(), nullable=True),
        sa.Column("block_over", sa.Integer(), nullable=True),
        sa.Column("spent_micro_yuan", BIG, nullable=False),
        sa.Column("obligated_micro_yuan", BIG, nullable=False),
        sa.Column("accrued_at_s", SECONDS, nullable=True),
        sa.CheckConstraint("limit_micro_yuan >= 0", name=op.f("ck_budgets_limit_not_negative")),
        sa.PrimaryKeyConstraint("project_id", "year", name=op.f("pk_budgets")),
        sqlite_strict=True,
    )
    op.create_table(
        "capacity_changes",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("transaction_id", BIG, nullable=False),
        sa.Column("host_ids", sa.Text(), nullable=True),
        sa.Column("difference", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_capacity_changes")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_capacity_changes_transaction_id"), "capacity_changes", ["transaction_id"], unique=False)
    op.create_table(
        "claims",
        sa.Column("resource_id", sa.Text(), nullable=False),
        sa.Column("resource_kind", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("amounts", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("resource_id", "resource_kind", name=op.f("pk_claims")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_claims_moves",
        "claims",
        ["resource_id"],
        unique=False,
        sqlite_where=sa.text("resource_kind = 'move'"),
        postgresql_where=sa.text("resource_kind = 'move'"),
    )
    op.create_table(
        "cost_documents",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_at_s", SECONDS, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cost_documents")),
        sqlite_strict=True,
    )
    op.create_table(
        "departments",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Text(), nullable=True),
        sa.Column("billing", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["parent_id"], ["departments.id"], name=op.f("fk_departments_parent_id_departments")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_departments")),
        sa.UniqueConstraint("code", name=op.f("uq_departments_code")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_departments_parent_id"), "departments", ["parent_id"], unique=False)
    op.create_table(
        "efficiency_answers",
        sa.Column("period_id", sa.Text(), nullable=False),
        sa.Column("system_id", sa.Text(), nullable=False),
        sa.Column("department_id", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("answered_by", sa.Text(), nullable=False),
        sa.Column("answered_at_s", SECONDS, nullable=False),
        sa.PrimaryKeyConstraint("period_id", "system_id", name=op.f("pk_efficiency_answers")),
        sqlite_strict=True,
    )
    op.create_table(
        "efficiency_rules",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_at_s", SECONDS, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_efficiency_rules")),
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
        "host_rooms",
        sa.Column("host_id", sa.Text(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("start_s", BIG, autoincrement=False, nullable=False),
        sa.Column("end_s", BIG, nullable=True),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("capacity", BIG, nullable=False),
        sa.Column("foreign_used", BIG, nullable=False),
        sa.Column("reserve", BIG, nullable=False),
        sa.Column("reserved", BIG, nullable=False),
        sa.Column("transfer", BIG, server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("end_s > start_s", name=op.f("ck_host_rooms_not_empty")),
        sa.PrimaryKeyConstraint("host_id", "meter", "start_s", name=op.f("pk_host_rooms")),
        sqlite_strict=True,
    )
    op.create_index("ix_host_rooms_end", "host_rooms", ["end_s"], unique=False)
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
        sa.Column("uncertain_s", BIG, server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("uncertain_s >= 0", name=op.f("ck_journal_uncertain_not_negative")),
        sa.PrimaryKeyConstraint("resource_id", "revision", name=op.f("pk_journal")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_journal_department", "journal", ["department_id", "occurred_at_s"], unique=False)
    op.create_table(
        "journal_due",
        sa.Column("resource_id", sa.Text(), nullable=False),
        sa.Column("revision", BIG, nullable=False),
        sa.PrimaryKeyConstraint("resource_id", "revision", name=op.f("pk_journal_due")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "late_rows",
        sa.Column("resource_id", sa.Text(), nullable=False),
        sa.Column("revision", BIG, nullable=False),
        sa.Column("since_s", BIG, nullable=False),
        sa.Column("frozen_until_s", BIG, nullable=False),
        sa.Column("corrected_in", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("resource_id", "revision", name=op.f("pk_late_rows")),
        sqlite_strict=True,
    )
    op.create_table(
        "line_blocks",
        sa.Column("period_id", sa.Text(), nullable=False),
        sa.Column("department_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("line_count", BIG, nullable=False),
        sa.Column("first_id", sa.LargeBinary(), nullable=False),
        sa.Column("last_id", sa.LargeBinary(), nullable=False),
        sa.Column("kinds", sa.Text(), nullable=False),
        sa.Column("ids", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("period_id", "department_id", "number", name=op.f("pk_line_blocks")),
        sqlite_strict=True,
    )
    op.create_table(
        "machine_use",
        sa.Column("instance_id", sa.Text(), nullable=False),
        sa.Column("start_s", BIG, autoincrement=False, nullable=False),
        sa.Column("end_s", BIG, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("department_id", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("system_id", sa.Text(), nullable=False),
        sa.Column("network_class", sa.Text(), nullable=False),
        sa.Column("vcpu_count", BIG, nullable=False),
        sa.Column("memory_mib", BIG, nullable=False),
        sa.Column("cpu_spread", sa.Text(), nullable=False),
        sa.Column("cpu_peak_permille", BIG, nullable=False),
        sa.Column("memory_spread", sa.Text(), nullable=False),
        sa.Column("memory_peak_permille", BIG, nullable=False),
        sa.Column("vcpu_ms", BIG, nullable=False),
        sa.Column("cpu_ms", BIG, nullable=False),
        sa.Column("memory_mib_ms", BIG, nullable=False),
        sa.Column("memory_used_mib_ms", BIG, nullable=False),
        sa.Column("network_ms", BIG, nullable=False),
        sa.Column("received_bytes", BIG, nullable=False),
        sa.Column("sent_bytes", BIG, nullable=False),
        sa.CheckConstraint("end_s > start_s", name=op.f("ck_machine_use_not_empty")),
        sa.PrimaryKeyConstraint("instance_id", "start_s", name=op.f("pk_machine_use")),
        sqlite_strict=True,
    )
    op.create_index("ix_machine_use_department", "machine_use", ["department_id", "start_s"], unique=False)
    op.create_index("ix_machine_use_end", "machine_use", ["end_s"], unique=False)
    op.create_table(
        "network_counts",
        sa.Column("resource_id", sa.Text(), nullable=False),
        sa.Column("start_s", BIG, autoincrement=False, nullable=False),
        sa.Column("department_id", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("system_id", sa.Text(), nullable=False),
        sa.Column("network_class", sa.Text(), nullable=False),
        sa.Column("end_s", BIG, nullable=False),
        sa.Column("resource_name", sa.Text(), nullable=False),
        sa.Column("received_bytes", BIG, nullable=False),
        sa.Column("sent_bytes", BIG, nullable=False),
        sa.Column("runs", sa.Text(), nullable=False),
        sa.CheckConstraint("end_s > start_s", name=op.f("ck_network_counts_not_empty")),
        sa.CheckConstraint("received_bytes >= 0 AND sent_bytes >= 0", name=op.f("ck_network_counts_not_negative")),
        sa.PrimaryKeyConstraint(
            "resource_id", "start_s", "department_id", "project_id", "system_id", "network_class", name=op.f("pk_network_counts")
        ),
        sqlite_strict=True,
    )
    op.create_index("ix_network_counts_department", "network_counts", ["department_id", "start_s"], unique=False)
    op.create_index("ix_network_counts_start", "network_counts", ["start_s"], unique=False)
    op.create_table(
        "periods",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("start_s", BIG, nullable=False),
        sa.Column("end_s", BIG, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("closing_by", sa.Text(), nullable=False),
        sa.Column("closing_at_s", SECONDS, nullable=False),
        sa.Column("reviewed_by", sa.Text(), nullable=True),
        sa.Column("reviewed_at_s", SECONDS, nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("closed_at_s", SECONDS, nullable=True),
        sa.Column("line_count", BIG, nullable=False),
        sa.Column("micro_yuan", BIG, nullable=False),
        sa.Column("fen", BIG, nullable=False),
        sa.Column("seal", sa.Text(), nullable=False),
        sa.Column("previous_seal", sa.Text(), nullable=False),
        sa.CheckConstraint("end_s > start_s", name=op.f("ck_periods_not_empty")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_periods")),
        sa.UniqueConstraint("start_s", name=op.f("uq_periods_start_s")),
        sqlite_strict=True,
    )
    op.create_table(
        "price_books",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("from_s", BIG, nullable=False),
        sa.Column("to_s", BIG, nullable=True),
        sa.Column("replaces", sa.Text(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at_s", SECONDS, nullable=False),
        sa.Column("approved_at_s", SECONDS, nullable=True),
        sa.CheckConstraint("to_s > from_s", name=op.f("ck_price_books_window_not_empty")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_books")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_price_books_name")),
        sqlite_strict=True,
    )
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
        "resources",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("department_id", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=True),
        sa.Column("system_id", sa.Text(), nullable=True),
        sa.Column("host_id", sa.Text(), nullable=True),
        sa.Column("target_host_id", sa.Text(), nullable=True),
        sa.Column("lost_host_id", sa.Text(), nullable=True),
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
        sa.Column("seen_at_s", SECONDS, server_default=sa.text("0"), nullable=False),
        sa.Column("agreed_at_s", SECONDS, nullable=True),
        sa.Column("placements", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("revision", BIG, server_default=sa.text("0"), nullable=False),
        sa.Column("reboots_wanted", BIG, server_default=sa.text("0"), nullable=False),
        sa.Column("reboots_done", BIG, server_default=sa.text("0"), nullable=False),
        sa.Column("created_at_s", SECONDS, nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
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
    op.create_index("ix_resources_host", "resources", ["host_id", "kind", "phase", "observed", "revision"], unique=False)
    op.create_index("ix_resources_page", "resources", ["department_id", "id"], unique=False)
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
        "sample_readings",
        sa.Column("instance_id", sa.Text(), nullable=False),
        sa.Column("host_id", sa.Text(), nullable=False),
        sa.Column("at_ms", BIG, nullable=False),
        sa.Column("cpu_time_ns", BIG, nullable=True),
        sa.Column("received_bytes", BIG, nullable=True),
        sa.Column("sent_bytes", BIG, nullable=True),
        sa.PrimaryKeyConstraint("instance_id", "host_id", name=op.f("pk_sample_readings")),
        sqlite_strict=True,
    )
    op.create_table(
        "sample_spool",
        sa.Column("host_id", sa.Text(), nullable=False),
        sa.Column("at_ms", BIG, autoincrement=False, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("host_id", "at_ms", name=op.f("pk_sample_spool")),
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
        sa.Column("layout", sa.Text(), nullable=True),
        sa.Column("traits", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sizes")),
        sa.UniqueConstraint("name", name=op.f("uq_sizes_name")),
        sqlite_strict=True,
    )
    op.create_table(
        "usage_entries",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("department_id", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("amount", BIG, nullable=False),
        sa.Column("start_s", BIG, nullable=False),
        sa.Column("end_s", BIG, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("entered_by", sa.Text(), nullable=False),
        sa.Column("entered_at_s", SECONDS, nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at_s", SECONDS, nullable=True),
        sa.CheckConstraint("amount > 0", name=op.f("ck_usage_entries_amount_positive")),
        sa.CheckConstraint("end_s > start_s", name=op.f("ck_usage_entries_not_empty")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_entries")),
        sqlite_strict=True,
    )
    op.create_index("ix_usage_entries_department", "usage_entries", ["department_id", "start_s"], unique=False)
    op.create_table(
        "usage_intervals",
        sa.Column("resource_id", sa.Text(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("start_s", BIG, autoincrement=False, nullable=False),
        sa.Column("end_s", BIG, nullable=True),
        sa.Column("amount", BIG, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("opened_by", BIG, nullable=False),
        sa.Column("closed_by", BIG, nullable=True),
        sa.Column("resource_kind", sa.Text(), nullable=False),
        sa.Column("resource_name", sa.Text(), nullable=False),
        sa.Column("department_id", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("system_id", sa.Text(), nullable=False),
        sa.Column("host_id", sa.Text(), nullable=True),
        sa.Column("start_uncertain_s", BIG, server_default=sa.text("0"), nullable=False),
        sa.Column("end_uncertain_s", BIG, server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_usage_intervals_amount_positive")),
        sa.CheckConstraint("end_s > start_s", name=op.f("ck_usage_intervals_not_empty")),
        sa.PrimaryKeyConstraint("resource_id", "meter", "start_s", name=op.f("pk_usage_intervals")),
        sqlite_strict=True,
    )
    op.create_index("ix_usage_intervals_department", "usage_intervals", ["department_id", "end_s"], unique=False)
    op.create_index(
        "ix_usage_intervals_open",
        "usage_intervals",
        ["resource_id"],
        unique=False,
        sqlite_where=sa.text("end_s IS NULL"),
        postgresql_where=sa.text("end_s IS NULL"),
    )
    op.create_table(
        "usage_positions",
        sa.Column("resource_id", sa.Text(), nullable=False),
        sa.Column("revision", BIG, nullable=False),
        sa.Column("since_s", BIG, nullable=False),
        sa.PrimaryKeyConstraint("resource_id", name=op.f("pk_usage_positions")),
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
        "pools",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("zone_id", sa.Text(), nullable=False),
        sa.Column("driver", sa.Text(), nullable=False),
        sa.Column("mlps_max", sa.Integer(), nullable=False),
        sa.Column("overcommit_permille", sa.Text(), nullable=False),
        sa.Column("reserve_level", sa.Text(), server_default="none", nullable=False),
        sa.Column("reserve_count", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("placement", sa.Text(), server_default="", nullable=False),
        sa.Column("drift", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("loss_after_s", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("loss_most", sa.Integer(), server_default=sa.text("1"), nullable=False),
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
        "statement_rows",
        sa.Column("period_id", sa.Text(), nullable=False),
        sa.Column("department_id", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("billing", sa.Text(), nullable=False),
        sa.Column("project_code", sa.Text(), nullable=False),
        sa.Column("project_name", sa.Text(), nullable=False),
        sa.Column("budget_code", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Text(), nullable=False),
        sa.Column("list_micro_yuan", BIG, nullable=False),
        sa.Column("micro_yuan", BIG, nullable=False),
        sa.Column("fen", BIG, nullable=False),
        sa.ForeignKeyConstraint(["period_id"], ["periods.id"], name=op.f("fk_statement_rows_period_id_periods")),
        sa.PrimaryKeyConstraint(
            "period_id", "department_id", "project_id", "meter", "kind", "billing", name=op.f("pk_statement_rows")
        ),
        sqlite_strict=True,
    )
    op.create_table(
        "statements",
        sa.Column("period_id", sa.Text(), nullable=False),
        sa.Column("department_id", sa.Text(), nullable=False),
        sa.Column("department_code", sa.Text(), nullable=False),
        sa.Column("department_name", sa.Text(), nullable=False),
        sa.Column("line_count", BIG, nullable=False),
        sa.Column("billing", sa.Text(), nullable=False),
        sa.Column("list_micro_yuan", BIG, nullable=False),
        sa.Column("micro_yuan", BIG, nullable=False),
        sa.Column("billed_micro_yuan", BIG, nullable=False),
        sa.Column("fen", BIG, nullable=False),
        sa.Column("rounding_micro_yuan", BIG, nullable=False),
        sa.Column("seal", sa.Text(), nullable=False),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
        sa.Column("acknowledged_at_s", SECONDS, nullable=True),
        sa.ForeignKeyConstraint(["period_id"], ["periods.id"], name=op.f("fk_statements_period_id_periods")),
        sa.PrimaryKeyConstraint("period_id", "department_id", name=op.f("pk_statements")),
        sqlite_strict=True,
    )
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
    op.create_index("ix_tickets_system_name", "tickets", ["department_id", "system_name", "id"], unique=False)
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
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("asked", sa.Text(), nullable=True),
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
        sa.Column("is_limited", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("facts", sa.Text(), nullable=True),
        sa.Column("operator_facts", sa.Text(), nullable=False),
        sa.Column("observed_at_s", SECONDS, nullable=True),
        sa.Column("unreachable_since_s", SECONDS, nullable=True),
        sa.Column("loss_begun_s", SECONDS, nullable=True),
        sa.Column("next_observation_s", SECONDS, server_default=sa.text("0"), nullable=False),
        sa.Column("home_id", sa.Text(), nullable=True),
        sa.Column("revision", BIG, server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["home_id"], ["hosts.id"], name=op.f("fk_hosts_home_id_hosts")),
        sa.ForeignKeyConstraint(["pool_id"], ["pools.id"], name=op.f("fk_hosts_pool_id_pools")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hosts")),
        sa.UniqueConstraint("name", name=op.f("uq_hosts_name")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_hosts_limited",
        "hosts",
        ["pool_id"],
        unique=False,
        sqlite_where=sa.text("is_limited = 1"),
        postgresql_where=sa.text("is_limited = 1"),
    )
    op.create_table(
        "reservations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("department_id", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("zone_id", sa.Text(), nullable=False),
        sa.Column("mlps_level", sa.Integer(), nullable=False),
        sa.Column("vcpu_count", sa.Integer(), nullable=False),
        sa.Column("memory_mib", BIG, nullable=False),
        sa.Column("disk_gib", BIG, nullable=False),
        sa.Column("disk_class", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("arch", sa.Text(), nullable=False),
        sa.Column("spread", sa.Text(), nullable=False),
        sa.Column("starts_s", BIG, nullable=False),
        sa.Column("ends_s", BIG, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at_s", SECONDS, nullable=False),
        sa.Column("layout", sa.Text(), nullable=False),
        sa.Column("traits", sa.Text(), nullable=False),
        sa.CheckConstraint("ends_s > starts_s", name=op.f("ck_reservations_ends_after_start")),
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name=op.f("fk_reservations_department_id_departments")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_reservations_project_id_projects")),
        sa.ForeignKeyConstraint(["zone_id"], ["zones.id"], name=op.f("fk_reservations_zone_id_zones")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reservations")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_reservations_living_end",
        "reservations",
        ["ends_s"],
        unique=False,
        sqlite_where=sa.text("state = 'held'"),
        postgresql_where=sa.text("state = 'held'"),
    )
    op.create_index("ix_reservations_page", "reservations", ["department_id", "id"], unique=False)
    op.create_index(op.f("ix_reservations_project_id"), "reservations", ["project_id"], unique=False)
    op.create_index(
        "uq_reservations_living_name",
        "reservations",
        ["project_id", "name"],
        unique=True,
        sqlite_where=sa.text("state = 'held'"),
        postgresql_where=sa.text("state = 'held'"),
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
    op.create_index("ix_ticket_events_at", "ticket_events", ["at_s", "ticket_id", "seq"], unique=False)
    op.create_table(
        "foreign_domains",
        sa.Column("host_id", sa.Text(), nullable=False),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("vcpu_count", sa.Integer(), nullable=False),
        sa.Column("memory_mib", BIG, nullable=False),
        sa.Column("is_running", sa.Integer(), nullable=False),
        sa.Column("owner", sa.Text(), server_default="", nullable=False),
        sa.Column("disks", sa.Text(), nullable=True),
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
        sa.Column("held_reserve", BIG, server_default=sa.text("0"), nullable=False),
        sa.Column("held_reservations", BIG, server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("held_reservations >= 0", name=op.f("ck_inventories_held_reservations_not_negative")),
        sa.CheckConstraint("held_reserve >= 0", name=op.f("ck_inventories_held_reserve_not_negative")),
        sa.CheckConstraint("used >= 0", name=op.f("ck_inventories_used_not_negative")),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.id"], name=op.f("fk_inventories_host_id_hosts")),
        sa.PrimaryKeyConstraint("provider_id", "dimension", name=op.f("pk_inventories")),
        postgresql_with={"fillfactor": 50},
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_inventories_host_id"), "inventories", ["host_id"], unique=False)
    op.create_table(
        "move_plans",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("host_id", sa.Text(), nullable=True),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("stays", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at_s", SECONDS, nullable=False),
        sa.Column("ended_at_s", SECONDS, nullable=True),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.id"], name=op.f("fk_move_plans_host_id_hosts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_move_plans")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_move_plans_state"), "move_plans", ["state"], unique=False)
    op.create_table(
        "notices",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("system_id", sa.Text(), nullable=False),
        sa.Column("department_id", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("lease_end_s", BIG, nullable=False),
        sa.Column("at_s", SECONDS, nullable=False),
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name=op.f("fk_notices_department_id_departments")),
        sa.ForeignKeyConstraint(["system_id"], ["systems.id"], name=op.f("fk_notices_system_id_systems")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint("system_id", "lease_end_s", "stage", name=op.f("uq_notices_system_id")),
        sqlite_strict=True,
    )
    op.create_index("ix_notices_page", "notices", ["department_id", "id"], unique=False)
    op.create_table(
        "storage_pools",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("host_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("disk_class", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("overcommit_permille", sa.Integer(), nullable=False),
        sa.Column("roots_only", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.id"], name=op.f("fk_storage_pools_host_id_hosts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_storage_pools")),
        sa.UniqueConstraint("host_id", "name", name=op.f("uq_storage_pools_host_id")),
        sqlite_strict=True,
    )
    op.create_table(
        "foreign_storage",
        sa.Column("storage_pool_id", sa.Text(), nullable=False),
        sa.Column("size_gib", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["storage_pool_id"], ["storage_pools.id"], name=op.f("fk_foreign_storage_storage_pool_id_storage_pools")
        ),
        sa.PrimaryKeyConstraint("storage_pool_id", name=op.f("pk_foreign_storage")),
        sqlite_strict=True,
    )
    op.create_table(
        "move_steps",
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("machine_id", sa.Text(), nullable=False),
        sa.Column("machine", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("target_id", sa.Text(), nullable=False),
        sa.Column("storage_pool_ids", sa.Text(), nullable=False),
        sa.Column("memory_mib", BIG, nullable=False),
        sa.Column("disk_gib", BIG, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("target_spec", sa.Text(), nullable=True),
        sa.Column("started_at_s", SECONDS, nullable=True),
        sa.Column("ended_at_s", SECONDS, nullable=True),
        sa.ForeignKeyConstraint(["machine_id"], ["resources.id"], name=op.f("fk_move_steps_machine_id_resources")),
        sa.ForeignKeyConstraint(["plan_id"], ["move_plans.id"], name=op.f("fk_move_steps_plan_id_move_plans")),
        sa.ForeignKeyConstraint(["source_id"], ["hosts.id"], name=op.f("fk_move_steps_source_id_hosts")),
        sa.ForeignKeyConstraint(["target_id"], ["hosts.id"], name=op.f("fk_move_steps_target_id_hosts")),
        sa.PrimaryKeyConstraint("plan_id", "position", name=op.f("pk_move_steps")),
        sqlite_strict=True,
    )
    op.create_index("ix_move_steps_machine", "move_steps", ["machine_id", "state"], unique=False)
    op.create_index("ix_move_steps_started", "move_steps", ["started_at_s"], unique=False)
    op.create_table(
        "reservation_slots",
        sa.Column("reservation_id", sa.Text(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("host_id", sa.Text(), nullable=False),
        sa.Column("storage_pool_id", sa.Text(), nullable=True),
        sa.Column("seat", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.id"], name=op.f("fk_reservation_slots_host_id_hosts")),
        sa.ForeignKeyConstraint(
            ["reservation_id"], ["reservations.id"], name=op.f("fk_reservation_slots_reservation_id_reservations")
        ),
        sa.ForeignKeyConstraint(
            ["storage_pool_id"], ["storage_pools.id"], name=op.f("fk_reservation_slots_storage_pool_id_storage_pools")
        ),
        sa.PrimaryKeyConstraint("reservation_id", "slot", name=op.f("pk_reservation_slots")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_reservation_slots_host_id"), "reservation_slots", ["host_id"], unique=False)
    for table in APPEND_ONLY:
        _refuse_changes(table)
    for statement in GUARDS_SQLITE if op.get_bind().dialect.name == "sqlite" else GUARDS_POSTGRESQL:
        op.get_bind().exec_driver_sql(statement)


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
    op.drop_table("reservation_slots")
    op.drop_table("move_steps")
    op.drop_table("foreign_storage")
    op.drop_table("storage_pools")
    op.drop_table("notices")
    op.drop_table("move_plans")
    op.drop_table("inventories")
    op.drop_table("foreign_domains")
    op.drop_table("ticket_events")
    op.drop_table("systems")
    op.drop_table("reservations")
    op.drop_table("hosts")
    op.drop_table("explanations")
    op.drop_table("tokens")
    op.drop_table("tickets")
    op.drop_table("subnets")
    op.drop_table("statements")
    op.drop_table("statement_rows")
    op.drop_table("projects")
    op.drop_table("pools")
    op.drop_table("addresses")
    op.drop_table("zones")
    op.drop_table("usage_positions")
    op.drop_table("usage_intervals")
    op.drop_table("usage_entries")
    op.drop_table("sizes")
    op.drop_table("singletons")
    op.drop_table("sample_spool")
    op.drop_table("sample_readings")
    op.drop_table("resources")
    op.drop_table("quotas")
    op.drop_table("prices")
    op.drop_table("price_books")
    op.drop_table("periods")
    op.drop_table("network_counts")
    op.drop_table("machine_use")
    op.drop_table("line_blocks")
    op.drop_table("late_rows")
    op.drop_table("journal_due")
    op.drop_table("journal")
    op.drop_table("images")
    op.drop_table("idempotency_keys")
    op.drop_table("host_rooms")
    op.drop_table("findings")
    op.drop_table("efficiency_rules")
    op.drop_table("efficiency_answers")
    op.drop_table("departments")
    op.drop_table("cost_documents")
    op.drop_table("claims")
    op.drop_table("capacity_changes")
    op.drop_table("budgets")
    op.drop_table("budget_notices")
    op.drop_table("audit")
    op.drop_table("approvals")
    op.drop_table("adjustments")
    if op.get_bind().dialect.name != "sqlite":
        for table in APPEND_ONLY:
            op.execute(f"DROP FUNCTION {table}_is_append_only()")
        for statement in GUARDS_POSTGRESQL_DROP:
            op.get_bind().exec_driver_sql(statement)
