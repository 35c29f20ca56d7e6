"""No reply makes a path raise, and generated paths find what they were generated for."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.core.extract import compile_path, first_error_text

keys = st.sampled_from(["a", "b", "error", "message", "k", "quoted.key", ""])
scalars = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(), st.sampled_from(["", "v", "text"]))
replies = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=15,
)
brackets = st.sampled_from(["[]", "[0]", "[2]", "[-1]", "[*]", "[k=v]", "[*k=v]", '[a="text"]', '["b"]', "[*b=1]"])
names = st.sampled_from(["a", "b", "error", "*", '"quoted.key"', '""', "missing"])
steps = st.tuples(names, st.lists(brackets, max_size=2)).map(lambda pair: pair[0] + "".join(pair[1]))
paths = st.lists(st.lists(steps, min_size=1, max_size=3).map(".".join), min_size=1, max_size=3).map("|".join)


@given(paths, replies)
def test_a_path_finds_something_or_none_and_never_raises(path: str, reply: Any) -> None:
    compiled = compile_path(path)
    found = compiled.find(reply)
    firsts = (compile_path(alternative).find(reply) for alternative in path.split("|"))
    wanted = next((first for first in firsts if first is not None), None)
    assert repr(found) == repr(wanted)


@given(replies, st.data())
def test_a_path_written_for_a_member_finds_that_member(reply: Any, data: st.DataObject) -> None:
    text, value = "", reply
    while isinstance(value, dict | list) and value:
        if isinstance(value, dict):
            key = data.draw(st.sampled_from(sorted(value)))
            text += ("." if text else "") + f'"{key}"'
            value = value[key]
        else:
            index = data.draw(st.integers(-len(value), len(value) - 1))
            text += f"[{index}]"
            value = value[index]
    assert compile_path(text).find(reply) is value


@given(replies, st.text(max_size=300))
def test_the_text_of_an_error_is_always_a_text(reply: Any, raw: str) -> None:
    found = first_error_text(reply, raw)
    assert isinstance(found, str)
    assert len(found) <= 200
    assert found == found.strip()


def test_a_reply_of_any_depth_is_walked() -> None:
    reply: Any = "x"
    for _ in range(50_000):
        reply = [reply]
    assert compile_path("[*][*][]").find(reply) is not None
    assert compile_path("a.b").find(reply) is None
