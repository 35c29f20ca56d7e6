"""The last-known API keys as a file, for a process that starts while the database is away.

There is no secret in it: of a key only the keyed hash is known to anyone here.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.core.api_keys import Key

log = logging.getLogger(__name__)

FILE = "keys.last-known"
_VERSION = 1


class KeptKeys:
    """One for a process and its `var` folder; whoever shares the folder writes the same.

    `database` says which one they are of, as it does for the last-known fleet: a new password of it changes nothing.
    """

    def __init__(self, folder: Path, database: str) -> None:
        self._path = folder / FILE
        self._head = {"version": _VERSION, "database": database}
        self._fails = False

    def save(self, keys: Iterable[Key], *, any_ever: bool) -> None:
        """Whole or not at all. Where it cannot be written the log says so once."""
        text = json.dumps({**self._head, "any_ever": any_ever, "keys": [_row(key) for key in keys]})
        draft = self._path.with_name(f".{FILE}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft.unlink(missing_ok=True)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as writing:
                writing.write(text)
            draft.replace(self._path)
            self._fails = False
        except OSError as error:
            if not self._fails:
                log.error("The last-known API keys cannot be written to %s: %s", self._path, error.strerror)
            self._fails = True

    def load(self) -> tuple[list[Key], bool] | None:
        """The keys, and whether there ever was one. None where there is no such file of this database."""
        try:
            kept = json.loads(self._path.read_text())
            if {name: kept[name] for name in self._head} != self._head:
                return None
            return [_key(row) for row in kept["keys"]], bool(kept["any_ever"])
        except FileNotFoundError:
            return None
        except Exception as error:  # of whatever is wrong with a file: there is none, then
            log.error("The last-known API keys in %s cannot be used: %s", self._path, type(error).__name__)
            return None


def _row(key: Key) -> dict[str, Any]:
    models = None if key.models is None else sorted(key.models)
    return {**asdict(key), "digest": key.digest.hex(), "scopes": sorted(key.scopes), "models": models}


def _key(row: dict[str, Any]) -> Key:
    models = None if row["models"] is None else frozenset(row["models"])
    return Key(**{**row, "digest": bytes.fromhex(row["digest"]), "scopes": frozenset(row["scopes"]), "models": models})
