"""The `auth` block: one exchange for all who need a token, kept until it ends, renewed once on a 401."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest

from app.core.errors import UpstreamError
from tests.fakes import (
    PATIENCE_S,
    Behaviour,
    Exchange,
    FakeUpstream,
    drop,
    hang,
    html_answer,
    json_answer,
    refusing_port,
)
from tests.services.routes import OPENAI, PLAIN, chat, router, worker

GOOD = json_answer({"answer": "good"})
SECRETS = {"ID": "canary-client-id", "SECRET": "canary-client-secret"}


def keys(kind: str, name: str) -> str:
    return SECRETS[name]


def numbered(lifetime_s: float = 3600, gate: threading.Event | None = None) -> Behaviour:
    """An exchange that gives token-1, token-2, …"""
    numbers = count(1)

    def behave(exchange: Exchange) -> None:
        token = f"token-{next(numbers)}"
        json_answer({"access_token": token, "expires_in": lifetime_s}, gate=gate)(exchange)

    return behave


def takes(*good: str) -> Behaviour:
    """A worker that only takes these tokens."""

    def behave(exchange: Exchange) -> None:
        if exchange.request.headers["authorization"] in {f"Bearer {token}" for token in good}:
            GOOD(exchange)
        else:
            json_answer({"error": "expired"}, 401)(exchange)

    return behave


def needy(id: int, url: str, exchange: str, shape: dict[str, Any] = PLAIN, **words: Any) -> Any:
    auth = {
        "req_url_template": exchange,
        "req_param": {"client_id": "${env:ID}"},
        "body": {"client_secret": "${env:SECRET}"},
        "token_extract": "access_token",
        "expires_extract": "expires_in",
    }
    return worker(id, url, {**shape, "header": {"Authorization": "Bearer {ACCESS_TOKEN}"}, "auth": auth}, **words)


def test_a_token_is_fetched_once_and_sent() -> None:
    with FakeUpstream(GOOD) as one, FakeUpstream(numbered()) as exchange:
        route = router(needy(1, one.url, exchange.url), secrets=keys)
        assert [route.complete(chat()).reply.text for _ in range(3)] == ["good"] * 3
        assert [request.headers["authorization"] for request in one.requests] == ["Bearer token-1"] * 3
        (fetched,) = exchange.requests
    assert (fetched.method, fetched.query, json.loads(fetched.body)) == (
        "POST",
        {"client_id": ["canary-client-id"]},
        {"client_secret": "canary-client-secret"},
    )


def test_all_who_need_it_share_one_exchange() -> None:
    gate = threading.Event()
    with FakeUpstream(GOOD) as one, FakeUpstream(numbered(gate=gate)) as exchange, ThreadPoolExecutor(8) as threads:
        route = router(needy(1, one.url, exchange.url), needy(2, one.url + "/b", exchange.url), secrets=keys)
        calls = [threads.submit(route.complete, chat()) for _ in range(8)]
        exchange.wait_requests(1)
        gate.set()
        assert [call.result(PATIENCE_S).reply.text for call in calls] == ["good"] * 8
        assert len(exchange.requests) == 1


def test_a_token_is_not_used_in_its_last_minute() -> None:
    with FakeUpstream(GOOD) as one, FakeUpstream(numbered(lifetime_s=60)) as exchange:
        route = router(needy(1, one.url, exchange.url), secrets=keys)
        assert [route.complete(chat()).reply.text for _ in range(2)] == ["good"] * 2
    assert [request.headers["authorization"] for request in one.requests] == ["Bearer token-1", "Bearer token-2"]


def test_a_rotated_secret_is_another_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeUpstream(GOOD) as one, FakeUpstream(numbered()) as exchange:
        route = router(needy(1, one.url, exchange.url), secrets=keys)
        route.complete(chat())
        monkeypatch.setitem(SECRETS, "SECRET", "canary-new-secret")
        route.complete(chat())
    assert [request.headers["authorization"] for request in one.requests] == ["Bearer token-1", "Bearer token-2"]


def test_a_401_renews_once_on_the_same_worker() -> None:
    with FakeUpstream(takes("token-2")) as one, FakeUpstream(GOOD) as other, FakeUpstream(numbered()) as exchange:
        route = router(needy(1, one.url, exchange.url), worker(2, other.url, weight=0), secrets=keys)
        answer = route.complete(chat())
        assert (answer.worker_id, answer.attempts) == (1, 1)
        assert (len(one.requests), len(exchange.requests)) == (2, 2)
        assert route.complete(chat()).worker_id == 1
        assert (len(one.requests), len(exchange.requests), other.requests) == (3, 2, [])


def test_a_stream_renews_as_well() -> None:
    def behave(exchange: Exchange) -> None:
        if exchange.request.headers["authorization"] == "Bearer token-2":
            json_answer({"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]})(exchange)
        else:
            json_answer({"error": "expired"}, 401)(exchange)

    with FakeUpstream(behave) as one, FakeUpstream(numbered()) as exchange:
        answer = router(needy(1, one.url, exchange.url, OPENAI), secrets=keys).stream(chat(stream=True))
        assert "".join(event.text for event in answer.events) == "hi"
        assert (len(one.requests), answer.attempts) == (2, 1)


def test_a_second_401_is_another_workers_turn() -> None:
    with FakeUpstream(takes()) as one, FakeUpstream(GOOD) as other, FakeUpstream(numbered()) as exchange:
        route = router(needy(1, one.url, exchange.url), worker(2, other.url, weight=0), secrets=keys)
        answer = route.complete(chat())
        assert (answer.worker_id, answer.attempts, len(one.requests)) == (2, 2, 2)
        with pytest.raises(UpstreamError, match="refused the credentials") as caught:
            router(needy(1, one.url, exchange.url), secrets=keys).complete(chat())
        assert (caught.value.status, caught.value.code) == (502, "upstream_auth_error")


def test_a_403_renews_nothing() -> None:
    with FakeUpstream(json_answer({"error": "no"}, 403)) as one, FakeUpstream(numbered()) as exchange:
        with pytest.raises(UpstreamError):
            router(needy(1, one.url, exchange.url), secrets=keys).complete(chat())
        assert (len(one.requests), len(exchange.requests)) == (1, 1)


FAILS = [
    pytest.param(json_answer({"error": "invalid_client"}, 401), "HTTP 401 invalid_client", id="401"),
    pytest.param(json_answer({"error": "bad canary-client-secret"}, 400), r"HTTP 400 bad \*\*\*", id="says the secret"),
    pytest.param(html_answer(502), "HTTP 502", id="page"),
    pytest.param(json_answer({"other": 1}), "token", id="no token"),
    pytest.param(drop(), "closed", id="dropped"),
]


@pytest.mark.parametrize(("bad", "words"), FAILS)
def test_an_exchange_that_fails_is_an_auth_error_and_another_workers_turn(bad: Behaviour, words: str) -> None:
    with FakeUpstream(GOOD) as one, FakeUpstream(GOOD) as other, FakeUpstream(bad) as exchange:
        with pytest.raises(UpstreamError, match=f"Worker 1's access token could not be fetched: .*{words}") as caught:
            router(needy(1, one.url, exchange.url), secrets=keys).complete(chat())
        error = caught.value
        assert (error.status, error.code, error.worker_id, one.requests) == (502, "upstream_auth_error", 1, [])
        assert "canary" not in error.message
        route = router(needy(1, one.url, exchange.url), worker(2, other.url, weight=0), secrets=keys)
        assert route.complete(chat()).worker_id == 2


def test_an_exchange_that_refuses_connections_or_hangs() -> None:
    with FakeUpstream(GOOD) as one, refusing_port() as port, FakeUpstream(hang()) as silent:
        with pytest.raises(UpstreamError, match="fetched: connection refused"):
            router(needy(1, one.url, f"http://127.0.0.1:{port}/"), secrets=keys).complete(chat())
        with pytest.raises(UpstreamError, match="fetched: .*time") as caught:
            router(needy(1, one.url, silent.url, timeout_s=0.2), secrets=keys).complete(chat())
        assert caught.value.code == "upstream_auth_error"


def test_a_failed_exchange_is_tried_again_with_the_next_request() -> None:
    with FakeUpstream(GOOD) as one, FakeUpstream(json_answer({}, 500), numbered()) as exchange:
        route = router(needy(1, one.url, exchange.url), secrets=keys)
        with pytest.raises(UpstreamError):
            route.complete(chat())
        assert route.complete(chat()).reply.text == "good"


def test_a_worker_that_repeats_its_token_is_not_repeated() -> None:
    said = json_answer({"error": "got canary-token and canary-client-secret"}, 400)
    exchange = json_answer({"access_token": "canary-token", "expires_in": 60})
    with FakeUpstream(said) as one, FakeUpstream(exchange) as two:
        route = router(needy(1, one.url, two.url), secrets=keys)
        with pytest.raises(UpstreamError, match=r"got \*\*\* and \*\*\*"):
            route.complete(chat())
