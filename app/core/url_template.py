"""URL templates: values are percent-encoded, and no caller's value reaches the host."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from app.core.language import LanguageError, text_of
from app.core.limits import Limits
from app.core.pieces import Piece, Slot
from app.core.slots import ABSENT, Names, Secrets, Template, Values

_BEGINS = ("RESP",)
_OF_THE_OPERATOR: tuple[str, ...] = ("MODEL_NAME",)
_OF_THE_WORKER = ("MODEL_NAME", "RESP", "JOB_ID", "ACCESS_TOKEN")


def compile_url(text: str, limits: Limits | None = None) -> Template:
    """A template whose `render()` gives a URL; a value that is not there gives nothing, what begins the URL is raw.

    Only `{MODEL_NAME}` and secrets may stand in the host, only `{RESP:…}` and secrets may begin the URL: a caller
    must not choose where a worker's credentials go. Raises LanguageError.
    """
    names = Names(limits)
    pieces = names.read(text)
    _check_host(pieces)
    parts = [piece if isinstance(piece, str) else names.filled(piece, in_text=True) for piece in pieces]

    def render(values: Values, secrets: Secrets) -> str:
        out = []
        for i, part in enumerate(parts):
            if isinstance(part, str):
                out.append(part)
            elif (value := part(values, secrets)) is not ABSENT:
                out.append(_quoted(text_of(value)) if i else text_of(value))
        return "".join(out)

    return names.template(render)


def _quoted(text: str) -> str:
    quoted = quote(text, safe="", errors="replace")
    # A piece of nothing but dots would climb in the path.
    return quoted if quoted.strip(".") else quoted.replace(".", "%2E")


def _check_host(pieces: Sequence[Piece]) -> None:
    before, hosts = "", _OF_THE_OPERATOR
    for i, piece in enumerate(pieces):
        if isinstance(piece, str):
            before += piece
            continue
        if isinstance(piece, Slot) and piece.name not in (hosts if i else _BEGINS) and not _is_past_host(before):
            raise LanguageError(f"{{{piece.name}}} may not stand in or before the host of a URL", piece.position)
        if i == 0:
            before = "://"  # what begins the URL brings scheme and host along, and the worker itself said it
            hosts = _OF_THE_WORKER


def _is_past_host(before: str) -> bool:
    _, scheme, rest = before.partition("://")
    return bool(scheme) and any(mark in rest for mark in "/?#")
