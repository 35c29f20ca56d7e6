"""What must come of a system when callers ask for it: the same for all, chosen by what its record says of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.player import asking, making
from tests.player.cuts import awkwardly, half
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
ERROR_STATUS = {200: 502, 400: 400, 401: 502, 422: 422, 429: 429, 500: 502, 503: 503}
RETRIED_STATUS = {200: 502, 400: 502, 401: 502, 422: 502, 429: 429, 500: 502, 503: 503}
LINE_ENDS = {"sse": ("", "\r\n", "\r"), "ndjson": ("", "\r\n")}


def cases_of(system: System) -> list[Case]:
    if system.task == "embedding":
        return [embedded]
    if system.task != "text":
        return _media_cases(system)
    cases: list[Case] = [once, seed, other_shapes] if system.want else []
    if system.frames:
        cases += [in_pieces, broken]
    elif system.want:
        cases += [in_one]
    return [*cases, refused] if system.err else cases


def _media_cases(system: System) -> list[Case]:
    cases: list[Case] = [drawn] if system.task == "image" else [filmed]
    cases += [linked]
    cases += [failed] if system.job else []
    return [*cases, undrawn if system.task == "image" else unfilmed] if system.err else cases


def finish_of(word: str | None) -> str:
    return "stop" if word is None else next(ours for ours, words in FINISH_OF.items() if word in words.split())


def statuses(play: Play) -> list[tuple[int, int]]:
    """The worker's, and the caller's. Where another worker was worth asking, and there is none, the fault is ours."""
    return list((RETRIED_STATUS if play.system.err_retried else ERROR_STATUS).items())


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


def embedded(stage: Stage, play: Play) -> None:
    vectors, _, usage = play.system.want
    for form in ("float", "base64"):
        body = {"model": play.model, "input": [PROMPT], "encoding_format": form}
        answer = stage.server.ask("POST", "/v1/embeddings", body)
        assert answer.status == 200, answer
        got = [asking.floats(row["embedding"]) for row in answer.body["data"]]
        assert got == [pytest.approx(vector) for vector in vectors]
        assert answer.body["usage"]["prompt_tokens"] == usage.get("prompt", 0)


def drawn(stage: Stage, play: Play) -> None:
    for count in (1, 2):
        for form in ("url", "b64_json"):
            play.set(Scene(), PROMPT)
            images = making.images(stage.server, play.model, PROMPT, n=count, response_format=form)
            calls = 1 if play.makes_n else count
            assert images == play.system.made * calls
            assert play.calls == calls


def filmed(stage: Stage, play: Play) -> None:
    video = making.video(stage.server, play.model, PROMPT)
    assert video["status"] == "completed", video
    assert video["progress"] == 100
    assert making.content(stage.server, video) == play.system.made[0]
    assert not play.system.job or (play.calls, play.polls) == (1, len(play.states))
    assert not play.system.job or play.system.job["id"] not in video["id"]


def linked(stage: Stage, play: Play) -> None:
    """The seed's shape gives the URL of the first."""
    assert making.fetched(asking.seed(stage.server, play.model, PROMPT)) == play.system.made[0]


def failed(stage: Stage, play: Play) -> None:
    """The job was taken, and came to nothing."""
    play.set(Scene(fails=True), PROMPT)
    if play.system.task == "image":
        answer = making.draw(stage.server, play.model, PROMPT)
        assert answer.status == 502, answer
        message = asking.message(answer)
    else:
        video = making.video(stage.server, play.model, PROMPT)
        assert video["status"] == "failed", video
        message = video["error"]["message"]
        assert making.content(stage.server, video) is None
    assert play.system.want_failed in message
    assert play.system.want_failed


def undrawn(stage: Stage, play: Play) -> None:
    for status, ours in statuses(play):
        play.set(Scene(err=status), PROMPT)
        answer = making.draw(stage.server, play.model, PROMPT)
        assert answer.status == ours, (status, answer)
        assert status == 401 or play.system.want_err in asking.message(answer)


def unfilmed(stage: Stage, play: Play) -> None:
    """A worker with jobs refuses at once; another one while it works in the background."""
    for status, ours in statuses(play):
        play.set(Scene(err=status), PROMPT)
        answer = making.film(stage.server, play.model, PROMPT)
        if play.system.job:
            assert answer.status == ours, (status, answer)
            message = asking.message(answer)
        else:
            assert answer.status == 200, answer
            message = making.ended(stage.server, answer.body)["error"]["message"]
        assert status == 401 or play.system.want_err in message
