"""The whole application in front of bad workers on real sockets: one for a module, a model for each worker."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from werkzeug.test import TestResponse

from tests.api.management import REGISTER, Api
from tests.fakes import Behaviour, FakeUpstream

_numbers = count(1)

TEXT: dict[str, Any] = {
    "body": {"prompt": "{USER_PROMPT}", "stream": "{STREAM}"},
    "response_extract": "data.items[].answer",
}
IMAGE: dict[str, Any] = {"task": "image", "body": {"prompt": "{USER_PROMPT}"}, "response_extract": "images[*]"}
VECTORS: dict[str, Any] = {
    "task": "embedding",
    "body": {"input": "{INPUT}"},
    "response_extract": "data[*].embedding",
}

Ask = Callable[[Api, str], TestResponse]


def ask_chat(api: Api, model: str, **more: Any) -> TestResponse:
    return api.post("/v1/chat/completions", {"model": model, "messages": [{"role": "user", "content": "hi"}], **more})


def ask_seed(api: Api, model: str, **more: Any) -> TestResponse:
    return api.post("/api/v1/chat/completions", {"model_name": model, "input": "hi", **more})


def ask_messages(api: Api, model: str, **more: Any) -> TestResponse:
    body = {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], **more}
    return api.post("/v1/messages", body)


def ask_text(api: Api, model: str, **more: Any) -> TestResponse:
    return api.post("/v1/completions", {"model": model, "prompt": "hi", **more})


def ask_vectors(api: Api, model: str, **more: Any) -> TestResponse:
    return api.post("/v1/embeddings", {"model": model, "input": "hi", **more})


TEXT_SURFACES: list[Ask] = [ask_chat, ask_seed, ask_messages, ask_text]


def copied(template: Path, folder: Path) -> str:
    """The URL of a database of its own."""
    shutil.copyfile(template, folder / "rollcall.db")
    return f"sqlite:///{folder / 'rollcall.db'}"


@contextmanager
def worker_of(api: Api, *script: Behaviour, **words: Any) -> Iterator[tuple[str, FakeUpstream]]:
    """A worker with these words, and the name of the model that only it serves."""
    model = f"bad-{next(_numbers)}"
    with FakeUpstream(*script) as upstream:
        filled = _at(words, upstream.origin)
        answer = api.post(REGISTER, {"model_name": model, "req_url_template": upstream.url, **filled})
        assert answer.status_code == 200, answer.text
        yield model, upstream


def _at(value: Any, origin: str) -> Any:
    """`ORIGIN` in any text is the worker's own."""
    if isinstance(value, dict):
        return {name: _at(part, origin) for name, part in value.items()}
    return value.replace("ORIGIN", origin) if isinstance(value, str) else value


def error_of(answer: TestResponse) -> str:
    """The sentence of an error in whichever shape it came; that it has a request id is checked."""
    body = answer.json
    assert answer.mimetype == "application/json", answer.text
    error = body["error"]
    assert answer.headers["X-Request-Id"] in (body.get("request_id"), error.get("request_id")), body
    message: str = error.get("message") or body["msg"]
    return message


def refused(answer: TestResponse, status: int, *said: str) -> str:
    """The sentence of an error with this status, which holds all of `said`."""
    assert answer.status_code == status, answer.text
    message = error_of(answer)
    assert "Traceback" not in message
    for part in said:
        assert part in message, message
    return message
