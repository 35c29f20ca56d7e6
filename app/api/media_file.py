"""A kept file on its way to a caller: streamed from the disk, in ranges where the caller asks for them."""

from __future__ import annotations

import mimetypes
import re
from typing import Any

from flask import Response, request
from werkzeug.http import parse_etags
from werkzeug.utils import send_file
from werkzeug.wsgi import FileWrapper

from app.core.encoded import content_type_of
from app.core.errors import NotFound
from app.services.media import ANY_TYPE, MediaFile

# Nobody knows what a worker made: where a browser opens it, it runs no script and reads nothing of ours.
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'; img-src 'self'; media-src 'self'",
}
_PIECE = 65_536
_ONE_RANGE = re.compile(r"\s*bytes\s*=\s*(?:(\d{1,18})-(\d{1,18})?|-(\d{1,18}))\s*\Z", re.IGNORECASE)


def send_media(file: MediaFile) -> Response:
    """Answers GET and HEAD, `Range` and `If-None-Match`. Raises NotFound when the file is gone from its folder."""
    content_type = content_type_of(file.content_type) or ANY_TYPE
    name = file.id + (mimetypes.guess_extension(content_type.partition(";")[0].strip()) or "")
    try:
        response = send_file(
            file.path,
            _environ(file),
            mimetype=content_type,
            download_name=name,
            conditional=True,
            etag=file.id,
            response_class=Response,
        )
    except FileNotFoundError:
        raise NotFound("This file is not kept any more.") from None
    response.headers.update(_HEADERS)
    assert isinstance(response, Response)
    return response


def _environ(file: MediaFile) -> dict[str, Any]:
    """The request with a range that can be read by Werkzeug, or none; and with its way to send files, because that of
    the server reads all that is in front of a range."""
    environ = dict(request.environ)
    environ["wsgi.file_wrapper"] = lambda file, _: FileWrapper(file, _PIECE)
    wanted = environ.pop("HTTP_RANGE", None)
    unchanged = parse_etags(environ.get("HTTP_IF_NONE_MATCH")).contains_weak(file.id)
    if wanted is not None and not unchanged and (understood := _range(wanted, file.size)):
        environ["HTTP_RANGE"] = understood
    return environ


def _range(wanted: str, size: int) -> str | None:
    """None: one that may be ignored (RFC 9110, 14.2), as several at once, another unit, or nonsense."""
    match = _ONE_RANGE.match(wanted)
    if match is None:
        return None
    first, last, suffix = (None if number is None else int(number) for number in match.groups())
    if suffix is not None:
        return f"bytes=-{suffix}" if suffix < size else "bytes=0-"
    if last is not None and first is not None and last < first:
        return None
    return f"bytes={first}-{'' if last is None else last}"
