"""The `job` block: work that is submitted, asked about until it is over, and fetched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.core.answer import path_of
from app.core.call_headers import rendered_headers
from app.core.conversation import ChatRequest, Event, Item, UpstreamRequest
from app.core.echo import refined
from app.core.extract import Path
from app.core.fault import WorkerFault, one_line
from app.core.job_reading import JobReading, JobState, Poll
from app.core.language import LanguageError, text_of
from app.core.limits import Limits
from app.core.messages import MessagePlan
from app.core.outgoing import Call, compile_call, compile_url_at
from app.core.replies import no_answer
from app.core.reply_json import text_of_body
from app.core.template import Secrets, Template, compile_tree
from app.core.urls import check_url
from app.core.values import named_values
from app.core.worker import Worker

__all__ = ["JobPlan", "JobState", "Poll", "compile_job"]

_INTERVAL_S = 2.0
_TIMEOUT_S = 600.0
_MAX_ID = 1000
_NO_ID = "-"


@dataclass(frozen=True, slots=True)
class JobPlan:
    """`interval_s` between polls, `timeout_s` after which the job has failed. `streams`: the poll's reply is itself a

    stream, opened once: read it with `events` (text) or `read_stream`, not with `read`.
    """

    interval_s: float
    timeout_s: float
    streams: bool
    reading: JobReading
    call: Call
    download: Template | None
    _id: Path | None
    _plan: MessagePlan

    def job_id(self, reply: Any) -> str:
        """From the parsed reply to the submit (Reader.submitted). Raises WorkerFault (empty) when it is missing."""
        if self._id is None:
            return _NO_ID
        found = self._id.find(reply)
        if found is None or isinstance(found, dict | list | bool) or not text_of(found).strip():
            raise no_answer(self._id, reply, text_of(reply), "id of its job")
        job_id = text_of(found).strip()
        if len(job_id) > _MAX_ID or not job_id.isprintable():
            raise WorkerFault(f"The worker's job has an id that is none: {one_line(job_id, 80)}", "wrong_type")
        return job_id

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
        values = self._values(worker, job_id, submit_reply, request, access_token)
        asked = self.call.rendered(worker.url, values, secrets, request)
        try:
            check_url(asked.url, "")
        except LanguageError as error:
            fault = f"The worker's reply to the submit leads to no URL that may be called: {error.message}"
            raise WorkerFault(fault, "wrong_type") from None
        return asked

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
        try:
            if not 200 <= status < 300:
                return self.reading.refused(status, body)
            if (item := self.reading.bytes_in(status, body, content_type)) is not None:
                return Poll("done", (item,), 100.0)
            raw = text_of_body(body, content_type)
            return self.reading.read(raw, job_id, self._told(job_id, submit_reply, request))
        except WorkerFault as fault:
            return Poll("failed", error=fault.message)

    def events(self, chunks: Iterable[bytes], content_type: str, job_id: str = "") -> Iterator[Event]:
        """The text of a framed poll as it comes, ended by done_when. Raises WorkerFault, also after events."""
        events = self.reading.events(chunks, job_id)
        output = self.reading.output
        return refined(events, output, ()) if output.search is not None else events

    def read_stream(
        self,
        chunks: Iterable[bytes],
        content_type: str,
        job_id: str,
        request: ChatRequest,
        submit_reply: Any = None,
    ) -> Poll:
        """A framed poll read to its end: done or failed. Raises only what the chunks raise."""
        try:
            if self.reading.is_text:
                text = "".join(event.text for event in self.events(chunks, content_type, job_id))
                return Poll("done", (Item("text", text),), 100.0)
            return self.reading.last_frame(chunks, job_id, self._told(job_id, submit_reply, request))
        except WorkerFault as fault:
            return Poll("failed", error=fault.message)

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
        if self.download is None:
            return {}
        values = self._values(worker, job_id, submit_reply, request, access_token)
        return rendered_headers(self.download, values, secrets)

    def parts(self) -> Iterator[Template]:
        """The templates that a caller, the job and a token have values for; not the result's."""
        yield from self.call.parts()
        if self.download is not None:
            yield self.download

    def _values(
        self, worker: Worker, job_id: str, reply: Any, request: ChatRequest, access_token: str | None
    ) -> dict[str, Any]:
        model = worker.upstream_model or worker.model_name
        values = named_values(model, request, self._plan, self.streams, self.call.carried.names)
        return {**values, "JOB_ID": job_id, "RESP": reply, "ACCESS_TOKEN": access_token}

    def _told(self, job_id: str, reply: Any, request: ChatRequest) -> dict[str, Any]:
        return {"JOB_ID": job_id, "RESP": reply, "REQUEST_ID": request.request_id, "REQUEST": request.body}


def compile_job(spec: Mapping[str, Any], reading: JobReading, plan: MessagePlan, limits: Limits) -> JobPlan:
    """Raises LanguageError."""
    block = spec["job"]
    own, download = block.get("header"), (block.get("download") or {}).get("header")
    words = {
        "req_type": block.get("req_type") or "GET",
        "req_url_template": block.get("req_url_template"),
        "header": spec.get("header") if own is None else own,
    }
    if not words["req_url_template"]:
        raise LanguageError("a job is asked about at job.req_url_template, which is missing", 0, _URL)
    compile_url_at(words["req_url_template"], _URL, limits)
    id_path = block.get("id_extract")
    return JobPlan(
        interval_s=block.get("interval_s") or _INTERVAL_S,
        timeout_s=block.get("timeout_s") or spec.get("timeout_s") or _TIMEOUT_S,
        streams=bool(block.get("framing")),
        reading=reading,
        call=compile_call(words, "", "job.", openai_shaped=False, limits=limits),
        download=compile_tree(dict(download), "job.download.header", limits) if download else None,
        _id=path_of(id_path, "job.id_extract") if id_path else None,
        _plan=plan,
    )


_URL = "job.req_url_template"
