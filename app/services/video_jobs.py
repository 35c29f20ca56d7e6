"""Videos: jobs whose result is a file of ours."""

from __future__ import annotations

from app.core.dialect import dialect_of
from app.core.errors import Conflict, NotFound, UpstreamError
from app.core.job_record import Job
from app.core.language import LanguageError
from app.services.job_polling import pace_of
from app.services.jobs import Jobs
from app.services.media import Media, MediaFile

LEAST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 10.0
SHOWN = 80


def find_video(jobs: Jobs, video_id: str) -> Job:
    """Raises NotFound, also for a job of another task."""
    try:
        job = jobs.get(video_id)
    except NotFound:
        job = None
    if job is None or job.request.task != "video":
        raise NotFound(f"There is no video {video_id[:SHOWN]!r}; GET /v1/videos lists them.", field="video_id")
    return job


def content_of(job: Job, media: Media) -> MediaFile:
    """Our copy of the first file that the worker made.

    Raises Conflict while the job goes on, UpstreamError where it failed or its link gave no file, and NotFound where
    the worker made no file that we could have, or it is not kept any more.
    """
    if not job.is_finished:
        raise Conflict(
            f"The video is not finished ({job.progress or 0:.0f} %); GET /v1/videos/{job.id} says when it is.",
            code="video_not_ready",
            retry_after_s=poll_after_s(job),
            should_retry=False,
        )
    if job.state != "done":
        why = (job.error or "it does not say why").strip().rstrip(".")
        raise UpstreamError(f"There is no video, the job failed: {why}.", should_retry=False)
    kept = next((item.media for item in job.items if item.media), None)
    if kept is None:
        raise _no_file(job)
    file = media.find(kept)
    if file is None:
        raise NotFound("This video is not kept any more.", field="video_id")
    return file


def poll_after_s(job: Job) -> float:
    """How soon there may be news of it."""
    return min(max(pace_of(job).interval_s, LEAST_PAUSE_S), LONGEST_PAUSE_S)


def notices_of(job: Job) -> tuple[str, ...]:
    """What of the request its worker is not told, once the worker is known."""
    try:
        return dialect_of(job.worker).notices(job.request) if job.worker else ()
    except LanguageError:
        return ()


def _no_file(job: Job) -> NotFound | UpstreamError:
    kind = job.items[0].kind if job.items else ""
    if kind == "url":
        return UpstreamError("The worker's link gave no file when the job was done.", should_retry=False)
    if kind == "path":
        return NotFound("The video lies on the worker's own disk; its path stands in `results`.", field="video_id")
    return NotFound("The worker answered with no file; what it said stands in `results`.", field="video_id")
