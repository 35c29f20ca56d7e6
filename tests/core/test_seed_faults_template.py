"""The faults of the origin's templates, each with a test named after it."""

from __future__ import annotations

import json
from typing import Any

from app.core.extract import compile_path
from app.core.template import compile_tree, compile_url


def ask(body: Any, prompt: str) -> Any:
    values = {
        "USER_PROMPT": prompt,
        "MODEL_NAME": "llama",
        "MODEL_TEMPERATURE": 0.5,
        "MESSAGES": [{"role": "user", "content": prompt}],
        "REQUEST": {},
    }
    return compile_tree(body).render(values, lambda kind, name: "")


def test_it_mutates_the_stored_template_so_that_every_later_request_resends_the_first_prompt() -> None:
    body = {"input": "{USER_PROMPT}", "deep": [{"q": "say {USER_PROMPT}"}], "fixed": {"a": [1]}}
    before = json.dumps(body)
    template = compile_tree(body)
    for prompt in ("first", "second"):
        rendered = template.render({"USER_PROMPT": prompt}, lambda kind, name: "")
        assert rendered == {"input": prompt, "deep": [{"q": f"say {prompt}"}], "fixed": {"a": [1]}}
    assert json.dumps(body) == before


def test_only_top_level_strings_of_body_are_replaced() -> None:
    body = {"contents": [{"role": "user", "parts": [{"text": "{USER_PROMPT}"}]}], "messages": "{MESSAGES}"}
    assert ask(body, "hi") == {
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        "messages": [{"role": "user", "content": "hi"}],
    }


def test_model_temperature_is_never_replaced() -> None:
    assert ask({"temperature": "{MODEL_TEMPERATURE}"}, "hi") == {"temperature": 0.5}


def test_a_model_name_typed_by_the_end_user_is_expanded() -> None:
    assert ask({"q": "{USER_PROMPT}", "m": "{MODEL_NAME}"}, "what is {MODEL_NAME}?") == {
        "q": "what is {MODEL_NAME}?",
        "m": "llama",
    }


def test_header_url_and_req_param_are_never_templated() -> None:
    assert ask({"X-Model": "{MODEL_NAME}"}, "hi") == {"X-Model": "llama"}
    assert ask({"q": "{USER_PROMPT}", "stream": "false"}, "hi") == {"q": "hi", "stream": "false"}
    url = compile_url("http://h/{MODEL_NAME}?q={USER_PROMPT}")
    assert url.render({"MODEL_NAME": "llama", "USER_PROMPT": "a b"}, lambda kind, name: "") == "http://h/llama?q=a%20b"


def test_the_seeds_own_path_and_empty_path_still_mean_what_they_meant() -> None:
    reply = {"data": {"items": [{"attributes": {"answer": "A"}}, {"attributes": {"answer": "B"}}]}}
    assert compile_path("data.items[].attributes.answer").find(reply) == "A"
    assert compile_path("").find(reply) == reply
    assert compile_path("").find("I am ChatGLM2-6B") == "I am ChatGLM2-6B"
