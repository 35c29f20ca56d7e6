"""What a dialect tells the router, and how its worker is probed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.core.dialect import compile_dialect, dialect_of, probe_request
from tests.core.registered import OPENAI, PLAIN, SAMPLES, secret, worker_of

BY_ID = {sample["id"]: sample["registration"] for sample in SAMPLES}


def test_workers_of_one_spec_share_one_dialect() -> None:
    one, other = worker_of(PLAIN), worker_of({**PLAIN, "req_url_template": "http://other/q", "weight": 5})
    assert dialect_of(one) is dialect_of(other) is compile_dialect(one.spec)


def test_words_for_the_router() -> None:
    dialect = dialect_of(worker_of({**PLAIN, "timeout_s": 7, "retry": ["reset", "502"]}))
    assert (dialect.timeout_s, dialect.retry) == (7, {"reset", "502"})
    assert dialect.carries_conversation is False
    assert dialect_of(worker_of(OPENAI)).carries_conversation is True
    assert dialect_of(worker_of(PLAIN)).timeout_s is None


def test_a_registered_probe() -> None:
    worker = replace(worker_of(BY_ID["gemini"]), upstream_model="gemini-x")
    request = probe_request(worker, secret)
    assert request is not None
    assert (request.method, request.body) == ("GET", None)
    assert request.url == "https://generativelanguage.googleapis.com/v1beta/models/gemini-x"
    assert request.headers == {"x-goog-api-key": "<env:GEMINI_API_KEY>"}


def test_a_probes_own_header_replaces_the_registrations() -> None:
    health = {"req_url_template": "http://h/health", "req_type": "POST", "header": {"X-Probe": "1"}, "interval_s": 60}
    worker = worker_of({**PLAIN, "header": {"A": "${env:A_KEY}", "X-Id": "{REQUEST_ID}"}, "health": health})
    request = probe_request(worker, secret)
    assert request is not None
    assert (request.method, request.headers) == ("POST", {"X-Probe": "1"})
    spec = dialect_of(worker).health
    assert spec is not None
    assert (spec.interval_s, spec.timeout_s, spec.fall, spec.tcp) == (60, None, None, False)
    without = probe_request(worker_of({**PLAIN, "header": {"A": "1"}, "health": {**health, "header": {}}}), secret)
    assert without is not None
    assert without.headers == {}
    shared = probe_request(
        worker_of(
            {**PLAIN, "header": {"A": "1", "X-Id": "{REQUEST_ID}"}, "health": {"req_url_template": "http://h/health"}}
        ),
        secret,
    )
    assert shared is not None
    assert shared.headers == {"A": "1"}


@pytest.mark.parametrize(
    "health", [None, {"interval_s": 0.5}, {"tcp": True}, {"tcp": True, "req_url_template": "http://h/health"}]
)
def test_without_a_registered_url_there_is_no_probe_request(health: dict[str, Any] | None) -> None:
    assert probe_request(worker_of({**PLAIN, "health": health}), secret) is None
