"""What a registration shows of itself."""

from __future__ import annotations

import pytest

from app.services.masking import masked_spec, masked_tree, masked_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://w/api/generate", "http://w/api/generate"),
        ("http://w/?model=m&key=abc123", "http://w/?model=m&key=***"),
        ("http://w/?access_token=${env:TOKEN}", "http://w/?access_token=${env:TOKEN}"),
        ("http://w/?api-key=a%26b#part", "http://w/?api-key=***#part"),
        ("http://w/?apiKey=abc&max_tokens=5", "http://w/?apiKey=***&max_tokens=5"),
        ("http://w/?X-Amz-Signature=abc;d&sig=def", "http://w/?X-Amz-Signature=***&sig=***"),
        ("http://w/?token={REQUEST_ID}", "http://w/?token={REQUEST_ID}"),
        ("http://w/?prompt={USER_PROMPT}&keywords=a", "http://w/?prompt={USER_PROMPT}&keywords=a"),
        ("http://user:secret@w/", "http://***@w/"),
        ("http://w/path@here?q=a@b", "http://w/path@here?q=a@b"),
    ],
)
def test_urls(url: str, shown: str) -> None:
    assert masked_url(url) == shown


def test_no_block_shows_the_value_of_a_header() -> None:
    headers = {"Authorization": "Bearer abc", "X-Plain": "plain", "X-Ref": "${env:KEY}"}
    hidden = dict.fromkeys(headers, "***")
    spec = {
        "header": headers,
        "stream": {"header": headers, "framing": "sse"},
        "health": {"header": headers, "req_url_template": "http://w/?key=abc"},
    }
    assert masked_spec(spec) == {
        "header": hidden,
        "stream": {"header": hidden, "framing": "sse"},
        "health": {"header": hidden, "req_url_template": "http://w/?key=***"},
    }


def test_bodies_and_parameters_hide_what_is_named_like_a_secret() -> None:
    body = {
        "api_key": "abc",
        "accessKey": ["abc", "def"],
        "auth": {"password": "abc", "kind": "basic"},
        "token": "${env:TOKEN}",
        "secret": "{MY_SECRET}",
        "max_tokens": "{MAX_TOKENS:1024}",
        "prompt": "{USER_PROMPT}",
        "n": 1,
    }
    assert masked_tree(body) == {
        **body,
        "api_key": "***",
        "accessKey": ["***", "***"],
        "auth": {"password": "***", "kind": "basic"},
    }
    assert masked_spec({"req_param": {"key": "abc"}}) == {"req_param": {"key": "***"}}
    assert body["api_key"] == "abc", "nothing stored is changed"
