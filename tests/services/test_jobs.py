"""Jobs through their public door: submitted once, polled until they end, finished with copies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from app.core.errors import RollcallError
from app.core.job_record import JobItem
from tests.fakes import FakeUpstream, bytes_answer, drop, html_answer, json_answer
from tests.services.job_rig import (
    Host,
    Studio,
    World,
    done,
    failing,
    running,
    video,
    video_worker,
)


def test_from_submit_to_a_copy_of_the_result(world: World) -> None:
    studio = Studio(running(), running(0.4))
    with FakeUpstream(studio) as upstream:
        host = Host(world, video_worker(upstream.url))
        job = host.start(video("a cat", seconds=4))
        assert (job.state, job.upstream_id, job.worker_id) == ("running", "t-1", 1)
        assert replace(host.jobs.get(job.id), worker=None) == replace(job, worker=None)
        assert host.step(job, after=1.0).due_at == job.due_at, "not due yet"
        assert studio.submits == len(studio.asked) == 1
        assert host.step(job).progress is None
        assert host.step(job).progress == 40.0
        studio.polls = [done(upstream.origin + "/out/v.mp4")]
        finished = host.step(job)
        assert (finished.state, finished.progress, finished.error) == ("done", 100.0, None)
        assert finished.finished_at == world.wall
        (item,) = finished.items
        assert item.media is not None
        assert item == JobItem("url", upstream.origin + "/out/v.mp4", "video/mp4", item.media)
        assert host.media.read(item.media) == b"MP4"
        asked = len(studio.asked)
        host.step(job, after=100.0)
        assert len(studio.asked) == asked, "nobody asks about a finished job"
    assert upstream.requests[0].json == {"prompt": "a cat", "seconds": 4}
    assert upstream.requests[1].headers["authorization"] == "Bearer canary-credential-1"
    assert "authorization" not in upstream.requests[-1].headers, "a download is sent no credentials unless it says so"


@pytest.mark.parametrize(
    ("submit", "status", "says"),
    [
        (json_answer({"error": {"message": "bad prompt canary-credential-1"}}, 400), 400, "bad prompt"),
        (json_answer({"error": "no credit"}), 502, "no credit"),
        (json_answer({"status": "queued"}), 502, "id"),
        (html_answer(), 502, ""),
        (drop(), 502, ""),
    ],
    ids=["400", "200-error", "no id", "html", "drop"],
)
def test_a_submit_that_fails_is_the_callers_and_leaves_no_job(
    sqlite_world: World, submit: Callable[..., None], status: int, says: str
) -> None:
    with FakeUpstream(Studio(running(), submit=submit)) as upstream:
        host = Host(sqlite_world, video_worker(upstream.url))
        with pytest.raises(RollcallError) as caught:
            host.start()
    assert (caught.value.status, says in caught.value.message) == (status, True)
    assert "canary" not in caught.value.message
    assert host.jobs.page() == []


def test_a_failed_job_says_why_and_tells_no_secret(sqlite_world: World) -> None:
    with FakeUpstream(Studio(failing("moderated for canary-credential-1"))) as upstream:
        host = Host(sqlite_world, video_worker(upstream.url))
        job = host.step(host.start())
    assert job.state == "failed"
    assert job.error is not None
    assert job.error.startswith("moderated for ")
    assert "canary" not in job.error


def test_a_job_that_the_worker_does_not_know_is_forgiven_a_few_times(sqlite_world: World) -> None:
    unknown = json_answer({"detail": "no such task"}, 404)
    with FakeUpstream(Studio(unknown, unknown, running(), unknown)) as upstream:
        host = Host(sqlite_world, video_worker(upstream.url))
        job = host.start()
        states = [host.step(job, after=100.0).state for _ in range(7)]
        assert states == ["running"] * 6 + ["failed"]
        assert "no such task" in (host.jobs.get(job.id).error or "")


def test_polls_that_fail_are_tried_again_until_the_job_is_over(sqlite_world: World) -> None:
    with FakeUpstream(Studio(json_answer({"error": "busy"}, 503), drop())) as upstream:
        host = Host(sqlite_world, video_worker(upstream.url))
        job = host.start()
        assert "503" in (host.step(job).error or "")
        upstream.stop()
        for _ in range(8):  # the jitter makes the longest pause up to 66 s
            assert host.step(job, after=67.0).state == "running"
        over = host.step(job, after=67.0)
    assert over.state == "failed"
    assert over.error is not None
    assert over.error.startswith("The job did not finish within 600 s (job.timeout_s)")


def test_a_poll_that_never_ends_runs_out_of_time(sqlite_world: World) -> None:
    with FakeUpstream(Studio(running())) as upstream:
        host = Host(sqlite_world, video_worker(upstream.url, {"timeout_s": 30}))
        job = host.start()
        states = [host.step(job, after=8.0).state for _ in range(5)]
    assert states == ["running"] * 3 + ["failed"] * 2
    assert "30 s" in (host.jobs.get(job.id).error or "")


def test_an_unreachable_result_completes_without_a_copy(sqlite_world: World) -> None:
    studio = Studio(running())
    with FakeUpstream(studio) as upstream:
        host = Host(sqlite_world, video_worker(upstream.url))
        job = host.start()
        studio.polls = [done(upstream.origin + "/out/1.mp4", "http://127.0.0.1:1/2.mp4")]
        studio.file = bytes_answer(b"", 404)
        finished = host.step(job)
    assert finished.state == "done"
    assert [item.media for item in finished.items] == [None, None]
    assert finished.items[0].value == upstream.origin + "/out/1.mp4"


def test_base64_becomes_media_and_what_is_none_fails_the_job(sqlite_world: World) -> None:
    studio = Studio(json_answer({"status": "done", "output": "aGk="}))
    with FakeUpstream(studio) as upstream:
        host = Host(sqlite_world, video_worker(upstream.url, output={"type": "video", "as": "b64"}))
        finished = host.step(host.start())
        (item,) = finished.items
        assert (item.kind, item.value, item.content_type) == ("media", None, "video/mp4")
        assert item.media is not None
        assert host.media.read(item.media) == b"hi"
        studio.polls = [json_answer({"status": "done", "output": "not base64!"})]
        bad = host.step(host.start())
    assert bad.state == "failed"
    assert "base64" in (bad.error or "")


def test_a_download_is_sent_what_its_header_says(sqlite_world: World) -> None:
    studio = Studio(running())
    with FakeUpstream(studio) as upstream:
        download = {"download": {"header": {"X-Fetch": "yes"}}}
        host = Host(sqlite_world, video_worker(upstream.url, download))
        job = host.start()
        studio.polls = [done(upstream.origin + "/out/v.mp4")]
        assert host.step(job).items[0].media is not None
    assert upstream.requests[-1].headers["x-fetch"] == "yes"
