"""Every registration of registrations.json through the running server, against a player that replies as its system.

Another system is another record in a file: no test here knows one by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.player import asking
from tests.player.cuts import awkwardly, half
from tests.player.play import Play
from tests.player.scenes import Scene, lively
from tests.player.stage import PROMPT, Stage
from tests.player.systems import KNOWN, System

FINISH_OF = {
    "stop": "stop completed end_turn stop_sequence eos eos_token word COMPLETE STOP_SEQUENCE STOP pause_turn abort",
    "length": "length max_tokens MAX_TOKENS limit max_output_tokens model_context_window_exceeded",
    "tool_calls": "tool_calls tool_use TOOL_CALL",
    "content_filter": "content_filter refusal SAFETY RECITATION BLOCKLIST PROHIBITED_CONTENT SPII CONTENT_FILTERED",
}
ERROR_STATUS = {200: 502, 400: 400, 401: 502, 422: 422, 429: 429, 500: 502, 503: 503}


def finish_of(word: str | None) -> str:
    return "stop" if word is None else next(ours for ours, words in FINISH_OF.items() if word in words.split())


def agrees(told: asking.Told, want: list[Any], text: str | None = None) -> None:
    assert told.text == (want[0] if text is None else text)
    assert told.finish == finish_of(want[1])
    counts = {"prompt": "prompt_tokens", "completion": "completion_tokens"}
    assert {name: told.usage[counts[name]] for name in want[2]} == want[2]
    assert told.error == ""
    assert told.whole


def once(stage: Stage, play: Play) -> None:
    agrees(asking.once(stage.server, play.model, PROMPT), play.system.want)
    assert play.calls == 1


def seed(stage: Stage, play: Play) -> None:
    assert asking.seed(stage.server, play.model, PROMPT) == play.system.want[0]


def in_pieces(stage: Stage, play: Play) -> None:
    """In whatever pieces and with whatever line ends the bytes come."""
    ends = {"sse": ("", "\r\n", "\r"), "ndjson": ("", "\r\n")}.get(play.framing, ("",))
    want = play.system.want_stream
    for end in ends:
        play.set(Scene(end=end), PROMPT)
        agrees(asking.streamed(stage.server, play.model, PROMPT), want)
        play.set(Scene(end=end, lively=True, cut=awkwardly, framing="eof" if end else "chunked"), PROMPT)
        agrees(asking.streamed(stage.server, play.model, PROMPT), want, lively(want[0]))
        assert play.calls == 1


def in_one(stage: Stage, play: Play) -> None:
    """A caller wants a stream of a worker that has none."""
    agrees(asking.streamed(stage.server, play.model, PROMPT), play.system.want)


def broken(stage: Stage, play: Play) -> None:
    play.set(Scene(cut=half), PROMPT)
    answer = asking.chat(stage.server, play.model, PROMPT, stream=True)
    if answer.status == 200:
        told = asking.told(answer.body)
        assert not told.whole
        assert told.finish is None
        assert "ended in the middle" in told.error
    else:
        assert answer.status == 502
        assert "ended in the middle" in asking.message(answer)


def refused(stage: Stage, play: Play) -> None:
    for status, ours in ERROR_STATUS.items():
        play.set(Scene(err=status), PROMPT)
        for stream in (False, True):
            answer = asking.chat(stage.server, play.model, PROMPT, stream=stream)
            assert answer.status == ours, (status, answer)
            if status != 401:
                assert play.system.want_err in asking.message(answer)


def embedded(stage: Stage, play: Play) -> None:
    vectors, _, usage = play.system.want
    for form in ("float", "base64"):
        body = {"model": play.model, "input": [PROMPT], "encoding_format": form}
        answer = stage.server.ask("POST", "/v1/embeddings", body)
        assert answer.status == 200, answer
        got = [asking.floats(row["embedding"]) for row in answer.body["data"]]
        assert got == [pytest.approx(vector) for vector in vectors]
        assert answer.body["usage"]["prompt_tokens"] == usage.get("prompt", 0)


Case = Callable[[Stage, Play], None]


def cases_of(system: System) -> list[Case]:
    if system.task == "embedding":
        return [embedded]
    if system.task != "text":
        return []
    cases: list[Case] = [once, seed] if system.want else []
    cases += [in_pieces, broken] if system.frames else [in_one]
    return [*cases, refused] if system.err else cases


EVERY = [(system, case) for system in KNOWN for case in cases_of(system)]


@pytest.mark.parametrize(("system", "case"), EVERY, ids=[f"{system.id}-{case.__name__}" for system, case in EVERY])
def test_every_registration(stage: Stage, system: System, case: Case) -> None:
    play = stage.on(system)
    case(stage, play)
    assert play.wrong == []
