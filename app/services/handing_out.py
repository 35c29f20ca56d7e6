"""What a worker made, in the form that a caller asks for: a URL, or base64."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import Any

from app.core.conversation import Item, Task
from app.core.errors import InvalidRequest, UnsupportedByWorker, UpstreamError
from app.core.job_record import JobItem
from app.core.language import text_of
from app.core.output import is_web_url
from app.services.job_polling import DEFAULT_TYPES
from app.services.media import Media, url_path

Made = Item | JobItem


@dataclass(frozen=True, slots=True)
class Address:
    """`ours`: it is a path of this very server."""

    text: str
    ours: bool = False


def address(media: Media, item: Made, task: Task) -> Address:
    """Where it is: the worker's URL, or a file of ours; a path or a text of the worker as it came.

    Raises UpstreamError for bytes that are too many.
    """
    if isinstance(item, JobItem):
        return Address(text_of(item.value)) if item.media is None else Address(url_path(item.media), ours=True)
    content_type = item.content_type or DEFAULT_TYPES.get(task, "")
    match item.kind:
        case "b64":
            return Address(media.keep_base64(item.value, content_type).url_path, ours=True)
        case "bytes":
            return Address(media.keep_bytes(item.value, content_type).url_path, ours=True)
    return Address(text_of(item.value))


def encoded(media: Media, item: Made, field: str) -> str:
    """Its bytes in base64, fetched where they are elsewhere. `field` is the caller's, who asked for base64.

    Raises UpstreamError where they cannot be had, UnsupportedByWorker where the worker gives none.
    """
    if item.kind == "b64":
        return str(item.value)
    return b64encode(_bytes(media, item, field)).decode("ascii")


def _bytes(media: Media, item: Made, field: str) -> bytes:
    if isinstance(item, JobItem):
        if item.media is not None:
            return media.read(item.media)
        if item.kind == "url":
            raise UpstreamError("The worker's file could not be fetched when its job was done.", should_retry=False)
    elif item.kind == "bytes":
        return bytes(item.value)
    value = item.value
    if item.kind == "url" or (item.kind == "text" and is_web_url(value)):
        return media.bytes_of(value)
    raise _not_bytes(item.kind, value, field)


def _not_bytes(kind: str, value: Any, field: str) -> InvalidRequest:
    what = "a path on its worker's own disk" if kind == "path" else "no file and no link to one"
    message = f"This model gives {what}, so there is nothing to encode: {text_of(value)[:200]!r}. Leave out {field}."
    return UnsupportedByWorker(message, field=field)
