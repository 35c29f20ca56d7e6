"""`register --from-curl` with the examples of vendors' documents, against servers that answer as theirs do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tests.api.management import management
from tests.cli.curl_examples import ANTHROPIC, GEMINI, MODEL_OF, OLLAMA, OLLAMA_GENERATE, OPENAI, at
from tests.cli.operating import Manage, done, refused
from tests.fakes import Behaviour, FakeUpstream, json_answer, openai_answer

KEYS = {"ROLLCALL_SECRET_ENV": "*_API_KEY", "OPENAI_API_KEY": "key-of-openai", "ANTHROPIC_API_KEY": "key-of-anthropic"}
KEYS |= {"GEMINI_API_KEY": "key-of-gemini", "ACME_API_KEY": "key-of-acme", "MODEL_API_KEY": "key-of-model"}

ANTHROPIC_ANSWER = {
    "type": "message",
    "content": [{"type": "text", "text": "hello"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "output_tokens": 1},
}
GEMINI_ANSWER = {
    "candidates": [{"content": {"parts": [{"text": "hello"}], "role": "model"}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 1},
}
OLLAMA_DONE = {"done": True, "done_reason": "stop", "prompt_eval_count": 3, "eval_count": 1}
TURNS = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "what?"}]

CASES: list[tuple[str, Behaviour, str, dict[str, Any], dict[str, str]]] = [
    (
        OPENAI,
        openai_answer(),
        "/v1/chat/completions",
        {"model": "gpt-5.4", "messages": TURNS, "stream": False},
        {"authorization": "Bearer key-of-openai"},
    ),
    (
        ANTHROPIC,
        json_answer(ANTHROPIC_ANSWER),
        "/v1/messages",
        {"model": "claude-opus-4-6", "system": "be brief", "messages": TURNS[1:], "max_tokens": 1024, "stream": False},
        {"x-api-key": "key-of-anthropic", "anthropic-version": "2023-06-01"},
    ),
    (
        GEMINI,
        json_answer(GEMINI_ANSWER),
        "/v1beta/models/gemini-3-flash-preview:generateContent",
        {
            "contents": [{"role": "user", "parts": [{"text": "what?"}]}],
            "systemInstruction": {"parts": [{"text": "be brief"}]},
        },
        {"x-goog-api-key": "key-of-gemini"},
    ),
    (
        OLLAMA,
        json_answer({"message": {"role": "assistant", "content": "hello"}, **OLLAMA_DONE}),
        "/api/chat",
        {"model": "llama3.2", "messages": TURNS, "stream": False},
        {},
    ),
    (
        OLLAMA_GENERATE,
        json_answer({"response": "hello", **OLLAMA_DONE}),
        "/api/generate",
        {"model": "llama3.2", "prompt": "what?", "system": "be brief", "stream": False},
        {},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=["openai", "anthropic", "gemini", "ollama", "ollama-generate"])
def test_examples_become_working_registrations(manage: Manage, sqlite_url: str, tmp_path: Path, case: Any) -> None:
    command, behaviour, path, body, headers = case
    with FakeUpstream(behaviour) as worker:
        result = manage("register", "--from-curl", at(worker, command), **KEYS)
        assert result.exit_code == 0, result.output
        assert not worker.requests  # nothing is called until told
        model = MODEL_OF[command]
        with pytest.MonkeyPatch.context() as patch:
            for name, value in KEYS.items():
                patch.setenv(name, value)
            with management(sqlite_url, tmp_path, ROLLCALL_SECRET_ENV="*_API_KEY") as api:
                api.rollcall.fleet.refresh()
                answer = api.post("/v1/chat/completions", {"model": model, "messages": TURNS})
    assert answer.status_code == 200, answer.text
    choice = answer.json["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("hello", "stop")
    assert answer.json["usage"]["prompt_tokens"] == 3
    (request,) = worker.requests
    assert (request.path, request.json) == (path, body)
    assert {name: request.headers[name] for name in headers} == headers


def test_the_registration_is_printed_before_it_is_stored_and_holds_no_key(manage: Manage) -> None:
    result = manage("register", "--from-curl", OPENAI.replace("$OPENAI_API_KEY", "sk-very-secret"), **KEYS)
    assert result.exit_code == 0, result.output
    assert "sk-very-secret" not in result.output
    shown, told = json.loads(result.stdout[: result.stdout.rindex("}") + 1]), result.stdout.splitlines()[-1]
    assert shown["header"] == {"Authorization": "Bearer ${env:OPENAI_API_KEY}"}
    assert told.startswith("Worker 1 (gpt-5.4 at https://api.openai.com/v1/chat/completions): created.")
    assert "OPENAI_API_KEY" in result.stderr


def test_flags_and_a_key_go_on_top(manage: Manage, tmp_path: Path) -> None:
    file = tmp_path / "example.sh"
    file.write_text(OPENAI)
    flags = ["--model", "chat", "--weight", "3", "--key", "env:ACME_API_KEY"]
    result = manage("register", "--from-curl", f"@{file}", *flags, **KEYS)
    assert result.exit_code == 0, result.output
    (row,) = json.loads(done(manage("list-workers", "--json")))
    assert (row["model_name"], row["upstream_model"], row["weight"]) == ("chat", "gpt-5.4", 3)
    assert "${env:ACME_API_KEY}" in result.stdout


def test_a_key_that_may_not_be_read_is_said_and_nothing_is_stored(manage: Manage) -> None:
    result = manage("register", "--from-curl", OPENAI)
    assert result.exit_code == 1
    assert "ROLLCALL_SECRET_ENV" in result.stderr
    assert done(manage("list-workers")) == "No worker is registered.\n"


UNKNOWN = """curl %s/v2/ask -H 'Authorization: Bearer sk-123' -d '{"query": "hi", "engine": "acme-1"}'"""
REPLY = {"data": {"items": [{"type": "note", "x": 1}, {"type": "answer", "text": "forty-two"}]}, "ok": True}


def ask_unknown(manage: Manage, worker: FakeUpstream, *flags: str) -> Result:
    return manage("register", "--from-curl", UNKNOWN % worker.origin, *flags, **KEYS)


def test_a_try_shows_the_paths_of_the_reply_and_answer_names_one(manage: Manage) -> None:
    with FakeUpstream(json_answer(REPLY)) as worker:
        tried = ask_unknown(manage, worker, "--try", "what is six times nine?")
        assert tried.exit_code == 0, tried.output
        assert re.search(r"data\.items\[type=answer\]\.text +forty-two", tried.stderr)
        assert "Nothing is stored yet" in tried.stderr
        assert worker.requests[0].json == {"query": "what is six times nine?", "engine": "acme-1"}
        assert worker.requests[0].headers["authorization"] == "Bearer key-of-model"
        assert done(manage("list-workers")) == "No worker is registered.\n"
        path = "data.items[type=answer].text"
        stored = ask_unknown(manage, worker, "--try", "again", "--answer", path)
        assert stored.exit_code == 0, stored.output
        assert "Answer: forty-two" in stored.stderr
    (row,) = json.loads(done(manage("list-workers", "--json")))
    assert (row["model_name"], row["response_extract"]) == ("acme-1", path)


def test_without_a_path_for_the_answer_nothing_is_stored(manage: Manage) -> None:
    with FakeUpstream(json_answer(REPLY)) as worker:
        result = ask_unknown(manage, worker)
        assert result.exit_code == 1
        assert "--answer PATH" in result.stderr
        assert not worker.requests


def test_an_answer_path_that_finds_nothing_in_the_try_is_not_stored(manage: Manage) -> None:
    with FakeUpstream(json_answer(REPLY)) as worker:
        result = ask_unknown(manage, worker, "--try", "hi", "--answer", "data.text")
    assert result.exit_code == 1
    assert "'data.text' finds nothing" in result.stderr
    assert done(manage("list-workers")) == "No worker is registered.\n"


def test_a_refused_try_shows_the_reply_without_the_key(manage: Manage) -> None:
    with FakeUpstream(json_answer({"error": "bad key key-of-model"}, 401)) as worker:
        result = ask_unknown(manage, worker, "--try", "hi", "--answer", "x")
    assert result.exit_code == 1
    assert "HTTP 401" in result.stderr
    assert "key-of-model" not in result.output


def test_a_try_at_a_port_where_nobody_listens(manage: Manage) -> None:
    result = manage("register", "--from-curl", UNKNOWN % "http://127.0.0.1:9", "--try", "hi", **KEYS)
    assert result.exit_code == 1
    assert "cannot be asked" in result.stderr


def test_a_dry_run_stores_nothing(manage: Manage) -> None:
    result = manage("register", "--from-curl", OLLAMA, "--dry-run")
    assert result.exit_code == 0, result.output
    assert '"stream_request"' in result.stdout
    assert done(manage("list-workers")) == "No worker is registered.\n"


@pytest.mark.parametrize(
    "wrong", [["--try", "x"], ["--answer", "x"], ["--from-curl", "x", "--preset", "y"], ["--key", "k"]]
)
def test_wrong_usage(manage: Manage, wrong: list[str]) -> None:
    assert manage("register", *wrong).exit_code == 2


@pytest.mark.parametrize("text", ["", "wget x", "curl 'x", "@/nowhere"])
def test_what_is_no_curl_command_is_one_sentence(manage: Manage, text: str) -> None:
    refused(manage("register", "--from-curl", text))
