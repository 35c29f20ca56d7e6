"""Jobs as OpenAI's video objects."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.conversation import ChatRequest
from app.core.dialects.videos import entry, parse
from app.core.job_record import Job, JobItem
from app.core.job_step import OUTCOME_UNKNOWN

ASK = {"model": "m", "prompt": "a cat"}


def job(state: Any, request: ChatRequest | None = None, **more: Any) -> Job:
    return Job("video_1", request or parse(ASK, "r"), state, 1000.9, **more)


def shown(job: Job, **more: Any) -> dict[str, Any]:
    return entry(job, 60.0, "http://here", **more)


def test_one_that_goes_on() -> None:
    whole = shown(job("running", progress=39.9, error="HTTP 503: busy"))
    assert whole == {
        "id": "video_1",
        "object": "video",
        "created_at": 1000,
        "completed_at": None,
        "expires_at": None,
        "model": "m",
        "status": "in_progress",
        "progress": 39,
        "prompt": "a cat",
        "seconds": "4",
        "size": "720x1280",
        "error": None,
        "remixed_from_video_id": None,
    }
    assert shown(job("running"), fresh=True) == {**whole, "status": "queued", "progress": 0}
    assert shown(job("submitting"))["status"] == "in_progress"


def test_one_that_is_done() -> None:
    items = (JobItem("url", "http://cdn/1", "video/mp4", "f1"), JobItem("url", "http://cdn/2"), JobItem("path", "/v"))
    done = shown(job("done", finished_at=2000.5, progress=40, items=items), fresh=True)
    assert {name: done[name] for name in ("status", "progress", "completed_at", "expires_at", "results")} == {
        "status": "completed",
        "progress": 100,
        "completed_at": 2000,
        "expires_at": 2060,
        "results": [
            {"url": "http://here/v1/media/f1", "content_type": "video/mp4"},
            {"url": "http://cdn/2"},
            {"path": "/v"},
        ],
    }


@pytest.mark.parametrize(
    ("state", "error", "code", "message"),
    [
        ("failed", "moderated", "upstream_error", "moderated"),
        ("failed", None, "upstream_error", "The worker failed, and did not say why."),
        ("failed", OUTCOME_UNKNOWN, "outcome_unknown", OUTCOME_UNKNOWN),
        ("cancelled", None, "cancelled", "The job was cancelled."),
    ],
)
def test_one_that_failed(state: Any, error: str | None, code: str, message: str) -> None:
    failed = shown(job(state, error=error, finished_at=2000.5, progress=40))
    assert (failed["status"], failed["progress"], failed["expires_at"]) == ("failed", 40, None)
    assert failed["error"] == {"code": code, "message": message}
    assert "results" not in failed


@pytest.mark.parametrize(
    ("given", "seconds", "size"),
    [
        ({"seconds": "12", "size": "1280x720"}, "12", "1280x720"),
        ({"seconds": 8}, "8", "720x1280"),
        ({"seconds": 8.0, "size": ""}, "8", "720x1280"),
        ({"seconds": "4.5", "size": "16:9"}, "4.5", "16:9"),
    ],
)
def test_lengths_and_sizes_come_back_as_they_were_given(given: dict[str, Any], seconds: str, size: str) -> None:
    request = parse({**ASK, **given}, "r")
    assert dict(request.body) == {**ASK, **given}
    whole = shown(job("running", request))
    assert (whole["seconds"], whole["size"]) == (seconds, size)


def test_a_job_that_came_in_the_small_shape() -> None:
    message = {"role": "user", "content": "a cat"}
    body = {"model_name": "m", "input": "a cat", "seconds": [1], "size": 7}
    whole = shown(job("running", ChatRequest("m", (message,), body, False, "r", "video")))
    assert (whole["prompt"], whole["seconds"], whole["size"]) == ("a cat", "[1]", "7")


@pytest.mark.parametrize(
    "given", ["https://cdn/cat.png", {"image_url": "https://cdn/cat.png"}, "data:image/png;base64,iVBORw=="]
)
def test_every_way_to_name_a_picture_is_a_url(given: Any) -> None:
    url = given if isinstance(given, str) else given["image_url"]
    assert parse({**ASK, "input_reference": given, "stream": False}, "r").body == {**ASK, "input_reference": url}
