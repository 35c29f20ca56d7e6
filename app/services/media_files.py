"""The media folder: files that appear whole or not at all, under names nobody can guess."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from app.core.errors import StorageUnavailable

_ID = re.compile(r"[0-9a-f]{32}\Z")
_INCOMING = ".incoming"
_ABANDONED_S = 86_400.0


def new_media_id() -> str:
    """128 bits: who does not know it does not find it."""
    return secrets.token_hex(16)


def is_media_id(text: str) -> bool:
    return _ID.match(text) is not None


class MediaFolder:
    """May be shared between hosts. Raises StorageUnavailable where the disk does not do what it should."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, media_id: str) -> Path:
        return self._folder / media_id[:2] / media_id

    @contextmanager
    def incoming(self, media_id: str) -> Iterator[BinaryIO]:
        """A file to write into. It is in its place once the block ends, and gone where an error ends it."""
        part = self._folder / _INCOMING / media_id
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                yield file
            self.path(media_id).parent.mkdir(exist_ok=True)
            os.replace(part, self.path(media_id))
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            raise StorageUnavailable(
                f"The media folder cannot be written ({reason}); see ROLLCALL_MEDIA_DIR."
            ) from error
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)

    def remove(self, media_id: str) -> None:
        with contextlib.suppress(OSError):
            self.path(media_id).unlink(missing_ok=True)

    def sweep(self, keep_s: float) -> None:
        """Remove what nobody knows any more: copies that a killed process began, files whose row was lost.

        Only files that bear our names; the folder may hold other things.
        """
        now = time.time()
        self._sweep(self._folder / _INCOMING, now - _ABANDONED_S)
        for number in range(256):
            self._sweep(self._folder / f"{number:02x}", now - keep_s - _ABANDONED_S)

    def _sweep(self, folder: Path, before: float) -> None:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if is_media_id(entry.name) and entry.stat().st_mtime < before:
                    Path(entry.path).unlink(missing_ok=True)
