"""The whole application on a real socket, its jobs polled by its own thread, in front of image and video workers."""

from __future__ import annotations

import itertools
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.api.callers import served
from tests.api.management import Api, management
from tests.fakes import Behaviour, FakeUpstream, bytes_answer, json_answer
from tests.services.job_rig import JOB, Studio

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 3
PACKED = b64encode(PNG).decode()
PROMPT = {"prompt": "{USER_PROMPT}", "name": "{REQUEST_ID}"}
KEY = "canary-download-key"


def picture(data: bytes = PNG, content_type: str = "image/png") -> Behaviour:
    return bytes_answer(data, content_type=content_type)


def photographer(*polls: Behaviour, submit: Behaviour | None = None, file: Behaviour | None = None) -> Studio:
    """A worker's behaviour: POST is answered with `submit`, GET /tasks/… with the polls, GET /out/… with the file."""
    studio = Studio(*polls, submit=submit)
    studio.file = file or picture()
    return studio


class House:
    def __init__(self, api: Api, url: str) -> None:
        self.api = api
        self.url = url
        self._names = (f"model-{number}" for number in itertools.count(1))

    def model(self, worker: FakeUpstream, output: str = "url", *, task: str = "image", **words: Any) -> str:
        """The name of a new model that this worker serves; a `job` gets what it leaves out from JOB."""
        name = next(self._names)
        if "job" in words:
            polls = {"req_url_template": f"{worker.origin}/tasks/{{JOB_ID}}", "interval_s": 0.03}
            words["job"] = {**JOB, **polls, **words["job"]}
        shape = {"task": task, "body": PROMPT, "response_extract": "made", "output": {"type": task, "as": output}}
        self.api.register(**{"model_name": name, "req_url_template": worker.url, **shape, **words})
        return name

    def ask(self, model: str, **body: Any) -> requests.Response:
        return self.post("/v1/images/generations", model=model, prompt="a cat", **body)

    def ask_small(self, model: str, **body: Any) -> requests.Response:
        return self.post("/api/v1/chat/completions", model_name=model, input="a cat", **body)

    def post(self, path: str, **body: Any) -> requests.Response:
        return requests.post(self.url + path, json=body, timeout=20)

    def kept(self, data: bytes, content_type: str = "image/png") -> str:
        """The URL of a new file of ours."""
        return self.url + self.api.rollcall.media.keep_bytes(data, content_type).url_path


@contextmanager
def house(database_url: str, folder: Path, **settings: Any) -> Iterator[House]:
    settings = {"ROLLCALL_HEALTH_CHECKS": False, "ROLLCALL_MEDIA_MAX_BYTES": 100_000, **settings}
    with management(database_url, folder, **settings) as api, served(api.app) as url:
        api.rollcall.media._downloads = _without_pauses(api.rollcall.media._downloads)
        api.rollcall.start()
        try:
            yield House(api, url)
        finally:
            api.rollcall.stop()


def _without_pauses(downloads: Any) -> Any:
    return type(downloads)(downloads.client, downloads.cap_bytes, downloads.timeout_s, ())


def said(value: Any) -> Behaviour:
    """A worker's answer, or a finished job's, with this value at "made"."""
    return json_answer({"made": value})
