"""What operators do with API keys, on the database itself. Owns the transactions."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace

from app.core.api_keys import NAME_BYTES, SECRET_BYTES, Key, Scope, digest_of, prefix_of, written
from app.core.errors import Conflict, NotFound
from app.settings import Settings
from app.storage import keys
from app.storage.database import Database


@dataclass(frozen=True, slots=True)
class Wanted:
    """A key to be made. `lasts_s`: for how long from now; None: until it is revoked."""

    scopes: frozenset[Scope]
    name: str = ""
    models: frozenset[str] | None = None
    owner: str = ""
    lasts_s: float | None = None
    rpm: int | None = None
    concurrency: int | None = None


class KeyBook:
    """Every method raises StorageUnavailable when the database is away; nothing is then half done."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._pepper = settings.key_pepper

    def create(self, wanted: Wanted) -> tuple[str, Key]:
        """The key's text, which is known here and now and never again, and what is kept of it."""
        text = written(os.urandom(NAME_BYTES), os.urandom(SECRET_BYTES))
        with self._database.write() as tx:
            now = self._database.now(tx)
            key = Key(
                id=0,
                prefix=prefix_of(text),
                digest=digest_of(text, self._pepper),
                name=wanted.name,
                scopes=wanted.scopes,
                created_at=now,
                models=wanted.models,
                owner=wanted.owner,
                rpm=wanted.rpm,
                concurrency=wanted.concurrency,
                expires_at=None if wanted.lasts_s is None else now + wanted.lasts_s,
            )
            return text, keys.insert(tx, key)

    def all(self) -> tuple[list[Key], float]:
        """Every key that ever was, the oldest first, and the database's time."""
        with self._database.read() as tx:
            return keys.find_all(tx), self._database.now(tx)

    def count_ever(self) -> int:
        with self._database.read() as tx:
            return len(keys.find_all(tx))

    def revoke(self, named: Iterable[str]) -> list[Key]:
        """All of them or, where one is not known, none. Named by what `key list` shows, or by the key itself.

        Raises NotFound, and Conflict for one that is revoked already.
        """
        prefixes = list(dict.fromkeys(prefix_of(text) or text.removeprefix("rck_") for text in named))
        with self._database.write() as tx:
            now = self._database.now(tx)
            known = {key.prefix: key for key in keys.find_all(tx)}
            for prefix in prefixes:
                if prefix not in known:
                    raise NotFound(f"There is no API key {prefix[:12]!r}; `manage.py key list` shows them all.")
                if not keys.revoke(tx, prefix, now):
                    raise Conflict(f"The API key {prefix} is revoked already.", code="already_revoked")
            return [replace(known[prefix], revoked_at=now) for prefix in prefixes]
