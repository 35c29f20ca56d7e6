"""The gate of a running server, whose port the system chose."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import FakeUpstream, json_answer
from tests.serving import serving


@pytest.mark.slow
def test_a_server_never_calls_itself(sqlite_url: str, tmp_path: Path) -> None:
    """Each call would make the next one, and keys for its management must not be had from its own address."""
    shape = {"body": {"model": "self", "messages": "{MESSAGES}"}, "response_extract": "answer"}
    question = {"model": "self", "messages": [{"role": "user", "content": "hi"}]}
    with (
        serving(sqlite_url, tmp_path / "var", processes=1) as server,
        FakeUpstream(json_answer({"answer": "hi"})) as one,
    ):
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
            url = f"http://{host}:{server.port}/v1/chat/completions"
            worker_id = server.register(model_name="self", req_url_template=url, **shape)
            refused = server.ask("POST", "/v1/chat/completions", question)
            assert (refused.status, refused.body["error"]["code"]) == (502, "address_refused"), refused.body
            assert "the rule own-port" in refused.body["error"]["message"]
            server.ask("DELETE", f"/api/server/workers/{worker_id}")
        server.register(model_name="self", req_url_template=one.url, **shape)
        assert server.ask("POST", "/v1/chat/completions", question).status == 200
