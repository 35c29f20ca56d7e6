"""The table of docs/errors.md, row by row: another worker? what does the caller hear?"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import RollcallError, UpstreamError, UpstreamRejected, UpstreamTimeout
from app.core.retry import LONGEST_RETRY_AFTER_S, Failure, may_fail_over, retry_after_s, verdict

EVERYTHING = frozenset({"502", "504", "reset", "timeout"})
NOTHING: frozenset[str] = frozenset()


def unsent(kind: Any, message: str = "it went wrong", **fields: Any) -> Failure:
    return Failure(1, kind, message, sent=False, **fields)


def status(number: int, message: str = "said so", **fields: Any) -> Failure:
    return Failure(1, "status", message, status=number, **fields)


@pytest.mark.parametrize("kind", ["config", "dns", "connect", "refused", "tls", "protocol", "timeout"])
def test_what_was_not_sent_fails_over(kind: str) -> None:
    assert may_fail_over(unsent(kind), [], NOTHING)


@pytest.mark.parametrize("code", [301, 307, 401, 403, 429, 503, 529, 500])
def test_statuses_that_fail_over(code: int) -> None:
    assert may_fail_over(status(code), [], NOTHING)


@pytest.mark.parametrize("code", [400, 402, 404, 405, 408, 409, 410, 413, 415, 422, 451, 499, 501, 505, 520])
def test_statuses_that_never_do(code: int) -> None:
    assert not may_fail_over(status(code), [], EVERYTHING)


@pytest.mark.parametrize(
    ("failure", "name"),
    [
        (status(502), "502"),
        (status(504), "504"),
        (Failure(1, "reset", ""), "reset"),
        (Failure(1, "timeout", ""), "timeout"),
    ],
)
def test_opting_in_by_name(failure: Failure, name: str) -> None:
    assert may_fail_over(failure, [], {name})
    assert not may_fail_over(failure, [], EVERYTHING - {name})


@pytest.mark.parametrize("kind", ["fault", "too_large", "protocol"])
def test_other_answers_never_fail_over(kind: Any) -> None:
    assert not may_fail_over(Failure(1, kind, ""), [], EVERYTHING)


@pytest.mark.parametrize("failure", [Failure(1, "fault", "", retry_matched=True), status(400, retry_matched=True)])
def test_retry_when_wins(failure: Failure) -> None:
    assert may_fail_over(failure, [], NOTHING)
    error = verdict([failure])
    assert (type(error), error.status) == (UpstreamError, 502)


def test_a_second_500_is_the_end() -> None:
    assert may_fail_over(status(500), [status(503), unsent("refused")], NOTHING)
    assert not may_fail_over(status(500), [status(500), status(503)], NOTHING)


VERDICTS: list[tuple[Failure, type[RollcallError], int, str, str]] = [
    (unsent("refused", "connection refused"), UpstreamError, 502, "upstream_error",
     "Worker 1 could not be asked: connection refused."),
    (unsent("config", "The worker needs ${env:X}, which is not set.", code="secret_unavailable"), UpstreamError, 502,
     "secret_unavailable", "Worker 1 needs ${env:X}, which is not set."),
    (status(401, "key sk-1 is wrong"), UpstreamError, 502, "upstream_auth_error",
     "Worker 1 refused the credentials of its registration (HTTP 401)."),
    (status(429, "slow"), UpstreamError, 429, "upstream_rate_limited", "Worker 1 answered HTTP 429: slow."),
    (status(503, "HTTP 503 without a message"), UpstreamError, 503, "upstream_overloaded",
     "Worker 1 answered HTTP 503 without a message."),
    (status(500, "boom."), UpstreamError, 502, "upstream_error", "Worker 1 answered HTTP 500: boom."),
    (status(502, "bad"), UpstreamError, 502, "upstream_error", "Worker 1 answered HTTP 502: bad."),
    (status(504, "late"), UpstreamTimeout, 504, "upstream_timeout", "Worker 1 answered HTTP 504: late."),
    (status(422, "no such field."), UpstreamRejected, 422, "upstream_rejected", "no such field."),
    (status(400, "too long", code="context_length"), UpstreamRejected, 400, "context_length", "too long"),
    (status(500, "boom", code="oom"), UpstreamError, 502, "upstream_error", "Worker 1 answered HTTP 500: boom."),
    (status(404, "HTTP 404 without a message"), UpstreamRejected, 404, "upstream_rejected",
     "Worker 1 answered HTTP 404 without a message."),
    (status(500, ""), UpstreamError, 502, "upstream_error", "Worker 1 answered HTTP 500 without a message."),
    (status(400, " "), UpstreamRejected, 400, "upstream_rejected", "Worker 1 answered HTTP 400 without a message."),
    (status(302, "moved"), UpstreamError, 502, "upstream_error",
     "Worker 1 answered with a redirect (HTTP 302), which is not followed: register the address it leads to."),
    (Failure(1, "timeout", "silent for 3 s"), UpstreamTimeout, 504, "upstream_timeout",
     "Worker 1 failed after the request was sent: silent for 3 s."),
    (Failure(1, "fault", "The worker's reply has no answer."), UpstreamError, 502, "upstream_error",
     "Worker 1's reply has no answer."),
    (Failure(1, "fault", "out of memory"), UpstreamError, 502, "upstream_error", "Worker 1 failed: out of memory."),
    (Failure(1, "fault", ""), UpstreamError, 502, "upstream_error", "Worker 1 failed without a message."),
]  # fmt: skip


@pytest.mark.parametrize(("failure", "kind", "code", "word", "sentence"), VERDICTS, ids=lambda value: str(value)[:40])
def test_what_the_caller_hears(
    failure: Failure, kind: type[RollcallError], code: int, word: str, sentence: str
) -> None:
    error = verdict([failure])
    assert (type(error), error.status, error.code, error.message) == (kind, code, word, sentence)
    waits = code in (429, 503)
    assert (error.should_retry, error.retry_after_s) == ((None, 1.0) if waits else (False, None))
    assert (error.attempts, error.worker_id) == (1, 1)


def test_the_last_worker_that_answered_decides() -> None:
    busy = Failure(7, "status", "busy", status=429, retry_after_s=9.0)
    error = verdict([unsent("refused"), busy, unsent("dns")])
    assert (error.status, error.retry_after_s, error.worker_id, error.attempts) == (429, 9.0, 7, 3)
    assert error.message == "Worker 7 answered HTTP 429: busy (3 workers were asked)."
    assert verdict([busy, status(500)]).status == 502


KINDS = ["config", "dns", "connect", "refused", "tls", "status", "fault", "reset", "timeout", "too_large", "protocol"]
FAILURES = st.builds(
    Failure,
    worker_id=st.integers(1, 9),
    kind=st.sampled_from(KINDS),
    message=st.text(max_size=20),
    sent=st.booleans(),
    status=st.none() | st.integers(300, 599),
    retry_after_s=st.none() | st.floats(0, 300),
    retry_matched=st.booleans(),
)


@settings(max_examples=500)
@given(failures=st.lists(FAILURES, min_size=1, max_size=3))
def test_every_verdict_is_an_error_with_a_sentence(failures: list[Failure]) -> None:
    error = verdict(failures)
    assert 400 <= error.status < 600
    assert error.message.strip()
    assert (error.retry_after_s is None) == (error.should_retry is False)
    assert (error.retry_after_s is None) == (error.status not in (429, 503, 529))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("7", 7.0),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("nan", 0.0),
        ("inf", LONGEST_RETRY_AFTER_S),
        ("86400", LONGEST_RETRY_AFTER_S),
        ("Thu, 01 Jan 1970 00:16:50 GMT", 10.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Thu, 99 Foo 1970 00:00:00 GMT", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, now=1000.0) == seconds


@given(st.text())
def test_retry_after_takes_anything(value: str) -> None:
    seconds = retry_after_s(value, now=1000.0)
    assert seconds is None or 0 <= seconds <= LONGEST_RETRY_AFTER_S
