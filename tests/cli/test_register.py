"""`register`: from a file, from flags, from both; the same checks as over HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.operating import Manage, done, refused, registration

URL = "http://127.0.0.1:9/generate"


def row(manage: Manage) -> dict[str, Any]:
    (only,) = json.loads(done(manage("list-workers", "--json")))
    assert isinstance(only, dict)
    return only


def test_from_a_file(manage: Manage, tmp_path: Path) -> None:
    file = tmp_path / "registration.json"
    file.write_text(json.dumps(registration(weight=5)))
    assert done(manage("register", "--file", str(file))) == f"Worker 1 (m at {URL}): created.\n"
    assert row(manage)["weight"] == 5


def test_from_flags(manage: Manage) -> None:
    flags = [
        *("--model", "m", "--url", URL, "--method", "POST", "--body", '{"messages": "{MESSAGES}"}'),
        *("--header", "X-Team: red: blue", "--param", "v=1=2", "--extract", "a.b", "--weight", "4"),
        *("--instance", "one", "--upstream-model", "big", "--owner", "me"),
    ]
    shown = json.loads(done(manage("register", *flags, "--dry-run")))
    assert shown["request"]["url"] == URL + "?v=1%3D2"
    assert shown["request"]["body"] == {"messages": [{"role": "user", "content": "Who are you?"}]}
    done(manage("register", *flags))
    found = row(manage)
    assert (found["weight"], found["instance"], found["upstream_model"], found["owner"]) == (4, "one", "big", "me")
    assert (found["response_extract"], list(found["header"])) == ("a.b", ["X-Team"])


def test_flags_go_on_top_of_the_file(manage: Manage) -> None:
    done(manage("register", "--file", "-", "--weight", "7", stdin=json.dumps(registration(weight=1))))
    assert row(manage)["weight"] == 7


def test_a_dry_run_stores_nothing(manage: Manage) -> None:
    done(manage("register", "--file", "-", "--dry-run", stdin=json.dumps(registration())))
    assert done(manage("list-workers")) == "No worker is registered.\n"


def test_the_same_identity_again_is_refused_and_update_changes_it(manage: Manage) -> None:
    done(manage("register", "--file", "-", stdin=json.dumps(registration())))
    again = ["register", "--file", "-", "--weight", "9"]
    sentence = refused(manage(*again, stdin=json.dumps(registration())))
    assert "already registered as worker 1" in sentence
    assert "--update" in sentence
    assert ": updated." in done(manage(*again, "--update", stdin=json.dumps(registration())))
    assert ": unchanged." in done(manage(*again, "--update", stdin=json.dumps(registration())))
    assert row(manage)["weight"] == 9


def test_notes_go_to_stderr(manage: Manage) -> None:
    raw = registration(body={"input": "{USER_PROMPT}"})
    result = manage("register", "--file", "-", stdin=json.dumps(raw))
    assert (result.exit_code, result.stdout) == (0, f"Worker 1 (m at {URL}): created.\n")
    assert result.stderr.startswith("Note: conversation not carried")


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        ({"weigth": 1, **registration()}, "weigth"),
        (registration(weight="3"), "weight"),
        (registration(body={"input": "{USER_PROMPT"}), "body.input"),
        (registration(req_url_template="ftp://x"), "req_url_template"),
        (registration(body={"input": "hello"}), "USER_PROMPT"),
    ],
)
def test_what_the_api_refuses_is_refused_in_one_sentence(manage: Manage, raw: dict[str, Any], names: str) -> None:
    assert names in refused(manage("register", "--file", "-", stdin=json.dumps(raw)))


def test_a_preset_under_a_file_under_flags(manage: Manage) -> None:
    file = json.dumps({"preset": "ollama", "weight": 2, "model_name": "from-file"})
    flags = ["--model", "from-flags", "--key", "env:MY_KEY", "--url", "http://127.0.0.1:9"]
    done(manage("register", "--file", "-", *flags, stdin=file, ROLLCALL_SECRET_ENV="MY_KEY"))
    found = row(manage)
    assert (found["model_name"], found["weight"], found["header"]) == ("from-flags", 2, {"Authorization": "***"})
    assert found["req_url_template"] == "http://127.0.0.1:9/api/chat"


def test_a_key_without_a_place(manage: Manage) -> None:
    assert manage("register", "--file", "-", "--key", "env:K", stdin=json.dumps(registration())).exit_code == 2
    assert "has no place for a key" in refused(manage("register", "--preset", "chatglm", "--key", "env:K"))
    assert "did you mean ollama?" in refused(manage("register", "--preset", "olama"))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"a": NaN}', "[" * 100_000])
def test_a_file_that_is_no_json_object_is_one_sentence(manage: Manage, text: str) -> None:
    refused(manage("register", "--file", "-", stdin=text))


@pytest.mark.parametrize(
    "wrong", [["--file", "/nowhere.json"], ["--body", "{"], ["--header", "X"], ["--param", "=3"], ["--weight", "x"]]
)
def test_wrong_usage(manage: Manage, wrong: list[str]) -> None:
    assert manage("register", *wrong).exit_code == 2
