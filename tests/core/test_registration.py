"""What a registration may say, and what is made of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.core.errors import InvalidField
from app.core.registration import CONVERSATION_NOTE, parse_registration
from tests.core.registered import OPENAI, PLAIN, SAMPLES, registered


def test_the_seeds_registration_unchanged() -> None:
    wanted = registered(
        {
            "model_name": "proxyllm",
            "body": {"input": "{USER_PROMPT}", "model_name": "{MODEL_NAME}"},
            "req_url_template": "http://127.0.0.1/api/generate",
            "owner": "xuyuan23",
            "response_extract": "data.items[].attributes.answer",
        }
    )
    assert (wanted.model_name, wanted.url, wanted.owner) == ("proxyllm", "http://127.0.0.1/api/generate", "xuyuan23")
    assert (wanted.instance, wanted.worker_type, wanted.weight, wanted.admin) == ("", "REMOTE", None, None)
    assert json.loads(wanted.spec) == {
        "req_type": "POST",
        "req_param": {},
        "header": {},
        "body": {"input": "{USER_PROMPT}", "model_name": "{MODEL_NAME}"},
        "response_extract": "data.items[].attributes.answer",
        "is_stream": False,
    }
    assert wanted.notes == (CONVERSATION_NOTE,)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["id"])
def test_known_systems_are_taken(sample: dict[str, Any]) -> None:
    wanted = registered(sample["registration"])
    assert wanted.model_name == sample["registration"]["model_name"]
    assert not sample["id"].startswith("vllm") or wanted.notes == ()


def test_the_spec_does_not_depend_on_order_or_named_defaults() -> None:
    turned = {**dict(reversed(PLAIN.items())), "req_type": "POST", "is_stream": False, "header": {}, "weight": 3}
    assert registered(turned).spec == registered(PLAIN).spec
    assert registered({**PLAIN, "timeout_s": 5}).spec != registered(PLAIN).spec


def test_the_pools_words_are_no_part_of_the_spec() -> None:
    wanted = registered({**PLAIN, "weight": 0, "instance": "b", "upstream_model": "u", "admin": "draining"})
    assert (wanted.weight, wanted.instance, wanted.upstream_model, wanted.admin) == (0, "b", "u", "draining")
    assert wanted.spec == registered(PLAIN).spec


def test_the_spec_holds_whatever_text_a_template_holds() -> None:
    wanted = registered({**PLAIN, "body": {"p": "{USER_PROMPT}", "x": "\x00\ud800é\n"}})
    assert wanted.spec.isascii()
    assert "\x00" not in wanted.spec
    assert json.loads(wanted.spec)["body"]["x"] == "\x00\ud800é\n"


def test_only_allowed_environment_names_are_read() -> None:
    raw = {**PLAIN, "header": {"Authorization": "Bearer ${env:MY_TOKEN}"}}
    assert parse_registration(raw, lambda name: name == "MY_TOKEN").spec
    with pytest.raises(InvalidField) as caught:
        parse_registration(raw, lambda name: False)
    assert "MY_TOKEN" in caught.value.message
    assert caught.value.status == 422


def test_what_merely_looks_like_a_reference_is_text() -> None:
    assert registered({**PLAIN, "body": {"p": "{USER_PROMPT}", "js": "`${name}` costs $5 {lower} $"}})


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"body": {"p": "{USER_PROMPT}"}}, "last user message only"),
        ({"body": {"p": "{USER_PROMPT}", "s": "{SYSTEM_PROMPT}"}}, "stays empty"),
        ({"req_type": "GET", "req_param": {"q": "{USER_PROMPT}"}}, "body is not sent"),
    ],
)
def test_notes(words: dict[str, Any], says: str) -> None:
    assert any(says in note for note in registered({**PLAIN, **words}).notes)


@pytest.mark.parametrize(
    "words",
    [
        {"body": {"m": "{MESSAGES}"}},
        {"body": {"all": "{REQUEST:messages}"}},
        {"body": {"p": "{USER_PROMPT}", "s": "{SYSTEM_PROMPT}"}, "messages": {"system": "separate"}},
    ],
)
def test_a_template_that_carries_the_conversation_needs_no_note(words: dict[str, Any]) -> None:
    assert registered({**PLAIN, **words}).notes == ()


def test_the_callers_request_may_be_in_the_query_or_the_url() -> None:
    for words in (
        {"req_type": "GET", "body": None, "req_param": {"q": "{USER_PROMPT}"}},
        {"req_type": "GET", "body": None, "req_url_template": "http://h/ask?q={USER_PROMPT}"},
        {"body": None, "req_url_template": "http://h/{INPUT}"},
    ):
        assert registered({**PLAIN, **words}).spec


def test_nothing_of_the_registration_is_changed() -> None:
    before = json.dumps(OPENAI)
    registered(OPENAI)
    assert json.dumps(OPENAI) == before


@pytest.mark.parametrize("header", [{"Connection": "close"}, {"connection": "Close"}])
def test_a_worker_may_want_no_kept_connections(header: dict[str, str]) -> None:
    """The same headers in other blocks go to the same server."""
    for words in ({"header": header}, {"stream": {"header": header, "delta_extract": "d"}}):
        assert registered({**PLAIN, **words}).spec
