"""Token exchanges that fail, give nothing or what is over already; a worker that takes no token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.acceptance.bad_door import TEXT, TEXT_SURFACES, Ask, ask_chat, copied, refused, worker_of
from tests.api.management import Api, management
from tests.fakes import (
    Behaviour,
    Exchange,
    FakeUpstream,
    bytes_answer,
    drop,
    empty_answer,
    hang,
    html_answer,
    json_answer,
)
from tests.services.job_rig import JOB
from tests.serving import wait_for

CANARY = "canary/7f3a+key"
TOKEN = "token-canary-1"
GOOD = json_answer({"data": {"items": [{"answer": "yes"}]}})


@pytest.fixture(scope="module")
def api(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("var")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACCEPTANCE_KEY", CANARY)
        with management(copied(sqlite_template, folder), folder, ROLLCALL_SECRET_ENV="ACCEPTANCE_*") as api:
            api.rollcall.jobs.start_polling()
            yield api
            api.rollcall.jobs.stop()


def needy(exchange: FakeUpstream, **words: Any) -> dict[str, Any]:
    """A registration that fetches its token there."""
    auth = {
        "req_url_template": exchange.url,
        "req_param": {"client_secret": "${env:ACCEPTANCE_KEY}"},
        "token_extract": "access_token",
        "expires_extract": "expires_in",
    }
    return {**TEXT, "header": {"Authorization": "Bearer {ACCESS_TOKEN}"}, "auth": auth, "timeout_s": 2, **words}


FAILURES: dict[str, tuple[Behaviour, str]] = {
    "refused": (json_answer({"error": f"invalid_client {CANARY}"}, 401), "HTTP 401 invalid_client ***"),
    "broken": (json_answer({"error": "oops"}, 500), "HTTP 500 oops"),
    "busy": (json_answer({"error": "slow down"}, 429), "HTTP 429 slow down"),
    "an error on 200": (json_answer({"error": f"no such {CANARY}"}), "no such ***"),
    "no token": (json_answer({"access": TOKEN}), "holds none at 'access_token'"),
    "null": (json_answer({"access_token": None}), "holds none at 'access_token'"),
    "an object": (json_answer({"access_token": {"a": TOKEN}}), "holds none at 'access_token'"),
    "empty": (json_answer({"access_token": " "}), "holds none at 'access_token'"),
    "two lines": (json_answer({"access_token": f"{TOKEN}\r\nX-Evil: 1"}), "one that cannot be sent"),
    "a web page": (html_answer(), "holds none at 'access_token'"),
    "an image": (bytes_answer(b"\x89PNG\x00", content_type="image/png"), "holds none at 'access_token'"),
    "nothing": (empty_answer(), "holds none at 'access_token'"),
    "a redirect": (json_answer({}, 302, {"Location": "/elsewhere"}), "HTTP 302"),
    "a hang-up": (drop(), "could not be fetched"),
}


@pytest.mark.parametrize("ask", TEXT_SURFACES)
@pytest.mark.parametrize("what", FAILURES)
def test_an_exchange_that_fails_is_said_and_the_worker_is_not_asked(api: Api, ask: Ask, what: str) -> None:
    behaviour, said = FAILURES[what]
    with FakeUpstream(behaviour) as exchange, worker_of(api, GOOD, **needy(exchange)) as (model, worker):
        answer = ask(api, model)
        message = refused(answer, 502, "access token could not be fetched", said)
        assert worker.requests == []
        assert {request.path for request in exchange.requests} == {"/generate"}
    assert CANARY not in answer.text
    assert TOKEN not in message
    if ask is ask_chat:
        assert answer.json["error"]["code"] == "upstream_auth_error"


def test_an_exchange_that_hangs_ends_with_the_request(api: Api) -> None:
    with FakeUpstream(hang()) as exchange, worker_of(api, GOOD, **needy(exchange, timeout_s=0.3)) as (model, worker):
        answer = ask_chat(api, model)
        assert answer.status_code in (502, 504), answer.text
        assert worker.requests == []


def numbered(lifetime: Any) -> Behaviour:
    given = iter(range(1, 100))

    def behave(exchange: Exchange) -> None:
        json_answer({"access_token": f"token-canary-{next(given)}", "expires_in": lifetime})(exchange)

    return behave


def tokens_of(worker: FakeUpstream) -> list[str]:
    return [request.headers["authorization"].rpartition("-")[2] for request in worker.requests]


@pytest.mark.parametrize("lifetime", [0, -5, "-1", 59, "0.5"])
def test_one_that_is_over_already_serves_one_request(api: Api, lifetime: Any) -> None:
    with FakeUpstream(numbered(lifetime)) as exchange, worker_of(api, GOOD, **needy(exchange)) as (model, worker):
        assert [ask_chat(api, model).status_code for _ in range(3)] == [200] * 3
        assert tokens_of(worker) == ["1", "2", "3"]
        assert len(exchange.requests) == 3


@pytest.mark.parametrize("lifetime", ["soon", None, {}, [], 1e300, 3600, "3600"])
def test_a_lifetime_that_is_none_is_an_hour(api: Api, lifetime: Any) -> None:
    with FakeUpstream(numbered(lifetime)) as exchange, worker_of(api, GOOD, **needy(exchange)) as (model, worker):
        assert [ask_chat(api, model).status_code for _ in range(2)] == [200] * 2
        assert tokens_of(worker) == ["1", "1"]
        assert len(exchange.requests) == 1


def echoed(exchange: Exchange) -> None:
    """A worker that takes no token, and repeats it."""
    json_answer({"error": f"not {exchange.request.headers['authorization']}"}, 401)(exchange)


@pytest.mark.parametrize("ask", TEXT_SURFACES)
@pytest.mark.parametrize("stream", [False, True])
def test_a_401_is_renewed_once_only(api: Api, ask: Any, stream: bool) -> None:
    words = {"stream": {"framing": "sse", "delta_extract": "delta", "done": "[DONE]"}}
    with (
        FakeUpstream(numbered(3600)) as exchange,
        worker_of(api, echoed, **needy(exchange, **words)) as (model, worker),
    ):
        answer: TestResponse = ask(api, model, stream=stream)
        refused(answer, 502, "refused the credentials of its registration (HTTP 401)")
        assert "token-canary" not in answer.text
        assert tokens_of(worker) == ["1", "2"]
        assert len(exchange.requests) == 2


def test_an_exchange_that_fails_when_it_is_renewed(api: Api) -> None:
    def once(exchange: Exchange) -> None:
        first = not exchanges.requests[1:]
        json_answer({"access_token": TOKEN} if first else {"error": "no more"}, 200 if first else 403)(exchange)

    with FakeUpstream(once) as exchanges, worker_of(api, echoed, **needy(exchanges)) as (model, worker):
        refused(ask_chat(api, model), 502, "could not be fetched: HTTP 403 no more")
        assert len(worker.requests) == 1


def test_a_job_whose_token_ends_while_it_runs(api: Api) -> None:
    """Each poll may renew it once; where that does not help either, the job fails and says so."""
    job = {**JOB, "req_url_template": "ORIGIN/tasks/{JOB_ID}", "interval_s": 0.02, "timeout_s": 30}

    def tired(exchange: Exchange) -> None:
        (json_answer({"id": "t-1"}) if exchange.request.method == "POST" else echoed)(exchange)

    with FakeUpstream(numbered(3600)) as exchange:
        words = needy(exchange, task="video", job={**job, "timeout_s": 0.3})
        with worker_of(api, tired, **words) as (model, worker):
            video_id = api.post("/v1/videos", {"model": model, "prompt": "a cat"}).json["id"]

            def over() -> Any:
                video = api.get(f"/v1/videos/{video_id}").json
                return video if video["status"] == "failed" else None

            message = wait_for("the end", over)["error"]["message"]
            polls = [request for request in worker.requests if request.method == "GET"]
    assert "HTTP 401" in message
    assert "token-canary" not in message
    assert len(exchange.requests) - 1 <= len(polls) / 2 + 1
