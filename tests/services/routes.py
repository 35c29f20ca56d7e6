"""A router over real socket workers, without a database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from app.core.conversation import ChatRequest, Task
from app.core.registration import parse_registration
from app.core.selection import Pool
from app.core.worker import Worker
from app.services.fleet import Fleet, Snapshot
from app.services.routing import Router
from app.services.verdicts import Verdicts
from app.settings import Settings
from app.upstream.client import Client

OPENAI = {
    "header": {"Authorization": "Bearer canary-credential-1"},
    "body": {"model": "{MODEL_NAME}", "messages": "{MESSAGES}", "stream": "{STREAM}"},
    "response_extract": "choices[].message.content",
    "stream": {"framing": "sse", "done": "[DONE]"},
}
PLAIN = {"body": {"prompt": "{USER_PROMPT}"}, "response_extract": "answer"}
STREAM_ONLY = {"body": {"prompt": "{USER_PROMPT}"}, "response_extract": "t", "is_stream": True}


class Workers:
    """The fleet's part that routing uses; `pools` may be changed by a test."""

    def __init__(self, workers: tuple[Worker, ...]) -> None:
        names = dict.fromkeys(worker.model_name for worker in workers)
        self.pools = {name: Pool(name, [each for each in workers if each.model_name == name]) for name in names}

    def pool(self, name: str) -> Pool | None:
        return self.pools.get(name)

    def snapshot(self) -> Snapshot:
        return Snapshot(1, self.pools, {}, 0)


def worker(id: int, url: str, shape: dict[str, Any] = PLAIN, **words: Any) -> Worker:
    """`words` are of the registration, or of the Worker (health, admin)."""
    own = {name: words.pop(name) for name in ("health", "admin") if name in words and not isinstance(words[name], dict)}
    parsed = parse_registration({"model_name": "m", "req_url_template": url, **shape, **words}, lambda name: True)
    made = Worker(
        id=id,
        model_name=parsed.model_name,
        url=parsed.url,
        instance=parsed.instance,
        owner=parsed.owner,
        worker_type=parsed.worker_type,
        weight=1 if parsed.weight is None else parsed.weight,
        upstream_model=parsed.upstream_model,
        spec=parsed.spec,
        admin="enabled",
        created_at=0.0,
        updated_at=0.0,
    )
    return replace(made, **own)


def router(
    *workers: Worker,
    verdicts: Verdicts | None = None,
    secrets: Callable[[str, str], str] | None = None,
    **settings: Any,
) -> Router:
    chosen = Settings(**settings)
    fleet = cast(Fleet, Workers(workers))
    return Router(fleet, Client(chosen), verdicts or Verdicts(chosen), chosen, secrets or chosen.secret)


def chat(model: str = "m", *, stream: bool = False, **fields: Any) -> ChatRequest:
    message = {"role": "user", "content": "Say hi"}
    body = {"model": model, "messages": [message], "stream": stream, **fields}
    return ChatRequest(model, (message,), body, stream, "req-1")


def asked(task: Task, model: str = "m", **fields: Any) -> ChatRequest:
    """A request for images, a video or embeddings."""
    prompt = {"role": "user", "content": "a cat"}
    messages = () if task == "embedding" else (prompt,)
    return ChatRequest(model, messages, {"model": model, **fields}, False, "req-1", task)
