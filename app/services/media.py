"""Copies of images and videos, so that they outlive the worker's own links."""

from __future__ import annotations

import contextlib
import logging
import mimetypes
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

from app.core.encoded import content_type_of, decode_base64, decode_data_url
from app.core.errors import NotFound, UpstreamError
from app.services.downloads import PAUSES_S, Downloads, Unusable, shown
from app.services.media_files import MediaFolder, is_media_id, new_media_id
from app.settings import Settings
from app.storage import media
from app.storage.database import Database
from app.storage.media import MediaRecord
from app.upstream.client import Client

log = logging.getLogger(__name__)

ANY_TYPE = "application/octet-stream"
BATCH = 500


@dataclass(frozen=True, slots=True)
class MediaFile:
    """`size` in bytes; `url_path` is where callers fetch it."""

    id: str
    content_type: str
    size: int
    path: Path

    @property
    def url_path(self) -> str:
        return url_path(self.id)


def url_path(media_id: str) -> str:
    return f"/v1/media/{media_id}"


class Media:
    """Thread-safe. Every method raises StorageUnavailable when the database or the folder fails."""

    def __init__(
        self, database: Database, client: Client, settings: Settings, pauses_s: tuple[float, ...] = PAUSES_S
    ) -> None:
        self._database = database
        self._folder = MediaFolder(settings.media_folder)
        self._cap = settings.media_max_bytes
        self._keep_s = settings.media_keep_s
        self._downloads = Downloads(client, self._cap, settings.timeout_s, pauses_s)

    def keep_bytes(self, data: bytes, content_type: str, job_id: str | None = None) -> MediaFile:
        """Raises UpstreamError when they are more than a file may have."""
        if len(data) > self._cap:
            raise UpstreamError(f"The worker's file is larger than {self._cap:,} bytes (ROLLCALL_MEDIA_MAX_BYTES).")
        media_id = new_media_id()
        with self._folder.incoming(media_id) as file:
            file.write(data)
        return self._record(media_id, content_type, len(data), job_id)

    def keep_base64(self, text: str, content_type: str, job_id: str | None = None) -> MediaFile:
        """Raises UpstreamError when the text is no base64."""
        try:
            data = decode_base64(text)
        except ValueError:
            raise UpstreamError("The worker's answer should be base64 and is not.") from None
        return self.keep_bytes(data, content_type, job_id)

    def keep_url(
        self, url: str, headers: Mapping[str, str], job_id: str | None = None, default_type: str = ANY_TYPE
    ) -> MediaFile | None:
        """A copy of what the link gives (http, https or data); None when it gives nothing that can be kept."""
        try:
            if inline := decode_data_url(url):
                return self.keep_bytes(inline[0], inline[1] or default_type, job_id)
            return self._fetched(url, headers, job_id, default_type)
        except (Unusable, UpstreamError, ValueError) as error:
            log.warning("A result of job %s is not kept: %s (%s)", job_id, error, shown(url))
        return None

    def bytes_of(self, url: str) -> bytes:
        """What a link of a worker gives, not kept. Raises UpstreamError when that is no file, or too large a one."""
        try:
            return self._downloads.into(url, {}, lambda: nullcontext(BytesIO()))[0].getvalue()
        except Unusable as error:
            message = f"The worker's file could not be fetched from {shown(url)}: {error}."
            raise UpstreamError(message, should_retry=False) from error

    def find(self, media_id: str) -> MediaFile | None:
        if not is_media_id(media_id):
            return None
        with self._database.read() as tx:
            record = media.find(tx, media_id)
        return self._file(record) if record else None

    def read(self, media_id: str) -> bytes:
        """The whole file. Raises NotFound."""
        found = self.find(media_id)
        if found is not None:
            with contextlib.suppress(OSError):
                return found.path.read_bytes()
        raise NotFound("This file is not kept any more.")

    def forget(self, media_ids: Iterable[str]) -> None:
        media_ids = list(media_ids)
        for media_id in media_ids:
            self._folder.remove(media_id)
        with self._database.write() as tx:
            media.delete_all(tx, media_ids)

    def forget_jobs(self, job_ids: Iterable[str]) -> None:
        """Delete what belongs to these jobs."""
        with self._database.read() as tx:
            ids = media.ids_of(tx, job_ids)
        if ids:
            self.forget(ids)

    def clean(self) -> None:
        """Delete what is too old."""
        while True:
            with self._database.read() as tx:
                ids = media.made_before(tx, self._database.now(tx) - self._keep_s, BATCH)
            if not ids:
                break
            self.forget(ids)
        self._folder.sweep(self._keep_s)

    def _fetched(self, url: str, headers: Mapping[str, str], job_id: str | None, default_type: str) -> MediaFile:
        media_id = new_media_id()
        _, got = self._downloads.into(url, headers, lambda: self._folder.incoming(media_id))
        content_type = content_type_of(got.content_type) or mimetypes.guess_type(urlsplit(url).path)[0] or default_type
        return self._record(media_id, content_type, got.size, job_id)

    def _record(self, media_id: str, content_type: str, size: int, job_id: str | None) -> MediaFile:
        try:
            with self._database.write() as tx:
                record = MediaRecord(media_id, content_type, size, job_id, self._database.now(tx))
                media.insert(tx, record)
        except BaseException:
            self._folder.remove(media_id)
            raise
        return self._file(record)

    def _file(self, record: MediaRecord) -> MediaFile:
        return MediaFile(record.id, record.content_type, record.size, self._folder.path(record.id))
