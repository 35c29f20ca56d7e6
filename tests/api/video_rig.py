"""The whole application on a socket, polling as in a serving process, and video workers for it."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import openai
from werkzeug.test import TestResponse

from app import start, stop
from tests.api.callers import served
from tests.api.management import Api, management
from tests.fakes import FakeUpstream
from tests.services.job_rig import JOB, VIDEO, Studio

_numbers = count(1)
PLAIN = {**VIDEO, "body": {"prompt": "{USER_PROMPT}"}, "response_extract": "url"}


class Door:
    """`url` is its address; `api` asks it without a socket."""

    def __init__(self, api: Api, url: str) -> None:
        self.api = api
        self.url = url

    @contextmanager
    def sdk(self, base: str = "/v1", **options: Any) -> Iterator[openai.OpenAI]:
        known = {"max_retries": 0, "_strict_response_validation": True, **options}
        with warnings.catch_warnings(), openai.OpenAI(base_url=self.url + base, api_key="none", **known) as client:
            # It says of every method that OpenAI's own service behind it ends.
            warnings.simplefilter("ignore", DeprecationWarning)
            yield client

    @contextmanager
    def studio(self, studio: Studio, **words: Any) -> Iterator[str]:
        """A model whose worker works by jobs, polled as often as can be."""
        with FakeUpstream(studio) as upstream:
            origin = upstream.url.rpartition("/")[0]
            job = {**JOB, "req_url_template": f"{origin}/tasks/{{JOB_ID}}", "interval_s": 0.02, **words.pop("job", {})}
            with self.model(**{**VIDEO, "job": job, "req_url_template": upstream.url, **words}) as name:
                yield name

    @contextmanager
    def model(self, **words: Any) -> Iterator[str]:
        name = f"video-{next(_numbers)}"
        worker_id = self.api.register(model_name=name, **words)
        yield name
        self.api.delete(f"/api/server/workers/{worker_id}")

    def make(self, model: str, **body: Any) -> dict[str, Any]:
        """A video, begun."""
        answer = self.api.post("/v1/videos", {"model": model, "prompt": "a cat", **body})
        assert answer.status_code == 200, answer.json
        begun: dict[str, Any] = answer.json
        return begun

    def ended(self, video_id: str) -> dict[str, Any]:
        """The video once it is over."""
        self.api.rollcall.jobs.wait(video_id, 20)
        shown = self.show(video_id)
        assert shown["status"] in ("completed", "failed"), shown
        return shown

    def show(self, video_id: str) -> dict[str, Any]:
        answer = self.api.get(f"/v1/videos/{video_id}")
        assert answer.status_code == 200, answer.json
        shown: dict[str, Any] = answer.json
        return shown

    def content(self, video_id: str, method: str = "GET", **options: Any) -> TestResponse:
        return self.api.send(method, f"/v1/videos/{video_id}/content", **options)


@contextmanager
def door(database_url: str, folder: Path, **settings: Any) -> Iterator[Door]:
    with management(database_url, folder, ROLLCALL_HEALTH_CHECKS=False, **settings) as api:
        start(api.app)
        try:
            with served(api.app) as url:
                yield Door(api, url)
        finally:
            stop(api.app)


@contextmanager
def sqlite_door(template: Path, folder: Path, **settings: Any) -> Iterator[Door]:
    shutil.copyfile(template, folder / "rollcall.db")
    with door(f"sqlite:///{folder / 'rollcall.db'}", folder, **settings) as opened:
        yield opened
