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
    if b"hangs.example" in name and _socket.AI_NUMERICHOST not in rest:
        ctypes.CDLL(None).sleep(600)
    return real(b"127.0.0.1" if name == b"good.example" else host, *rest)
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
        server.register(**openai_worker("good", f"http://good.example:{upstream.port}/v1"))
        for _ in range(2):
            bad = [threads.submit(server.ask, "POST", CHAT, question(f"bad{number}")) for number in range(HANGING)]
            assert server.ask("POST", CHAT, question("good")).status == 200
            for each in bad:
                answer = each.result()
                assert answer.status == 502
                assert "cannot be resolved" in answer.body["error"]["message"]
        assert server.ask("POST", CHAT, question("good")).status == 200
        assert server.stop() == 0
