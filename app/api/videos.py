"""/v1/videos: OpenAI's shape, from any video worker. Each video is a job, and its bytes are our own copy."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g, request

from app.api.answers import Headers, notice_headers
from app.api.auth import check_model
from app.api.edge import request_id, takes_forms
from app.api.form import read_fields
from app.api.media_file import send_media
from app.api.runtime import rollcall
from app.core.dialects.fields import refused
from app.core.dialects.videos import entry, parse
from app.core.job_record import Job
from app.core.json_text import json_bytes
from app.services.jobs import new_job_id
from app.services.video_jobs import content_of, find_video, notices_of, poll_after_s

blueprint = Blueprint("rollcall-videos", __name__)

MOST_LISTED = 100
USUALLY_LISTED = 20
ORDERS = ("asc", "desc")
VARIANT = "video"


@blueprint.post("/v1/videos")
@blueprint.post("/api/v1/videos")
@takes_forms
def create_video() -> Response:
    g.surface = "openai"
    wanted = parse(read_fields(), request_id())
    check_model(wanted.model)
    job = rollcall().jobs.start(wanted, job_id=new_job_id("video"))
    return _json(_entry(job, fresh=True), [*_told(job), *notice_headers(notices_of(job))])


@blueprint.get("/v1/videos")
@blueprint.get("/api/v1/videos")
def list_videos() -> Response:
    g.surface = "openai"
    limit, order = _limit(request.args.get("limit")), request.args.get("order", "desc")
    if order not in ORDERS:
        raise refused("order", "asc or desc", order)
    after = request.args.get("after") or None
    found = rollcall().jobs.page(task="video", after=after, limit=limit + 1, oldest_first=order == "asc")
    page = found[:limit]
    ends = {"first_id": page[0].id, "last_id": page[-1].id} if page else {"first_id": None, "last_id": None}
    rows = [_entry(job) for job in page]
    return _json({"object": "list", "data": rows, **ends, "has_more": len(found) > limit})


@blueprint.get("/v1/videos/<video_id>")
@blueprint.get("/api/v1/videos/<video_id>")
def show_video(video_id: str) -> Response:
    g.surface = "openai"
    job = find_video(rollcall().jobs, video_id)
    return _json(_entry(job), _told(job))


@blueprint.get("/v1/videos/<video_id>/content")
@blueprint.get("/api/v1/videos/<video_id>/content")
def download_video(video_id: str) -> Response:
    g.surface = "openai"
    variant = request.args.get("variant", VARIANT)
    if variant != VARIANT:
        raise refused("variant", f"{VARIANT}: thumbnails and the like are not made", variant)
    whole = rollcall()
    return send_media(content_of(find_video(whole.jobs, video_id), whole.media))


@blueprint.delete("/v1/videos/<video_id>")
@blueprint.delete("/api/v1/videos/<video_id>")
def delete_video(video_id: str) -> Response:
    g.surface = "openai"
    jobs = rollcall().jobs
    job = jobs.delete(find_video(jobs, video_id).id)
    return _json({"id": job.id, "object": "video.deleted", "deleted": True})


def _limit(text: str | None) -> int:
    if text is None:
        return USUALLY_LISTED
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= MOST_LISTED):
        raise refused("limit", f"a whole number from 1 to {MOST_LISTED}", text)
    return int(text)


def _entry(job: Job, *, fresh: bool = False) -> dict[str, Any]:
    return entry(job, rollcall().settings.media_keep_s, request.root_url.rstrip("/"), fresh=fresh)


def _told(job: Job) -> Headers:
    """Who makes it, and when to ask again: clients that wait for it obey the latter."""
    pause = ("openai-poll-after-ms", str(round(poll_after_s(job) * 1000)))
    return [pause] if job.worker_id is None else [pause, ("X-Rollcall-Worker", str(job.worker_id))]


def _json(body: dict[str, Any], headers: Headers | None = None) -> Response:
    return Response(json_bytes(body), 200, headers, content_type="application/json")
