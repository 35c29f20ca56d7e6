"""Keeps what a worker was sent as a credential out of what it says to the caller."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qsl, urlsplit

from app.core.conversation import UpstreamRequest
from app.core.secret_names import names_a_secret
from app.services.masking import MASK

# Shorter ones are no credentials, and would garble a sentence.
SHORTEST = 6


def redacted(text: str, request: UpstreamRequest, secrets: Iterable[str]) -> str:
    """`text` without `secrets` and without the values of headers and parameters that are named like secrets.

    For messages of failures only: never on the path of an answer.
    """
    found = {*secrets, *_credentials(request)}
    for secret in sorted(found, key=len, reverse=True):
        if len(secret) >= SHORTEST:
            text = text.replace(secret, MASK)
    return text


def _credentials(request: UpstreamRequest) -> Iterable[str]:
    query = parse_qsl(urlsplit(request.url).query)
    for name, value in (*request.headers.items(), *query):
        if names_a_secret(name):
            yield value
            # Without the scheme in front: `Bearer` is no secret.
            yield from value.split()[1:]
