"""A registration with a time limit, kept alive at a server that may come and go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.cli.attach.say import say
from app.cli.refusal import Refused
from app.cli.server import Declined, NoAnswer, Server

REGISTER = "/api/server/register"
WORKERS = "/api/server/workers"
AGAIN_S = 2.0


class Lease:
    """What an operator set at the server stays: the admin state is never named, `weight` only of a worker that is new.

    A call that fails is told once and made again; the server's own word on the registration itself is final at first.
    """

    def __init__(self, server: Server, words: Mapping[str, Any], weight: int | None) -> None:
        self._server = server
        self._words = words
        self._weight = weight
        self._worker_id: int | None = None
        self._is_new = False
        self._weight_due = False
        self._away = False

    @property
    def pause_s(self) -> float:
        """Until the next renewal."""
        often = float(self._words["ttl_s"]) / 3
        return min(AGAIN_S, often) if self._away else often

    @property
    def was_held(self) -> bool:
        """Did the server ever take the registration, so that requests may be open?"""
        return self._worker_id is not None

    def check(self) -> None:
        """Raises Refused for a registration that the server would not take; one that is away is no reason to wait."""
        try:
            self._server.call("POST", f"{REGISTER}?dry_run=true", self._words)
        except (NoAnswer, Declined) as failure:
            if _is_final(failure):
                raise
            self._warn(failure)

    def renew(self) -> None:
        """Raises Refused when the server does not take the registration that it does not know yet."""
        try:
            done = self._server.call("PUT", REGISTER, self._words).body
            self._settle(done)
            if self._weight_due:
                self._weigh()
        except (NoAnswer, Declined) as failure:
            if self._worker_id is None and _is_final(failure):
                raise
            self._warn(failure)
        else:
            self._away = False

    def end(self) -> None:
        """Over now: no new requests. Without the server's answer it is over when its time is."""
        if self._worker_id is None:
            return
        try:
            self._server.call("POST", f"{WORKERS}/{self._worker_id}/expire", {})
        except (NoAnswer, Declined) as failure:
            if not isinstance(failure, Declined) or failure.status != 404:
                say(f"{failure.message} The registration ends by itself within {self._words['ttl_s']} s.")
        else:
            say(f"worker {self._worker_id} gets no new requests")

    def _settle(self, done: Any) -> None:
        if not isinstance(done, dict) or not isinstance(done.get("id"), int):
            raise stranger(self._server)
        is_made = done["outcome"] == "created"  # perhaps again, with the number of the one that was removed
        if is_made or done["id"] != self._worker_id:
            self._worker_id = done["id"]
            self._is_new, self._weight_due = is_made, self._weight is not None
            say(f"{self._words['model_name']} is worker {done['id']} of {self._server.url} ({done['outcome']})")
            for note in done["notes"]:
                say(f"note: {note}")
        elif self._away:
            say(f"{self._server.url} answers again; worker {done['id']} is renewed")

    def _weigh(self) -> None:
        path = f"{WORKERS}/{self._worker_id}"
        if self._is_new:
            self._server.call("PATCH", path, {"weight": self._weight})
        elif (stays := self._server.call("GET", path).body["data"]["weight"]) != self._weight:
            say(f"note: its weight stays {stays}, as the server has it; PATCH {path} changes it")
        self._weight_due = False

    def _warn(self, failure: Refused) -> None:
        if not self._away:
            say(f"{failure.message} Trying again every {AGAIN_S:g} s.")
        self._away = True


def _is_final(failure: Refused) -> bool:
    return isinstance(failure, Declined) and 400 <= failure.status < 500 and failure.status != 429


def stranger(server: Server) -> Refused:
    return Refused(f"What answers at {server.url} is no Rollcall server.")
