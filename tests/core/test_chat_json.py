"""JSON from strangers: what is no JSON, or what nobody could store or send on, is refused with its place."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import InvalidJson, InvalidRequest
from app.core.json_input import MAX_DEPTH, parse_json
from app.core.json_text import json_bytes


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


REFUSED: list[tuple[bytes, str]] = [
    (b"", "empty"),
    (b" \n ", "empty"),
    (b"{", "line 1, column 2"),
    (b'{"a": 1,}', "not valid JSON"),
    (b"a=1&b=2", "not valid JSON"),
    (b'{"a": 1} x', "not valid JSON"),
    (b'{"a": "\x00"}', "not valid JSON"),
    (b'{"a": NaN}', "NaN"),
    (b'{"a": -Infinity}', "-Infinity"),
    (b'{"a": 1e999}', "too large"),
    (b'{"a": ' + b"9" * 5000 + b"}", "digits"),
    (b'{"a": "\xff"}', "UTF-8"),
    (b'{"a": "\xed\xa0\x80"}', "UTF-8"),
    ('{"a": 1}'.encode("utf-16"), "UTF-8"),
    (nested(100_000), "nested"),
    (b'{"a":' * 100_000, "nested"),
    (nested(MAX_DEPTH + 1), "nested"),
    (b'{"a":' * MAX_DEPTH + b"[1]" + b"}" * MAX_DEPTH, "nested"),
]


@pytest.mark.parametrize(("raw", "says"), REFUSED, ids=range(len(REFUSED)))
def test_refused(raw: bytes, says: str) -> None:
    with pytest.raises(InvalidJson) as caught:
        parse_json(raw)
    assert says in caught.value.message
    assert (caught.value.status, len(caught.value.message) < 200) == (400, True)


BAD_TEXT: list[tuple[str, str | None]] = [
    (r'{"messages": [{"content": "a\u0000"}]}', "messages[0].content"),
    (r'{"messages": [{"content": [{"text": "\ud83d"}]}]}', "messages[0].content[0].text"),
    (r'{"a": {"b": "\udE00"}}', "a.b"),
    (r'{"a": {"b\u0000": 1}}', "a"),
    (r'{"\ud800": 1}', None),
    (r'"\ud800"', None),
    (r'["ok", "\ude00\ud83d"]', "[1]"),
]


@pytest.mark.parametrize(("raw", "field"), BAD_TEXT)
def test_text_that_is_no_text_is_named(raw: str, field: str | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_json(raw.encode())
    assert caught.value.field == field


@pytest.mark.parametrize(
    "raw",
    [
        r'{"a": "\ud83d\ude00 \u4f60"}',
        r'{"a": "the escape \\u0000 and \\ud800 as text"}',
        '{"a": "😀"}',
        '{"a": 1, "a": 2}',
        '{"a": ' + "9" * 4000 + "}",
        nested(MAX_DEPTH).decode(),
        "[" + ",".join(["{}"] * 500) + "]",
        '"' + "[" * 5000 + '"',
        "3",
    ],
)
def test_taken(raw: str) -> None:
    assert parse_json(raw.encode()) == json.loads(raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(JSON)
def test_what_is_taken_can_be_written_and_read_again(value: Any) -> None:
    try:
        parsed = parse_json(json.dumps(value).encode())
    except InvalidRequest:
        assert "\\u0000" in json.dumps(value)
        return
    assert parsed == value
    assert json.loads(json_bytes(parsed).decode()) == value


@settings(deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_a_value_or_a_refusal(raw: bytes) -> None:
    with contextlib.suppress(InvalidRequest):
        parse_json(raw)
