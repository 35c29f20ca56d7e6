"""A name server that does not answer keeps nobody waiting but those who want that very name."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fakes import FakeUpstream, openai_answer
from tests.served.toys import openai_worker, question
from tests.serving import serving

CHAT = "/v1/chat/completions"
# More than gevent's own resolver has threads.
HANGING = 12
# Every Python process of the server runs this first: the C function below every resolver, hanging as a real one does.
RESOLVER = """
import _socket, ctypes
real = _socket.getaddrinfo
def getaddrinfo(host, *rest):
    name = host.encode() if isinstance(host, str) else host or b""
    if not name.endswith(b".example") or _socket.AI_NUMERICHOST in rest:
        return real(host, *rest)
    if name.endswith(b"hangs.example"):
        ctypes.CDLL(None).sleep(600)
    return real(b"127.0.0.1", *rest)
_socket.getaddrinfo = getaddrinfo
"""


@pytest.mark.parametrize("kind", ["gevent", "gthread"])
def test_names_that_hang_block_nobody_else(kind: str, sqlite_template: Path, tmp_path: Path) -> None:
    shutil.copyfile(sqlite_template, tmp_path / "rollcall.db")
    (tmp_path / "sitecustomize.py").write_text(RESOLVER)
    settings = {
        "PYTHONPATH": str(tmp_path),
        "ROLLCALL_WORKER_CLASS": kind,
        "ROLLCALL_CONNECT_TIMEOUT_S": "1",
        "ROLLCALL_HEALTH_CHECKS": "0",
    }
    with (
        FakeUpstream(openai_answer("here")) as upstream,
        ThreadPoolExecutor(HANGING) as threads,
        serving(f"sqlite:///{tmp_path / 'rollcall.db'}", tmp_path / "var", processes=1, **settings) as server,
    ):
        for number in range(HANGING):
            server.register(**openai_worker(f"bad{number}", f"http://{number}.hangs.example/v1"))
        for number in range(2):
            server.register(**openai_worker(f"good{number}", f"http://{number}.good.example:{upstream.port}/v1"))
        for turn in range(2):  # in the second one all look-ups of the first still hang
            bad = [threads.submit(server.ask, "POST", CHAT, question(f"bad{number}")) for number in range(HANGING)]
            assert server.ask("POST", CHAT, question(f"good{turn}")).status == 200
            for each in bad:
                answer = each.result()
                assert answer.status == 502
                assert "no name server answered in time" in answer.body["error"]["message"]
        assert server.stop() == 0
