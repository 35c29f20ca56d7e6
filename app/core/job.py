"""The `job` block: work that is submitted, asked about until it is over, and fetched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.core.conversation import ChatRequest, Event, Item, UpstreamRequest
from app.core.template import Secrets
from app.core.worker import Worker

JobState = Literal["running", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Poll:
    """What one poll said. `progress` is 0 to 100.

    `error` of a failed job is its reason; of a running one it says why this poll told nothing (HTTP 503, say).
    """

    state: JobState
    items: tuple[Item, ...] = ()
    progress: float | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class JobPlan:
    """`interval_s` between polls, `timeout_s` after which the job has failed. `streams`: the poll's reply is itself a

    stream, opened once: read it with `events` (text) or `read_stream`, not with `read`.
    """

    interval_s: float
    timeout_s: float
    streams: bool

    def job_id(self, reply: Any) -> str:
        """From the parsed reply to the submit (Reader.submitted). Raises WorkerFault (empty) when it is missing."""
        raise NotImplementedError

    def poll(
        self,
        worker: Worker,
        job_id: str,
        submit_reply: Any,
        request: ChatRequest,
        secrets: Secrets,
        access_token: str | None = None,
    ) -> UpstreamRequest:
        """Raises WorkerFault when a URL out of the reply is none, InvalidRequest, and what `secrets` raises."""
        raise NotImplementedError

    def read(
        self,
        status: int,
        body: bytes,
        content_type: str,
        job_id: str,
        request: ChatRequest,
        submit_reply: Any = None,
    ) -> Poll:
        """What one poll's reply of any status means. Never raises."""
        raise NotImplementedError

    def events(self, chunks: Iterable[bytes], content_type: str, job_id: str = "") -> Iterator[Event]:
        """The text of a framed poll as it comes, ended by done_when. Raises WorkerFault, also after events."""
        raise NotImplementedError

    def read_stream(
        self,
        chunks: Iterable[bytes],
        content_type: str,
        job_id: str,
        request: ChatRequest,
        submit_reply: Any = None,
    ) -> Poll:
        """A framed poll read to its end: done or failed. Raises only what the chunks raise."""
        raise NotImplementedError

    def download_header(
        self,
        worker: Worker,
        job_id: str,
        submit_reply: Any,
        request: ChatRequest,
        secrets: Secrets,
        access_token: str | None = None,
    ) -> Mapping[str, str]:
        """What a download of the job's media is sent; empty unless `job.download.header` says so."""
        raise NotImplementedError
