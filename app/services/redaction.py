"""Keeps what a worker was sent as a credential out of what it says to the caller."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

from app.core.conversation import UpstreamRequest
from app.core.errors import RollcallError
from app.core.secret_names import names_a_secret
from app.core.template import Secrets
from app.core.worker import Worker
from app.services.masking import MASK

# Shorter ones are no credentials, and would garble a sentence.
SHORTEST = 6
# What messages put behind a text that they cut.
CUT = "…'\". "
_REFERENCE = re.compile(r"\$\{(env|secret):([^}\\]+)\}")


def redacted(text: str, request: UpstreamRequest, secrets: Iterable[str]) -> str:
    """`text` without `secrets` and without the values of headers and parameters that are named like secrets.

    Nor as a URL, JSON or base64 writes them, nor the beginning of one where the text was cut off.
    For messages of failures only: never on the path of an answer.
    """
    known = {secret for secret in (*secrets, *_credentials(request)) if len(secret) >= SHORTEST}
    forms = sorted({form for secret in known for form in _forms(secret) if len(form) >= SHORTEST}, key=len)
    for form in reversed(forms):
        text = text.replace(form, MASK)
    end = text.rstrip(CUT)
    begun = max((_begun(end, form) for form in forms), default=0)
    return f"{end[:-begun]}{MASK}{text[len(end) :]}" if begun else text


def secrets_of(worker: Worker, secrets: Secrets) -> Iterator[str]:
    """Whatever its registration holds as a secret, in any block: what a submit was sent may come back in a poll."""
    for kind, name in _REFERENCE.findall(f"{worker.url} {worker.spec}"):
        try:
            yield secrets(kind, name)
        except RollcallError:
            continue
    yield from _literals(json.loads(worker.spec))


def _literals(node: Any) -> Iterator[str]:
    members = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, part in members:
        if isinstance(part, str) and isinstance(name, str) and names_a_secret(name):
            yield from _credential(part)
        else:
            yield from _literals(part)


def _begun(text: str, form: str) -> int:
    """How many characters of `form` the text ends with."""
    return next((n for n in range(len(form) - 1, SHORTEST - 1, -1) if text.endswith(form[:n])), 0)


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield quote(secret, safe="")
    yield quote_plus(secret)
    written = json.dumps(secret)[1:-1]
    yield written
    yield written.replace("/", "\\/")
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    for form in _base64(secret.encode("utf-8", "replace")):
        yield form
        yield form.replace("+", "-").replace("/", "_")


def _base64(secret: bytes) -> Iterator[str]:
    """What is the same of it whatever stands around it: one for each place that it may have in a group of three."""
    for before, unsure in ((0, 0), (1, 2), (2, 3)):
        whole = (before + len(secret)) // 3 * 4
        yield base64.b64encode(b"\0" * before + secret).decode()[unsure:whole]


def _credentials(request: UpstreamRequest) -> Iterable[str]:
    query = parse_qsl(urlsplit(request.url).query)
    for name, value in (*request.headers.items(), *query):
        if names_a_secret(name):
            yield from _credential(value)


def _credential(value: str) -> Iterator[str]:
    yield value
    # Without the scheme in front: `Bearer` is no secret.
    scheme, _, rest = value.strip().partition(" ")
    yield from rest.split()
    if scheme.lower() == "basic":
        yield from _user_and_password(rest)


def _user_and_password(packed: str) -> Iterable[str]:
    try:
        pair = base64.b64decode(packed).decode()
    except ValueError:
        return ()
    return pair, pair.partition(":")[2]
