"""The `auth` block: a token fetched before the call, which {ACCESS_TOKEN} gives."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.core.answer import parsed, path_of
from app.core.conversation import UpstreamRequest
from app.core.extract import Path, first_error_text
from app.core.fault import WorkerFault, one_line
from app.core.language import LanguageError, text_of
from app.core.outgoing import Call, compile_call
from app.core.reply_json import text_of_body
from app.core.template import Secrets, Template
from app.core.worker import Worker

USUAL_LIFETIME_S: Final = 3600.0
"""Where the reply does not say for how long."""

_LONGEST_S: Final = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class AuthPlan:
    call: Call
    _token: Path
    _expires: Path | None

    def request(self, worker: Worker, secrets: Secrets) -> UpstreamRequest:
        """The exchange. Raises what `secrets` raises."""
        values = {"MODEL_NAME": worker.upstream_model or worker.model_name}
        return self.call.rendered(worker.url, values, secrets, None)

    def token(self, status: int, body: bytes) -> tuple[str, float]:
        """The token and its lifetime in seconds. Raises WorkerFault when the reply holds none."""
        raw = text_of_body(body, "")
        value = parsed(raw)
        if not 200 <= status < 300:
            said = one_line(first_error_text(value, raw)) or "no message"
            raise WorkerFault(f"The exchange for an access token was refused with HTTP {status}: {said}", "error")
        found = self._token.find(value)  # of a reply that is no JSON the whole text
        token = text_of(found).strip() if found is not None and not isinstance(found, dict | list | bool) else ""
        if not token:
            raise _no_token(self._token, value)
        if not token.isprintable():
            raise WorkerFault("The exchange for an access token gave one that cannot be sent.", "wrong_type")
        return token, self._lifetime(value)

    def _lifetime(self, value: Any) -> float:
        found = self._expires.find(value) if self._expires is not None else None
        try:
            seconds = float(found) if isinstance(found, int | float | str) else USUAL_LIFETIME_S
        except (ValueError, OverflowError):
            return USUAL_LIFETIME_S
        return min(max(seconds, 0.0), _LONGEST_S) if math.isfinite(seconds) else USUAL_LIFETIME_S

    def parts(self) -> Iterator[Template]:
        yield from self.call.parts()


def _no_token(path: Path, value: Any) -> WorkerFault:
    """Of the reply only its message is shown: what else is in it may be a secret."""
    said = one_line(first_error_text(value, "")) if isinstance(value, dict) and "error" in value else ""
    fault = f"The reply to the exchange for an access token holds none at {path.text!r}"
    return WorkerFault(f"{fault}. It says: {said}" if said else f"{fault}.", "empty")


def compile_auth(block: Mapping[str, Any] | None) -> AuthPlan | None:
    """Raises LanguageError."""
    if block is None:
        return None
    for word, missing in (("req_url_template", ("", None)), ("token_extract", (None,))):
        if block.get(word) in missing:
            raise LanguageError(f"a token exchange needs auth.{word}", 0, f"auth.{word}")
    expires = block.get("expires_extract")
    return AuthPlan(
        compile_call(block, "", "auth.", openai_shaped=False),
        path_of(block["token_extract"], "auth.token_extract"),
        path_of(expires, "auth.expires_extract") if expires else None,
    )
