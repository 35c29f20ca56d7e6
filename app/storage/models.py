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
    ttl_s: Mapped[int | None] = mapped_column(Integer)
    expires_at: Mapped[float | None] = mapped_column(Double)

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


class JobRow(Base):
    """A model call that outlives its request. `worker`, `request`, `submit_reply` and `items` are JSON.

    `claimed_by` polls (or submits) it until `claimed_until`, "" when nobody does. `planned_at` is when `due_at` was
    set: in the future it says that the clock was set back. `failures` counts polls that failed, one after another.
    """

    __tablename__ = "job"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    task: Mapped[str] = mapped_column(String(16))
    model_name: Mapped[str] = mapped_column(Text)
    worker_id: Mapped[int | None] = mapped_column(Integer)
    worker: Mapped[str | None] = mapped_column(Text)
    request: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16))
    upstream_id: Mapped[str | None] = mapped_column(Text)
    submit_reply: Mapped[str | None] = mapped_column(Text)
    progress: Mapped[float | None] = mapped_column(Double)
    error: Mapped[str | None] = mapped_column(Text)
    items: Mapped[str | None] = mapped_column(Text)
    failures: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[float] = mapped_column(Double)
    due_at: Mapped[float] = mapped_column(Double)
    planned_at: Mapped[float] = mapped_column(Double)
    deadline_at: Mapped[float | None] = mapped_column(Double)
    finished_at: Mapped[float | None] = mapped_column(Double)
    claimed_by: Mapped[str] = mapped_column(Text)
    claimed_until: Mapped[float] = mapped_column(Double)

    __table_args__ = (
        Index(None, "state", "due_at"),
        Index(None, "task", "created_at", "id"),
        Index(None, "finished_at"),
    )


class MediaRow(Base):
    """A file of the media folder; its place there follows from its id."""

    __tablename__ = "media"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    content_type: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(BigInteger)
    job_id: Mapped[str | None] = mapped_column(String(64), index=True)
    created_at: Mapped[float] = mapped_column(Double, index=True)


class ApiKeyRow(Base):
    """Of a key only `digest` is kept, a keyed hash in hexadecimal. Rows stay when their key was revoked.

    `scopes` and `models` are JSON lists. `changed` is the revision of the last change; a last use is none.
    """

    __tablename__ = "api_key"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    prefix: Mapped[str] = mapped_column(String(16), unique=True)
    digest: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(Text)
    scopes: Mapped[str] = mapped_column(Text)
    models: Mapped[str | None] = mapped_column(Text)
    owner: Mapped[str] = mapped_column(Text)
    rpm: Mapped[int | None] = mapped_column(Integer)
    concurrency: Mapped[int | None] = mapped_column(Integer)
    created_at: Mapped[float] = mapped_column(Double)
    expires_at: Mapped[float | None] = mapped_column(Double)
    last_used_at: Mapped[float | None] = mapped_column(Double)
    revoked_at: Mapped[float | None] = mapped_column(Double)
    changed: Mapped[int] = mapped_column(BigInteger, index=True)

    __table_args__ = ({"sqlite_autoincrement": True},)


class HostRow(Base):
    """A host (the processes that share one `var` folder) that serves keys with limits. `seen_at`: its last beat."""

    __tablename__ = "host"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    seen_at: Mapped[float] = mapped_column(Double)


WORKER = cast(Table, WorkerRow.__table__)
HEALTH = cast(Table, HealthRow.__table__)
REVISION = cast(Table, RevisionRow.__table__)
LEASE = cast(Table, LeaseRow.__table__)
JOB = cast(Table, JobRow.__table__)
MEDIA = cast(Table, MediaRow.__table__)
API_KEY = cast(Table, ApiKeyRow.__table__)
HOST = cast(Table, HostRow.__table__)
