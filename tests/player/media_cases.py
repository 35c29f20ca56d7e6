"""What must come of systems that make images and videos."""

from __future__ import annotations

from collections.abc import Callable

from tests.player import asking, making
from tests.player.failures import statuses
from tests.player.play import Play
from tests.player.scenes import Scene
from tests.player.stage import PROMPT, Stage
from tests.player.systems import System


def media_cases_of(system: System) -> list[Callable[[Stage, Play], None]]:
    cases = [drawn] if system.task == "image" else [filmed]
    cases += [linked]
    cases += [failed] if system.job else []
    return [*cases, undrawn if system.task == "image" else unfilmed] if system.err else cases


def drawn(stage: Stage, play: Play) -> None:
    for count in (1, 2):
        for form in ("url", "b64_json"):
            play.set(Scene(), PROMPT)
            images = making.images(stage.server, play.model, PROMPT, n=count, response_format=form)
            calls = 1 if play.makes_n else count
            assert images == (play.system.made * calls)[:count]
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
