"""Token exchanges: what is asked, what their replies give, and where the token may stand."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app.core.auth import USUAL_LIFETIME_S, AuthPlan
from app.core.dialect import build_request, dialect_of, probe_request
from app.core.fault import WorkerFault
from tests.core.registered import PLAIN, asked, refusal, secret, worker_of

AUTH = {
    "req_url_template": "http://h/oauth/token",
    "req_param": {"grant_type": "client_credentials", "client_id": "${env:A_KEY}", "client_secret": "${env:B_KEY}"},
    "token_extract": "access_token",
    "expires_extract": "expires_in",
}
RAW = {**PLAIN, "auth": AUTH, "req_param": {"access_token": "{ACCESS_TOKEN}"}}


def plan(**words: Any) -> AuthPlan:
    auth = dialect_of(worker_of({**RAW, "auth": {**AUTH, **words}})).auth
    assert auth is not None
    return auth


def test_what_is_asked() -> None:
    sent = plan().request(worker_of(RAW), secret)
    url = urlsplit(sent.url)
    assert (sent.method, url.path, sent.body, sent.headers) == ("POST", "/oauth/token", None, {})
    assert parse_qs(url.query) == {
        "grant_type": ["client_credentials"],
        "client_id": ["<env:A_KEY>"],
        "client_secret": ["<env:B_KEY>"],
    }


def test_a_form_asks_too() -> None:
    auth = plan(req_param={}, body={"grant_type": "x y", "secret": "${env:A_KEY}"}, body_type="form")
    sent = auth.request(worker_of(RAW), secret)
    assert sent.headers == {"Content-Type": "application/x-www-form-urlencoded"}
    assert sent.body == b"grant_type=x+y&secret=%3Cenv%3AA_KEY%3E"


def test_the_token_stands_where_it_is_named() -> None:
    raw = {**RAW, "header": {"Authorization": "Bearer {ACCESS_TOKEN}"}, "health": {"req_url_template": "http://h/up"}}
    sent = build_request(worker_of(raw), asked("hi"), stream=False, secrets=secret, access_token="t/1")
    assert sent.url == "http://h/q?access_token=t%2F1"
    assert sent.headers["Authorization"] == "Bearer t/1"
    probe = probe_request(worker_of(raw), secret, "t/1")
    assert probe is not None
    assert probe.headers == {"Authorization": "Bearer t/1"}
    assert probe_request(worker_of(raw), secret) is None  # the origin is asked instead, without credentials


@pytest.mark.parametrize(
    ("body", "token", "lifetime"),
    [
        (b'{"access_token": "t", "expires_in": 2592000}', "t", 2_592_000),
        (b'{"access_token": " t ", "expires_in": "120"}', "t", 120),
        (b'{"access_token": "t"}', "t", USUAL_LIFETIME_S),
        (b'{"access_token": "t", "expires_in": "soon"}', "t", USUAL_LIFETIME_S),
        (b'{"access_token": "t", "expires_in": -5}', "t", 0),
        (b'{"access_token": "t", "expires_in": 1e99}', "t", 30 * 86_400),
        (b'{"access_token": 12}', "12", USUAL_LIFETIME_S),
    ],
)
def test_tokens(body: bytes, token: str, lifetime: float) -> None:
    assert plan().token(200, body) == (token, lifetime)


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (401, b'{"error": "invalid_client", "error_description": "no such key"}', "HTTP 401: invalid_client"),
        (500, b"", "HTTP 500: no message"),
        (200, b'{"error": "invalid_client"}', "It says: invalid_client"),
        (200, b'{"acess_token": "secret-token"}', "'access_token'"),
        (200, b"", "'access_token'"),
        (200, b'{"access_token": null}', "'access_token'"),
        (200, b'{"access_token": {"a": 1}}', "'access_token'"),
        (200, b'{"access_token": "a\\nb"}', "cannot be sent"),
    ],
)
def test_exchanges_that_give_none(status: int, body: bytes, says: str) -> None:
    with pytest.raises(WorkerFault) as caught:
        plan().token(status, body)
    assert says in caught.value.message
    assert "secret-token" not in caught.value.message


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ({"auth": {**AUTH, "req_url_template": ""}}, "auth.req_url_template"),
        ({"auth": {**AUTH, "req_url_template": "file:///x"}}, "auth.req_url_template"),
        ({"auth": {**AUTH, "token_extract": None}}, "auth.token_extract"),
        ({"auth": {**AUTH, "token_extract": "a["}}, "auth.token_extract"),
        ({"auth": {**AUTH, "expires_extract": "a["}}, "auth.expires_extract"),
        ({"auth": {**AUTH, "body": {"p": "{USER_PROMPT}"}}}, "auth"),
        ({"auth": {**AUTH, "body": {"p": "{ACCESS_TOKEN}"}}}, "auth"),
        ({"auth": {**AUTH, "header": {"X": "${env:NOT_ALLOWED}"}}}, "auth.header.X"),
        ({"auth": {**AUTH, "body_type": "xml"}}, "auth.body_type"),
        ({"auth": None}, "req_param.access_token"),
    ],
)
def test_exchanges_that_are_refused(words: dict[str, Any], field: str) -> None:
    assert refusal({**RAW, **words})[0] == field
