"""One system on the player's stage: it checks what it is asked, and answers as the scene says."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from tests.fakeexchange import Exchange
from tests.fakes import Request
from tests.player.calls import Calls
from tests.player.checking import Call, carries
from tests.player.scenes import Scene
from tests.player.systems import System

STREAM_TYPES = {
    "sse": "text/event-stream",
    "ndjson": "application/x-ndjson",
    "json-array": "application/json",
    "text": "text/plain",
    "null": "",
}
MEDIA_TYPES = {"image": "image/png", "video": "video/mp4"}
CUT_PAUSE_S = 0.001


class Play:
    """`system` is as it is registered: with the player's address, and the play's own path, for every host.

    `calls` counts the requests for an answer, `polls` those for a job; `requests` are all that asked for an answer.
    `wrong`: what was no request for this system.
    """

    def __init__(self, system: System, path: str, player: str) -> None:
        self.path = path
        self.origin = player + path
        self.system = system.at(self.origin)
        self.wrong: list[str] = []
        self.requests: list[Request] = []
        self.set(Scene(), "")
        self._known = Calls(self.system, self.origin)

    def set(self, scene: Scene, prompt: str) -> None:
        """From now on it behaves so, and expects this prompt."""
        self.scene, self.prompt = scene, prompt
        self.calls = self.polls = 0

    @property
    def model(self) -> str:
        """What callers call it."""
        name: str = self.system.registration["model_name"]
        return name

    @property
    def framing(self) -> str:
        words = self.system.registration
        blocks = (words.get("job", {}), words.get("stream", {}))
        return next((block["framing"] for block in blocks if "framing" in block), self.system.framing)

    @property
    def marks_its_end(self) -> bool:
        words = self.system.registration
        blocks = (words.get("job", {}), words.get("stream", {}))
        return any(word in block for block in blocks for word in ("done", "done_when", "finish_extract"))

    @property
    def makes_n(self) -> bool:
        return re.search(r"\{N[:}]", json.dumps(self.system.registration.get("body"))) is not None

    def answer(self, exchange: Exchange) -> None:
        request = replace(exchange.request, target=exchange.request.target.removeprefix(self.path) or "/")
        exchange.request = request
        known = self._known
        if request.target in known.media and request.method == "GET":
            return self._media(exchange)
        if known.token and known.token.is_at(request):
            return self._fitting(exchange, known.token, (self.system.token or {})["reply"])
        if known.poll and known.poll.is_at(request):
            return self._poll(exchange, known.poll)
        if known.health and known.health.is_at(request):
            return self._fitting(exchange, known.health, json.dumps(self.system.health))
        if known.health is None and (request.method, request.target) == ("GET", "/") and not known.whole.is_at(request):
            return self._doorbell(exchange)
        return self._main(exchange)

    def _doorbell(self, exchange: Exchange) -> None:
        """The probe of a worker that says nothing about its health: any answer will do, and none of its words go."""
        if sent := [
            name for name in self.system.registration.get("header", {}) if name.lower() in exchange.request.headers
        ]:
            return self._refuse(exchange, f"a probe of the bare host was sent {sent}")
        return self._say(exchange, "{}", 404)

    def _main(self, exchange: Exchange) -> None:
        request, known = exchange.request, self._known
        wrong = known.whole.misfit(request)
        no_stream = known.stream.misfit(request) if known.stream else "it has none"
        if wrong and no_stream:
            return self._refuse(exchange, f"{wrong} (as a stream: {no_stream})")
        if not carries(request, self.prompt):
            return self._refuse(exchange, f"the prompt {self.prompt!r} is not in {request.body!r}")
        self.calls += 1
        self.requests.append(request)
        exchange.check_caller(self.scene.pause_s)
        if self.scene.err is not None:
            return self._say(exchange, self.system.err or "", self.scene.err)
        if no_stream is None:
            return self._frames(exchange)
        if self.system.job:
            return self._say(exchange, self.system.job["submit"])
        return self._send(exchange, (self.system.sample or "").encode(), 200, self.system.sample_type)

    def _frames(self, exchange: Exchange) -> None:
        scene = self.scene
        exchange.head(200, framing=scene.framing, content_type=STREAM_TYPES[self.framing])
        for number, piece in enumerate(scene.pieces(scene.frames(self.system.frames or ""))):
            if number and scene.gate:
                exchange.wait(scene.gate)
            exchange.piece(piece)
            if piece[-1:] >= b"\x80" or piece.endswith(b"\r"):
                exchange.check_caller(CUT_PAUSE_S)
        exchange.finish()

    def _poll(self, exchange: Exchange, call: Call) -> None:
        if wrong := call.misfit(exchange.request):
            return self._refuse(exchange, wrong)
        self.polls += 1
        if self.system.registration["job"].get("framing"):
            return self._frames(exchange)
        return self._say(exchange, self.states[min(self.polls, len(self.states)) - 1])

    @property
    def states(self) -> list[str]:
        """What its job's polls say, one after the other."""
        said: list[Any] = (self.system.job or {})["polls"]
        running = [body for body, state in said if state == "running"]
        if self.scene.polls is not None:
            running = [running[at % len(running)] for at in range(self.scene.polls)]
        last = next(body for body, state in said if state == ("failed" if self.scene.fails else "done"))
        return [*running, last]

    def _media(self, exchange: Exchange) -> None:
        request = exchange.request
        if wrong := self._known.download(request.target).misfit(request):
            return self._refuse(exchange, wrong)
        if "authorization" in request.headers and not self._known.download_header:
            return self._refuse(exchange, "a download was sent the credentials of the calls")
        return self._send(exchange, self.system.media, 200, MEDIA_TYPES[self.system.task])

    def _fitting(self, exchange: Exchange, call: Call, reply: str) -> None:
        wrong = call.misfit(exchange.request)
        return self._refuse(exchange, wrong) if wrong else self._say(exchange, reply)

    def _refuse(self, exchange: Exchange, wrong: str) -> None:
        said = f"{exchange.request.method} {exchange.request.target}: {wrong}"
        self.wrong.append(said)
        self._say(exchange, json.dumps({"error": said}), 422)

    def _say(self, exchange: Exchange, text: str, status: int = 200) -> None:
        self._send(exchange, text.encode(), status, "application/json")

    @staticmethod
    def _send(exchange: Exchange, body: bytes, status: int, content_type: str) -> None:
        exchange.head(status, length=len(body), content_type=content_type)
        exchange.send(body)
