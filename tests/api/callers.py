"""The callers' surface with a scripted router behind it: no registry, no database, no upstream."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from flask import Flask
from werkzeug.serving import make_server

from app.api import completions, embeddings, images, messages, models, text_completions
from app.api.edge import register_edge
from app.api.errors import register_error_handlers
from app.core.conversation import ChatRequest, Event, Reply, Result
from app.core.errors import ModelNotFound
from app.core.selection import Pool
from app.core.worker import Worker
from app.settings import Settings
from app.upstream.watchdog import Watchdog

HI = [{"role": "user", "content": "hi"}]
CHAT = {"model": "m", "messages": HI}
SEED = {"model_name": "m", "input": "hi"}
ROUTES = ["/v1/chat/completions", "/api/v1/chat/completions"]


class ScriptedStream:
    """What Router.stream gives: events, and a close() that is counted."""

    def __init__(self, events: Iterable[Event], notices: tuple[str, ...]) -> None:
        self.events: Iterator[Event] = iter(events)
        self.worker_id, self.attempts, self.notices = 7, 2, notices
        self.closed = threading.Event()

    def close(self) -> None:
        self.closed.set()


@dataclass
class ScriptedRouter:
    reply: Reply = field(default_factory=lambda: Reply("hello", "stop"))
    embedded: Result = field(default_factory=lambda: Result(()))
    events: Iterable[Event] = (Event("hel"), Event("lo"), Event(finish="stop"))
    error: Exception | None = None
    notices: tuple[str, ...] = ()
    asked: list[ChatRequest] = field(default_factory=list)
    streams: list[ScriptedStream] = field(default_factory=list)

    def complete(self, request: ChatRequest) -> Any:
        self.asked.append(request)
        if self.error is not None:
            raise self.error
        return SimpleNamespace(reply=self.reply, worker_id=7, attempts=2, notices=self.notices)

    def result(self, request: ChatRequest) -> Any:
        self.asked.append(request)
        if self.error is not None:
            raise self.error
        return SimpleNamespace(result=self.embedded, worker_id=7, attempts=2, notices=self.notices)

    def stream(self, request: ChatRequest) -> ScriptedStream:
        self.asked.append(request)
        if self.error is not None:
            raise self.error
        self.streams.append(ScriptedStream(self.events, self.notices))
        return self.streams[-1]


class ScriptedFleet:
    def __init__(self, *workers: Worker) -> None:
        names = {worker.model_name for worker in workers}
        self.pools = {name: Pool(name, [worker for worker in workers if worker.model_name == name]) for name in names}

    def snapshot(self) -> Any:
        return SimpleNamespace(pools=self.pools)

    def pool(self, name: str) -> Pool | None:
        assert "\x00" not in name
        return self.pools.get(name)


def worker(name: str, worker_id: int = 1, **fields: Any) -> Worker:
    known: dict[str, Any] = {
        "id": worker_id,
        "model_name": name,
        "url": f"http://127.0.0.1:{worker_id}/",
        "instance": "",
        "owner": "",
        "worker_type": "REMOTE",
        "weight": 1,
        "upstream_model": None,
        "spec": "{}",
        "admin": "enabled",
        "created_at": 1000.5,
        "updated_at": 1000.5,
    }
    return Worker(**known | fields)


def callers_app(
    router: ScriptedRouter | None = None, fleet: ScriptedFleet | None = None, settings: Settings | None = None
) -> Flask:
    app = Flask("callers")
    register_edge(app, settings or Settings(), Watchdog())
    register_error_handlers(app)
    for surface in (completions, messages, text_completions, embeddings, images, models):
        app.register_blueprint(surface.blueprint)
    app.extensions["rollcall"] = SimpleNamespace(
        router=router or ScriptedRouter(), fleet=fleet or ScriptedFleet(), settings=settings or Settings()
    )
    return app


def no_model() -> ModelNotFound:
    return ModelNotFound("No worker serves the model 'm'.", field="model")


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """The application on a real socket with threads; gives its base URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
