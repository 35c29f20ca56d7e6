"""What holds for every template and every text of a caller."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.extract import compile_path
from app.core.placeholders import check_name
from app.core.template import ABSENT, LanguageError, compile_tree, compile_url

NAMES = ("USER_PROMPT", "MODEL_NAME", "MAX_TOKENS", "STREAM", "STEPS", "REQUEST")
shards = list('{}$:[]".|*=,- \\_09AZaz\n\ud800é') + ["env", "USER_PROMPT", "REQUEST", "NAME", "{{", "${", "}}"]
hostile = st.lists(st.sampled_from(shards), max_size=12).map("".join)
texts = st.one_of(st.text(), hostile)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), texts)
json_values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)
fragments = st.sampled_from(
    [
        "{USER_PROMPT}",
        "{STEPS:3}",
        "{REQUEST:a[].b}",
        "{{NAME}}",
        "{lower}",
        "${env:KEY}",
        "text",
        "{",
        "}",
        '"',
        "\n",
        "",
    ]
)
template_texts = st.lists(fragments, max_size=4).map("".join)
trees = st.recursive(
    st.one_of(template_texts, scalars.filter(lambda value: not isinstance(value, str))),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=10,
)
values = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, json_values))


def secret(kind: str, name: str) -> str:
    return f"<{kind}:{name}>"


def refusal(compiled: Callable[[str], object], text: str) -> LanguageError | None:
    try:
        compiled(text)
    except LanguageError as error:
        return error
    return None


@given(texts)
def test_any_string_compiles_or_is_refused_with_a_place_in_it(text: str) -> None:
    for compiled in (compile_tree, compile_url, compile_path):
        if error := refusal(compiled, text):
            assert error.message
            assert 0 <= error.position <= len(text)


@given(trees, st.lists(values, min_size=2, max_size=2))
def test_no_render_changes_the_template_its_source_or_the_values(tree: Any, given_values: list[dict[str, Any]]) -> None:
    try:
        template = compile_tree(tree)
    except LanguageError:
        return
    source, before = copy.deepcopy(tree), copy.deepcopy(given_values)
    first = template.render(given_values[0], secret)
    kept = copy.deepcopy(first)
    template.render(given_values[1], secret)
    assert first == kept
    assert template.render(given_values[0], secret) == kept
    assert (tree, given_values) == (source, before)


@given(texts)
def test_a_callers_text_arrives_as_it_is_and_once(text: str) -> None:
    template = compile_tree(
        {
            "messages": [{"content": "{USER_PROMPT}"}],
            "wrapped": "<{USER_PROMPT}>",
            "model": "{MODEL_NAME}",
            "s": "${env:K}",
        }
    )
    rendered = template.render({"USER_PROMPT": text, "MODEL_NAME": "llama"}, secret)
    assert rendered == {"messages": [{"content": text}], "wrapped": f"<{text}>", "model": "llama", "s": "<env:K>"}


@given(json_values)
def test_a_value_alone_is_that_value(value: Any) -> None:
    found = compile_tree(["{INPUT}", "{REQUEST:input}"]).render({"INPUT": value, "REQUEST": {"input": value}}, secret)
    if value is None:
        assert found is ABSENT
    else:
        assert found[0] is value
        assert found[1] is value


@given(texts.filter(lambda text: "{" not in text))
def test_text_without_an_opening_brace_is_constant(text: str) -> None:
    assert compile_tree(text).render({}, secret) == text


def has_empty_container(value: Any) -> bool:
    if not isinstance(value, dict | list):
        return False
    members = list(value.values()) if isinstance(value, dict) else value
    return not members or any(has_empty_container(member) for member in members)


@given(trees.filter(lambda tree: not has_empty_container(tree)))
def test_no_container_is_emptied_and_kept(tree: Any) -> None:
    try:
        rendered = compile_tree(tree).render({}, secret)
    except LanguageError:
        return
    assert not has_empty_container(rendered)


@given(values, texts)
def test_a_url_is_always_plain_ascii_behind_the_host(given_values: dict[str, Any], prompt: str) -> None:
    template = compile_url("http://h/{USER_PROMPT}/x?y={STEPS}#{REQUEST:a}")
    url = template.render(given_values | {"USER_PROMPT": prompt}, secret)
    assert url.startswith("http://h/")
    assert url.isascii()
    assert url.isprintable()
    assert " " not in url
    assert (url.count("/"), url.count("?"), url.count("#"), url.count("&")) == (4, 1, 1, 0)


@given(st.from_regex(r"[A-Z][A-Z0-9_]{0,14}", fullmatch=True))
def test_every_upper_case_name_is_a_placeholder_or_refused_for_a_typing_error(name: str) -> None:
    text = "{" + name + "}"
    if meant := check_name(name):
        with pytest.raises(LanguageError, match=meant):
            compile_tree(text)
    else:
        assert compile_tree(text).placeholders == {name}
