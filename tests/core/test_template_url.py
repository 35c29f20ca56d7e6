"""URL templates: values are percent-encoded, what begins the URL is raw, the host belongs to the operator."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.template import LanguageError, compile_url

VALUES = {
    "USER_PROMPT": "a b&c=d/é?#%",
    "MODEL_NAME": "org/llama3.2:latest",
    "N": 2,
    "STREAM": True,
    "MODEL_TEMPERATURE": 0.5,
    "INPUT": ["x", 1],
    "JOB_ID": "b3 f0",
    "RESP": {
        "base": "https://r:1",
        "urls": {"get": "https://r/p?a=1&b=2"},
        "images": [{"filename": "a b_1.png", "subfolder": ""}],
    },
    "REQUEST": {"voice": "alto"},
}


def render(text: str, **more: Any) -> str:
    return compile_url(text).render(VALUES | more, lambda kind, name: {"KEY": "k&y=", "BASE": "https://b:1"}[name])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("http://h/a?b={lower}", "http://h/a?b={lower}"),
        ("http://h/q?p={USER_PROMPT}", "http://h/q?p=a%20b%26c%3Dd%2F%C3%A9%3F%23%25"),
        ("http://h/{USER_PROMPT}/x", "http://h/a%20b%26c%3Dd%2F%C3%A9%3F%23%25/x"),
        ("http://h/models/{MODEL_NAME}:run?alt=sse", "http://h/models/org%2Fllama3.2%3Alatest:run?alt=sse"),
        ("https://{MODEL_NAME}.example/v1", "https://org%2Fllama3.2%3Alatest.example/v1"),
        ("http://h/?n={N}&s={STREAM}&t={MODEL_TEMPERATURE}", "http://h/?n=2&s=true&t=0.5"),
        ("http://h/?i={INPUT}", "http://h/?i=%5B%22x%22%2C1%5D"),
        ("http://h/{VOICE}/{REQUEST:voice}", "http://h/alto/alto"),
        ("http://h/?s={SEED}&k=${env:KEY}", "http://h/?s=&k=k%26y%3D"),
        ("http://h/?s={SEED:a b}", "http://h/?s=a%20b"),
        ("http://h/{{N}}", "http://h/{N}"),
        ("{RESP:urls.get}", "https://r/p?a=1&b=2"),
        ("{RESP:base}/x?n={N}", "https://r:1/x?n=2"),
        ("${env:BASE}/v1/{MODEL_NAME}", "https://b:1/v1/org%2Fllama3.2%3Alatest"),
        ("http://h/history/{JOB_ID}", "http://h/history/b3%20f0"),
        (
            "http://h/view?f={RESP:images[].filename}&s={RESP:images[].subfolder}",
            "http://h/view?f=a%20b_1.png&s=",
        ),
        ("", ""),
    ],
)
def test_urls(text: str, wanted: str) -> None:
    assert render(text) == wanted


@pytest.mark.parametrize(
    ("prompt", "path"),
    [(".", "%2E"), ("..", "%2E%2E"), ("../x", "..%2Fx"), ("", ""), ("a.b", "a.b"), ("\ud800", "%3F"), ("\n", "%0A")],
)
def test_a_value_never_climbs_in_the_path(prompt: str, path: str) -> None:
    assert render("http://h/a/{USER_PROMPT}/b", USER_PROMPT=prompt) == f"http://h/a/{path}/b"


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("{USER_PROMPT}", 0),
        ("{REQUEST:url}/v1", 0),
        ("{BASE_URL}/v1", 0),
        ("{MODEL_NAME}/v1", 0),
        ("http://{USER_PROMPT}/v1", 7),
        ("http://{REQUEST:api_base}", 7),
        ("http://{VOICE}.h/v1", 7),
        ("http://h:{N}/", 9),
        ("http://user:{USER_PROMPT}@h/", 12),
        ("http://{MODEL_NAME}{VOICE}/", 19),
        ("http{VOICE}://h/", 4),
        ("{RESP:host}{USER_PROMPT}", 11),
        ("{RESP:base}&n={N}", 14),
        ("${env:BASE}{USER_PROMPT}/x", 11),
    ],
)
def test_no_caller_chooses_the_host(text: str, position: int) -> None:
    with pytest.raises(LanguageError, match="may not stand in or before the host") as caught:
        compile_url(text)
    assert caught.value.position == position


def test_a_url_that_does_not_parse_names_the_position() -> None:
    with pytest.raises(LanguageError, match="does not close") as caught:
        compile_url("http://h/{USER_PROMPT")
    assert (caught.value.position, caught.value.where) == (9, "")


def test_a_url_names_what_it_uses() -> None:
    template = compile_url("http://h/{MODEL_NAME}?p={REQUEST:prompt}&k=${env:KEY}")
    assert template.placeholders == {"MODEL_NAME", "REQUEST"}
    assert template.request_paths == {"prompt"}
    assert template.secrets == {("env", "KEY")}
