"""One poll of one job: ask its worker, read the reply, copy what it made. Holds no transaction."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from app.core.conversation import Item, UpstreamRequest
from app.core.dialect import dialect_of
from app.core.errors import InvalidRequest, StorageUnavailable, UpstreamError
from app.core.fault import WorkerFault
from app.core.job import JobPlan, Poll
from app.core.job_record import Job, JobItem
from app.core.job_step import Pace, Polled
from app.core.language import LanguageError
from app.core.retry import wanted_pause_s
from app.core.template import Secrets
from app.core.worker import Worker
from app.services.contact import AttemptFailed, Contact
from app.services.media import Media, MediaFile
from app.services.routing import Router
from app.upstream.client import SendFailure

log = logging.getLogger(__name__)

POLL_S = 30.0
# The last poll of a job may take this long beyond the job's own end.
LAST_POLL_S = 3.0
UNKNOWN_TO_WORKER = (404, 410)
DEFAULT_TYPES = {"image": "image/png", "video": "video/mp4"}


@dataclass(frozen=True, slots=True)
class Poller:
    """Thread-safe."""

    router: Router
    media: Media
    secrets: Secrets

    def poll(self, job: Job) -> Polled:
        """Never raises: a fault of ours is trouble like any other, and the job is asked about again."""
        call = _Call(self, job)
        try:
            return call.poll()
        except SendFailure as failure:
            return Polled(trouble=failure.message, hopeless=failure.kind == "address_refused")
        except AttemptFailed as failed:
            hopeless = failed.failure.status in UNKNOWN_TO_WORKER
            wait_s = failed.failure.retry_after_s or 0.0
            return Polled(trouble=failed.failure.message, hopeless=hopeless, wait_s=wait_s)
        except (WorkerFault, InvalidRequest) as error:
            return Polled(trouble=call.redacted(error.message), hopeless=True)
        except (UpstreamError, StorageUnavailable) as error:
            return Polled(trouble=call.redacted(error.message))
        except LanguageError as error:
            return Polled(trouble=error.message, hopeless=True)
        except Exception:
            log.exception("A poll of job %s broke", job.id)
            return Polled(trouble="Rollcall stumbled over this poll; its log says how", hopeless=True)

    def kept(self, job: Job, items: Iterable[Item], headers: Mapping[str, str]) -> tuple[JobItem, ...]:
        """The items as they are stored, every file of them copied. Raises UpstreamError for base64 that is none."""
        return tuple(self._keep(job, item, headers) for item in items)

    def _keep(self, job: Job, item: Item, headers: Mapping[str, str]) -> JobItem:
        default_type = item.content_type or DEFAULT_TYPES.get(job.request.task, "")
        match item.kind:
            case "url":
                copy = self.media.keep_url(item.value, headers, job.id, default_type)
                return _as_stored("url", item.value, item.content_type, copy)
            case "b64":
                return _as_stored("media", None, "", self.media.keep_base64(item.value, default_type, job.id))
            case "bytes":
                return _as_stored("media", None, "", self.media.keep_bytes(item.value, default_type, job.id))
            case kind:
                return JobItem(kind, item.value, item.content_type)


def _as_stored(kind: str, value: str | None, content_type: str, copy: MediaFile | None) -> JobItem:
    if copy is None:
        return JobItem("url", value, content_type)
    return JobItem("url" if kind == "url" else "media", value, copy.content_type, copy.id)


def plan_of(worker: Worker) -> JobPlan:
    """Raises LanguageError, also when the worker has no jobs."""
    plan = dialect_of(worker).job
    if plan is None:
        raise LanguageError("the registration has no job block", 0, "job")
    return plan


def pace_of(job: Job) -> Pace:
    """A registration that cannot be read any more leaves no better guess than the end of the job."""
    try:
        plan = plan_of(job.worker) if job.worker else None
    except LanguageError:
        plan = None
    return Pace(plan.interval_s, plan.timeout_s) if plan else Pace(1.0, 60.0)


class _Call:
    """One poll. It remembers the access token that the worker took, for the downloads."""

    def __init__(self, poller: Poller, job: Job) -> None:
        self._poller = poller
        self._job = job
        self._upstream_id = job.upstream_id or ""
        self._contact: Contact | None = None
        self._token: str | None = None
        self._wait_s = 0.0

    def poll(self) -> Polled:
        worker = self._job.worker
        if worker is None:
            return Polled(trouble="the job has no worker", hopeless=True)
        plan = plan_of(worker)
        contact = self._contact = self._poller.router.contact(
            worker, deadline=time.monotonic() + self._patience_s(plan)
        )
        said, status = self._opened(contact, plan) if plan.streams else self._asked(contact, plan)
        if said.state == "done":
            return self._kept(contact, plan, said)
        message = None if said.error is None else contact.redacted(said.error)
        if said.state == "failed" and 200 <= status < 300:
            return Polled(failed=message or "The worker says that it failed")
        # A refusal is forgiven a few times: the poll may have come before the worker's other half heard of the job.
        hopeless = said.state == "failed" or status in UNKNOWN_TO_WORKER
        return Polled(progress=said.progress, trouble=message, hopeless=hopeless, wait_s=self._wait_s)

    def _patience_s(self, plan: JobPlan) -> float:
        if plan.streams:
            return plan.timeout_s
        left = POLL_S if self._job.deadline_at is None else self._job.deadline_at - self._job.due_at
        return min(max(left, LAST_POLL_S), POLL_S)

    def redacted(self, message: str) -> str:
        return message if self._contact is None else self._contact.redacted(message)

    def _asked(self, contact: Contact, plan: JobPlan) -> tuple[Poll, int]:
        job, reply = self._job, contact.ask(partial(self._request, contact.worker, plan))
        self._wait_s = wanted_pause_s(reply.status, reply.headers.get("retry-after"), time.time())
        content_type = reply.headers.get("content-type", "")
        said = plan.read(reply.status, reply.body, content_type, self._upstream_id, job.request, job.submit_reply)
        return said, reply.status

    def _opened(self, contact: Contact, plan: JobPlan) -> tuple[Poll, int]:
        job, stream = self._job, contact.open(partial(self._request, contact.worker, plan))
        try:
            chunks, content_type = stream.chunks(capped=True), stream.headers.get("content-type", "")
            said = plan.read_stream(chunks, content_type, self._upstream_id, job.request, job.submit_reply)
            return said, stream.status
        finally:
            stream.close()

    def _request(self, worker: Worker, plan: JobPlan, secrets: Secrets, token: str | None) -> UpstreamRequest:
        self._token = token
        return plan.poll(worker, self._upstream_id, self._job.submit_reply, self._job.request, secrets, token)

    def _kept(self, contact: Contact, plan: JobPlan, said: Poll) -> Polled:
        job, secrets = self._job, self._poller.secrets
        headers = plan.download_header(
            contact.worker, self._upstream_id, job.submit_reply, job.request, secrets, self._token
        )
        try:
            return Polled(items=self._poller.kept(job, said.items, headers))
        except UpstreamError as error:
            return Polled(failed=error.message)
