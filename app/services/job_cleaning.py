"""Finished jobs and media that are too old are deleted, now and then."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable

from app.core.errors import StorageUnavailable
from app.services.media import Media
from app.storage import jobs
from app.storage.database import Database

log = logging.getLogger(__name__)

EVERY_S = 3600.0
BATCH = 200


class Cleaning:
    """Each process does it; who comes second finds nothing left. The first time is some minutes after the start."""

    def __init__(self, database: Database, media: Media, keep_s: float, clock: Callable[[], float]) -> None:
        self._database = database
        self._media = media
        self._keep_s = keep_s
        self._clock = clock
        self._every_s = min(EVERY_S, keep_s)
        self._due_at = clock() + random.uniform(0.0, self._every_s / 4)

    def is_due(self) -> bool:
        """True once; then not before the next time."""
        if self._clock() < self._due_at:
            return False
        self._due_at = self._clock() + self._every_s
        return True

    def run(self) -> None:
        try:
            self.clean()
        except StorageUnavailable as error:
            log.warning("Old jobs and media are cleaned up later: %s", error.message)

    def clean(self) -> None:
        while True:
            with self._database.read() as tx:
                ids = jobs.finished_before(tx, self._database.now(tx) - self._keep_s, BATCH)
            if not ids:
                break
            self._media.forget_jobs(ids)
            with self._database.write() as tx:
                jobs.delete_all(tx, ids)
        self._media.clean()
