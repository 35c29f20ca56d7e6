"""Forms as JSON objects."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.dialects.form import typed
from app.core.errors import InvalidRequest

TYPED: list[tuple[list[tuple[str, str]], dict[str, Any]]] = [
    ([], {}),
    ([("model", "7"), ("prompt", "true"), ("seconds", "4"), ("size", "1"), ("negative_prompt", "null")],
     {"model": "7", "prompt": "true", "seconds": "4", "size": "1", "negative_prompt": "null"}),
    ([("a", "7"), ("b", "-7"), ("c", "0.5"), ("d", "true"), ("e", "false"), ("f", "null")],
     {"a": 7, "b": -7, "c": 0.5, "d": True, "e": False, "f": None}),
    ([("a", "007"), ("b", "1e5"), ("c", "NaN"), ("d", "+1"), ("e", "1."), ("f", "9" * 16), ("g", ""), ("h", "٣")],
     {"a": "007", "b": "1e5", "c": "NaN", "d": "+1", "e": "1.", "f": "9" * 16, "g": "", "h": "٣"}),
    ([("a[]", "1")], {"a": [1]}),
    ([("a[]", "1"), ("a[]", "x")], {"a": [1, "x"]}),
    ([("a", "1"), ("a", "2"), ("a", "3")], {"a": [1, 2, 3]}),
    ([("a[b]", "1"), ("a[c][d]", "2")], {"a": {"b": 1, "c": {"d": 2}}}),
    ([("a[b][]", "1"), ("a[b][]", "2")], {"a": {"b": [1, 2]}}),
    ([("input_reference[image_url]", "https://cdn/1")], {"input_reference": {"image_url": "https://cdn/1"}}),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "value"), TYPED)
def test_what_the_fields_stand_for(fields: list[tuple[str, str]], value: dict[str, Any]) -> None:
    assert typed(fields) == value


@pytest.mark.parametrize(
    "fields",
    [
        *([(name, "1")] for name in ("", "[]", "[a]", "a[", "a]", "a[b", "a[b]c", "a[][b]", "a" + "[b]" * 8, "a\0")),
        [("a", "1"), ("a[b]", "2")],
        [("a[b]", "1"), ("a", "2")],
        [("a[b]", "1"), ("a[]", "2")],
        [("a", "1"), ("a[]", "2")],
        [("a[]", "1"), ("a[b]", "2")],
        [("prompt", "a\0b")],
    ],
)
def test_fields_that_stand_for_nothing(fields: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        typed(fields)
    assert refused.value.status == 400


names = st.text(alphabet="ab[]", max_size=12)
texts = st.text(max_size=8)


@given(st.lists(st.tuples(names, texts), max_size=6))
def test_any_fields_are_an_object_or_refused(fields: list[tuple[str, str]]) -> None:
    with contextlib.suppress(InvalidRequest):
        assert isinstance(typed(fields), dict)
