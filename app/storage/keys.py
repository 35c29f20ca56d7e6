"""API keys. Every function works inside its caller's transaction; the text of a key never comes here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, func, or_, select, update
from sqlalchemy import insert as insert_into
from sqlalchemy.orm import Session

from app.core.api_keys import Key
from app.storage import revision
from app.storage.models import API_KEY

_NAMES = (
    *("id", "prefix", "digest", "name", "scopes", "created_at", "models", "owner"),
    *("rpm", "concurrency", "expires_at", "last_used_at", "revoked_at"),
)
_KEYS = select(*(API_KEY.c[name] for name in _NAMES)).order_by(API_KEY.c.id)
_NEWEST = select(func.max(API_KEY.c.changed))
_TOUCH = (
    update(API_KEY)
    .where(API_KEY.c.id == bindparam("key_id"))
    .where(or_(API_KEY.c.last_used_at.is_(None), API_KEY.c.last_used_at < bindparam("at")))
    .values(last_used_at=bindparam("at"))
)


def newest(tx: Session) -> int:
    """The revision of the last change of any key; 0 when there never was one."""
    changed: int | None = tx.execute(_NEWEST).scalar_one()
    return changed or 0


def find_all(tx: Session) -> list[Key]:
    """Those that expired or were revoked as well, the oldest first."""
    return [_to_key(row) for row in tx.execute(_KEYS)]


def insert(tx: Session, key: Key) -> Key:
    """The key with the id that it got."""
    number = revision.bump(tx)
    row = tx.execute(
        insert_into(API_KEY).values(_columns(key) | {"changed": number}).returning(*_KEYS.selected_columns)
    )
    return _to_key(row.one())


def revoke(tx: Session, prefix: str, now: float) -> bool:
    """False: no such key, or it is revoked already."""
    number = revision.bump(tx)
    mine = (API_KEY.c.prefix == prefix, API_KEY.c.revoked_at.is_(None))
    done = tx.execute(update(API_KEY).where(*mine).values(revoked_at=now, changed=number).returning(API_KEY.c.id))
    return done.first() is not None


def touch(tx: Session, used_at: Mapping[int, float]) -> None:
    """Write when keys were used last, by id. No change that anyone has to hear of."""
    for key_id in sorted(used_at):
        tx.execute(_TOUCH, {"key_id": key_id, "at": used_at[key_id]})


def _to_key(row: Sequence[Any]) -> Key:
    values = dict(zip(_NAMES, row, strict=True))
    models = values["models"]
    return Key(
        **{
            **values,
            "digest": bytes.fromhex(values["digest"]),
            "scopes": frozenset(json.loads(values["scopes"])),
            "models": None if models is None else frozenset(json.loads(models)),
        }
    )


def _columns(key: Key) -> dict[str, Any]:
    return {
        **{name: getattr(key, name) for name in _NAMES if name != "id"},
        "digest": key.digest.hex(),
        "scopes": json.dumps(sorted(key.scopes)),
        "models": None if key.models is None else json.dumps(sorted(key.models)),
    }
