"""Holes that others had in where they call; each test is named after the advisory (docs/security.md)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core.conversation import UpstreamRequest
from app.core.errors import UpstreamError
from app.settings import Settings
from app.upstream.client import Client
from app.upstream.probe import UP, Prober
from tests.api.management import REGISTER, Api, management, registration
from tests.fakes import FakeUpstream, json_answer
from tests.fakes import bytes_answer as answering
from tests.security.conftest import Names, canary_beside
from tests.services.routes import worker as worker_of

SHAPE = {"body": {"prompt": "{USER_PROMPT}"}, "response_extract": "answer"}
GOOD = json_answer({"answer": "good"})
MESSAGES = [{"role": "user", "content": "hi"}]


@pytest.fixture
def api(sqlite_url: str, tmp_path: Path) -> Iterator[Api]:
    with management(sqlite_url, tmp_path, ROLLCALL_OUTGOING_DENY="127.0.0.2") as made:
        yield made


def refusal(api: Api, url: str, **words: Any) -> str:
    answer = api.post(REGISTER, registration(req_url_template=url, **words))
    assert answer.status_code in (400, 422), answer.json
    code: str = answer.json["error"]["code"]
    return code


def test_cve_2024_6587_a_caller_cannot_choose_where_its_prompt_and_the_key_go(api: Api) -> None:
    """LiteLLM took `api_base` out of the request and sent the operator's key there."""
    with FakeUpstream(GOOD) as good, FakeUpstream(GOOD) as thief:
        api.register(req_url_template=good.url, header={"Authorization": "Bearer canary-key"}, **SHAPE)
        names = ("api_base", "base_url", "req_url_template", "url", "host", "azure_endpoint")
        fields = dict.fromkeys(names, thief.url)
        nested = {"extra_body": fields, "metadata": fields, "user": "u"}
        assert api.post("/v1/chat/completions", {"model": "m", "messages": MESSAGES, **fields}).status_code == 200
        assert api.post("/v1/chat/completions", {"model": "m", "messages": MESSAGES, **nested}).status_code == 200
        assert len(good.requests) == 2
        assert thief.connections == 0


def test_cve_2024_6587_nor_by_a_header_or_a_placeholder_in_the_host(api: Api) -> None:
    for url in ("http://{REQUEST:api_base}/v1", "{API_BASE}/v1", "http://h{PORT}/v1", "http://${env:HOST}/v1"):
        assert refusal(api, url) == "invalid_field"
    with FakeUpstream(GOOD) as good, FakeUpstream(GOOD) as thief:
        api.register(req_url_template=f"{good.origin}/{{REQUEST:path}}", **SHAPE)
        for path in (f"@127.0.0.1:{thief.port}/", f"//127.0.0.1:{thief.port}/", "../..", "\r\nHost: evil", "?a#b"):
            api.post("/v1/chat/completions", {"model": "m", "messages": MESSAGES, "path": path})
        assert {request.headers["host"] for request in good.requests} == {f"127.0.0.1:{good.port}"}
        assert thief.connections == 0


def test_fastchat_3776_and_3886_a_registered_address_opens_nothing_inside(api: Api) -> None:
    """FastChat's controller called whatever address a worker registered. (Who may register: test_keys.)"""
    for host in ("169.254.169.254", "[::ffff:169.254.169.254]", "localhost:8007", "127.0.0.2:80", "0:22"):
        assert refusal(api, f"http://{host}/worker_generate_stream") == "address_refused"
    assert api.rows() == []


@pytest.mark.parametrize("scheme", ["file", "ftp", "gopher", "dict", "data", "jar", "unix", "http+unix", "HTTPS+x"])
def test_cve_2023_1177_and_cve_2026_2393_and_cve_2026_71211_no_source_but_http(api: Api, scheme: str) -> None:
    """MLflow read files and services of its own machine through the sources of registered models."""
    assert refusal(api, f"{scheme}://127.0.0.1/etc/passwd") == "invalid_field"
    with pytest.raises(UpstreamError, match="could not be fetched"):
        api.rollcall.media.bytes_of(f"{scheme}:///etc/passwd")
    assert api.rollcall.media.keep_url(f"{scheme}:///etc/passwd", {}) is None


def test_cve_2024_4325_a_link_that_a_worker_gives_leads_nowhere_inside(api: Api) -> None:
    """Gradio fetched any URL that it was given."""
    with FakeUpstream(answering(b"PNG", content_type="image/png")) as outside, canary_beside(outside.port) as inside:
        assert api.rollcall.media.keep_url(outside.url, {}) is not None
        assert api.rollcall.media.keep_url(f"http://127.0.0.2:{outside.port}/secret", {}) is None
        assert not inside.was_reached


def test_cve_2023_49785_there_is_no_path_that_fetches_what_it_names(api: Api) -> None:
    """NextChat had an open proxy, /api/cors/http/…"""
    with FakeUpstream(GOOD) as inside:
        for path in ("/api/cors/http/", "/proxy/", "/api/proxy?url=http://", "/v1/media/http://", "/v1/media/..%2f"):
            answer = api.send("GET", f"{path}127.0.0.1:{inside.port}/")
            assert answer.status_code in (401, 404, 405)
        assert inside.connections == 0


def test_cve_2026_25591_and_cve_2026_30886_a_check_of_the_name_alone_is_none(api: Api, names: Names) -> None:
    """new-api checked a host, and then looked it up again for the call."""
    with FakeUpstream(GOOD) as outside, canary_beside(outside.port) as inside:
        names.say("rebind.example", ["127.0.0.2"])
        api.register(req_url_template=f"http://rebind.example:{outside.port}/", **SHAPE)
        answer = api.post("/v1/chat/completions", {"model": "m", "messages": MESSAGES})
        assert (answer.status_code, answer.json["error"]["code"]) == (502, "address_refused")
        assert not inside.was_reached


def test_cve_2024_47081_no_netrc_and_no_proxy_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """requests sent the password that ~/.netrc holds for another host."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login canary password canary-password\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with FakeUpstream(GOOD) as worker, FakeUpstream(GOOD) as proxy:
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.origin)
        client = Client(Settings())
        client.send(UpstreamRequest("GET", worker.url, {}, None), deadline=time.monotonic() + 20)
        health = {"health": {"req_url_template": worker.url}}
        assert Prober(client).probe(worker_of(1, worker.url, SHAPE | health), lambda kind, name: "") == UP
        assert len(worker.requests) == 2
        assert all("authorization" not in request.headers for request in worker.requests)
        assert proxy.connections == 0
