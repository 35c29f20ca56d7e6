"""Whole answers: what is asked of whom, what fails over, and what the caller hears when nothing helps."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from app.core.errors import RollcallError, UpstreamError, UpstreamRejected, UpstreamTimeout
from app.services.verdicts import Verdicts
from tests.fakes import (
    Behaviour,
    FakeUpstream,
    bytes_answer,
    cut_reply,
    drop,
    empty_answer,
    hang,
    html_answer,
    json_answer,
    openai_answer,
    openai_stream,
    refusing_port,
    sse,
)
from tests.services.routes import OPENAI, PLAIN, STREAM_ONLY, chat, router, worker

GOOD = json_answer({"answer": "good"})


def fails_first(bad: Behaviour, **words: Any) -> Callable[[Any], None]:
    """Runs `check(reply or error, good, bad)` with a bad worker 1 that is asked first and a good standby 2."""

    def run(check: Callable[..., None]) -> None:
        with FakeUpstream(bad) as first, FakeUpstream(GOOD) as second:
            route = router(worker(1, first.url, **words), worker(2, second.url, weight=0))
            try:
                outcome: Any = route.complete(chat())
            except RollcallError as error:
                outcome = error
            check(outcome, first, second)

    return run


def test_the_answer_and_who_gave_it() -> None:
    with FakeUpstream(openai_answer("hello", "length")) as one:
        answer = router(worker(7, one.url, OPENAI, upstream_model="vendor-1")).complete(chat(temperature=0.5))
    assert (answer.reply.text, answer.reply.finish, answer.worker_id, answer.attempts) == ("hello", "length", 7, 1)
    assert answer.reply.raw is not None
    sent = one.requests[0]
    assert (sent.json["model"], sent.json["stream"], sent.json["temperature"]) == ("vendor-1", False, 0.5)
    assert (sent.headers["authorization"], sent.headers["x-request-id"]) == ("Bearer canary-credential-1", "req-1")


def test_secrets_are_read_at_call_time() -> None:
    keys = {"KEY": "first-key"}
    with FakeUpstream(GOOD) as one:
        route = router(
            worker(1, one.url, {**PLAIN, "header": {"X-Api-Key": "${env:KEY}"}}), secrets=lambda kind, name: keys[name]
        )
        route.complete(chat())
        keys["KEY"] = "second-key"
        route.complete(chat())
    assert [request.headers["x-api-key"] for request in one.requests] == ["first-key", "second-key"]


FAILS_OVER = [
    pytest.param(json_answer({"error": "no"}, 401), {}, id="401"),
    pytest.param(json_answer({"error": "no"}, 403), {}, id="403"),
    pytest.param(json_answer({"error": "slow down"}, 429), {}, id="429"),
    pytest.param(json_answer({"error": "loading"}, 503), {}, id="503"),
    pytest.param(json_answer({"error": "overloaded"}, 529), {}, id="529"),
    pytest.param(json_answer({"error": "boom"}, 500), {}, id="500"),
    pytest.param(json_answer({}, 302, {"Location": "http://elsewhere.example/"}), {}, id="redirect"),
    pytest.param(json_answer({"error": "bad gateway"}, 502), {"retry": ["502"]}, id="502 named"),
    pytest.param(json_answer({"error": "late"}, 504), {"retry": ["504"]}, id="504 named"),
    pytest.param(drop("rst"), {"retry": ["reset"]}, id="reset named"),
    pytest.param(cut_reply(), {"retry": ["reset"]}, id="cut named"),
    pytest.param(json_answer({"code": 7, "msg": "busy"}), {"retry_when": {"code": 7}}, id="retry_when on 200"),
    pytest.param(json_answer({"code": 7}, 400), {"retry_when": {"code": 7}}, id="retry_when on 400"),
]


@pytest.mark.parametrize(("bad", "words"), FAILS_OVER)
def test_fails_over_and_the_caller_sees_nothing_of_it(bad: Behaviour, words: dict[str, Any]) -> None:
    def check(answer: Any, first: FakeUpstream, second: FakeUpstream) -> None:
        assert (answer.reply.text, answer.worker_id, answer.attempts) == ("good", 2, 2)
        assert (len(first.requests), len(second.requests)) == (1, 1)

    fails_first(bad, **words)(check)


STAYS = [
    pytest.param(json_answer({"error": {"message": "too long"}}, 400), UpstreamRejected, 400, "too long", id="400"),
    pytest.param(json_answer({"error": "no such model"}, 404), UpstreamRejected, 404, "no such model", id="404"),
    pytest.param(json_answer({"detail": "bad field"}, 422), UpstreamRejected, 422, "bad field", id="422"),
    pytest.param(empty_answer(413), UpstreamRejected, 413, "HTTP 413", id="413 without a word"),
    pytest.param(json_answer({"error": "gateway"}, 502), UpstreamError, 502, "HTTP 502: gateway", id="502"),
    pytest.param(html_answer(504), UpstreamTimeout, 504, "HTTP 504 with a web page: Bad Gateway", id="504 page"),
    pytest.param(json_answer({"error": "not here"}, 501), UpstreamError, 502, "HTTP 501: not here", id="501"),
    pytest.param(drop("rst"), UpstreamError, 502, "after the request was sent", id="reset"),
    pytest.param(cut_reply("close"), UpstreamError, 502, "in the middle of the reply", id="cut"),
    pytest.param(html_answer(), UpstreamError, 502, "text/html where JSON was expected", id="HTML"),
    pytest.param(empty_answer(), UpstreamError, 502, "nothing in it", id="empty"),
    pytest.param(json_answer({"other": 1}), UpstreamError, 502, "no answer at 'answer'", id="nothing at the path"),
    pytest.param(bytes_answer(b'{"answer": "ha'), UpstreamError, 502, "JSON was expected", id="half JSON"),
]


@pytest.mark.parametrize(("bad", "kind", "status", "words"), STAYS)
def test_what_may_have_run_is_never_sent_twice(
    bad: Behaviour, kind: type[RollcallError], status: int, words: str
) -> None:
    def check(error: Any, first: FakeUpstream, second: FakeUpstream) -> None:
        assert type(error) is kind
        assert (error.status, error.should_retry, error.attempts, error.worker_id) == (status, False, 1, 1)
        assert words in error.message
        assert (len(first.requests), len(second.requests)) == (1, 0)
        assert str(first.port) not in error.message

    fails_first(bad)(check)


def test_a_timeout_is_504_and_frees_the_worker() -> None:
    with FakeUpstream(hang()) as first, FakeUpstream(GOOD) as second:
        route = router(worker(1, first.url, timeout_s=0.2), worker(2, second.url, weight=0))
        with pytest.raises(UpstreamTimeout, match="Worker 1 failed after the request was sent") as caught:
            route.complete(chat())
        first.wait_left()
        assert (caught.value.status, second.requests) == (504, [])


def test_one_deadline_for_all_attempts() -> None:
    """The first worker's time is the request's: the second has what is left of its own."""
    with FakeUpstream(hang()) as first, FakeUpstream(GOOD) as second:
        first_worker = worker(1, first.url, timeout_s=0.2, retry=["timeout"])
        patient = worker(2, second.url, weight=0)
        with pytest.raises(UpstreamTimeout):
            router(first_worker, patient).complete(chat())
        assert not second.requests


def test_a_refused_connection_costs_nothing_and_benches() -> None:
    verdicts = Verdicts()
    with refusing_port() as port, FakeUpstream(GOOD) as second:
        route = router(worker(1, f"http://127.0.0.1:{port}/"), worker(2, second.url, weight=0), verdicts=verdicts)
        assert [route.complete(chat()).attempts for _ in range(3)] == [2, 1, 1]
    assert verdicts.drain_requests() == [1]
    assert verdicts.live["m"][1].state == "benched"


def test_at_most_three_workers_are_asked() -> None:
    with ExitStack() as stack:
        workers = [stack.enter_context(FakeUpstream(json_answer({"error": "busy"}, 503))) for _ in range(5)]
        route = router(*(worker(number, each.url) for number, each in enumerate(workers)))
        with pytest.raises(UpstreamError, match=r"\(3 workers were asked\)") as caught:
            route.complete(chat())
        asked = [len(each.requests) for each in workers]
    assert (sorted(asked), caught.value.attempts) == ([0, 0, 1, 1, 1], 3)


def test_the_same_500_twice_is_the_answer() -> None:
    with ExitStack() as stack:
        workers = [stack.enter_context(FakeUpstream(json_answer({"error": "bad prompt"}, 500))) for _ in range(3)]
        route = router(*(worker(number, each.url) for number, each in enumerate(workers)))
        with pytest.raises(UpstreamError, match="answered HTTP 500: bad prompt") as caught:
            route.complete(chat())
        assert sum(len(each.requests) for each in workers) == 2
    assert (caught.value.status, caught.value.should_retry) == (502, False)


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [(429, {"Retry-After": "7"}, 7.0), (503, {}, 1.0), (529, {"Retry-After": "9999"}, 300)],
)
def test_backpressure_of_the_last_worker_is_passed_on(status: int, headers: dict[str, str], wait: float) -> None:
    sentence = f"Worker 1 answered HTTP {status}: busy"
    answer = json_answer({"error": "busy"}, status, headers)
    with FakeUpstream(answer) as one, pytest.raises(UpstreamError, match=sentence) as caught:
        router(worker(1, one.url)).complete(chat())
    assert (caught.value.status, caught.value.retry_after_s, caught.value.should_retry) == (status, wait, None)


def test_refused_credentials_are_our_fault_and_not_shown() -> None:
    answer = json_answer({"error": {"message": "Incorrect API key provided: canary-credential-1"}}, 401)
    with FakeUpstream(answer) as one, pytest.raises(UpstreamError, match="refused the credentials") as caught:
        router(worker(1, one.url, OPENAI)).complete(chat())
    assert (caught.value.status, caught.value.code) == (502, "upstream_auth_error")
    assert "canary" not in caught.value.message


@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_worker_that_repeats_its_credentials_is_not_repeated(status: int) -> None:
    answer = json_answer({"error": "got Bearer canary-credential-1 and canary-secret-2 and canary-3-in-url"}, status)
    shape = {**OPENAI, "header": {**OPENAI["header"], "X-Other": "${env:KEY}"}, "req_param": {"key": "canary-3-in-url"}}
    with FakeUpstream(answer) as one, pytest.raises(RollcallError, match=r"got \*\*\* and \*\*\* and \*\*\*") as caught:
        router(worker(1, one.url, shape), secrets=lambda kind, name: "canary-secret-2").complete(chat())
    assert "canary" not in caught.value.message


def test_a_secret_that_is_not_there_is_another_workers_turn() -> None:
    with FakeUpstream(GOOD) as one, FakeUpstream(GOOD) as two:
        needy = worker(1, one.url, {**PLAIN, "header": {"X-Api-Key": "${env:NOT_ALLOWED}"}})
        assert router(needy, worker(2, two.url, weight=0)).complete(chat()).worker_id == 2
        with pytest.raises(UpstreamError, match="Worker 1 needs") as caught:
            router(needy).complete(chat())
        assert (caught.value.status, caught.value.code, one.requests) == (502, "secret_unavailable", [])


def test_a_worker_that_only_streams_is_gathered() -> None:
    with FakeUpstream(sse({"t": "Hel"}, {"t": "lo"}, framing="eof")) as one:
        answer = router(worker(1, one.url, STREAM_ONLY)).complete(chat())
    assert answer.reply.text == "Hello"


def test_gathering_has_the_cap_of_a_reply() -> None:
    frames = [{"t": "x" * 1000}] * 100
    with FakeUpstream(sse(*frames)) as one, pytest.raises(UpstreamError, match="larger than 50,000 bytes"):
        router(worker(1, one.url, STREAM_ONLY), max_reply_bytes=50_000).complete(chat())


def test_a_stream_nobody_asked_for_is_read_by_the_rules_of_whole_replies() -> None:
    with FakeUpstream(openai_stream("a")) as one, pytest.raises(UpstreamError, match="where JSON was expected"):
        router(worker(1, one.url, OPENAI)).complete(chat())


def test_many_requests_at_once_share_nothing() -> None:
    def echo(exchange: Any) -> None:
        json_answer({"answer": exchange.request.json["prompt"]})(exchange)

    with FakeUpstream(echo) as one:
        route = router(worker(1, one.url))
        wrong: list[str] = []

        def ask(text: str) -> None:
            request = chat()
            message = {"role": "user", "content": text}
            own = type(request)("m", (message,), {**request.body, "messages": [message]}, False, text)
            for _ in range(10):
                reply = route.complete(own).reply.text
                if reply != text:
                    wrong.append(reply)

        threads = [threading.Thread(target=ask, args=(f"text {n}",)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong
    assert len(one.requests) == 80
