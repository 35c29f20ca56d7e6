"""A curl command as a shell and curl would read it, and the sentence for what cannot be."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.curl.command import parse_curl
from app.core.curl.draft import draft
from app.core.curl.shell import CurlError, words
from app.core.errors import InvalidRequest


@pytest.mark.parametrize(
    ("command", "reads"),
    [
        ("a 'b c' \"d e\" f\\ g", ["a", "b c", "d e", "f g"]),
        ("a \\\n  b\\\r\n c", ["a", "b", "c"]),
        ("'it'\\''s' \"a\\\"b\\$c\"", ["it's", 'a"b$c']),
        ("\"Bearer $KEY\" '$KEY' ${KEY} ${KEY:-x}", ["Bearer ${env:KEY}", "$KEY", "${env:KEY}", "${env:KEY}"]),
        ('\'{"k": "\'"$KEY"\'"}\'', ['{"k": "${env:KEY}"}']),
        (r"$'it\'s\n\u00e9\x41'", ["it's\néA"]),
        ("a # comment\n b#c", ["a", "b#c"]),
        ("a b | jq .", ["a", "b"]),
        ("a 2>/dev/null", ["a"]),
        ("a && b", ["a"]),
        ("'' \"\"", ["", ""]),
    ],
)
def test_words(command: str, reads: list[str]) -> None:
    assert words(command) == reads


@given(st.lists(st.text(st.characters(exclude_characters="'", exclude_categories=["Cs"])), max_size=5))
def test_what_is_single_quoted_comes_out_as_it_is(texts: list[str]) -> None:
    assert words(" ".join(f"'{text}'" for text in texts)) == texts


@pytest.mark.parametrize("command", ["a 'b", 'a "b', "a $'b", 'a "$(date)"', "a `date`", "curl http://h -d @- <<EOF"])
def test_what_no_shell_word_is(command: str) -> None:
    with pytest.raises(CurlError):
        words(command)


@given(st.text(max_size=200))
def test_any_text_is_a_registration_or_a_sentence(text: str) -> None:
    with contextlib.suppress(InvalidRequest):
        draft(parse_curl("curl " + text), [], {"model_name": "m"})


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("curl http://h/a", {"method": "GET", "url": "http://h/a", "body": None}),
        ("$ curl -sS h/a", {"url": "http://h/a"}),
        ("/usr/bin/curl -XPOST --url http://h/a?x=1#f", {"method": "POST", "url": "http://h/a", "params": {"x": "1"}}),
        ("curl http://h -H'A: b' --header \"C:d\" -H 'E;' -H 'F:'", {"headers": {"A": "b", "C": "d"}}),
        ("curl http://h -d '{\"a\": 1}'", {"method": "POST", "body": {"a": 1}, "body_type": "json"}),
        ("curl http://h --json '{\"a\": 1}' --request=POST", {"body": {"a": 1}}),
        ("curl http://h -d a=1 -d 'b=x y'", {"body": {"a": "1", "b": "x y"}, "body_type": "form"}),
        ("curl http://h --data-urlencode 'q=a&b' -d c=1", {"body": {"q": "a&b", "c": "1"}, "body_type": "form"}),
        ("curl -G http://h?z=0 -d a=1 --data-urlencode 'b=x y'", {"params": {"z": "0", "a": "1", "b": "x y"}}),
        ("curl http://h -F 'p=\"a cat\"' -F 'f=png;type=text/plain'", {"body": {"p": "a cat", "f": "png"}}),
        ("curl http://h -F p=x", {"body_type": "multipart"}),
        ("curl -u me:pw http://h", {"headers": {"Authorization": "Basic me:pw"}}),
        ("curl -A me -b a=b -e http://r -m 30 http://h -o out", {"timeout_s": 30.0}),
        ("curl -k --proxy http://p http://h", {"notes": [
            "-k is left out: certificates of workers are always checked",
            "--proxy is left out: how workers are reached is no part of a registration",
        ]}),
    ],
)  # fmt: skip
def test_calls(command: str, expected: dict[str, Any]) -> None:
    call = parse_curl(command)
    assert {name: getattr(call, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("wget http://h", "no curl command"),
        ("curl -s", "no address"),
        ("curl http://a http://b", "two addresses"),
        ("curl http://h -d @body.json", "body.json"),
        ("curl http://h --data-binary @-", "file"),
        ("curl http://h -F image=@cat.png", "cat.png"),
        ("curl http://h -H @headers", "headers"),
        ("curl http://h -T x", "-T"),
        ("curl http://h --cert x", "--cert"),
        ("curl http://h --whatever", "--whatever"),
        ("curl http://h -d", "no value"),
        ("curl http://h -d '{\"a\": }'", "column 7"),
        ("curl http://h --json '[1]'", "JSON object"),
        ("curl http://h -d words", "neither JSON nor"),
        ("curl -X DELETE http://h", "DELETE"),
        ("curl -m soon http://h", "soon"),
        ("curl " + "x" * 200_001, "200000"),
    ],
)
def test_what_cannot_be_a_registration_is_said(command: str, names: str) -> None:
    with pytest.raises(CurlError) as caught:
        parse_curl(command)
    assert names in caught.value.message
