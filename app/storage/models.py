"""The tables. A worker's health lies beside it, so that a sweep of probes never rewrites the 8 kB of a registration.

Times are UTC seconds since 1970. The rows of `revision` and `lease` are put there by the first migration.
"""

from __future__ import annotations

from typing import cast

from sqlalchemy import BigInteger, Double, ForeignKey, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# Batch migrations on SQLite can only drop what has a name.
_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=_NAMES)


class WorkerRow(Base):
    """`identity` is a hash of (model_name, url, instance): the URL itself may be too long for an index of PostgreSQL.

    `changed` is the revision of the worker's last change, of its verdict as well.
    """

    __tablename__ = "worker"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    identity: Mapped[str] = mapped_column(String(64), unique=True)
    model_name: Mapped[str] = mapped_column(Text)
    url: Mapped[str] = mapped_column(Text)
    instance: Mapped[str] = mapped_column(Text)
    owner: Mapped[str] = mapped_column(Text)
    worker_type: Mapped[str] = mapped_column(Text)
    weight: Mapped[int] = mapped_column(Integer)
    upstream_model: Mapped[str | None] = mapped_column(Text)
    admin: Mapped[str] = mapped_column(String(16))
    admin_changed_at: Mapped[float] = mapped_column(Double)
    created_at: Mapped[float] = mapped_column(Double)
    updated_at: Mapped[float] = mapped_column(Double)
    changed: Mapped[int] = mapped_column(BigInteger, index=True)
    spec: Mapped[str] = mapped_column(Text)

    __table_args__ = (
        Index(None, "model_name", "id"),
        Index(None, "owner", "id"),
        Index(None, "admin", "admin_changed_at"),
        {"sqlite_autoincrement": True},
    )


class HealthRow(Base):
    """`due_at` is NULL while nobody wants the worker probed: it is offline.

    `planned_at` is `due_at - interval_s` at the last probe: in the future it says that the clock was set back.
    """

    __tablename__ = "worker_health"

    worker_id: Mapped[int] = mapped_column(ForeignKey("worker.id", ondelete="CASCADE"), primary_key=True)
    probe: Mapped[str] = mapped_column(String(16))
    streak: Mapped[int] = mapped_column(Integer)
    since: Mapped[float] = mapped_column(Double)
    last_probe_at: Mapped[float | None] = mapped_column(Double)
    last_ok_at: Mapped[float | None] = mapped_column(Double)
    last_fail_at: Mapped[float | None] = mapped_column(Double)
    last_error: Mapped[str | None] = mapped_column(Text)
    due_at: Mapped[float | None] = mapped_column(Double, index=True)
    interval_s: Mapped[float] = mapped_column(Double)
    planned_at: Mapped[float] = mapped_column(Double, index=True)
    epoch: Mapped[int] = mapped_column(BigInteger)


class RevisionRow(Base):
    """One row. Its number grows with every change of the fleet, in the transaction of the change."""

    __tablename__ = "revision"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger)


class LeaseRow(Base):
    """One row: who may probe. `holder` is empty when nobody does."""

    __tablename__ = "lease"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    holder: Mapped[str] = mapped_column(Text)
    epoch: Mapped[int] = mapped_column(BigInteger)
    beat: Mapped[int] = mapped_column(BigInteger)


WORKER = cast(Table, WorkerRow.__table__)
HEALTH = cast(Table, HealthRow.__table__)
REVISION = cast(Table, RevisionRow.__table__)
LEASE = cast(Table, LeaseRow.__table__)
