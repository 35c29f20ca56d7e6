"""OpenAI's dialect of callers for videos: {model, prompt, …} → a job, told as a video object until it is over."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from app.core.conversation import ChatRequest
from app.core.dialects.fields import check_model, check_text, missing, refused
from app.core.errors import InvalidRequest
from app.core.job_record import Job, JobItem
from app.core.job_step import OUTCOME_UNKNOWN
from app.core.output import is_web_url

# What the object must say where the caller did not: OpenAI's own defaults. No worker is told.
USUAL_SECONDS = "4"
USUAL_SIZE = "720x1280"
_SECONDS = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)
_REFERENCE = "input_reference"


def parse(body: Any, request_id: str) -> ChatRequest:
    """Raises InvalidRequest naming the field. `input_reference` is a URL afterwards, http(s) or data."""
    if not isinstance(body, dict):
        raise InvalidRequest('The body must be an object such as {"model": "NAME", "prompt": "…"}.')
    check_model("model", body.get("model"))
    prompt = body.get("prompt")
    if not isinstance(prompt, str) or not prompt:
        wanted = "what the video shall show, a string"
        raise missing("prompt", wanted) if prompt in (None, "") else refused("prompt", wanted, prompt)
    if body.get("size") is not None:
        check_text("size", body["size"])
    if body.get("seconds") is not None:
        _check_seconds(body["seconds"])
    if body.get("n") not in (None, 1):
        raise refused("n", "1: ask for each video by itself", body["n"])
    words = {name: value for name, value in body.items() if name != "stream"}
    if body.get(_REFERENCE) is not None:
        words[_REFERENCE] = _reference(body[_REFERENCE])
    message = {"role": "user", "content": prompt}
    return ChatRequest(body["model"], (message,), words, False, request_id, task="video")


def _check_seconds(value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (_SECONDS.fullmatch(value) if isinstance(value, str) else number) or not 0 < float(value) < 1e9:
        raise refused("seconds", "a number above 0", value)


def _reference(given: Any) -> str:
    """The picture that a video begins with, in each of the ways to name one."""
    if isinstance(given, Mapping):
        if given.get("image_url") is None:
            raise InvalidRequest(
                "input_reference.image_url is missing; files cannot be named by id, none are kept here.",
                field=_REFERENCE,
            )
        given = given["image_url"]
    if not isinstance(given, str) or not (is_web_url(given) or given[:5].lower() == "data:"):
        raise refused(_REFERENCE, "one file, or an http(s) or data URL", given)
    return given


def entry(job: Job, keep_s: float, origin: str, *, fresh: bool = False) -> dict[str, Any]:
    """The video object. `keep_s`: how long after its end a job is kept. `fresh`: this very request began the job.

    `origin`: how this caller reaches us, such as http://127.0.0.1:8007.
    """
    asked = job.request.body
    done = job.state == "done"
    return {
        "id": job.id,
        "object": "video",
        "created_at": int(job.created_at),
        "completed_at": _whole(job.finished_at),
        "expires_at": _whole(job.finished_at and job.finished_at + keep_s) if done else None,
        "model": job.model_name,
        "status": _status(job, fresh),
        "progress": 100 if done else int(job.progress or 0),
        "prompt": job.request.messages[-1]["content"],
        "seconds": _seconds(asked.get("seconds")),
        "size": str(asked.get("size") or USUAL_SIZE),
        "error": _error(job) if job.is_finished and not done else None,
        "remixed_from_video_id": None,
        **({"results": [_result(item, origin) for item in job.items]} if done else {}),
    }


def _status(job: Job, fresh: bool) -> str:
    if not job.is_finished:
        return "queued" if fresh else "in_progress"
    return "completed" if job.state == "done" else "failed"


def _error(job: Job) -> dict[str, str]:
    if job.state == "cancelled":
        return {"code": "cancelled", "message": job.error or "The job was cancelled."}
    code = "outcome_unknown" if job.error == OUTCOME_UNKNOWN else "upstream_error"
    return {"code": code, "message": job.error or "The worker failed, and did not say why."}


def _result(item: JobItem, origin: str) -> dict[str, Any]:
    """A kept file is named by our own link to it, what is no file by its value."""
    if item.media is not None:
        return {"url": f"{origin}/v1/media/{item.media}", "content_type": item.content_type}
    return {item.kind: item.value}


def _seconds(given: Any) -> str:
    if given is None:
        return USUAL_SECONDS
    return f"{given:g}" if isinstance(given, float) else str(given)


def _whole(time: float | None) -> int | None:
    return None if time is None else int(time)
