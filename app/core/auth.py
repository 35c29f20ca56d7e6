"""The `auth` block: a token fetched before the call, which {ACCESS_TOKEN} gives."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.conversation import UpstreamRequest
from app.core.template import Secrets
from app.core.worker import Worker


@dataclass(frozen=True, slots=True)
class AuthPlan:
    def request(self, worker: Worker, secrets: Secrets) -> UpstreamRequest:
        """The exchange. Raises what `secrets` raises."""
        raise NotImplementedError

    def token(self, status: int, body: bytes) -> tuple[str, float]:
        """The token and its lifetime in seconds. Raises WorkerFault when the reply holds none."""
        raise NotImplementedError
