"""A kept file on its way to a caller: streamed from the disk, in ranges where the caller asks for them."""

from __future__ import annotations

from flask import Response, send_file

from app.core.encoded import content_type_of
from app.core.errors import NotFound
from app.services.media import ANY_TYPE, MediaFile

# Nobody knows what a worker made: where a browser opens it, it runs no script and reads nothing of ours.
_HEADERS = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}


def send_media(file: MediaFile) -> Response:
    """Answers GET and HEAD, `Range` and `If-None-Match`. Raises NotFound when the file is gone from its folder."""
    try:
        response = send_file(
            file.path, mimetype=content_type_of(file.content_type) or ANY_TYPE, conditional=True, etag=file.id
        )
    except FileNotFoundError:
        raise NotFound("This file is not kept any more.") from None
    response.headers.update(_HEADERS)
    return response
