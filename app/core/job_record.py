"""A job as it is stored: a model call that outlives its request, with all that is needed to go on asking for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from app.core.carrying import is_data_url
from app.core.conversation import ChatRequest
from app.core.worker import Worker

State = Literal["submitting", "running", "done", "failed", "cancelled"]
ItemKind = Literal["text", "url", "path", "json", "media"]

# What a poll needs of a worker that may be changed or gone by then.
_WORKER_NAMES = ("id", "model_name", "url", "instance", "owner", "worker_type", "upstream_model", "spec")


@dataclass(frozen=True, slots=True)
class JobItem:
    """One result. `media` is the id of our copy; None of a url: it could not be fetched.

    `kind` "media": bytes that only exist as our copy, `value` is None.
    """

    kind: ItemKind
    value: Any = None
    content_type: str = ""
    media: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """Times are UTC seconds since 1970 of the database's clock. `progress` is 0 to 100.

    submitting: the worker is being asked (by a worker without jobs: until its answer is there). running: it has the
    job, `due_at` is the next poll, `deadline_at` the end of our patience. `worker` is None until a worker took it.
    `claimed_by` is the process that works on it now, "" when none does; its claim ends at `claimed_until`.
    `failures` counts polls that told nothing, one after another; `error` of a running job is why the last one did not.
    """

    id: str
    request: ChatRequest
    state: State
    created_at: float
    worker: Worker | None = None
    upstream_id: str | None = None
    submit_reply: Any = None
    progress: float | None = None
    error: str | None = None
    items: tuple[JobItem, ...] = ()
    failures: int = 0
    due_at: float = 0.0
    planned_at: float = 0.0
    deadline_at: float | None = None
    finished_at: float | None = None
    claimed_by: str = ""
    claimed_until: float = 0.0

    @property
    def is_finished(self) -> bool:
        return self.state not in ("submitting", "running")

    @property
    def model_name(self) -> str:
        return self.request.model

    @property
    def worker_id(self) -> int | None:
        return self.worker.id if self.worker else None


def request_text(request: ChatRequest) -> str:
    """Files that came with the request are left out: no poll asks for them."""
    values = {field.name: getattr(request, field.name) for field in fields(request)}
    body = {name: None if is_data_url(value) else value for name, value in request.body.items()}
    return _text({**values, "body": body})


def request_of(text: str) -> ChatRequest:
    values = json.loads(text)
    return ChatRequest(**{**values, "messages": tuple(values["messages"])})


def worker_text(worker: Worker) -> str:
    return _text({name: getattr(worker, name) for name in _WORKER_NAMES})


def worker_of(text: str) -> Worker:
    """It can be asked, but never picked: it belongs to no pool."""
    return Worker(**json.loads(text), weight=0, admin="offline", created_at=0.0, updated_at=0.0)


def items_text(items: tuple[JobItem, ...]) -> str:
    return _text([{field.name: getattr(item, field.name) for field in fields(item)} for item in items])


def items_of(text: str) -> tuple[JobItem, ...]:
    return tuple(JobItem(**item) for item in json.loads(text))


def _text(value: Mapping[str, Any] | list[Any]) -> str:
    return json.dumps(value, separators=(",", ":"), default=_left_out)


def _left_out(value: object) -> Any:
    return dict(value) if isinstance(value, Mapping) else None
