"""What the origin's code does wrong, line by line as the seed's README tells it: each has a test named after it.

The whole application, asked through its routes, in front of real model services.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app import start, stop
from tests.api.management import REGISTER, WORKERS, Api, management, refused
from tests.fakes import FakeUpstream, drop, hang, json_answer, refusing_port
from tests.serving import wait_for

SEED_CHAT = "/api/v1/chat/completions"
ANSWER = json_answer({"answer": "yes"})
BODY = {"input": "{USER_PROMPT}"}


@pytest.fixture
def api(sqlite_url: str, tmp_path: Path) -> Iterator[Api]:
    with management(sqlite_url, tmp_path) as api:
        api.rollcall.fleet.refresh()
        yield api


@pytest.fixture
def worker() -> Iterator[FakeUpstream]:
    with FakeUpstream(ANSWER) as worker:
        yield worker


def register(api: Api, worker: FakeUpstream, **words: Any) -> int:
    return api.register(**{"req_url_template": worker.url, "body": BODY, "response_extract": "answer", **words})


def ask(api: Api, prompt: str = "hi", **fields: Any) -> Any:
    answer = api.post(SEED_CHAT, {"model_name": "m", "input": prompt, **fields})
    assert (answer.status_code, answer.json["success"]) == (200, True), answer.json
    return answer.json["result"]


def test_it_mutates_the_stored_template_so_that_every_later_request_resends_the_first_prompt(
    api: Api, worker: FakeUpstream
) -> None:
    words = {
        "req_url_template": f"{worker.url}?again={{USER_PROMPT}}",
        "req_param": {"q": "{USER_PROMPT}"},
        "header": {"X-Prompt": "{USER_PROMPT}"},
        "body": {"input": "{USER_PROMPT}", "deep": [{"text": "say {USER_PROMPT}"}]},
    }
    register(api, worker, **words)
    (before,) = api.rows()
    for prompt in ("first", "second", "third"):
        assert ask(api, prompt) == "yes"
        sent = worker.requests[-1]
        assert sent.json == {"input": prompt, "deep": [{"text": f"say {prompt}"}]}
        assert sent.query == {"again": [prompt], "q": [prompt]}
        assert sent.headers["x-prompt"] == prompt
    (after,) = api.rows()
    assert (
        (after["body"], after["req_param"])
        == (before["body"], before["req_param"])
        == (words["body"], {"q": BODY["input"]})
    )


def test_only_top_level_strings_of_body_are_replaced_and_a_nested_messages_list_stays_literal(
    api: Api, worker: FakeUpstream
) -> None:
    nested = {"messages": [{"role": "user", "content": "{USER_PROMPT}"}], "a": {"b": [["{MODEL_NAME}"]]}}
    register(api, worker, body=nested)
    ask(api, 'say "hi"\n')
    assert worker.requests[-1].json == {"messages": [{"role": "user", "content": 'say "hi"\n'}], "a": {"b": [["m"]]}}


def test_model_temperature_is_never_replaced(api: Api, worker: FakeUpstream) -> None:
    register(api, worker, body={**BODY, "temperature": "{MODEL_TEMPERATURE}", "note": "at {MODEL_TEMPERATURE}"})
    ask(api, temperature=0.25)
    assert worker.requests[-1].json == {"input": "hi", "temperature": 0.25, "note": "at 0.25"}
    ask(api)
    assert "temperature" not in worker.requests[-1].json


@pytest.mark.parametrize(
    "typed", ["what is {MODEL_NAME}?", "{MODEL_NAME}", "{USER_PROMPT}", "{{MODEL_NAME}}", "${env:HOME}"]
)
def test_a_model_name_typed_by_the_end_user_is_expanded(api: Api, worker: FakeUpstream, typed: str) -> None:
    register(api, worker, body={**BODY, "text": "Q: {USER_PROMPT}", "model": "{MODEL_NAME}"})
    ask(api, typed)
    assert worker.requests[-1].json == {"input": typed, "text": f"Q: {typed}", "model": "m"}


def test_workers_answers_data_as_a_python_repr_string_not_a_list(api: Api, worker: FakeUpstream) -> None:
    assert api.get(WORKERS).json["data"] == []
    register(api, worker)
    answer = api.get(WORKERS)
    assert answer.content_type == "application/json"
    (row,) = answer.json["data"]
    assert (row["model_name"], row["req_url_template"], row["body"]) == ("m", worker.url, BODY)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_req_param_is_ignored(api: Api, worker: FakeUpstream, method: str) -> None:
    register(api, worker, req_type=method, req_param={"q": "{USER_PROMPT}", "n": 3, "tags": ["a", "b"], "exact": True})
    assert ask(api, "a&b=ü") == "yes"
    sent = worker.requests[-1]
    assert (sent.method, sent.query["q"], sent.query["n"]) == (method, ["a&b=ü"], ["3"])
    assert (sent.query["tags"], sent.query["exact"]) == (["a", "b"], ["true"])
    assert bool(sent.body) == (method == "POST")


def test_no_json_content_type_is_sent(api: Api, worker: FakeUpstream) -> None:
    worker_id = register(api, worker)
    ask(api)
    assert worker.requests[-1].headers["content-type"] == "application/json"
    api.delete(f"{WORKERS}/{worker_id}")
    register(api, worker, header={"content-type": "application/vnd.model+json"})
    ask(api)
    assert worker.requests[-1].headers["content-type"] == "application/vnd.model+json"


@pytest.mark.parametrize("where", ["registration", "settings"])
def test_no_timeouts(sqlite_url: str, tmp_path: Path, worker: FakeUpstream, where: str) -> None:
    worker.answer_with(hang())
    settings = {"ROLLCALL_TIMEOUT_S": 0.3} if where == "settings" else {}
    with management(sqlite_url, tmp_path, **settings) as api:
        register(api, worker, **({"timeout_s": 0.3} if where == "registration" else {}))
        answer = api.post(SEED_CHAT, {"model_name": "m", "input": "hi"})
    refused(answer, 504)
    worker.wait_left()


def test_no_connection_reuse(api: Api, worker: FakeUpstream) -> None:
    register(api, worker)
    for _ in range(5):
        ask(api)
    assert (len(worker.requests), worker.connections) == (5, 1)


def test_no_weights(api: Api, worker: FakeUpstream) -> None:
    with FakeUpstream(ANSWER) as heavy, FakeUpstream(ANSWER) as standby:
        light_id = register(api, worker, weight=1)
        heavy_id = register(api, heavy, weight=9)
        standby_id = register(api, standby, weight=0)
        answers = [api.post(SEED_CHAT, {"model_name": "m", "input": "hi"}) for _ in range(200)]
    counted = Counter(int(answer.headers["X-Rollcall-Worker"]) for answer in answers)
    assert {row["id"]: row["share"] for row in api.rows()} == {light_id: 0.1, heavy_id: 0.9, standby_id: 0.0}
    # Out of 200 each count is binomial: these bounds fail by chance less than once in 10 million runs.
    assert 140 < counted[heavy_id] < 200
    assert 0 < counted[light_id] < 60
    assert counted[standby_id] == 0


def test_no_health(sqlite_url: str, tmp_path: Path, worker: FakeUpstream) -> None:
    with (
        FakeUpstream(ANSWER) as other,
        management(sqlite_url, tmp_path, ROLLCALL_PROBE_FALL=1, ROLLCALL_PROBE_INTERVAL_S=0.1) as api,
    ):
        dying, staying = register(api, worker), register(api, other)
        start(api.app)
        try:
            wait_for("both probed", lambda: all(row["probe"] == "up" for row in api.rows()))
            worker.stop()
            wait_for("a verdict", lambda: api.get(f"{WORKERS}/{dying}").json["data"]["probe"] == "down")
            row = api.get(f"{WORKERS}/{dying}").json["data"]
            assert (row["available"], row["status"], row["share"], row["admin"]) == (False, "down", 0.0, "enabled")
            assert row["last_error"]
            assert row["last_ok_at"] < row["last_fail_at"]
            for _ in range(5):
                answer = api.post(SEED_CHAT, {"model_name": "m", "input": "hi"})
                assert answer.headers["X-Rollcall-Worker"] == str(staying)
                assert answer.headers["X-Rollcall-Attempts"] == "1"
            worker.start()
            wait_for("its return", lambda: api.get(f"{WORKERS}/{dying}").json["data"]["available"])
        finally:
            stop(api.app)


def test_nothing_is_persisted(database_url: str, tmp_path: Path, worker: FakeUpstream) -> None:
    with management(database_url, tmp_path, ROLLCALL_PROBE_INTERVAL_S=3600) as api:
        register(api, worker, weight=7, owner="xuyuan23", header={"X-Key": "k"})
        start(api.app)
        wait_for("a probe", lambda: api.rows()[0]["last_ok_at"])
        stop(api.app)
        before = api.rows()
    with management(database_url, tmp_path) as later:
        assert later.rows() == before
        assert ask(later) == "yes"
    assert worker.requests[-1].headers["x-key"] == "k"


def test_failures_raise_a_plain_string_which_is_a_type_error(api: Api, worker: FakeUpstream) -> None:
    for path, body, status in (
        (SEED_CHAT, {"model_name": "nobody", "input": "hi"}, 404),
        (REGISTER, {"model_name": "m"}, 422),
        ("/api/server/offline", {"model_name": "m", "req_url_template": worker.url}, 404),
    ):
        sentence = refused(api.post(path, body), status)
        assert sentence.endswith((".", "?"))
        assert "TypeError" not in sentence


def test_failures_are_always_http_200(api: Api, worker: FakeUpstream) -> None:
    def status_of() -> int:
        return api.post(SEED_CHAT, {"model_name": "m", "input": "hi"}).status_code

    assert status_of() == 404
    register(api, worker, error={"success": False})
    cases: list[tuple[Any, int]] = [
        (ANSWER, 200),
        (json_answer({"error": "no such adapter"}, 404), 404),
        (json_answer({"error": "too long"}, 422), 422),
        (json_answer({"error": "slow down"}, 429), 429),
        (json_answer({"error": "boom"}, 500), 502),
        (json_answer({"error": "loading"}, 503), 503),
        (json_answer({"success": False, "answer": "yes"}), 502),
        (json_answer({"something": "else"}), 502),
        (drop(), 502),
    ]
    for behaviour, status in cases:
        worker.answer_with(behaviour)
        assert status_of() == status
    with refusing_port() as port:
        api.delete(f"{WORKERS}/{api.rows()[0]['id']}")
        api.register(req_url_template=f"http://127.0.0.1:{port}/x")
        assert status_of() == 502
