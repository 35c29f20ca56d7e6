"""Large files through a real serving process: copied and sent piece by piece, and nobody waits for a slow reader."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
from pathlib import Path

import psutil
import pytest

from tests.fakes import Exchange, FakeUpstream, json_answer
from tests.services.job_rig import JOB, Studio, done
from tests.serving import serving

PIECE = bytes(range(256)) * 4096
PIECES = 24
SIZE = PIECES * len(PIECE)
MOST_GROWTH = 12_000_000


def film(exchange: Exchange) -> None:
    exchange.head(200, length=SIZE, content_type="video/mp4")
    for _ in range(PIECES):
        exchange.send(PIECE)


def got(port: int, path: str, wanted: str) -> tuple[int, bytes, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with contextlib.closing(connection):
        connection.request("HEAD", path)
        head = connection.getresponse()
        assert (head.read(), head.headers["Content-Length"]) == (b"", str(SIZE))
        connection.request("GET", path, headers={"Range": wanted})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers["Content-Range"]


@pytest.mark.parametrize("kind", ["gevent", "gthread"])
def test_a_large_video_costs_no_memory(kind: str, sqlite_url: str, folder: Path) -> None:
    studio = Studio(json_answer({}))
    studio.file = film
    settings = {"ROLLCALL_WORKER_CLASS": kind, "ROLLCALL_HEALTH_CHECKS": "0"}
    with FakeUpstream(studio) as worker, serving(sqlite_url, folder, processes=1, **settings) as server:
        studio.polls[:] = [done(f"{worker.origin}/out/v.mp4")]
        job = {**JOB, "req_url_template": f"{worker.origin}/tasks/{{JOB_ID}}", "interval_s": 0.05}
        words = {"req_url_template": worker.url, "body": {"prompt": "{USER_PROMPT}"}, "job": job}
        server.register(model_name="m", task="video", **words)
        (process,) = (psutil.Process(pid) for pid in server.pids)
        before = process.memory_info().rss
        answer = server.ask("POST", "/api/v1/chat/completions", {"model_name": "m", "input": "a cat"})
        assert answer.status == 200, answer
        path = answer.body["result"].removeprefix(server.url)

        assert got(server.port, path, "bytes=-5") == (206, PIECE[-5:], f"bytes {SIZE - 5}-{SIZE - 1}/{SIZE}")
        assert got(server.port, path, f"bytes={SIZE}-")[0] == 416
        slow = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        slow.request("GET", path)
        waiting = slow.getresponse()
        assert (waiting.status, waiting.headers["Content-Length"]) == (200, str(SIZE))
        whole = server.ask("GET", path)
        assert (len(whole.body), whole.headers["Content-Type"]) == (SIZE, "video/mp4")
        assert process.memory_info().rss - before < MOST_GROWTH

        digest, left = hashlib.sha256(), SIZE
        while piece := waiting.read(1_000_000):
            digest.update(piece)
            left -= len(piece)
        slow.close()
        assert (left, digest.digest()) == (0, hashlib.sha256(whole.body).digest())
        assert hashlib.sha256(PIECE * PIECES).digest() == digest.digest()
