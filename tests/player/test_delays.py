"""Services that take their time: a slow first byte, a stream that pauses, a job with many polls, a probe."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.player import asking, making
from tests.player.cases import agrees
from tests.player.scenes import Scene
from tests.player.server import Player
from tests.player.stage import PROMPT, Stage
from tests.player.systems import INVENTED, KNOWN, System, played_by
from tests.serving import PATIENCE_S, Server, wait_for

STREAMING = [system for system in (*KNOWN, *INVENTED) if system.frames]
SAID = re.compile(r'"content":"[^"]')
LATE_S = 0.05


def named(system: System) -> str:
    return system.id


def known(name: str) -> System:
    return next(system for system in KNOWN if system.id == name)


@contextlib.contextmanager
def reading(server: Server, model: str) -> Iterator[Callable[[], str]]:
    """A stream that a caller reads line by line; an empty text at its end."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    with contextlib.closing(connection):
        turns = [{"role": "user", "content": PROMPT}]
        body = json.dumps({"model": model, "messages": turns, "stream": True})
        connection.request("POST", asking.CHAT, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        assert response.status == 200
        yield lambda: response.readline().decode()


@pytest.mark.parametrize("system", STREAMING, ids=named)
def test_what_a_stream_has_said_is_not_held_back_while_it_pauses(stage: Stage, system: System) -> None:
    play = stage.on(system)
    gate = threading.Event()
    play.set(Scene(gate=gate), PROMPT)
    lines: list[str] = []
    with reading(stage.server, play.model) as line:
        while not SAID.search("".join(lines)):
            lines.append(line())
            assert lines[-1]
        gate.set()
        while lines[-1]:
            lines.append(line())
    text, finish, _ = play.system.want_stream
    agrees(asking.told("".join(lines).encode()), [text, finish, {}])
    assert play.wrong == []


@pytest.mark.parametrize("name", ["chatglm-api.py", "anthropic"])
def test_a_slow_first_byte_is_waited_for(stage: Stage, name: str) -> None:
    play = stage.on(known(name))
    for ask in (asking.once, asking.streamed):
        play.set(Scene(pause_s=LATE_S), PROMPT)
        told = ask(stage.server, play.model, PROMPT)
        want = play.system.want_stream if ask is asking.streamed and play.system.want_stream else play.system.want
        agrees(told, want)
    assert play.wrong == []


@pytest.mark.parametrize("name", ["runway", "midjourney-proxy"])
def test_a_job_is_asked_about_until_it_is_over(stage: Stage, name: str) -> None:
    play = stage.on(known(name))
    play.set(Scene(polls=3), PROMPT)
    if play.system.task == "video":
        assert making.video(stage.server, play.model, PROMPT)["status"] == "completed"
    else:
        assert making.images(stage.server, play.model, PROMPT, response_format="url") == play.system.made
    assert (play.calls, play.polls) == (1, 4)
    assert play.wrong == []


def test_a_job_shows_how_far_it_is(stage: Stage) -> None:
    play = stage.on(known("runway"))
    play.set(Scene(polls=200), PROMPT)
    video = making.film(stage.server, play.model, PROMPT).body

    def progress() -> bool:
        shown = stage.server.ask("GET", f"/v1/videos/{video['id']}").body
        return bool(shown["status"] == "in_progress" and shown["progress"] == 40)

    wait_for("progress", progress)
    assert stage.server.ask("DELETE", f"/v1/videos/{video['id']}").status == 200


def test_every_system_is_found_healthy(server: Server, stage: Stage) -> None:
    """By its own probe, which the player checks, and each beside all others."""
    stage.clear()
    systems = [*KNOWN, *INVENTED]
    with Player() as player:
        plays = [player.stage(system) for system in systems]
        ids = [server.register(**{**play.system.registration, "instance": play.path}) for play in plays]
        try:
            wait_for("all to be up", lambda: [row["id"] for row in rows(server) if row["probe"] == "up"] == ids)
            assert [wrong for play in plays for wrong in play.wrong] == []
        finally:
            for each in ids:
                server.ask("DELETE", f"/api/server/workers/{each}")


def rows(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.ask("GET", "/api/server/workers?limit=100").body["data"]
    return found


def test_a_request_that_is_none_of_the_systems_fails(stage: Stage) -> None:
    """The player looks at what it is asked: elsewhere, that is what makes a test fail."""
    system = played_by("gemini")
    play = stage.player.stage(system)
    words = {**play.system.registration, "header": {"x-goog-api-key": "another"}, "health": {"tcp": True}}
    stage.take(play, lambda origin: stage.server.register(**words))
    answer = asking.chat(stage.server, play.model, PROMPT)
    assert answer.status == 422
    assert "the header x-goog-api-key is '***'" in asking.message(answer)
    assert "x-goog-api-key is 'another'" in play.wrong[0]
    play.set(Scene(), "another prompt")
    assert asking.chat(stage.server, play.model, PROMPT).status == 422
    stage.clear()
