"""POST and PUT /api/server/register: the seed's JSON unchanged, strict types, every refusal names what is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.api.fields import Condition, Flag, Headers, Number, Text, Tree, Whole
from app.api.schemas import UpsertWords
from tests.api.management import REGISTER, URL, Api, management, refused, registration


@pytest.fixture
def api(database_url: str, tmp_path: Path) -> Iterator[Api]:
    with management(database_url, tmp_path, ROLLCALL_SECRET_ENV="ALLOWED_*") as api:
        yield api


@pytest.fixture
def light(sqlite_url: str, tmp_path: Path) -> Iterator[Api]:
    """For what never reaches the database."""
    with management(sqlite_url, tmp_path, ROLLCALL_SECRET_ENV="ALLOWED_*") as api:
        yield api


SEED_EXAMPLE = {
    "model_name": "proxyllm",
    "body": {"input": "{USER_PROMPT}", "model_name": "{MODEL_NAME}"},
    "req_url_template": "http://127.0.0.1/api/generate",
    "owner": "xuyuan23",
    "response_extract": "data.items[].attributes.answer",
}


def test_the_seeds_example_is_taken_and_answered_as_the_seed_does(api: Api) -> None:
    answer = api.post(REGISTER, SEED_EXAMPLE)
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["success"] is True
    assert answer.json["msg"] == "register LLM proxyllm succeed!"
    assert answer.json["outcome"] == "created"
    assert answer.json["revision"] >= 1
    assert any("conversation not carried" in note for note in answer.json["notes"])
    (row,) = api.rows()
    assert row["id"] == answer.json["id"]
    assert {name: row[name] for name in SEED_EXAMPLE} == SEED_EXAMPLE


def test_a_failure_is_json_and_never_200(api: Api) -> None:
    """The origin answered a Python repr, or 200 with an error."""
    api.register()
    message = refused(api.post(REGISTER, registration()), 409, "req_url_template")
    assert "already registered" in message
    assert len(api.rows()) == 1


def test_an_offline_one_comes_back(api: Api) -> None:
    worker_id = api.register()
    assert api.post("/api/server/offline", {"id": worker_id}).status_code == 200
    answer = api.post(REGISTER, registration(owner="new"))
    assert answer.json is not None
    assert (answer.json["id"], answer.json["outcome"]) == (worker_id, "revived")


def test_put_is_an_idempotent_upsert(api: Api) -> None:
    answers = [api.put(REGISTER, registration(weight=3)) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    first, second = (answer.json for answer in answers)
    assert first is not None
    assert second is not None
    assert (first["outcome"], second["outcome"]) == ("created", "unchanged")
    assert (first["id"], first["revision"]) == (second["id"], second["revision"])
    changed = api.put(REGISTER, registration(owner="me", admin="draining"))
    assert changed.json is not None
    assert changed.json["outcome"] == "updated"
    (row,) = api.rows()
    assert (row["weight"], row["owner"], row["admin"]) == (3, "me", "draining")


def test_every_word_of_the_vocabulary_is_taken_and_listed(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    words: dict[str, Any] = {
        "model_name": "all",
        "req_url_template": "http://127.0.0.1:9/v1/chat/completions?k=${env:ALLOWED_KEY}",
        "req_type": "POST",
        "req_param": {"user": "{REQUEST_ID}"},
        "header": {"Authorization": "Bearer ${env:ALLOWED_KEY}"},
        "body": {"model": "{MODEL_NAME}", "messages": "{MESSAGES}", "stream": "{STREAM}"},
        "owner": "me",
        "worker_type": "LOCAL",
        "is_stream": False,
        "response_extract": "choices[].message.content",
        "weight": 3,
        "instance": "one",
        "upstream_model": "vendor",
        "messages": {"system": "inline", "shape": "list"},
        "finish_extract": "choices[].finish_reason",
        "usage": {"prompt": "usage.prompt_tokens", "completion": ["usage.a", "usage.b"]},
        "error": [{"error": "*"}, {"code": {"not": 0}}],
        "error_extract": "error.message",
        "retry": ["502", "reset"],
        "retry_when": {"error.code": "busy"},
        "timeout_s": 12.5,
        "stream": {
            "framing": "sse",
            "mode": "delta",
            "delta_extract": "choices[].delta.content",
            "finish_extract": "choices[].finish_reason",
            "usage": {"prompt": "usage.prompt_tokens"},
            "done": "[DONE]",
            "header": {"X-Stream": "1"},
            "body": {"stream_options": {"include_usage": True}},
        },
        "health": {
            "req_url_template": "http://127.0.0.1:9/health",
            "expect": {"status": "ok"},
            "interval_s": 5,
            "timeout_s": 0.5,
            "fall": 2,
            "rise": 1,
        },
    }
    worker_id = api.register(**words)
    answer = api.get(f"/api/server/workers/{worker_id}")
    assert answer.json is not None
    row = answer.json["data"]
    shown = {
        **words,
        "header": {"Authorization": "***"},
        "stream": {**words["stream"], "header": {"X-Stream": "***"}},
    }
    assert {name: row[name] for name in words} == shown


@pytest.mark.parametrize(
    ("words", "field", "said"),
    [
        ({"wieght": 3}, "wieght", "did you mean weight?"),
        ({"reponse_extract": ""}, "reponse_extract", "did you mean response_extract?"),
        ({"zzzzzz": 1}, "zzzzzz", "is not known"),
        ({"admin": "enabled"}, "admin", "is not known"),
        ({"stream": {"framming": "sse"}}, "stream.framming", "did you mean framing?"),
        ({"health": {"expects": {}}}, "health.expects", "did you mean expect?"),
        ({"messages": {"role": {}}}, "messages.role", "did you mean roles?"),
        ({"usage": {"promt": "a"}}, "usage.promt", "did you mean prompt?"),
        ({"stream": {"usage": {"promt": "a"}}}, "stream.usage.promt", "did you mean prompt?"),
    ],
)
def test_an_unknown_field_is_refused_by_name_with_the_nearest(
    light: Api, words: dict[str, Any], field: str, said: str
) -> None:
    message = refused(light.post(REGISTER, registration(**words)), 422, field)
    assert field in message
    assert said in message


def test_a_refusal_stays_short_whatever_it_refuses(light: Api) -> None:
    answer = light.post(REGISTER, registration(**{f"{number}{'x' * 100_000}": 1 for number in range(9)}))
    message = refused(answer, 422)
    assert len(message) < 8000
    assert message.endswith("and 4 more.")


def test_a_hundred_thousand_unknown_names_cost_no_hundred_thousand_searches(
    light: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches: list[str] = []
    real = difflib.get_close_matches
    monkeypatch.setattr(
        difflib, "get_close_matches", lambda name, *rest, **more: searches.append(name) or real(name, *rest, **more)
    )
    refused(light.post(REGISTER, {f"wieght{number}": 1 for number in range(100_000)}), 422, "wieght0")
    assert len(searches) <= 5


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ({"weight": "3"}, "weight"),
        ({"weight": True}, "weight"),
        ({"weight": 1.5}, "weight"),
        ({"weight": -1}, "weight"),
        ({"weight": 1001}, "weight"),
        ({"weight": None}, "weight"),
        ({"is_stream": "true"}, "is_stream"),
        ({"is_stream": 1}, "is_stream"),
        ({"timeout_s": "60"}, "timeout_s"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"timeout_s": True}, "timeout_s"),
        ({"model_name": 5}, "model_name"),
        ({"model_name": ""}, "model_name"),
        ({"model_name": "m" * 201}, "model_name"),
        ({"req_url_template": ["http://w/"]}, "req_url_template"),
        ({"req_type": "PUT"}, "req_type"),
        ({"worker_type": "remote"}, "worker_type"),
        ({"body": "{USER_PROMPT}"}, "body"),
        ({"req_param": []}, "req_param"),
        ({"header": {"X-N": 3}}, "header.X-N"),
        ({"header": "a: b"}, "header"),
        ({"stream": True}, "stream"),
        ({"stream": {"mode": "cumulated"}}, "stream.mode"),
        ({"retry": "502"}, "retry"),
        ({"retry": [502]}, "retry[0]"),
        ({"retry": ["500"]}, "retry"),
        ({"error": "*"}, "error"),
        ({"error": ["*"]}, "error"),
        ({"usage": {"prompt": 1}}, "usage.prompt"),
        ({"health": {"fall": 0}}, "health.fall"),
        ({"health": {"tcp": "yes"}}, "health.tcp"),
        ({"health": {"interval_s": -1}}, "health.interval_s"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_types_are_strict(light: Api, words: dict[str, Any], field: str) -> None:
    message = refused(light.post(REGISTER, registration(**words)), 422, field)
    assert field in message
    assert light.rows() == []


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ({"body": {"input": "nothing of the caller"}}, "body"),
        ({"body": {"a": {"b": ["x {USER_PROMPT"]}}}, "body.a.b[0]"),
        ({"response_extract": "a[["}, "response_extract"),
        ({"req_url_template": "ftp://w/{USER_PROMPT}"}, "req_url_template"),
        ({"req_url_template": "not a url"}, "req_url_template"),
        ({"req_url_template": "http://w/" + "a" * 8000}, "req_url_template"),
        ({"header": {"Authorization": "${env:SECRET_OF_OTHERS}"}}, "header.Authorization"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_does_not_mean_anything_is_refused_with_its_place(light: Api, words: dict[str, Any], field: str) -> None:
    refused(light.post(REGISTER, registration(**words)), 422, field)
    assert light.rows() == []


def test_missing_fields_are_all_named_at_once(light: Api) -> None:
    message = refused(light.post(REGISTER, {}), 422)
    assert "model_name is required" in message
    assert "req_url_template is required" in message


@pytest.mark.parametrize("raw", [b"[]", b'"text"', b"5", b"null", b"[{}]"])
def test_a_body_that_is_no_object(light: Api, raw: bytes) -> None:
    answer = light.send("POST", REGISTER, data=raw, content_type="application/json")
    assert "must be an object" in refused(answer, 422)


@pytest.mark.parametrize(
    ("raw", "media_type", "status"),
    [
        (b'{"model_name": ', "application/json", 400),
        (b"", "application/json", 400),
        (b'{"model_name": NaN}', "application/json", 400),
        (b'{"model_name": "a\\u0000b"}', "application/json", 400),
        (b'{"model_name": "\\ud800"}', "application/json", 400),
        (b'{"body": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "application/json", 400),
        (b"\xff\xfe{}", "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"model_name=m", "application/x-www-form-urlencoded", 415),
        (b'{"a": "' + b"a" * 3_000_000 + b'"}', "application/json", 413),
    ],
    ids=["cut", "empty", "nan", "nul", "surrogate", "deep", "latin", "text", "form", "3 MB"],
)
def test_what_is_no_json(light: Api, raw: bytes, media_type: str, status: int) -> None:
    refused(light.send("POST", REGISTER, data=raw, content_type=media_type), status)
    refused(light.send("PUT", REGISTER, data=raw, content_type=media_type), status)


def test_a_dry_run_shows_the_request_and_stores_nothing(light: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_KEY", "s3cret-value")
    answer = light.send(
        "POST",
        REGISTER,
        query_string={"dry_run": "true"},
        json=registration(header={"Authorization": "Bearer ${env:ALLOWED_KEY}"}, req_param={"n": "1"}),
    )
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["success"] is True
    request = answer.json["request"]
    assert request["method"] == "POST"
    assert request["url"] == URL + "?n=1"
    assert request["headers"]["Authorization"] == "***"
    assert request["body"] == {"input": "Who are you?"}
    assert any("conversation" in note for note in answer.json["notes"])
    assert b"s3cret-value" not in answer.data
    assert light.rows() == []


def test_a_dry_run_refuses_what_a_registration_would(light: Api) -> None:
    refused(light.send("POST", REGISTER + "?dry_run=true", json=registration(weight="3")), 422, "weight")
    refused(light.send("POST", REGISTER + "?dry_run=maybe", json=registration()), 422, "dry_run")
    refused(light.send("POST", REGISTER + "?dryrun=true", json=registration()), 422, "dryrun")
    assert light.rows() == []


def test_no_secret_is_ever_shown(light: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    canary = "canary-5f1c"
    monkeypatch.setenv("ALLOWED_KEY", canary)
    words = {
        "req_url_template": URL + f"?api_key={canary}&k=${{env:ALLOWED_KEY}}",
        "header": {"Authorization": f"Bearer {canary}"},
        "req_param": {"token": canary},
        "body": {"input": "{USER_PROMPT}", "secret": canary},
        "stream": {"framing": "sse", "delta_extract": "a", "header": {"X-Key": canary}},
        "health": {"req_url_template": f"http://127.0.0.1:9/?key={canary}", "header": {"X-Key": canary}},
    }
    worker_id = light.register(**words)
    answers = [
        light.get("/api/server/workers"),
        light.get(f"/api/server/workers/{worker_id}"),
        light.get("/api/server/route", model_name="m"),
        light.post(REGISTER, registration(**words)),
        light.send("POST", REGISTER + "?dry_run=true", json=registration(**words)),
        light.patch(f"/api/server/workers/{worker_id}", {"weight": 2}),
        light.post("/api/server/offline", {"id": worker_id}),
    ]
    for answer in answers:
        assert canary.encode() not in answer.data
    assert b"${env:ALLOWED_KEY}" in answers[0].data


_TEXTS = st.text(max_size=12) | st.sampled_from(
    ["{USER_PROMPT}", "{MESSAGES}", "{STEPS:5}", "{A", "${env:ALLOWED_K}", "a[].b", "[-1]", "http://127.0.0.1:9/{SEED}"]
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=8,
)
_TREES = st.dictionaries(_TEXTS, _JSON, max_size=3)
_BODIES = _TREES.map(lambda tree: {**tree, "input": "{USER_PROMPT}"})


def _values(name: str, field: Any) -> st.SearchStrategy[Any]:
    """Mostly of the right type, so that meaning is tried and not only types."""
    if name.endswith("body"):
        return _BODIES
    for kind, values in (
        (Headers, st.dictionaries(_TEXTS, _TEXTS, max_size=2)),
        (Tree, _TREES),
        (Condition, _TREES),
        (Text, _TEXTS),
        (Whole, st.integers(0, 5)),
        (Number, st.floats(0.1, 9)),
        (Flag, st.booleans()),
    ):
        if isinstance(field, kind):
            return values
    return _JSON


_WORDS = UpsertWords().fields
_FIELDS = {
    **_WORDS,
    **{
        f"{block}.{name}": field
        for block in ("stream", "health", "messages")
        for name, field in _WORDS[block].schema.fields.items()
    },
}
_CHANGE = st.sampled_from(sorted(_FIELDS)).flatmap(
    lambda name: st.tuples(st.just(name), _values(name, _FIELDS[name]) | _JSON)
)


@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(changes=st.lists(_CHANGE, max_size=3))
def test_whatever_is_sent_gets_an_honest_answer(light: Api, changes: list[tuple[str, Any]]) -> None:
    words = registration()
    for name, value in changes:
        block, _, inner = name.rpartition(".")
        if block and isinstance(words.get(block, {}), dict):
            words[block] = {**words.get(block, {}), inner: value}
        else:
            words[name] = value
    answer = light.put(REGISTER, words)
    assert answer.status_code in (200, 400, 422), (words, answer.json)
    if answer.status_code == 200:
        dry = light.send("POST", REGISTER + "?dry_run=true", json={k: v for k, v in words.items() if k != "admin"})
        assert dry.status_code in (200, 400), (words, dry.json)
        assert light.delete(f"/api/server/workers/{answer.json['id']}").status_code == 200
