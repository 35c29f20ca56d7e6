"""What is given lies over a preset; one URL moves them all; a key goes where the preset has a place for it."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.errors import InvalidField
from app.core.moved import moved_registration
from app.core.preset import Preset, parse_preset

PRESET: dict[str, Any] = {
    "summary": "s",
    "task": "text",
    "source": "x",
    "date": "2026-11-24",
    "registration": {
        "model_name": "usual",
        "req_url_template": "https://api.example.com/v1/chat/completions",
        "header": {"Authorization": "Bearer ${env:EXAMPLE_KEY}", "X-Version": "1"},
        "body": {"model": "{MODEL_NAME}", "messages": "{MESSAGES}", "options": {"a": 1}},
        "error": {"error": "*"},
        "stream": {"req_url_template": "https://api.example.com/v1/chat/stream?alt=sse", "when": {"a": 1}},
        "job": {"header": {"Authorization": "Bearer ${env:EXAMPLE_KEY}"}, "req_url_template": "{RESP:urls.get}"},
        "health": {"req_url_template": "https://api.example.com/v1/models", "interval_s": 60},
    },
}


def preset(**words: Any) -> Preset:
    return parse_preset("example", {**PRESET, "registration": {**PRESET["registration"], **words}})


def urls(words: dict[str, Any]) -> list[str]:
    return [words["req_url_template"], words["stream"]["req_url_template"], words["health"]["req_url_template"]]


def test_nothing_given_is_the_preset_itself() -> None:
    assert preset().under({}) == PRESET["registration"]


def test_objects_are_laid_over_each_other_conditions_replace() -> None:
    words = preset().under(
        {
            "model_name": "m",
            "body": {"options": {"b": 2}, "x": None},
            "error": {"code": "*"},
            "stream": {"when": {"b": 2}},
        }
    )
    assert words["model_name"] == "m"
    assert words["body"] == {"model": "{MODEL_NAME}", "messages": "{MESSAGES}", "options": {"a": 1, "b": 2}, "x": None}
    assert words["error"] == {"code": "*"}
    assert words["stream"]["when"] == {"b": 2}
    assert words["stream"]["req_url_template"].endswith("alt=sse")


def test_a_header_given_anew_is_new_in_every_block_that_repeats_it() -> None:
    words = preset().under({"header": {"authorization": "Bearer ${env:MINE}"}})
    assert words["header"] == {"X-Version": "1", "authorization": "Bearer ${env:MINE}"}
    assert words["job"]["header"] == {"Authorization": "Bearer ${env:MINE}"}


def test_what_lies_under_is_not_changed() -> None:
    one = preset()
    one.with_key("env:OTHER").under(
        {"req_url_template": "http://h", "body": {"options": {"a": 9}}, "header": {"a": "b"}}
    )
    assert one == preset()


@pytest.mark.parametrize(
    ("given", "becomes"),
    [
        (
            "http://gpu-7:8000",
            ["http://gpu-7:8000/v1/chat/completions", "http://gpu-7:8000/v1/chat/stream?alt=sse", "http://gpu-7:8000/v1/models"],
        ),
        (
            "http://gpu-7:8000/",
            ["http://gpu-7:8000/v1/chat/completions", "http://gpu-7:8000/v1/chat/stream?alt=sse", "http://gpu-7:8000/v1/models"],
        ),
        (
            "https://gw/team/v1",
            ["https://gw/team/v1/chat/completions", "https://gw/team/v1/chat/stream?alt=sse", "https://gw/team/v1/models"],
        ),
        (
            "https://gw/team/v1/chat/completions",
            ["https://gw/team/v1/chat/completions", "https://gw/team/v1/chat/stream?alt=sse", "https://gw/team/v1/models"],
        ),
        (
            "https://gw/api/paas/v4/chat/completions?x=1",
            ["https://gw/api/paas/v4/chat/completions?x=1", "https://gw/api/paas/v4/chat/stream?alt=sse", "https://gw/api/paas/v4/models"],
        ),
        ("http://h/ask", ["http://h/ask", "http://h/v1/chat/stream?alt=sse", "http://h/v1/models"]),
    ],
)  # fmt: skip
def test_a_url_moves_the_others(given: str, becomes: list[str]) -> None:
    words = preset().under({"req_url_template": given})
    assert urls(words) == becomes
    assert words["job"]["req_url_template"] == "{RESP:urls.get}"


def test_urls_of_another_host_stay() -> None:
    words = {"req_url_template": "http://a/x", "auth": {"req_url_template": "http://b/x"}}
    assert moved_registration(words, "http://c") == {
        "req_url_template": "http://c/x",
        "auth": {"req_url_template": "http://b/x"},
    }


def test_a_longer_host_is_another_host() -> None:
    words = {"req_url_template": "http://a/x", "health": {"req_url_template": "http://a.com/x"}}
    assert moved_registration(words, "http://c")["health"] == {"req_url_template": "http://a.com/x"}


@pytest.mark.parametrize(("key", "stands"), [("env:MINE", "Bearer ${env:MINE}"), ("sk-literal", "Bearer sk-literal")])
def test_a_key_stands_where_the_preset_has_one(key: str, stands: str) -> None:
    words = preset().with_key(key).registration
    assert words["header"]["Authorization"] == words["job"]["header"]["Authorization"] == stands


def test_a_key_that_the_system_may_ask_for() -> None:
    bare = {word: value for word, value in PRESET["registration"].items() if word not in ("header", "job")}
    one = parse_preset("local", {**PRESET, "registration": bare, "key": {"X-Key": "${env:LOCAL_KEY}"}})
    assert "header" not in one.under({})
    assert one.with_key("env:MINE").under({})["header"] == {"X-Key": "${env:MINE}"}


def test_no_place_for_a_key_and_two_of_them() -> None:
    bare = {"model_name": "m", "req_url_template": "http://h", "header": {"a": "b"}}
    with pytest.raises(InvalidField, match="no place for a key"):
        parse_preset("x", {**PRESET, "registration": bare}).with_key("env:A")
    two = {**bare, "header": {"a": "${env:A}", "b": "${env:B}"}}
    with pytest.raises(InvalidField, match="2 secrets"):
        parse_preset("x", {**PRESET, "registration": two}).with_key("env:A")
