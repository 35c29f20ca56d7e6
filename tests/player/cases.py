"""What must come of a system when callers ask for it: the same for all, chosen by what its record says of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.player import asking, making
from tests.player.cuts import awkwardly, half
from tests.player.failures import statuses
from tests.player.media_cases import filmed, media_cases_of
from tests.player.play import Play
from tests.player.scenes import Scene, lively
from tests.player.stage import PROMPT, Stage
from tests.player.systems import System

Case = Callable[[Stage, Play], None]

FINISH_OF = {
    "stop": "stop completed end_turn stop_sequence eos eos_token word COMPLETE STOP_SEQUENCE STOP pause_turn abort",
    "length": "length max_tokens MAX_TOKENS limit max_output_tokens model_context_window_exceeded",
    "tool_calls": "tool_calls tool_use TOOL_CALL",
    "content_filter": "content_filter refusal SAFETY RECITATION BLOCKLIST PROHIBITED_CONTENT SPII CONTENT_FILTERED",
}
LINE_ENDS = {"sse": ("", "\r\n", "\r"), "ndjson": ("", "\r\n")}


def cases_of(system: System) -> list[Case]:
    if system.task == "embedding":
        return [embedded]
    if system.task != "text":
        return media_cases_of(system)
    cases: list[Case] = [once, seed, other_shapes] if system.want else []
    if system.frames:
        cases += [in_pieces, broken]
    elif system.want:
        cases += [in_one]
    cases += [unwritten] if system.want_failed else []
    return [*cases, refused] if system.err else cases


def finish_of(word: str | None) -> str:
    return "stop" if word is None else next(ours for ours, words in FINISH_OF.items() if word in words.split())


def agrees(told: asking.Told, want: list[Any], text: str | None = None) -> None:
    assert told.text == (want[0] if text is None else text)
    assert told.finish == finish_of(want[1])
    counts = {"prompt": "prompt_tokens", "completion": "completion_tokens"}
    assert {name: told.usage[counts[name]] for name in want[2]} == want[2]
    assert told.error == ""
    assert told.whole


def asked(stage: Stage, play: Play) -> None:
    """Each way to ask it, once."""
    if play.system.task == "text":
        once(stage, play)
        agrees(asking.streamed(stage.server, play.model, PROMPT), play.system.want_stream or play.system.want)
    elif play.system.task == "image":
        assert making.images(stage.server, play.model, PROMPT, response_format="url") == play.system.made
    elif play.system.task == "video":
        filmed(stage, play)
    else:
        embedded(stage, play)


def once(stage: Stage, play: Play) -> None:
    agrees(asking.once(stage.server, play.model, PROMPT), play.system.want)
    assert play.calls == 1


def seed(stage: Stage, play: Play) -> None:
    assert asking.seed(stage.server, play.model, PROMPT) == play.system.want[0]


def other_shapes(stage: Stage, play: Play) -> None:
    text, finish = play.system.want[0], finish_of(play.system.want[1])
    assert asking.completion(stage.server, play.model, PROMPT) == (text, finish)
    reason = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}[finish]
    assert asking.message_text(stage.server, play.model, PROMPT) == (text, reason)


def in_pieces(stage: Stage, play: Play) -> None:
    """In whatever pieces and with whatever line ends the bytes come."""
    want = play.system.want_stream
    for end in LINE_ENDS.get(play.framing, ("",)):
        play.set(Scene(end=end), PROMPT)
        agrees(asking.streamed(stage.server, play.model, PROMPT), want)
        play.set(Scene(end=end, lively=True, cut=awkwardly, framing="eof" if end else "chunked"), PROMPT)
        agrees(asking.streamed(stage.server, play.model, PROMPT), want, lively(want[0]))
        assert play.calls == 1


def in_one(stage: Stage, play: Play) -> None:
    """A caller wants a stream of a worker that has none."""
    agrees(asking.streamed(stage.server, play.model, PROMPT), play.system.want)


def broken(stage: Stage, play: Play) -> None:
    """A stream that stops without its end is an error, where the system's streams have one."""
    if not play.marks_its_end:
        return
    play.set(Scene(cut=half), PROMPT)
    answer = asking.chat(stage.server, play.model, PROMPT, stream=True)
    if answer.status == 200:
        told = asking.told(answer.body)
        assert (told.whole, told.finish) == (False, None)
        assert "ended in the middle" in told.error
    else:
        assert answer.status == 502
        assert "ended in the middle" in asking.message(answer)


def refused(stage: Stage, play: Play) -> None:
    for status, ours in statuses(play):
        play.set(Scene(err=status), PROMPT)
        for stream in (False, True):
            answer = asking.chat(stage.server, play.model, PROMPT, stream=stream)
            assert answer.status == ours, (status, answer)
            # A refused credential is the registration's, and what is said of it not the caller's.
            assert status == 401 or play.system.want_err in asking.message(answer)


def unwritten(stage: Stage, play: Play) -> None:
    """The worker took the job of writing, and came to nothing."""
    play.set(Scene(fails=True), PROMPT)
    for stream in (False, True):
        answer = asking.chat(stage.server, play.model, PROMPT, stream=stream)
        assert answer.status == 502, answer
        assert play.system.want_failed in asking.message(answer)


def embedded(stage: Stage, play: Play) -> None:
    vectors, _, usage = play.system.want
    for form in ("float", "base64"):
        body = {"model": play.model, "input": [PROMPT], "encoding_format": form}
        answer = stage.server.ask("POST", "/v1/embeddings", body)
        assert answer.status == 200, answer
        got = [asking.floats(row["embedding"]) for row in answer.body["data"]]
        assert got == [pytest.approx(vector) for vector in vectors]
        assert answer.body["usage"]["prompt_tokens"] == usage.get("prompt", 0)
