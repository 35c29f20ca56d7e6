"""What is in the media folder. Every function works inside its caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete as delete_from
from sqlalchemy import insert as insert_into
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.storage.models import MEDIA


@dataclass(frozen=True, slots=True)
class MediaRecord:
    """`size` in bytes; `job_id` None: it belongs to no job."""

    id: str
    content_type: str
    size: int
    job_id: str | None
    created_at: float


_RECORDS = select(MEDIA.c.id, MEDIA.c.content_type, MEDIA.c.size, MEDIA.c.job_id, MEDIA.c.created_at)


def insert(tx: Session, record: MediaRecord) -> None:
    values: dict[str, Any] = {name: getattr(record, name) for name in MediaRecord.__slots__}
    tx.execute(insert_into(MEDIA).values(values))


def find(tx: Session, media_id: str) -> MediaRecord | None:
    row = tx.execute(_RECORDS.where(MEDIA.c.id == media_id)).one_or_none()
    return MediaRecord(*row) if row else None


def ids_of(tx: Session, job_ids: Iterable[str]) -> list[str]:
    return list(tx.execute(select(MEDIA.c.id).where(MEDIA.c.job_id.in_(sorted(job_ids)))).scalars())


def made_before(tx: Session, before: float, limit: int) -> list[str]:
    """The oldest first."""
    query = select(MEDIA.c.id).where(MEDIA.c.created_at < before).order_by(MEDIA.c.created_at).limit(limit)
    return list(tx.execute(query).scalars())


def delete_all(tx: Session, media_ids: Iterable[str]) -> None:
    tx.execute(delete_from(MEDIA).where(MEDIA.c.id.in_(sorted(media_ids))))
