"""Workers, their health, the revision of the fleet and the prober's lease.

Revision: 0001, the first.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "worker",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("identity", sa.String(64), nullable=False),
        sa.Column("model_name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("worker_type", sa.Text(), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.Column("upstream_model", sa.Text(), nullable=True),
        sa.Column("admin", sa.String(16), nullable=False),
        sa.Column("admin_changed_at", sa.Double(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_worker"),
        sa.UniqueConstraint("identity", name="uq_worker_identity"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_worker_changed", "worker", ["changed"])
    op.create_index("ix_worker_model_name_id", "worker", ["model_name", "id"])
    op.create_index("ix_worker_owner_id", "worker", ["owner", "id"])
    op.create_index("ix_worker_admin_admin_changed_at", "worker", ["admin", "admin_changed_at"])

    op.create_table(
        "worker_health",
        sa.Column("worker_id", sa.Integer(), nullable=False),
        sa.Column("probe", sa.String(16), nullable=False),
        sa.Column("streak", sa.Integer(), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("last_probe_at", sa.Double(), nullable=True),
        sa.Column("last_ok_at", sa.Double(), nullable=True),
        sa.Column("last_fail_at", sa.Double(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("due_at", sa.Double(), nullable=True),
        sa.Column("interval_s", sa.Double(), nullable=False),
        sa.Column("planned_at", sa.Double(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["worker_id"], ["worker.id"], name="fk_worker_health_worker_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("worker_id", name="pk_worker_health"),
    )
    op.create_index("ix_worker_health_due_at", "worker_health", ["due_at"])
    op.create_index("ix_worker_health_planned_at", "worker_health", ["planned_at"])

    revision_table = op.create_table(
        "revision",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_revision"),
    )
    lease_table = op.create_table(
        "lease",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_lease"),
    )
    op.bulk_insert(revision_table, [{"id": 1, "number": 0}])
    op.bulk_insert(lease_table, [{"id": 1, "holder": "", "epoch": 0, "beat": 0}])


def downgrade() -> None:
    for name in ("lease", "revision", "worker_health", "worker"):
        op.drop_table(name)
