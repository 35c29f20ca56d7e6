"""What only a real serving process shows: TLS after the patching, threads in place of greenlets, bad settings."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import trustme

from tests.fakes import FakeUpstream, openai_answer, openai_stream, tls_context
from tests.served.toys import openai_worker, question
from tests.serving import ROOT, serving

CONFIG = "config/gunicorn.py"


@pytest.mark.parametrize("kind", ["gevent", "gthread"])
def test_a_completion_through_a_tls_worker(kind: str, sqlite_url: str, folder: Path) -> None:
    authority = trustme.CA()
    folder.mkdir()
    trusted = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(trusted))
    settings = {"ROLLCALL_WORKER_CLASS": kind, "SSL_CERT_FILE": str(trusted)}
    with (
        FakeUpstream(openai_answer("over TLS"), tls=tls_context(authority)) as upstream,
        serving(sqlite_url, folder, processes=1, **settings) as server,
    ):
        worker_id = server.register(**openai_worker("m", upstream.url, stream={"body": {"stream": True}}))
        server.wait_for_status(worker_id, "available")
        answer = server.ask("POST", "/v1/chat/completions", question("m"))
        assert answer.status == 200, answer
        assert answer.body["choices"][0]["message"]["content"] == "over TLS"
        upstream.answer_with(openai_stream("over", " TLS"))
        streamed = server.ask("POST", "/v1/chat/completions", {**question("m"), "stream": True})
        assert streamed.status == 200, streamed
        assert streamed.body.count(b"data: ") >= 4
        assert streamed.body.rstrip().endswith(b"data: [DONE]")
        assert server.stop() == 0
        assert "RecursionError" not in server.log


def test_the_process_model_loads_nothing_that_must_come_after_the_patch() -> None:
    program = f"""
import runpy, sys
runpy.run_path({CONFIG!r})
print([name for name in ("urllib3", "requests", "flask", "sqlalchemy", "gevent") if name in sys.modules])
"""
    shown = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_the_settings_become_gunicorns(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "HOST": "[::1]",
        "PORT": "0",
        "PROCESSES": "3",
        "WORKER_CLASS": "gthread",
        "THREADS": "9",
        "GRACE_S": "1.5",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"ROLLCALL_{name}", value)
    config = runpy.run_path(str(ROOT / CONFIG))
    assert config["bind"] == "[::1]:0"
    assert (config["workers"], config["worker_class"], config["threads"]) == (3, "gthread", 9)
    assert config["graceful_timeout"] == 2 + 5, "open requests end by themselves before gunicorn ends them"


def test_there_is_a_process_for_each_core_but_four_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROLLCALL_PROCESSES", raising=False)
    assert 1 <= runpy.run_path(str(ROOT / CONFIG))["workers"] <= 4


def test_a_bad_setting_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLCALL_PORT", "eighty")
    with pytest.raises(SystemExit, match="ROLLCALL_PORT"):
        runpy.run_path(str(ROOT / CONFIG))


def test_gunicorn_knows_every_name(monkeypatch: pytest.MonkeyPatch) -> None:
    from gunicorn.config import make_settings

    known = set(make_settings())
    ours = {name for name in runpy.run_path(str(ROOT / CONFIG)) if name[0] != "_" and name.islower()}
    modules = {"annotations", "contextlib", "gc", "math", "os", "resource", "signal", "sys", "time"}
    assert ours - known <= modules | {"load_settings", "delay_stops", "is_draining"}
