"""Any condition compiles or is refused; a compiled one never raises."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.core.extract import Condition, LanguageError, compile_condition

scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text())
keys = st.sampled_from(["a", "b", "a[]", "a[*].b", "@event", "@json[0]", "", "not", "match", "a|b", "*", ".", "a["])
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=10,
)
tests = st.one_of(
    scalars,
    st.lists(scalars, max_size=3),
    st.just("*"),
    st.builds(lambda test: {"not": test}, scalars),
    st.builds(lambda pattern: {"match": pattern}, st.one_of(st.text("ab(|)*+?[]{}\\^$.é1,", max_size=12), st.text())),
)
conditions = st.one_of(anything, st.dictionaries(keys, tests, min_size=1, max_size=2))


def compiled_or_refused(spec: Any) -> Condition | LanguageError:
    try:
        return compile_condition(spec, "error")
    except LanguageError as error:
        return error


@given(conditions, st.lists(anything, min_size=1, max_size=3), st.one_of(st.none(), st.dictionaries(keys, anything)))
def test_no_reply_makes_a_condition_raise(condition: Any, replies: list[Any], frame: dict[str, Any] | None) -> None:
    compiled = compiled_or_refused(condition)
    if isinstance(compiled, LanguageError):
        assert compiled.message
        assert compiled.where.startswith("error")
        return
    for reply in replies:
        assert compiled.holds(reply, frame) in (True, False)


def test_a_reply_too_deep_for_json_meets_no_text() -> None:
    deep: Any = []
    for _ in range(50_000):
        deep = [deep]
    assert not compile_condition({"a": {"match": "x"}}).holds({"a": deep})
    assert compile_condition({"a": "*"}).holds({"a": deep})
