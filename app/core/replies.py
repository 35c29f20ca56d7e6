"""One whole reply: its value, and what is said about it when no answer is in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import Any

from app.core.extract import Path
from app.core.fault import MAX_REPLY_BYTES, WorkerFault, one_line
from app.core.reply_json import parse_reply

_SHOWN = 80
_BEGINNING = 200
_NO_TEXT = ("image/", "video/", "audio/")
_TITLE = re.compile(r"<title[^>]*>([^<]{1,200})", re.IGNORECASE)
_HTML = re.compile(r"\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE)


def reply_value(raw: str, content_type: str, *, needs_json: bool) -> Any:
    """The JSON value of a reply, or its text.

    Raises WorkerFault for web pages, images and the like, and for what must be JSON and is not.
    """
    try:
        return parse_reply(raw)
    except ValueError:
        kind = content_type.lower()
        if needs_json or ("html" in kind and _HTML.match(raw)) or kind.lstrip().startswith(_NO_TEXT):
            raise _not_text(raw, content_type, "JSON" if needs_json else "an answer") from None
        return raw


def nothing_in(status: int) -> WorkerFault:
    return WorkerFault(f"The worker answered HTTP {status} with nothing in it.", "empty")


def no_answer(path: Path, value: Any, raw: str, what: str = "answer", *, regex: bool = False) -> WorkerFault:
    """Shows the path, the part of it that matched, and how the reply begins. `regex`: `output` has one."""
    told = f"The worker's reply has no {what} at {one_line(path.text, _BEGINNING)!r} ({_how_far(path, value, regex)})"
    return WorkerFault(f"{told}. It begins: {beginning(raw)}", "empty")


def _how_far(path: Path, value: Any, regex: bool) -> str:
    is_whole = not path.text.strip()
    if is_whole or path.find_all(value):
        found = "the whole reply" if is_whole else "what is there"
        return f"{found} does not fit output.regex" if regex else f"{found} is empty"
    matched = path.matched(value)
    return f"only {one_line(matched, _BEGINNING)!r} of it is there" if matched else "nothing of it is there"


def beginning(raw: str) -> str:
    """The first 200 characters, on one line."""
    return one_line(raw[:_BEGINNING], _BEGINNING)


def web_page(status: int, raw: str) -> str | None:
    """What a web page says about itself; None: it is no web page."""
    if not _HTML.match(raw):
        return None
    title = _TITLE.search(raw)
    return one_line(f"HTTP {status} with a web page: {title[1] if title else raw[:_SHOWN]}")


def _not_text(raw: str, content_type: str, expected: str) -> WorkerFault:
    kind = one_line(content_type, _SHOWN) or "no content type"
    told = f"The worker answered with {kind} where {expected} was expected: {one_line(raw, _SHOWN)}"
    return WorkerFault(told, "not_json")


def calls_a_tool(raw: Mapping[str, Any]) -> bool:
    choices = raw.get("choices")
    found = choices if isinstance(choices, list) else []
    messages = [choice.get("message") for choice in found if isinstance(choice, dict)]
    return any(isinstance(m, dict) and (m.get("tool_calls") or m.get("function_call")) for m in messages)


def joined(chunks: Iterable[bytes]) -> bytes:
    """One reply in the body of a streamed call, which nobody else caps when it calls itself a stream."""
    body = BytesIO()
    for chunk in chunks:
        body.write(chunk)
        if body.tell() > MAX_REPLY_BYTES:
            limit = MAX_REPLY_BYTES // 1_000_000
            raise WorkerFault(f"The worker answered with more than {limit} MB, and not as a stream.", "too_large")
    return body.getvalue()
