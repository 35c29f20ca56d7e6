"""What a placeholder becomes: typed alone, text inside text, defaults, and what disappears."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.template import ABSENT, compile_tree

REQUEST = {
    "messages": [{"role": "user", "content": "hi"}],
    "tools": [{"type": "function"}],
    "steps": 20,
    "negative_prompt": "blurry",
    "k": 3,
    "nothing": None,
    "options": {"a.b": [1, 2]},
}
VALUES = {
    "USER_PROMPT": "hi",
    "MODEL_NAME": "llama",
    "MODEL_TEMPERATURE": 0.7,
    "MAX_TOKENS": None,
    "STREAM": False,
    "MESSAGES": [{"role": "user", "content": "hi"}],
    "N": 2,
    "INPUT": "",
    "WIDTH": 0,
    "REQUEST": REQUEST,
}


def no_secrets(kind: str, name: str) -> str:
    raise AssertionError(f"no secret was asked for: {kind}:{name}")


def render(node: Any, values: dict[str, Any] | None = None) -> Any:
    return compile_tree(node).render(VALUES if values is None else values, no_secrets)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{USER_PROMPT}", "hi"),
        ("{MODEL_TEMPERATURE}", 0.7),
        ("{STREAM}", False),
        ("{WIDTH}", 0),
        ("{INPUT}", ""),
        ("{MESSAGES}", [{"role": "user", "content": "hi"}]),
        ("{N}", 2),
    ],
)
def test_a_string_that_is_one_placeholder_becomes_the_json_value(text: str, wanted: Any) -> None:
    found = render({"a": text})["a"]
    assert found == wanted
    assert type(found) is type(wanted)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Q: {USER_PROMPT}\nA:", "Q: hi\nA:"),
        ("{USER_PROMPT}{USER_PROMPT}", "hihi"),
        ("t={MODEL_TEMPERATURE}", "t=0.7"),
        ("stream={STREAM}", "stream=false"),
        ("{N} x", "2 x"),
        (" {N}", " 2"),
        ("all: {MESSAGES}", 'all: [{"role":"user","content":"hi"}]'),
        ("w={WIDTH}, i={INPUT}.", "w=0, i=."),
    ],
)
def test_inside_longer_text_a_value_is_text(text: str, wanted: str) -> None:
    assert render({"a": text}) == {"a": wanted}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{MAX_TOKENS:1024}", 1024),
        ("{MAX_TOKENS:-1}", -1),
        ("{MAX_TOKENS:0.95}", 0.95),
        ("{MAX_TOKENS:true}", True),
        ("{MAX_TOKENS:null}", None),
        ('{MAX_TOKENS:"1024"}', "1024"),
        ('{MAX_TOKENS:["</s>", "}"]}', ["</s>", "}"]),
        ('{MAX_TOKENS:{"type": "text"}}', {"type": "text"}),
        ("{MAX_TOKENS:}", ""),
        ("{MAX_TOKENS:a b: c}", "a b: c"),
        ("{MAX_TOKENS:NaN}", "NaN"),
        ("{MAX_TOKENS:1e999}", "1e999"),
        ("{MAX_TOKENS:[1,2}", "[1,2"),
        ("{MAX_TOKENS:01}", "01"),
        ("{MAX_TOKENS:" + "x" * 1000 + "}", "x" * 1000),
        ("up to {MAX_TOKENS:1024} tokens", "up to 1024 tokens"),
        ("{MAX_TOKENS:1.0}!", "1.0!"),
        ('{MAX_TOKENS:"quoted"}!', "quoted!"),
        ("{STEPS:25}", 20),
        ("{FRAMES:24}", 24),
        ("{N:1}", 2),
        ("{STREAM:true}", False),
        ("{INPUT:none}", ""),
    ],
)
def test_a_default_stands_in_for_what_is_not_there(text: str, wanted: Any) -> None:
    found = render({"a": text})["a"]
    assert found == wanted
    assert type(found) is type(wanted)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{STEPS}", 20),
        ("{NEGATIVE_PROMPT}", "blurry"),
        ("{K}", 3),
        ("{TOP_K}", ABSENT),
        ("{NOTHING}", ABSENT),
        ("{REQUEST:tools}", [{"type": "function"}]),
        ("{REQUEST:messages[-1].content}", "hi"),
        ('{REQUEST:options."a.b"[1]}', 2),
        ("{REQUEST:missing|steps}", 20),
        ("{REQUEST:messages[role=user].content}", "hi"),
        ("{REQUEST:missing.deeply[3]}", ABSENT),
        ("{REQUEST:nothing}", ABSENT),
        ("{REQUEST}", REQUEST),
        ("{REQUEST:}", REQUEST),
        ("said {REQUEST:messages[].content}", "said hi"),
        ("{RESP:urls.get}", "http://h/1"),
        ("{RESP:*.id}", ABSENT),
        ("{JOB_ID}", "j-1"),
    ],
)
def test_any_field_of_the_callers_request_or_the_earlier_reply(text: str, wanted: Any) -> None:
    values = VALUES | {"RESP": {"urls": {"get": "http://h/1"}}, "JOB_ID": "j-1"}
    assert compile_tree(text).render(values, no_secrets) == wanted


@pytest.mark.parametrize("request_value", [None, [], "text", 5])
def test_a_request_that_is_no_object_has_no_fields(request_value: Any) -> None:
    assert render(["{STEPS}", "{REQUEST:steps}", "x"], {"REQUEST": request_value}) == ["x"]


def test_a_value_given_by_name_wins_over_the_callers_field() -> None:
    assert render("{STEPS}", {"STEPS": 4, "REQUEST": {"steps": 20}}) == 4


@pytest.mark.parametrize(
    ("node", "wanted"),
    [
        ({"a": "{MAX_TOKENS}", "b": 1}, {"b": 1}),
        ({"options": {"t": "{SEED}", "n": "{MAX_TOKENS}"}, "b": 1}, {"b": 1}),
        ({"options": {"t": "{SEED}", "n": "{N}"}}, {"options": {"n": 2}}),
        ({"system": [{"text": "{SYSTEM_PROMPT}"}], "b": 1}, {"b": 1}),
        ({"systemInstruction": {"parts": [{"text": "{SYSTEM_PROMPT}"}]}, "b": 1}, {"b": 1}),
        ({"a": ["{SEED}", "x", "{MAX_TOKENS}"]}, {"a": ["x"]}),
        ({"a": "seed {SEED}", "b": 1}, {"b": 1}),
        ({"a": "{SEED}{MAX_TOKENS}", "b": 1}, {"b": 1}),
        ({"a": "{STYLE}: {USER_PROMPT}"}, {"a": ": hi"}),
        ({"a": "{SEED}", "b": {}, "c": []}, {"b": {}, "c": []}),
        ({"a": {"b": {}, "c": "{SEED}"}}, {"a": {"b": {}}}),
        ({"a": None, "b": "{SEED}"}, {"a": None}),
        ({"a": {"b": "{SEED}"}}, ABSENT),
        ([["{SEED}"]], ABSENT),
        ("{SEED}", ABSENT),
        ({}, {}),
        ([], []),
        ({"history": "{MESSAGES}"}, {"history": []}),
    ],
)
def test_what_has_no_value_disappears_with_what_it_empties(node: Any, wanted: Any) -> None:
    values = VALUES | ({"MESSAGES": []} if node == {"history": "{MESSAGES}"} else {})
    assert compile_tree(node).render(values, no_secrets) == wanted


def test_keys_are_left_as_they_are_and_keep_their_order() -> None:
    node = {"{USER_PROMPT}": 1, "b": "{SEED}", "c": "{N}", "a": {"{N}": "{N}"}, "0": "{USER_PROMPT}"}
    rendered = render(node)
    assert rendered == {"{USER_PROMPT}": 1, "c": 2, "a": {"{N}": 2}, "0": "hi"}
    assert list(rendered) == ["{USER_PROMPT}", "c", "a", "0"]


def test_constant_parts_are_not_built_again() -> None:
    template = compile_tree({"graph": {"4": {"inputs": ["ckpt", {}]}}, "prompt": "{USER_PROMPT}"})
    first, second = template.render(VALUES, no_secrets), template.render(VALUES, no_secrets)
    assert first is not second
    assert first["graph"] is second["graph"]


def test_a_change_of_the_registered_tree_changes_no_template() -> None:
    node = {"a": [{"b": 1}], "q": "{USER_PROMPT}"}
    template = compile_tree(node)
    node["a"][0]["b"] = 2  # type: ignore[index]
    assert template.render(VALUES, no_secrets) == {"a": [{"b": 1}], "q": "hi"}


def test_a_template_names_what_it_uses() -> None:
    template = compile_tree(
        {"a": "{USER_PROMPT} {STEPS:3}", "b": ["{REQUEST:tools}", "${env:KEY}"], "c": "{{N}} {lower} ${secret:a.b}"}
    )
    assert template.placeholders == {"USER_PROMPT", "STEPS", "REQUEST"}
    assert template.request_paths == {"tools"}
    assert template.secrets == {("env", "KEY"), ("secret", "a.b")}
