"""Hosts that serve, by their beats. Every function works inside its caller's transaction."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy import insert as insert_into
from sqlalchemy.orm import Session

from app.storage.models import HOST

_FORGET_S = 86_400.0
_BEAT = update(HOST).where(HOST.c.id == bindparam("host_id")).values(seen_at=bindparam("now")).returning(HOST.c.id)
_SEEN = select(HOST.c.id).where(HOST.c.seen_at > bindparam("since")).order_by(HOST.c.id)


def beat(tx: Session, host_id: str, now: float) -> None:
    """Called by one process of a host at a time. Hosts that were silent for a day are forgotten."""
    if tx.execute(_BEAT, {"host_id": host_id, "now": now}).first() is None:
        tx.execute(insert_into(HOST).values(id=host_id, seen_at=now))
        tx.execute(delete(HOST).where(HOST.c.seen_at < now - _FORGET_S))


def seen_since(tx: Session, since: float) -> list[str]:
    """In an order that is the same for all."""
    return list(tx.execute(_SEEN, {"since": since}).scalars())
