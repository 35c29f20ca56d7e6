"""The heads of HTTP/1.1 messages, without the email package that http.client reads them with."""

from __future__ import annotations

import io
from collections.abc import Mapping
from http.client import HTTPException, HTTPResponse, LineTooLong, UnknownProtocol
from typing import Any

MAX_LINE = 65_536
MAX_HEADERS = 100
MAX_HEAD = 262_144
# Heads before the head: "still at it", "an early hint".
MAX_NEWS = 100
MAX_DIGITS = 19
_BODILESS = ("GET", "HEAD", "DELETE", "OPTIONS")


def request_head(method: str, target: str, host: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """Raises ValueError for a line break inside of it, and for letters beyond Latin-1."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers.items())]
    if body is not None or method not in _BODILESS:
        lines.append(f"Content-Length: {len(body or b'')}")
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1:
        raise ValueError("a line break inside a header")
    return f"{text}\r\n\r\n".encode("latin-1")


class HeadResponse(HTTPResponse):
    """`headers` are by lower-case name; the first wins where one comes twice. Bodies are read by http.client."""

    fp: io.BufferedReader
    headers: Any
    _read_status: Any
    _check_close: Any

    def begin(self) -> None:
        """Read the head. Raises HTTPException and OSError, and then is closed."""
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        version, status, reason = self._read_status()
        news = 0
        while status < 200 and status != 101:  # 100, 102, 103
            news += 1
            if news > MAX_NEWS:
                raise HTTPException(f"got more than {MAX_NEWS} replies that are none yet")
            read_headers(self.fp)
            version, status, reason = self._read_status()
        if not version.startswith("HTTP/1.") and version != "HTTP/0.9":
            raise UnknownProtocol(version)
        self.version = 10 if version in ("HTTP/1.0", "HTTP/0.9") else 11
        self.code, self.status, self.reason = status, status, reason.strip()
        self.headers = read_headers(self.fp)
        self._frame(self.headers)

    def _read_and_discard_trailer(self) -> None:
        """What follows the last chunk, which http.client would read without end."""
        read_headers(self.fp)

    def _frame(self, headers: Mapping[str, str]) -> None:
        """How the body ends: with its last chunk, after so many bytes, or with the connection."""
        self.chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        self.chunk_left = None
        self.length = None if self.chunked else _length(headers.get("content-length", ""))
        if self.status in (204, 304) or self.status < 200:
            self.length = 0
        self.will_close = self._check_close() or (not self.chunked and self.length is None)


def read_headers(lines: io.BufferedReader) -> dict[str, str]:
    """Up to and with the blank line. A line that is no header is passed over."""
    headers: dict[str, str] = {}
    name = ""
    size = 0
    for _ in range(MAX_HEADERS + 1):
        line = lines.readline(MAX_LINE + 1)
        size += len(line)
        if len(line) > MAX_LINE or size > MAX_HEAD:
            raise LineTooLong("header line")
        if line in (b"\r\n", b"\n", b""):
            return headers
        text = line.decode("latin-1")
        if text[0] in " \t":  # an old way to go on with the line before
            if name:
                headers[name] += f" {text.strip()}"
            continue
        name, colon, value = text.partition(":")
        name = name.strip().lower()
        if not colon or name in headers:
            name = ""
        else:
            headers[name] = value.strip()
    raise HTTPException(f"got more than {MAX_HEADERS} headers")


def _length(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < MAX_DIGITS else None
