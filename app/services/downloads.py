"""Files behind the links of workers: fetched with patience, and never more than a file may have."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO, TypeVar

from app.core.language import LanguageError
from app.core.urls import MAX_URL, ascii_url, check_url
from app.services.waiting import pause
from app.upstream.client import Client, Download, SendFailure

# A link that a worker gave a moment ago may need another moment on its content network.
PAUSES_S = (0.5, 1.5)
_SHOWN = 200
_CREDENTIALS = re.compile(r"//[^/]*@")

Sink = TypeVar("Sink", bound=BinaryIO)


class Unusable(Exception):
    """Why a link gives no file; a clause. `lasting`: another try would end alike."""

    def __init__(self, reason: str, *, lasting: bool = False) -> None:
        super().__init__(reason)
        self.lasting = lasting


def shown(url: str) -> str:
    """Without its query, which may hold a signature, and without a password."""
    return _CREDENTIALS.sub("//", url.partition("?")[0])[:_SHOWN]


@dataclass(frozen=True, slots=True)
class Downloads:
    """Thread-safe. `timeout_s` is how long all tries together may take; between them are the pauses."""

    client: Client
    cap_bytes: int
    timeout_s: float
    pauses_s: tuple[float, ...] = PAUSES_S

    def into(
        self, url: str, headers: Mapping[str, str], sink: Callable[[], AbstractContextManager[Sink]]
    ) -> tuple[Sink, Download]:
        """The sink with the file in it, and what was said of it. Each try gets a sink of its own. Raises Unusable."""
        target, deadline = _target(url), time.monotonic() + self.timeout_s
        for pause_s in self.pauses_s:
            try:
                return self._once(target, headers, sink, deadline)
            except Unusable as failure:
                if failure.lasting or time.monotonic() + pause_s >= deadline:
                    raise
                pause(pause_s)
        return self._once(target, headers, sink, deadline)

    def _once(
        self, url: str, headers: Mapping[str, str], sink: Callable[[], AbstractContextManager[Sink]], deadline: float
    ) -> tuple[Sink, Download]:
        try:
            with sink() as file:
                got = self.client.download(url, headers, deadline=deadline, cap_bytes=self.cap_bytes, sink=file.write)
                if fault := _fault(got):
                    raise Unusable(fault)
        except SendFailure as failure:
            if failure.kind == "too_large":
                why = f"it is larger than {self.cap_bytes:,} bytes (ROLLCALL_MEDIA_MAX_BYTES)"
                raise Unusable(why, lasting=True) from failure
            raise Unusable(failure.message, lasting=failure.kind in ("timeout", "address_refused")) from failure
        return file, got


def _fault(got: Download) -> str | None:
    """Why this is no file; None: it is one."""
    if 300 <= got.status < 400:
        return f"HTTP {got.status} leads elsewhere, which is not followed"
    if not 200 <= got.status < 300:
        return f"HTTP {got.status}"
    if "html" in got.content_type.lower():
        return "it is a web page"
    return None if got.size else "it is empty"


def _target(url: str) -> str:
    try:
        target = ascii_url(url.partition("#")[0].replace(" ", "%20"))
        # The length that a registration may have is no limit for a signed link.
        check_url(target[:MAX_URL], "url")
    except (LanguageError, ValueError) as error:
        why = error.message if isinstance(error, LanguageError) else f"{error}"
        raise Unusable(why, lasting=True) from error
    return target
