"""One real server of one process, so that what a test registers is known at once; the openai package in front of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from tests.acceptance.asking import STREAM
from tests.fakes import FakeUpstream, openai_answer
from tests.served.toys import Toy, openai_worker
from tests.serving import Server, serving


@pytest.fixture(scope="module")
def server(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("var")
    shutil.copyfile(sqlite_template, folder / "rollcall.db")
    with serving(f"sqlite:///{folder / 'rollcall.db'}", folder, processes=1) as running:
        yield running


@pytest.fixture(scope="module")
def api(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", _strict_response_validation=True) as client:
        yield client


@pytest.fixture(scope="module")
def toy(server: Server) -> Iterator[str]:
    """The name of a model that one sample worker serves."""
    with Toy("toy") as running:
        server.register(**openai_worker("toy", running.url, stream=STREAM, owner="acceptance"))
        yield "toy"


@pytest.fixture
def worker(server: Server) -> Iterator[FakeUpstream]:
    """An OpenAI-shaped worker of the model "scripted"."""
    with FakeUpstream(openai_answer()) as upstream:
        worker_id = server.register(**openai_worker("scripted", upstream.url, stream=STREAM))
        yield upstream
        server.ask("DELETE", f"/api/server/workers/{worker_id}")
