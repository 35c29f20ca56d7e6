"""Probes over real sockets: what counts as up, as down, and as nothing."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Callable
from typing import Any

import pytest
import trustme

from app.core.errors import UpstreamError
from app.core.registration import parse_registration
from app.core.worker import Worker
from app.settings import Settings
from app.upstream import pools
from app.upstream.client import Client
from app.upstream.probe import Prober, ProbeResult
from tests.fakes import (
    Behaviour,
    FakeUpstream,
    bytes_answer,
    drip,
    drop,
    endless,
    garbage,
    hang,
    html_answer,
    json_answer,
    refusing_port,
    tls_context,
)

UP = ProbeResult(True)


def no_secrets(kind: str, name: str) -> str:
    raise UpstreamError(f"{name} is not set", code="secret_unavailable")


def worker(url: str, **words: Any) -> Worker:
    parsed = parse_registration(
        {"model_name": "m", "req_url_template": url, "body": {"q": "{USER_PROMPT}"}, **words}, lambda name: True
    )
    fields = {field.name: getattr(parsed, field.name, None) for field in dataclasses.fields(Worker)}
    return Worker(**{**fields, "id": 1, "admin": "enabled", "weight": 1, "created_at": 0.0, "updated_at": 0.0})


@pytest.fixture
def probe() -> Callable[..., ProbeResult]:
    prober = Prober(Client(Settings(probe_timeout_s=0.5)))

    def run(url: str, **words: Any) -> ProbeResult:
        return prober.probe(worker(url, **words), no_secrets)

    return run


Probe = Callable[..., ProbeResult]


@pytest.mark.parametrize("status", [200, 302, 404, 401, 429, 500, 503])
def test_without_a_block_any_http_answer_is_up(status: int, probe: Probe) -> None:
    with FakeUpstream(html_answer(status)) as one:
        assert probe(one.url + "?key=canary", header={"Authorization": "Bearer canary"}) == UP
    seen = one.requests[0]
    assert (seen.method, seen.target, seen.body) == ("GET", "/", b"")
    assert "canary" not in str(seen.headers)
    assert seen.headers["user-agent"].startswith("rollcall/")


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (200, UP),
        (204, UP),
        (302, UP),
        (400, ProbeResult(False, "HTTP 400")),
        (404, ProbeResult(False, "HTTP 404")),
        (500, ProbeResult(False, "HTTP 500")),
        (503, ProbeResult(False, "HTTP 503")),
        (429, ProbeResult(None, "HTTP 429")),
    ],
)
def test_a_health_url_is_asked_with_the_workers_headers(status: int, result: ProbeResult, probe: Probe) -> None:
    with FakeUpstream(json_answer({}, status, {"Location": "http://127.0.0.1:9/"})) as one:
        health = {"req_url_template": one.origin + "/health?m={MODEL_NAME}"}
        assert probe("http://127.0.0.1:9/", health=health, header={"X-Key": "k"}) == result
    assert (one.requests[0].target, one.requests[0].headers["x-key"]) == ("/health?m=m", "k")


@pytest.mark.parametrize(("words", "ok"), [({}, False), ({"limits": {"concurrency": 1}}, None)])
def test_who_takes_so_many_calls_and_no_more_may_be_busy(words: dict[str, Any], ok: bool | None, probe: Probe) -> None:
    with FakeUpstream(hang()) as one:
        health = {"req_url_template": one.origin + "/h", "timeout_s": 0.2}
        assert probe(one.url, health=health, **words) == ProbeResult(ok, "no answer within 0.2 s")


def test_who_is_refused_is_not_busy(probe: Probe) -> None:
    with FakeUpstream(hang()) as one:
        url = one.url
    assert probe(url, limits={"concurrency": 1}) == ProbeResult(False, "connection refused")


def test_the_blocks_own_method_and_headers(probe: Probe) -> None:
    with FakeUpstream(json_answer({})) as one:
        health = {"req_url_template": one.origin + "/h", "req_type": "POST", "header": {"X-Probe": "1"}}
        assert probe(one.url, health=health, header={"X-Key": "k"}) == UP
    seen = one.requests[0]
    assert (seen.method, seen.headers["x-probe"], "x-key" in seen.headers) == ("POST", "1", False)


@pytest.mark.parametrize(
    ("answer", "ok"),
    [
        (json_answer({"status": "ok"}), True),
        (json_answer({"status": "OK"}, 503), True),
        (json_answer({"status": "loading"}), False),
        (json_answer([]), False),
        (html_answer(), False),
        (bytes_answer(b"[" * 200_000), False),
        (endless(), False),
        (json_answer({"status": "ok"}, 429), None),
    ],
)
def test_expect_decides(answer: Behaviour, ok: bool | None, probe: Probe) -> None:
    with FakeUpstream(answer) as one:
        result = probe(one.url, health={"req_url_template": one.url, "expect": {"status": "ok"}})
    assert result.ok is ok
    assert (result.error is None) == (ok is True)


@pytest.mark.parametrize("health", [None, {"req_url_template": "URL", "expect": {"a": 1}}], ids=["none", "expect"])
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (hang(), "no answer within 0.5 s"),
        (drip(head_first=False), "no answer within 0.5 s"),
        (drop(), "the connection was closed before the reply was complete"),
        (drop("rst"), "the connection was closed before the reply was complete"),
        (garbage(), "the reply is not HTTP"),
    ],
    ids=["hang", "dripped header", "drop", "reset", "no HTTP"],
)
def test_no_answer_is_down(bad: Behaviour, message: str, health: dict[str, Any] | None, probe: Probe) -> None:
    with FakeUpstream(bad) as one:
        words = {"health": {**health, "req_url_template": one.url}} if health else {}
        assert probe(one.url, **words) == ProbeResult(False, message)


def test_a_dripped_body_does_not_outlast_the_timeout(probe: Probe) -> None:
    with FakeUpstream(drip()) as one:
        health = {"req_url_template": one.url, "expect": {"a": 1}, "timeout_s": 0.2}
        assert probe(one.url, health=health) == ProbeResult(False, "no answer within 0.2 s")
        assert probe(one.url) == UP


def test_refused_and_unknown_hosts(probe: Probe) -> None:
    with refusing_port() as port:
        assert probe(f"http://127.0.0.1:{port}/x") == ProbeResult(False, "connection refused")
        assert probe(f"http://127.0.0.1:{port}/x", health={"tcp": True}) == ProbeResult(False, "connection refused")
    assert probe("http://no-such.invalid/").error == "the name of its host cannot be resolved"


def test_tcp_is_content_with_a_connection(probe: Probe) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert probe(f"http://127.0.0.1:{silent.getsockname()[1]}/x", health={"tcp": True}) == UP
    assert probe("http://no-such.invalid/", health={"tcp": True}).ok is False


def test_each_probe_has_a_connection_of_its_own_and_keeps_none(probe: Probe) -> None:
    with FakeUpstream(json_answer({"a": 2}, headers={"Set-Cookie": "a=b; Path=/"})) as one:
        whole = {"req_url_template": one.url, "expect": {"a": 2}}
        assert [probe(one.url), probe(one.url, health=whole), probe(one.url, health=whole)] == [UP] * 3
        one.wait_until(lambda server: server.is_idle)
        assert one.connections == 3
    assert all("cookie" not in request.headers for request in one.requests)


def test_proxies_and_netrc_of_the_environment_are_ignored(
    probe: Probe, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / ".netrc").write_text("machine 127.0.0.1 login me password canary\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with FakeUpstream(json_answer({})) as one:
        assert probe(one.url) == UP
    assert "authorization" not in one.requests[0].headers


def test_certificates_are_checked(probe: Probe) -> None:
    with FakeUpstream(json_answer({}), tls=tls_context(trustme.CA())) as one:
        result = probe(one.url)
    assert (result.ok, "certificate is not accepted" in str(result.error)) == (False, True)


def test_a_trusted_worker_is_up(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    authority, store = trustme.CA(), tmp_path_factory.mktemp("trust") / "store.pem"
    authority.cert_pem.write_to_path(str(store))
    monkeypatch.setenv("SSL_CERT_FILE", str(store))
    trust = pools.trust_context()
    monkeypatch.setattr(pools, "trust_context", lambda: trust)
    known = len(trust.get_ca_certs())
    with FakeUpstream(json_answer({}), tls=tls_context(authority)) as one:
        assert Prober(Client(Settings())).probe(worker(one.url), no_secrets) == UP
    assert len(trust.get_ca_certs()) == known, "requests adds no authorities of its own"


def test_a_secret_that_is_not_there_is_told(probe: Probe) -> None:
    with FakeUpstream(json_answer({})) as one, pytest.raises(UpstreamError):
        probe(one.url, health={"req_url_template": one.url, "header": {"X-Key": "${env:NOT_SET}"}})
