"""What attach does when its child dies, and when it is told to stop while a request is open."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

from attached import Attached, Bench, attached, command, standing
from processes import until

MODEL = "tiny-attached"


def attach_checks(bench: Bench) -> None:
    bench.transcript.heading("attach: the child's death, and Ctrl-C")
    words = command(bench, MODEL, "llama-cpp", "/v1/chat/completions")
    checks = _Checks(bench, words)
    bench.transcript.check("kill -9 of the model server: attach says so, the worker is out", checks.killed)
    bench.transcript.check("Ctrl-C: no new requests at once, the open stream comes to its end", checks.interrupted)
    bench.transcript.check("attached again, it is the same worker", checks.again)


class _Checks:
    def __init__(self, bench: Bench, words: list[str]) -> None:
        self._bench = bench
        self._words = words
        self._worker_id = 0

    def killed(self) -> None:
        with attached(self._bench, *self._words) as it:
            self._worker_id = it.worker_id
            assert _answer(self._bench.door) == 200
            os.kill(it.child, signal.SIGKILL)
            out = self._seconds_until_expired(it)
            code = it.running.ended()
            self._tell(it)
            self._say(f"The worker was out {out:.2f} s after `kill -9`; attach ended with status {code}.")
            assert "SIGKILL" in it.said()
        assert code != 0
        until(lambda: _answer(self._bench.door) == 503, "a 503 for a new request", 1)

    def interrupted(self) -> None:
        with attached(self._bench, *self._words) as it:
            stream = _Stream(self._bench.door)
            it.running.signal(signal.SIGINT)
            out = self._seconds_until_expired(it)
            # Every serving process knows within 200 ms.
            until(lambda: _answer(self._bench.door) == 503, "a 503 for a new request", 1)
            left = stream.rest()
            code = it.running.ended()
            self._tell(it)
            self._say(
                f"The worker was out {out:.2f} s after Ctrl-C, and new requests were a 503; the open stream gave "
                f"{left} more pieces and ended with `{stream.finish}` and `[DONE]`; attach ended with status {code}."
            )
        assert left > 0
        assert stream.finish in {"stop", "length"}

    def again(self) -> None:
        with attached(self._bench, *self._words) as it:
            self._say(f"Worker {it.worker_id} again, {it.ready_s:.1f} s after the command.")
            assert it.worker_id == self._worker_id
            assert _answer(self._bench.door) == 200

    def _seconds_until_expired(self, it: Attached) -> float:
        started = time.monotonic()
        until(lambda: standing(self._bench.door, it.worker_id) == "expired", "the worker to be out", 10)
        return time.monotonic() - started

    def _tell(self, it: Attached) -> None:
        self._bench.transcript.block("text", it.said())

    def _say(self, text: str) -> None:
        self._bench.transcript.say(text)


class _Stream:
    """A stream of some seconds, of which the first piece has come."""

    def __init__(self, door: str) -> None:
        try:
            self._reply = urllib.request.urlopen(
                _request(door, max_tokens=900, stream=True, ignore_eos=True), timeout=60
            )
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{error}: {error.read().decode()}") from error
        self.finish = ""
        self._pieces = self._read()
        next(self._pieces)

    def rest(self) -> int:
        """How many pieces came until [DONE]."""
        return sum(1 for _ in self._pieces)

    def _read(self) -> Iterator[str]:
        for line in self._reply:
            data = line.decode().removeprefix("data:").strip()
            if data == "[DONE]":
                return
            if data.startswith("{"):
                choice = json.loads(data)["choices"][0]
                self.finish = choice["finish_reason"] or ""
                if text := choice["delta"].get("content"):
                    yield text
        raise AssertionError("The stream ended without [DONE].")


def _answer(door: str) -> int:
    try:
        with urllib.request.urlopen(_request(door, max_tokens=2), timeout=60) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        return error.code


def _request(door: str, **words: Any) -> urllib.request.Request:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Tell me about the sea."}], **words}
    return urllib.request.Request(
        f"{door}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
